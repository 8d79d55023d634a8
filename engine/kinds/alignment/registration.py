"""One half-set's average is laid onto the other's, and its poses go with it: both stay in one frame.

Two half-sets that are aligned on their own may drift apart as wholes, by a turn and a shift in the directions that the
search and the symmetry leave open. What is taken from the other half are these six numbers at most, and they are the same
for all particles: how well a particle fits its own half's reference does not change, and no voxel is handed over. The
search climbs from where the halves lie and goes nowhere where they do not agree: noise is not searched for a likeness.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.data import Table
from engine.geometry import pose, symmetry
from engine.kernels import correlate
from engine.kernels.fourier import EDGE_FPX, cropped, even_fast, spectrum_block
from engine.kernels.mask import support_px
from engine.kernels.reference import masked, spectrum_table
from engine.kernels.rotate import moved
from engine.kernels.wedge import Wedge
from engine.kinds.alignment.adaptive import NARROWEST_FPX
from engine.kinds.alignment.particle import screens
from engine.kinds.alignment.polish import Pose, Slope, polished, settled
from engine.kinds.alignment.region import Region
from engine.kinds.form import Round, Shifts

STAYS_PX = 0.05
"""A move that displaces no voxel of the mask further than this is none: the particles need not be averaged anew."""

AGREES, BY_CHANCE = 0.143, 5.0
"""Correlation of the masked maps in the band from which on they tell a common frame: it, and so many deviations of noise's.

