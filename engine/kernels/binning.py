"""Fourier binning of large maps, one axis after the other: a spectrum cut along each axis is cut along all of them.

Voxel j of the binned map lies on voxel factor·j of the map, whatever the lengths: positions are divided by the factor. An axis
whose length is no multiple of the factor is first lengthened to one, by a straight line from its last voxel to its first.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy


def binned_length(n: int, factor: int) -> int:
    """The number of voxels left of n."""
    return -(-n // factor)


def binned_shape(shape_zyx: Sequence[int], factor: int) -> tuple[int, int, int]:
    """The shape of the binned map."""
    z, y, x = (binned_length(n, factor) for n in shape_zyx)
    return z, y, x


def binned_along(values: np.ndarray, factor: int, axis: int) -> np.ndarray:
    """The array with one axis binned by a whole factor, float32; heights are kept.

    values: real, any number of axes. The new Nyquist frequency of an even axis is dropped, as `fourier.cropped` does.
    """
    n = values.shape[axis]
    length = binned_length(n, factor)
    whole = _lengthened(np.asarray(values, dtype=np.float32), length * factor - n, axis)
    half = scipy.fft.rfft(whole, axis=axis)
    inner = np.take(half, range((length - 1) // 2 + 1), axis=axis)
    return scipy.fft.irfft(inner, length, axis=axis) / np.float32(factor)


def binned(volume: np.ndarray, factor: int) -> np.ndarray:
    """The map (z, y, x) binned along all its axes, float32."""
    for axis in (2, 1, 0):
        volume = binned_along(volume, factor, axis)
    return volume


def _lengthened(values: np.ndarray, count: int, axis: int) -> np.ndarray:
    if not count:
        return values
    first, last = (np.take(values, [place], axis=axis) for place in (0, -1))
    steps = (np.arange(1, count + 1, dtype=np.float32) / np.float32(count + 1)).reshape(
        [-1 if number == axis % values.ndim else 1 for number in range(values.ndim)]
    )
    return np.concatenate([values, last + steps * (first - last)], axis=axis)
