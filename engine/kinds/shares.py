"""What each particle costs the steps that read it: time measured on noise by the code that will run, memory as was measured."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from engine.data import Volume
from engine.kernels import average, quick
from engine.kernels.fourier import spectrum, spectrum_block
from engine.kernels.mask import inscribed_ball
from engine.kernels.wedge import Wedge
from engine.kinds import imposing
from engine.kinds.averaging import (
    Sums,
    averages,
    fsc_of_parts,
    is_usable,
    normalised_block,
    small_box_px,
    small_mask,
)
from engine.kinds.form import Helix
from engine.kinds.measuring import measured, seconds
from engine.outputs import block_bytes
from engine.step import Share

SUMMING_BYTES = 65
"""Held by each worker that sums particles, for a voxel of the box in which they are summed: a group at work, one on its way."""

AVERAGING_BYTES = 66
"""Held beside the workers, for a voxel of the particles' box: the sums of two parts, and what becomes of them."""

TRANSFORMING_BYTES = 16
"""Held by each worker that transforms particles, for a voxel of their box."""

MOVING_BYTES = 24
"""Held for a voxel of a map that is moved: the map, its spline's coefficients, the sum."""

LARGEST_TURNED_PX = 96
"""Boxes up to which the turning of a map is measured itself."""

WEDGE = Wedge(1, (-60.0, 60.0))
ROTATION = np.array([[0.36, 0.48, -0.8], [-0.8, 0.6, 0.0], [0.48, 0.64, 0.6]])


def checked(box_px: int) -> Share:
    """Every box is read, and looked at for voxels that are no numbers."""
    return Share(_checking_s(box_px), 4 * box_px**3, worker_bytes=TRANSFORMING_BYTES * box_px**3)


def transformed(box_px: int, reach: int) -> Share:
    """Every box is read and becomes a block."""
    worker_bytes = TRANSFORMING_BYTES * box_px**3 + 2 * block_bytes(reach)
    return Share(_transforming_s(box_px, reach), 4 * box_px**3, worker_bytes=worker_bytes)


def averaged(box_px: int) -> Share:
    """Every box is read, normalised, transformed and summed; averages and FSC are made of the sums."""
    worker_bytes, shared_bytes = SUMMING_BYTES * box_px**3, AVERAGING_BYTES * box_px**3
    share = Share(_averaging_s(box_px), 4 * box_px**3, worker_bytes=worker_bytes, shared_bytes=shared_bytes)
    return share + Share(once_seconds=_finishing_s(box_px))


def averaged_blocks(box_px: int, reach: int, read_bytes: int) -> Share:
    """Every block is read (read_bytes: as far as it was stored), normalised and summed; then as `averaged`."""
    worker_bytes = SUMMING_BYTES * small_box_px(reach, box_px) ** 3 + read_bytes
    shared_bytes, each_s = AVERAGING_BYTES * box_px**3, _averaging_blocks_s(box_px, reach)
    return Share(each_s, read_bytes, 0, worker_bytes, shared_bytes, _finishing_s(box_px))


def symmetrised(box_px: int, name: str, helix: Helix | None, pixel_size_A: float) -> Share:
    """A map gets its symmetry: as often as there are operators the box is moved, by one core."""
    n_moves = imposing.n_operators(name, helix, box_px, pixel_size_A) - 1
    if not n_moves:
        return Share()
    # most of a helix's moves take a part of the box out of it, half of the furthest on average
    inside = 1.0 if helix is None else 1 - imposing.furthest_px(helix, box_px) / (2 * box_px)
    return Share(once_seconds=n_moves * inside * _turning_s(box_px))


def moved(box_px: int, times: int) -> Share:
    """A map is moved so many times, and the mean taken."""
    return Share(once_seconds=times * _turning_s(box_px), shared_bytes=MOVING_BYTES * box_px**3)


def _noise(box_px: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(box_px,) * 3).astype(np.float32)


@measured(0.0)
def _checking_s(box_px: int) -> float:
    noise = _noise(box_px)
    return seconds(lambda: is_usable(noise))


@measured(0.0)
def _transforming_s(box_px: int, reach: int) -> float:
    noise = _noise(box_px)
    return seconds(lambda: (spectrum_block(noise, reach), noise.var(dtype=np.float64)))


@measured(0.0)
def _turning_s(box_px: int) -> float:
    """Seconds that one operator takes: told from a smaller box where the box is large."""
    small_px = min(box_px, LARGEST_TURNED_PX)
    noise, many = _noise(small_px), np.stack([ROTATION] * 4)
    return seconds(lambda: quick.sum_of_moved(noise, many, np.zeros((4, 3)))) / 4 * (box_px / small_px) ** 3


@measured(0.0)
def _averaging_s(box_px: int) -> float:
    noise, mask = _noise(box_px), np.asarray(inscribed_ball(box_px))

    def placed() -> average.Placed:
        mean, deviation = quick.mean_and_deviation(noise, mask, ROTATION, np.zeros(3), box_px / 2)
        block = spectrum_block((noise - mean) / deviation, (box_px - 1) // 2)
        return average.Placed(block, WEDGE, ROTATION, np.zeros(3))

    return _summing_s(box_px, placed)


@measured(0.0)
def _finishing_s(box_px: int) -> float:
    """Seconds that become averages and FSC of two sums, once."""
    noise = _noise(box_px)
    total = average.FourierSum(spectrum(noise), np.ones((box_px, box_px, box_px // 2 + 1), np.float32))
    sums, mask = Sums(total, total, 2), Volume(np.asarray(inscribed_ball(box_px)), 1.0)
    return seconds(lambda: (averages(sums, 1.0, "C1", None), fsc_of_parts(sums, mask, "")))


@measured(0.0)
def _averaging_blocks_s(box_px: int, reach: int) -> float:
    block, small_px = spectrum_block(_noise(box_px), reach), small_box_px(reach, box_px)
    mask = small_mask(np.asarray(inscribed_ball(box_px)), small_px)

    def placed() -> average.Placed:
        particle = normalised_block(block, 1.0, box_px, mask, ROTATION, np.zeros(3))
        return average.Placed(particle, WEDGE, ROTATION, np.zeros(3))

    return _summing_s(small_px, placed)


def _summing_s(box_px: int, placed: Callable[[], average.Placed]) -> float:
    """Seconds a particle of a sum of a few."""
    few = 4
    return seconds(lambda: average.sum_of(box_px, (placed() for _ in range(few)))) / few
