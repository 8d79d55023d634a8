"""What a registration costs: timed on noise, in the box and the band that are asked for."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from engine.geometry.move import NOWHERE
from engine.kernels.mask import inscribed_ball
from engine.kinds import shares
from engine.kinds.laying import comparing_bytes, laid_on, searched
from engine.kinds.registration.finding import CLIMBING, rotations_of
from engine.kinds.registration.form import Project
from engine.step import Share

TIMED = 9
"""Rotations by which a score is timed."""

SEARCHING_BYTES = 90
"""Held for a voxel of the box while it is searched, as was measured."""


def share_of(project: Project) -> Callable[[int, float], Share]:
    """All rotations are scored over the window, then the maps are laid on."""
    form, typed_A = project.search, project.data.pixel_size_A

    def share(box_px: int, pixel_size_A: float) -> Share:
        shells = form.bandpass.shells(box_px, typed_A or pixel_size_A or 1.0)
        one_s, many_s = (_searching_s(box_px, shells, form.limits_xyz_px, n) for n in (1, TIMED))
        n_rotations = len(rotations_of(form))
        scoring_s = one_s + max(0.0, many_s - one_s) / (TIMED - 1) * (n_rotations - 1)
        held = max(comparing_bytes(box_px, shells[1]), SEARCHING_BYTES * box_px**3)
        return Share(once_seconds=scoring_s + _laying_s(box_px, shells), shared_bytes=held)

    return share


@lru_cache(maxsize=16)
def _searching_s(box_px: int, shells: tuple[float, float], limits: tuple[float, ...], n_rotations: int) -> float:
    noise = np.random.default_rng(0).normal(size=(box_px,) * 3).astype(np.float32)
    rotations = np.stack([np.eye(3)] * n_rotations)
    args = (rotations, np.array(limits), np.ones(3), CLIMBING)
    return shares.seconds(lambda: searched(noise, noise, shells, *args), budget_s=0.2)


@lru_cache(maxsize=16)
def _laying_s(box_px: int, shells: tuple[float, float]) -> float:
    noise = np.random.default_rng(0).normal(size=(box_px,) * 3).astype(np.float32)
    ball = np.asarray(inscribed_ball(box_px))
    one = (NOWHERE, (shells[0], shells[1:]), np.ones(3), np.ones(3))
    return shares.seconds(lambda: laid_on(noise, noise, ball, *one), budget_s=0.2)
