"""The reference as a spectrum that can be sampled at any orientation without turning the volume."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.devices import namespace
from engine.kernels.fourier import even_fast, indices, spectrum

PADDING = 1.5
"""Oversampling of the table; trilinear sampling then errs by about 2 % of the signal at any shell."""


@dataclass(frozen=True, eq=False)
class SpectrumTable:
    """A padded half spectrum around zero frequency: values[z + reach, y + reach, x], complex64.

    scale is the number of table voxels to a Fourier pixel of the box; reach the largest index held along z and y.
    """

    values: Any
    scale: float
    reach: int


def masked(volume: Any, mask: Any) -> Any:
    """mask * (volume - its mean under the mask): the template of the correlation, same shape and device."""
    mean = (volume * mask).sum(dtype=np.float64) / mask.sum(dtype=np.float64)
    return (mask * (volume - mean)).astype(np.float32)


def spectrum_table(volume: Any, reach_fpx: int) -> SpectrumTable:
    """The table of a box that vanishes towards its faces, up to reach_fpx Fourier pixels.

    The volume is divided by the sinc^2 that trilinear sampling multiplies it with.
    """
    xp = namespace(volume)
    n = volume.shape[-1]
    padded = even_fast(PADDING * n)
    droop = xp.sinc((xp.arange(n) - n // 2) / padded) ** 2
    corrected = volume / (droop[:, None, None] * droop[None, :, None] * droop)
    box = xp.zeros((padded,) * 3, dtype=xp.float32)
    first = padded // 2 - n // 2
    inner = slice(first, first + n)
    box[inner, inner, inner] = corrected
    reach = int(np.ceil(reach_fpx * padded / n)) + 1
    known = min(reach, padded // 2 - 1)  # beyond Nyquist there is nothing
    rows = xp.asarray(np.argsort(indices(padded), kind="stable")[padded // 2 - known : padded // 2 + known + 1])
    values = xp.zeros((2 * reach + 1, 2 * reach + 1, reach + 1), dtype=xp.complex64)
    inner = slice(reach - known, reach + known + 1)
    values[inner, inner, : known + 1] = spectrum(box)[rows][:, rows][:, :, : known + 1]
    return SpectrumTable(values, padded / n, reach)


def sample(table: SpectrumTable, k_xyz: Any, rotations: Any) -> Any:
    """The reference's coefficients (b, n) complex64 at R^-1 k, for rotations R (b, 3, 3) and frequencies k (3, n).

    Trilinear between table voxels. |k| must stay within the reach the table was made for.
    """
    xp = namespace(table.values)
    scaled = rotations * xp.float32(table.scale)
    x, y, z = (xp.ascontiguousarray(scaled[:, :, axis]) @ k_xyz for axis in range(3))
    mirrored = x < 0
    sign = xp.where(mirrored, xp.float32(-1), xp.float32(1))
    x *= sign
    y *= sign
    z *= sign
    x0, y0, z0 = xp.floor(x), xp.floor(y), xp.floor(z)
    x -= x0
    y -= y0
    z -= z0
    _, height, width = table.values.shape
    corner = ((z0 + table.reach) * height + (y0 + table.reach)) * width + x0
    corner = corner.astype(xp.int32)
    flat = table.values.ravel()
    edges = [
        _between(flat.take(corner + step), flat.take(corner + (step + 1)), x)
        for step in (0, width, height * width, (height + 1) * width)
    ]
    values = _between(_between(edges[0], edges[1], y), _between(edges[2], edges[3], y), z)
    xp.multiply(values.imag, sign, out=values.imag)
    return values


def _between(low: Any, high: Any, fraction: Any) -> Any:
    """low + (high - low) * fraction, overwriting high."""
    high -= low
    high *= fraction
    high += low
    return high
