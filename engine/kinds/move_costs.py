"""What the search of a move costs: timed on noise, in the box and the band that are asked for."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from engine.geometry.move import NOWHERE
from engine.kernels.mask import inscribed_ball
from engine.kinds.laying import comparing_bytes, laid_on, searched
from engine.kinds.measuring import measured, seconds
from engine.kinds.move_search import CLIMBING, Search, rotations_of
from engine.step import Share

TIMED = 9
"""Rotations by which a score is timed."""

LARGEST_TIMED_PX = 48
"""Boxes up to which time is measured itself; that of larger ones is told from a smaller one with as many shells to a voxel."""

SEARCHING_BYTES = 60
"""Held for a voxel of the box while it is searched, as was measured."""


def share_of(form: Search, typed_A: float | None = None) -> Callable[[int, float], Share]:
    """All rotations are scored over the window, then the maps are laid on."""

    def share(box_px: int, pixel_size_A: float) -> Share:
        high, low = form.bandpass.shells(box_px, typed_A or pixel_size_A or 1.0)
        timed_px = min(box_px, LARGEST_TIMED_PX)
        scale = timed_px / box_px
        shells, limits = (scale * high, scale * low), tuple(scale * limit for limit in form.limits_xyz_px)
        one_s, many_s = (_searching_s(timed_px, shells, limits, n) for n in (1, TIMED))
        scoring_s = max(0.0, many_s - one_s) / (TIMED - 1) * (len(rotations_of(form)) - 1)
        seconds = (one_s + scoring_s + _laying_s(timed_px, shells)) / scale**3
        held = max(comparing_bytes(box_px, low), SEARCHING_BYTES * box_px**3)
        return Share(once_seconds=seconds, shared_bytes=held)

    return share


@measured(0.0)
def _searching_s(box_px: int, shells: tuple[float, float], limits: tuple[float, ...], n_rotations: int) -> float:
    noise = np.random.default_rng(0).normal(size=(box_px,) * 3).astype(np.float32)
    rotations = np.stack([np.eye(3)] * n_rotations)
    args = (rotations, np.array(limits), np.ones(3), CLIMBING)
    return seconds(lambda: searched(noise, noise, shells, *args), budget_s=0.2)


@measured(0.0)
def _laying_s(box_px: int, shells: tuple[float, float]) -> float:
    noise = np.random.default_rng(0).normal(size=(box_px,) * 3).astype(np.float32)
    ball = np.asarray(inscribed_ball(box_px))
    one = (NOWHERE, (shells[0], shells[1:]), np.ones(3), np.ones(3))
    return seconds(lambda: laid_on(noise, noise, ball, *one), budget_s=0.2)
