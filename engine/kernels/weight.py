"""A particle's own weight: its spectrum is w(k) times the object's, w from a custom Fourier mask or the square of a CTF.

The score multiplies the reference by w, and takes no coefficient where w is 0:

    CC = sum_k Re[ conj(w F) b^2 h p ] / sqrt( sum h b^2 w^2 |F|^2  sum_{w > 0} h b^2 |p|^2 )

This is the score of `correlate` for the particle p / w under the weight W = h b^2 w^2, so nothing else need know of w.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from engine.devices import namespace
from engine.kernels.correlate import Band

LEAST = 1e-3
"""Share of a particle's largest weight below which it counts as having measured nothing."""


def half_weight(volume: np.ndarray) -> np.ndarray:
    """The weight as a half spectrum (n, n, n // 2 + 1) float32, zero frequency in the corner, the same at k and -k.

    volume: whole, (n, n, n) with zero frequency at the voxel n // 2; or half, (n, n, n // 2 + 1) with zero frequency in the
    corner (RELION's). A real box has no say in k without -k: where the weight differs between them, their mean counts.
    """
    n = volume.shape[0]
    if volume.shape == (n, n, n):
        of_k = np.fft.ifftshift(volume)
        return (of_k / 2 + _opposite(of_k) / 2)[:, :, : n // 2 + 1].astype(np.float32)
    if volume.shape != (n, n, n // 2 + 1):
        raise ValueError(f"shape {volume.shape} is neither (n, n, n) nor (n, n, n // 2 + 1)")
    half = volume.astype(np.float32)
    own = [0] if n % 2 else [0, n // 2]  # the planes that hold k and -k
    for x in own:
        half[:, :, x] = half[:, :, x] / 2 + _opposite(half[:, :, x]) / 2
    return half


def _opposite(of_k: np.ndarray) -> np.ndarray:
    """The values at -k, zero frequency staying in the corner."""
    axes = tuple(range(of_k.ndim))
    return np.roll(np.flip(of_k), (1,) * len(axes), axis=axes)


def relative(weight: Any) -> Any:
    """The weight's block with its largest value 1, and 0 where it has less than LEAST of that."""
    scaled = weight / weight.max()
    return namespace(weight).where(scaled < LEAST, np.float32(0), scaled)


def divided(block: Any, weight: Any) -> Any:
    """A particle's block over its `relative` weight: what it says of the object; 0 where the weight is 0."""
    xp = namespace(weight)
    return xp.where(weight > 0, block / xp.where(weight > 0, weight, np.float32(1)), 0).astype(xp.complex64)


def under(selection: Band, weight: Any) -> Band:
    """The band of a particle that is `divided` by its weight, with that weight."""
    values = weight.ravel()[selection.voxel]
    return replace(selection, amplitude=selection.amplitude * values, weight=selection.weight * values**2)
