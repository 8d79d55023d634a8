"""What a postprocess costs: told from the FSC of two maps of noise, of which all else is a multiple."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from engine.kernels.fsc import fsc
from engine.kernels.local_fsc import Cones, window_of
from engine.kernels.mask import inscribed_ball
from engine.kinds.measuring import measured, seconds
from engine.kinds.postprocess.form import Project, window_A
from engine.step import Share

FSCS = 25
"""What the curves, the mask and the map take, in times of one FSC of the whole box: as was measured."""

HELD_BYTES = 62
"""Held for a voxel of the box, as was measured; the halves' and the maps' own included."""

LARGEST_PX = 96
"""Boxes up to which an FSC is measured itself."""

BALL_SHARE = np.pi / 6
"""Of a cube: the largest part of a box that is reckoned to lie inside the mask, whose windows are then counted."""


def share_of(project: Project) -> Callable[[int, float], Share]:
    """Curves and map by one core, windows and cones by all workers."""
    local, directional = project.local, project.directional

    def share(box_px: int, told_A: float) -> Share:
        pixel_size_A = project.data.pixel_size_A or told_A or 1.0
        seconds = 0.0
        if local:
            radius_A, edge_A = window_A(local)
            window_px = window_of(radius_A / pixel_size_A, edge_A / pixel_size_A).shape[-1]
            step_px = max(1, round(local.sampling_A / pixel_size_A))
            seconds += 2 * BALL_SHARE * (box_px / step_px) ** 3 * _fsc_s(window_px)
        if directional:
            seconds += directional.directions * _cone_s(box_px)
        return Share(
            seconds,
            read_bytes=8 * box_px**3,
            shared_bytes=HELD_BYTES * box_px**3,
            once_seconds=FSCS * _fsc_s(box_px),
        )

    return share


@measured(0.0)
def _fsc_s(box_px: int) -> float:
    first, second, mask = _maps(box_px)
    return seconds(lambda: fsc(first, second, mask)) * _enlarged(box_px)


@measured(0.0)
def _cone_s(box_px: int) -> float:
    cones = Cones(*_maps(box_px))
    return seconds(lambda: cones.fsc(np.array([0.0, 0.6, 0.8]), 20.0)) * _enlarged(box_px)


def _maps(box_px: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    small_px = min(box_px, LARGEST_PX)
    first, second = np.random.default_rng(0).normal(size=(2, small_px, small_px, small_px)).astype(np.float32)
    return first, second, np.asarray(inscribed_ball(small_px))


def _enlarged(box_px: int) -> float:
    """Voxels of the box for a voxel of the one that was measured."""
    return float((box_px / min(box_px, LARGEST_PX)) ** 3)
