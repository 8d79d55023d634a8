"""The move that lays one map onto another: searched, then climbed to the top."""

from __future__ import annotations

import numpy as np

from engine.geometry import search
from engine.geometry.move import Move
from engine.geometry.shifts import clip_to_ellipsoid
from engine.kernels.fourier import bandpass
from engine.kernels.mask import support_px
from engine.kernels.reference import masked
from engine.kernels.rotate import correlation_under
from engine.kinds.laying import laid_on, searched
from engine.kinds.registration.form import Search

CLIMBING = 5
"""Rounds of the polish after the search."""


def rotations_of(form: Search) -> np.ndarray:
    """(k, 3, 3): what is tried."""
    cone, azimuth = form.cone, form.azimuth
    return search.rotations(
        search.Search(cone.range_deg, cone.step_deg, azimuth.range_deg, azimuth.step_deg, cone.flip, azimuth.flip)
    )


def found(moving: np.ndarray, onto: np.ndarray, mask: np.ndarray, form: Search, shells: tuple[float, float]) -> Move:
    """The move of the map: searched, then climbed to the top with both maps masked; its limits hold exactly."""
    high, low = shells
    limits = np.array(form.limits_xyz_px)
    half_step = np.array([form.cone.step_deg, form.cone.step_deg, form.azimuth.step_deg]) / 2
    turns = np.array([form.cone.range_deg, form.cone.range_deg, form.azimuth.range_deg]) > 0
    template = np.asarray(masked(onto, mask))
    pose = searched(moving, template, shells, rotations_of(form), limits, half_step * turns, CLIMBING)
    start = Move(pose.rotation, pose.shift_xyz_px).inverse
    furthest_px = max(1.0, moving.shape[-1] / (2 * low))  # half the finest detail
    spacing_deg = np.degrees(furthest_px / 2 / max(1.0, support_px(mask))) * turns
    move, _ = laid_on(moving, onto, mask, start, (high, (low,)), np.minimum(limits, furthest_px), spacing_deg)
    back = move.inverse
    within = clip_to_ellipsoid(back.translation_xyz_px, limits, np.eye(3), tolerance_px=0)
    return Move(back.rotation, within).inverse


def likeness(a: np.ndarray, b: np.ndarray, mask: np.ndarray, shells: tuple[float, float]) -> float:
    """Pearson's correlation of two maps in the band, under the mask."""
    first, second = (np.asarray(bandpass(one, *shells)) for one in (a, b))
    return float(correlation_under(mask, np.eye(3), first, second))
