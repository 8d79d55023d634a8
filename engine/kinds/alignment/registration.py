"""One half-set's average is laid onto the other's, and its poses go with it: both stay in one frame.

Two half-sets that are aligned on their own may drift apart as wholes, by a turn and a shift in the directions that the
search and the symmetry leave open. What is taken from the other half are these six numbers at most, and they are the same
for all particles: how well a particle fits its own half's reference does not change, and no voxel is handed over. The
search climbs from where the halves lie and goes nowhere where they do not agree: noise is not searched for a likeness.
"""

from __future__ import annotations

import numpy as np

from engine.geometry import symmetry
from engine.geometry.move import NOWHERE, Move
from engine.kernels import correlate
from engine.kernels.mask import support_px
from engine.kernels.wedge import Wedge
from engine.kinds.alignment.adaptive import NARROWEST_FPX
from engine.kinds.alignment.particle import screens
from engine.kinds.form import Round
from engine.kinds.laying import comparing_bytes, laid_on

STAYS_PX = 0.05
"""A move that displaces no voxel of the mask further than this is none: the particles need not be averaged anew."""

AGREES, BY_CHANCE = 0.143, 5.0
"""Correlation of the masked maps in the band from which on they tell a common frame: it, and so many deviations of noise's.

What a climb finds in noise lies three or four deviations high; it would be taken for agreement where mask and band are small.
"""

HIGHEST_FPX = 40.0
"""Low-pass of the comparison at most: finer shells would place the maps no better, and take much memory."""


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
    lowpasses = (low / 2, low) if screens(high, low) else (low,)
    move, cc = laid_on(moving, fixed, mask, NOWHERE, (high, lowpasses), limits_px, spacing_deg)
    agree = cc >= max(AGREES, BY_CHANCE * noise_deviation(mask, high, low))
    return move if agree and move.furthest_px(support_px(mask)) > STAYS_PX else NOWHERE


def highest_fpx(highpass_fpx: float, lowpass_fpx: float) -> float:
    """The low-pass of the comparison."""
    return min(lowpass_fpx, max(HIGHEST_FPX, highpass_fpx + NARROWEST_FPX))


def held_bytes(box_px: int, highpass_fpx: float, lowpass_fpx: float) -> int:
    """The memory that a registration takes."""
    return comparing_bytes(box_px, highest_fpx(highpass_fpx, lowpass_fpx))


def noise_deviation(mask: np.ndarray, highpass_fpx: float, lowpass_fpx: float) -> float:
    """How far from 0 two maps of noise correlate in a mask (n, n, n) and a band: 1 / sqrt(independent numbers)."""
    n = mask.shape[-1]
    selection = correlate.band(n, highpass_fpx, lowpass_fpx, Wedge(0))
    weight = selection.weight.astype(np.float64)
    in_band = weight.sum() ** 2 / (weight * selection.amplitude**2).sum()
    share = float((mask**2).sum(dtype=np.float64)) / n**3
    return 1 / float(np.sqrt(max(1.0, in_band * share)))