What a climb finds in noise lies three or four deviations high; it would be taken for agreement where mask and band are small.
"""

PASSES, FINER, CLIMBS = 3, 4.0, 5
"""How often the moved map is masked anew and laid on again, how much less far each time, and rounds of the polish of each."""

HIGHEST_FPX = 40.0
"""Low-pass of the comparison at most: finer shells would place the maps no better, and take much memory."""

WIDER, COMPARING_BYTES = 2, 110
"""Width of the box in which maps are compared, in their own, and what is held for a voxel of it, as was measured."""


@dataclass(frozen=True, eq=False)
class Move:
    """x -> Q (x - c) + c + t about the box centre c: rotation Q (3, 3), translation t (3,) xyz px."""

    rotation: np.ndarray
    translation_xyz_px: np.ndarray

    @property
    def angle_deg(self) -> float:
        return float(np.degrees(np.arccos(np.clip((np.trace(self.rotation) - 1) / 2, -1, 1))))

    @property
    def shift_px(self) -> float:
        return float(np.linalg.norm(self.translation_xyz_px))

    def then(self, rotation: np.ndarray, translation_xyz_px: np.ndarray) -> Move:
        """This move, and another after it."""
        return Move(rotation @ self.rotation, rotation @ self.translation_xyz_px + translation_xyz_px)

    def furthest_px(self, radius_px: float) -> float:
        """How far a point within a radius of the centre goes, at most."""
        return self.shift_px + float(np.radians(self.angle_deg)) * radius_px

    def applied(self, volume: np.ndarray) -> np.ndarray:
        """The map (n, n, n), moved by cubic splines."""
        return np.asarray(moved(volume, self.rotation, self.translation_xyz_px))

    def of_poses(self, table: Table) -> Table:
        """The table whose average is the average moved: every particle lies where it lay, seen from the new frame.

        dshift, daxis and dnarot stay: they tell what the search did.
        """
        poses = pose.transformed(table.angles, table.shifts_xyz_px, self.rotation, self.translation_xyz_px)
        return table.with_poses(*poses)


NOWHERE = Move(np.eye(3), np.zeros(3))


def open_axes(settings: Round) -> tuple[np.ndarray, np.ndarray]:
    """About which of the axes x, y, z an average may have turned, and along which it may have gone, (3,) bool each.

    What the round does not search cannot drift; nor can what its symmetry holds: only turns about, and shifts along, an axis
    that every operator leaves alone.
    """
    held = symmetry.operators(settings.symmetry).mean(axis=0).diagonal() > 0.5
    if settings.helix is not None:
        held = held & [False, False, True]
    is_global = settings.search == "global"
    cone, azimuth = (is_global or part.range_deg > 0 for part in (settings.cone, settings.azimuth))
    shifts = settings.shifts
    limits = np.array(shifts.limits_xyz_px) > 0
    if shifts.origin == "unlimited":
        limits = np.ones(3, dtype=bool)
    elif is_global or shifts.frame == "box":
        limits = np.full(3, limits.any())
    return held & [cone, cone, azimuth], held & limits


def registered(moving: np.ndarray, fixed: np.ndarray, mask: np.ndarray, settings: Round, pixel_size_A: float) -> Move:
    """The move that lays one map (n, n, n) onto the other inside the mask, in the round's band; NOWHERE for next to none.

    Newton's method climbs from no move at all, first in the lower half of the band where that can tell something. Both maps are
    masked; that the mask should not hold the moving one where it was, it is masked anew after each of the passes.
    """
    n = fixed.shape[-1]
    high, low = settings.bandpass.shells(n, pixel_size_A)
    low = highest_fpx(high, low)
    turning, shifting = open_axes(settings)
    if not (turning.any() or shifting.any()):
        return NOWHERE
    furthest_px = max(1.0, n / (2 * low))  # half the finest detail: what was aligned to one frame lies nearer
    limits_px = np.where(shifting, furthest_px, 0.0)
    spacing_deg = np.degrees(furthest_px / 2 / max(1.0, support_px(mask))) * turning
    onto = np.asarray(masked(fixed, mask))
    move, found = NOWHERE, Pose(np.eye(3), np.zeros(3), -1.0)
    for number in range(PASSES):
        share = FINER**-number
        inside = np.asarray(masked(move.applied(moving) if number else moving, mask))
        found = Pose(np.eye(3), np.zeros(3), -1.0)
        for low_now in (low / 2, low) if number == 0 and screens(high, low) else (low,):
            found = _climbed(inside, onto, (high, low_now), found, share * limits_px, share * spacing_deg)
        # the fixed map turned by R and then shifted by d lies on the moving one: back by R^T and -R^T d
        move = move.then(found.rotation.T, -found.rotation.T @ found.shift_xyz_px)
    agree = found.cc >= max(AGREES, BY_CHANCE * noise_deviation(mask, high, low))
    return move if agree and move.furthest_px(support_px(mask)) > STAYS_PX else NOWHERE


def highest_fpx(highpass_fpx: float, lowpass_fpx: float) -> float:
    """The low-pass of the comparison."""
    return min(lowpass_fpx, max(HIGHEST_FPX, highpass_fpx + NARROWEST_FPX))


def sampled_px(box_px: int, lowpass_fpx: float) -> int:
    """The side of the box that holds a band, with the pixels that it needs."""
    return min(box_px, even_fast(2 * (lowpass_fpx + EDGE_FPX) + 2))


def held_bytes(box_px: int, highpass_fpx: float, lowpass_fpx: float) -> int:
    """The memory that a registration takes."""
    return COMPARING_BYTES * (WIDER * sampled_px(box_px, highest_fpx(highpass_fpx, lowpass_fpx))) ** 3


def noise_deviation(mask: np.ndarray, highpass_fpx: float, lowpass_fpx: float) -> float:
    """How far from 0 two maps of noise correlate in a mask (n, n, n) and a band: 1 / sqrt(independent numbers)."""
    n = mask.shape[-1]
    selection = correlate.band(n, highpass_fpx, lowpass_fpx, Wedge(0))
    weight = selection.weight.astype(np.float64)
    in_band = weight.sum() ** 2 / (weight * selection.amplitude**2).sum()
    share = float((mask**2).sum(dtype=np.float64)) / n**3
    return 1 / float(np.sqrt(max(1.0, in_band * share)))


def _climbed(
    inside: np.ndarray,
    onto: np.ndarray,
    shells_fpx: tuple[float, float],
    start: Pose,
    limits_px: np.ndarray,
    spacing_deg: np.ndarray,
) -> Pose:
    """The top that is climbed from a pose, in a band, by two masked maps.

    They are sampled as the band needs and stand in a box twice as wide: interpolating in a spectrum errs the less the more
    finely it is sampled.
    """
    n = onto.shape[-1]
    small_px = sampled_px(n, shells_fpx[1])
    scale, wide_px = small_px / n, WIDER * small_px
    first = wide_px // 2 - small_px // 2
    around = (first, wide_px - small_px - first)
    template, particle = (np.pad(cropped(part, small_px), around) for part in (onto, inside))
    high, low = (WIDER * shell for shell in shells_fpx)
    selection = correlate.band(wide_px, high, low, Wedge(0))
    weighted, energy = correlate.weighted(selection, spectrum_block(particle, selection.reach))
    limits = Shifts(limits_xyz_px=tuple((scale * limits_px).tolist()), frame="box")
    slope = Slope(
        spectrum_table(template, selection.reach),
        selection,
        weighted,
        energy,
        Region(np.zeros(3), np.eye(3), limits, wide_px),
        correlate.shift_step_px(selection) / 2,
    )
    start = Pose(start.rotation, scale * start.shift_xyz_px, start.cc)
    top = settled(slope, polished(slope, start, spacing_deg, CLIMBS, 2.0))
    return Pose(top.rotation, top.shift_xyz_px / scale, top.cc)
