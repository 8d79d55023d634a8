"""Averaging: particles are turned back into the reference's frame and summed in Fourier space, with what they measured.

Each measured coefficient v of a particle goes, times its phase, to the eight voxels around R^-1 k; its weight goes to the
same places in a second sum. Their quotient is the Fourier-compensated average.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from engine.devices import namespace, to_host
from engine.kernels.fourier import block, block_frequencies, from_spectrum, half_frequencies, spectrum, spread
from engine.kernels.wedge import Wedge, measured

FLOOR = 1e-3
"""Weights below this share of their shell's mean are not divided by: nothing there but interpolation's tails."""


@dataclass(frozen=True, eq=False)
class FourierSum:
    """Sums over particles on a half spectrum (n, n, n // 2 + 1): complex values, real weights.

    Of any number of particles they are complex128 and float64; of a few (see `sum_of`) they may have half the bits.
    """

    values: Any
    weights: Any

    def __add__(self, other: FourierSum) -> FourierSum:
        return FourierSum(self.values + other.values, self.weights + other.weights)

    def add(self, few: FourierSum) -> None:
        """Puts a sum of a few particles, on any device, on top of this one in the host's memory."""
        np.add(self.values, to_host(few.values), out=self.values)
        np.add(self.weights, to_host(few.weights), out=self.weights)


@dataclass(frozen=True, eq=False)
class Placed:
    """A particle to be summed: its coefficients, how they were measured, its pose (rotation template to particle, shift).

    block: see `fourier.block`, of any reach below Nyquist of the sum's box; shift in px of that box. weight: the particle's
    own, a block of real numbers beside the wedge; what has weight 0 is not summed.
    """

    block: Any
    wedge: Wedge
    rotation: np.ndarray
    shift_xyz_px: np.ndarray
    weight: Any | None = None


def empty_sum(box_px: int, xp: Any = np) -> FourierSum:
    """A sum of no particles."""
    shape = (box_px, box_px, box_px // 2 + 1)
    return FourierSum(xp.zeros(shape, dtype=xp.complex128), xp.zeros(shape, dtype=xp.float64))


def sum_of(box_px: int, particles: Iterable[Placed], xp: Any = np) -> FourierSum:
    """The sum of a few particles, where xp's arrays live; on the host in single precision: for some dozens of them.

    All of them have a weight of their own, or none: weights are summed like coefficients, without a shift.
    """
    values, weights = _Sum(box_px, xp), None
    for particle in particles:
        if particle.weight is None:
            values.insert(particle)
            continue
        weights = weights or _Sum(box_px, xp)
        values.insert(replace(particle, block=particle.block * (particle.weight > 0)))
        weights.insert(replace(particle, block=particle.weight.astype(np.complex64), shift_xyz_px=np.zeros(3)))
    total = values.total()
    return total if weights is None else FourierSum(total.values, weights.total().values.real)


class _Sum:
    """A sum in the making: compiled on the host, by CUDA kernels on a GPU."""

    def __init__(self, box_px: int, xp: Any) -> None:
        from engine.kernels import compiled

        self._box_px, self._on_host = box_px, xp is np
        self._sums: Any = compiled.empty((box_px - 1) // 2) if self._on_host else empty_sum(box_px, xp)

    def insert(self, particle: Placed) -> None:
        if not self._on_host:
            from engine.kernels import cuda

            self._sums = cuda.inserted(self._sums, particle)
            return
        from engine.kernels import compiled

        rows = measured_rows(particle.block.shape[-1] - 1, particle.wedge)
        compiled.insert(self._sums, rows, particle.block, self._box_px, particle.rotation, particle.shift_xyz_px)

    def total(self) -> FourierSum:
        from engine.kernels import compiled

        return FourierSum(*compiled.folded(self._sums, self._box_px)) if self._on_host else self._sums


@lru_cache(maxsize=256)
def measured_rows(reach: int, wedge: Wedge) -> np.ndarray:
    """The measured frequencies within a reach in runs along kx: (m, 4) int32, kz, ky, the first kx, how many."""
    kx, ky, kz = _measured(reach, wedge)[0].astype(np.int32)
    starts = np.flatnonzero(np.r_[True, (np.diff(kz) != 0) | (np.diff(ky) != 0) | (np.diff(kx) != 1)])
    return np.column_stack([kz[starts], ky[starts], kx[starts], np.diff(np.r_[starts, len(kx)])]).astype(np.int32)


@lru_cache(maxsize=4)
def measured_frequencies(reach: int, wedge: Wedge) -> tuple[np.ndarray, np.ndarray]:
    """Measured frequencies k (3, n) float32 within a reach, and their places in a block."""
    return _measured(reach, wedge)


def _measured(reach: int, wedge: Wedge) -> tuple[np.ndarray, np.ndarray]:
    k = block_frequencies(reach).astype(np.float32)
    places = np.flatnonzero(((k**2).sum(axis=0) <= reach**2) & measured(k.T, wedge))
    return k[:, places], places


def inserted(total: FourierSum, particle: Placed) -> FourierSum:
    """The sum with one more particle: trilinear insertion by array code, on any device."""
    xp = namespace(particle.block)
    n = total.values.shape[0]
    k, places = (xp.asarray(part) for part in measured_frequencies(particle.block.shape[-1] - 1, particle.wedge))
    once = xp.where(k[0] == 0, xp.float32(0.5), xp.float32(1))
    turn = xp.asarray(np.asarray(particle.shift_xyz_px) * (2 * np.pi / n), dtype=xp.float32) @ k
    values = particle.block.ravel()[places] * (xp.cos(turn) + 1j * xp.sin(turn)).astype(xp.complex64)
    x, y, z = xp.asarray(np.asarray(particle.rotation).T, dtype=xp.float32) @ k
    sign = xp.where(x < 0, xp.float32(-1), xp.float32(1))
    x, y, z = x * sign, y * sign, z * sign
    imaginary = values.imag * sign
    x0, y0, z0 = xp.floor(x), xp.floor(y), xp.floor(z)
    fx, fy, fz = x - x0, y - y0, z - z0
    x0, y0, z0 = x0.astype(xp.int64), y0.astype(xp.int64), z0.astype(xp.int64)
    voxels, weights = [], []
    for dz, wz in ((0, 1 - fz), (1, fz)):
        for dy, wy in ((0, 1 - fy), (1, fy)):
            row = (((z0 + dz) % n) * n + (y0 + dy) % n) * (n // 2 + 1) + x0
            plane = wz * wy * once
            for dx, wx in ((0, 1 - fx), (1, fx)):
                voxels.append(row + dx)
                weights.append(plane * wx)
    voxel = xp.concatenate(voxels)
    weight = xp.concatenate(weights)
    size = total.weights.size

    def gathered(amounts: Any) -> Any:
        return xp.bincount(voxel, weights=amounts, minlength=size).reshape(total.weights.shape)

    summed = gathered(weight * xp.tile(values.real, 8)) + 1j * gathered(weight * xp.tile(imaginary, 8))
    return FourierSum(total.values + summed, total.weights + gathered(weight))


def completed(total: FourierSum) -> FourierSum:
    """The sum with its kx = 0 plane made whole: what was put on one side of it belongs to both."""
    values, weights = total.values.copy(), total.weights.copy()
    values[:, :, 0] += namespace(values).conj(_opposite(total.values[:, :, 0]))
    weights[:, :, 0] += _opposite(total.weights[:, :, 0])
    return FourierSum(values, weights)


def enlarged(total: FourierSum, reach: int, box_px: int) -> FourierSum:
    """A `completed` sum as that of a larger box: nothing beyond the reach, where particles gave only interpolation's tails."""
    xp = namespace(total.values)
    kx, ky, kz = block_frequencies(reach)
    inside = xp.asarray(kx**2 + ky**2 + kz**2 <= reach**2).reshape(2 * reach + 1, 2 * reach + 1, reach + 1)
    values, weights = (spread(block(part, reach) * inside, box_px) for part in (total.values, total.weights))
    return FourierSum(values, weights)


def last_shell(weights: Any) -> int:
    """The largest shell of Fourier pixels that any particle reached."""
    return int(_shell_numbers(weights.shape[0], namespace(weights))[weights > 0].max(initial=0))


def _opposite(plane: Any) -> Any:
    """The plane with ky, kz negated, zero frequency staying in the corner."""
    xp = namespace(plane)
    return xp.roll(plane[::-1, ::-1], (1, 1), axis=(0, 1))


def compensated(total: FourierSum, minimum_weight: float = 0.0) -> Any:
    """The average (n, n, n) float32: each Fourier voxel divided by the weight that reached it.

    total must be `completed`. Voxels with less than minimum_weight, or FLOOR of their shell's mean, become 0.
    """
    xp = namespace(total.values)
    n = total.values.shape[0]
    floor = xp.maximum(FLOOR * _shell_means(total.weights)[_shell_numbers(n, xp)], minimum_weight)
    enough = (total.weights >= floor) & (total.weights > 0)
    quotient = xp.where(enough, total.values / xp.where(enough, total.weights, 1), 0)
    return from_spectrum(quotient.astype(xp.complex64), n) / _droop(n, xp)


def raw(total: FourierSum, n_particles: int) -> Any:
    """The plain mean of the turned-back particles (n, n, n) float32, nothing compensated. total must be `completed`."""
    xp = namespace(total.values)
    n = total.values.shape[0]
    return from_spectrum((total.values / max(n_particles, 1)).astype(xp.complex64), n) / _droop(n, xp)


def merged(averages: list[Any], weights: list[Any]) -> tuple[Any, Any]:
    """The compensated average of several sets from their compensated averages and Fourier weights, and its weight."""
    xp = namespace(averages[0])
    n = averages[0].shape[0]
    droop = _droop(n, xp)
    values = sum(spectrum(average * droop) * weight for average, weight in zip(averages, weights, strict=True))
    total = sum(weights)
    safe = xp.where(total > 0, total, 1)
    return from_spectrum(xp.where(total > 0, values / safe, 0).astype(xp.complex64), n) / droop, total


def _droop(n: int, xp: Any) -> Any:
    """The sinc^2 by which trilinear insertion dims a box towards its faces, (n, n, n) float32."""
    line = (xp.sinc((xp.arange(n) - n // 2) / n) ** 2).astype(xp.float32)
    return line[:, None, None] * line[None, :, None] * line


def _shell_numbers(n: int, xp: Any) -> Any:
    k = xp.asarray(half_frequencies(n))
    return xp.rint(xp.sqrt((k**2).sum(axis=-1))).astype(xp.int64)


def _shell_means(weights: Any) -> Any:
    xp = namespace(weights)
    shell = _shell_numbers(weights.shape[0], xp).ravel()
    count = xp.bincount(shell)
    return xp.bincount(shell, weights=weights.ravel()) / xp.maximum(count, 1)
