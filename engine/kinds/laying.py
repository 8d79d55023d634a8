"""Two maps are laid onto each other: a search of poses, then a climb in which both are masked and the moved one anew."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engine.geometry.move import Move
from engine.kernels import correlate
from engine.kernels.fourier import EDGE_FPX, cropped, even_fast, spectrum_block
from engine.kernels.reference import masked, spectrum_table
from engine.kernels.rotate import moved
from engine.kernels.wedge import Wedge
from engine.kinds.form import Shifts
from engine.kinds.polish import Pose, Slope, best_of, polished, settled
from engine.kinds.region import Region

PASSES, FINER, CLIMBS = 3, 4.0, 5
"""How often the moved map is masked anew and laid on again, how much less far each time, and rounds of the polish of each."""

WIDER, COMPARING_BYTES = 2, 110
"""Width of the box in which maps are compared, in their own, and what is held for a voxel of it, as was measured."""


def searched(
    moving: np.ndarray,
    onto: np.ndarray,
    shells_fpx: tuple[float, float],
    rotations: np.ndarray,
    limits_px: np.ndarray,
    spacing_deg: np.ndarray,
    n_polish: int,
) -> Pose:
    """The pose at which a masked map (n, n, n) is found in another: the best of the rotations (k, 3, 3), polished.

    The shift stays within semi-axes limits_px (3,) about no shift; what has spacing_deg 0 about x, y, z is not turned further.
    """
    n = onto.shape[-1]
    selection = correlate.band(n, *shells_fpx, Wedge(0))
    weighted, energy = correlate.weighted(selection, spectrum_block(moving, selection.reach))
    limits = Shifts(limits_xyz_px=tuple(limits_px.tolist()), frame="box")
    region = Region(np.zeros(3), np.eye(3), limits, n)
    step_px = correlate.shift_step_px(selection)
    slope = Slope(spectrum_table(onto, selection.reach), selection, weighted, energy, region, step_px / 2)
    top = best_of(slope, rotations, np.zeros(3))
    return settled(slope, polished(slope, top, spacing_deg, n_polish, 2.0))


def laid_on(
    moving: np.ndarray,
    fixed: np.ndarray,
    mask: np.ndarray,
    start: Move,
    shells_fpx: tuple[float, Sequence[float]],
    limits_px: np.ndarray,
    spacing_deg: np.ndarray,
) -> tuple[Move, float]:
    """The move, from a start, that lays one map (n, n, n) onto the other inside the mask, and the CC that was reached.

    Newton's method climbs, with one low-pass after another in the first pass, the last alone in the others. Both maps are
    masked; that the mask should not hold the moving one where it was, it is masked anew after each of the passes.
    shells_fpx: high-pass, low-passes; limits_px, spacing_deg: of the first pass.
    """
    high, lowpasses = shells_fpx
    onto = np.asarray(masked(fixed, mask))
    move, found = start, Pose(np.eye(3), np.zeros(3), -1.0)
    for number in range(PASSES):
        share = FINER**-number
        stays = number == 0 and np.array_equal(move.rotation, np.eye(3)) and not move.translation_xyz_px.any()
        placed = moving if stays else moved(moving, move.rotation, move.translation_xyz_px)
        inside = np.asarray(masked(placed, mask))
        found = Pose(np.eye(3), np.zeros(3), -1.0)
        for low_now in lowpasses if number == 0 else lowpasses[-1:]:
            found = _climbed(inside, onto, (high, low_now), found, share * limits_px, share * spacing_deg)
        # the fixed map turned by R and then shifted by d lies on the moving one: back by R^T and -R^T d
        move = move.then(found.rotation.T, -found.rotation.T @ found.shift_xyz_px)
    return move, found.cc


def sampled_px(box_px: int, lowpass_fpx: float) -> int:
    """The side of the box that holds a band, with the pixels that it needs."""
    return min(box_px, even_fast(2 * (lowpass_fpx + EDGE_FPX) + 2))


def comparing_bytes(box_px: int, lowpass_fpx: float) -> int:
    """The memory that laying a map onto another takes."""
    return COMPARING_BYTES * (WIDER * sampled_px(box_px, lowpass_fpx)) ** 3


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
