"""Helical symmetry imposed on a box: its central part, repeated along z until the box is full."""

from __future__ import annotations

from typing import Any

import numpy as np

from engine.devices import namespace
from engine.kernels import quick
from engine.kernels.mask import soft_edge

EDGE_PX = 6.0
"""Width of the raised-cosine ends of the part that is repeated."""


def central_px(box_px: int, fraction: float) -> float:
    """Length along z of the part that is repeated, to the middle of its ends, in px: at most what the box holds of it."""
    return min(fraction * box_px, box_px - 2.0 - EDGE_PX)


def furthest_px(box_px: int, length_px: float) -> float:
    """How far the part of this length must be shifted to fill the box, in px."""
    return (box_px + length_px + EDGE_PX) / 2


def symmetrized(volume: Any, rotations: np.ndarray, shifts_xyz_px: np.ndarray, length_px: float) -> Any:
    """The box (n, n, n) whose every voxel is the mean of what the operators bring there from the central part, float32.

    rotations (k, 3, 3), shifts (k, 3): see `symmetry.helical`; z goes to z or to -z. Along z the part has length_px and soft
    ends, and means are weighted by them: where parts overlap the map is the mean of them, and nowhere thinner for want of one.
    """
    xp = namespace(volume)
    n = volume.shape[-1]
    z = np.arange(n) - n // 2
    kept = xp.asarray(_window(z, length_px))
    total = quick.sum_of_moved(volume * kept[:, None, None], rotations, shifts_xyz_px)
    came_from = rotations[:, 2, 2, None] * (z - shifts_xyz_px[:, 2, None])
    weight = xp.asarray(_window(came_from, length_px).sum(axis=0, dtype=np.float64))
    return (total / weight[:, None, None]).astype(xp.float32)


def _window(z: np.ndarray, length_px: float) -> np.ndarray:
    return np.asarray(soft_edge(np.abs(z) - length_px / 2, min(EDGE_PX, length_px)))
