"""Particles summed in Fourier space by trilinear insertion: the twin of `average.inserted`."""

from __future__ import annotations

import numpy as np

from engine.kernels.compiled.vector import compiled, spread


def empty(reach: int) -> np.ndarray:
    """Sums around zero frequency (2 r + 3, 2 r + 3, r + 2, 4) float32: real and imaginary values, weights, nothing."""
    return np.zeros((2 * reach + 3, 2 * reach + 3, reach + 2, 4), dtype=np.float32)


def insert(
    sums: np.ndarray,
    rows: np.ndarray,
    block: np.ndarray,
    box_px: int,
    rotation: np.ndarray,
    shift_xyz_px: np.ndarray,
) -> None:
    """Adds a particle to the sums.

    rows (m, 4) int32: kz, ky, the first kx and how many are measured from there on, all within the sums' reach. block: see
    `fourier.block`, of a reach that holds the rows; shift in px of box_px.
    """
    reach = (sums.shape[0] - 3) // 2
    k = np.arange(-reach, reach + 1)
    phases = np.exp(2j * np.pi / box_px * np.asarray(shift_xyz_px)[:, None] * k).astype(np.complex64)
    turn = np.ascontiguousarray(rotation, dtype=np.float32)
    _insert(sums.ravel(), reach, rows, np.ascontiguousarray(block, dtype=np.complex64), phases, turn)


def folded(sums: np.ndarray, box_px: int) -> tuple[np.ndarray, np.ndarray]:
    """The sums as a half spectrum of a box: values (n, n, n // 2 + 1) complex64, weights float32."""
    shape = (box_px, box_px, box_px // 2 + 1)
    values, weights = np.zeros(shape, dtype=np.complex64), np.zeros(shape, dtype=np.float32)
    _fold(sums, values, weights)
    return values, weights


@compiled
def _insert(flat, reach, rows, block, phases, rotation):
    side = 2 * reach + 3
    row, sheet = np.int64(4 * (reach + 2)), np.int64(4 * (reach + 2) * side)
    middle = block.shape[2] - 1
    offset, one = np.float32(reach + 1), np.float32(1)
    r = rotation
    for number in range(rows.shape[0]):
        kz, ky, first, count = rows[number, 0], rows[number, 1], rows[number, 2], rows[number, 3]
        values = block[kz + middle, ky + middle]
        phase = phases[2, kz + reach] * phases[1, ky + reach]
        y_z = np.float32(ky), np.float32(kz)
        x_start = r[1, 0] * y_z[0] + r[2, 0] * y_z[1]
        y_start = r[1, 1] * y_z[0] + r[2, 1] * y_z[1]
        z_start = r[1, 2] * y_z[0] + r[2, 2] * y_z[1]
        for kx in range(first, first + count):
            x = x_start + r[0, 0] * np.float32(kx)
            y = y_start + r[0, 1] * np.float32(kx)
            z = z_start + r[0, 2] * np.float32(kx)
            sign = one if x >= 0 else -one
            x, y, z = x * sign, y * sign + offset, z * sign + offset
            x0, y0, z0 = np.int64(x), np.int64(y), np.int64(z)
            value = values[kx] * (phase * phases[0, kx + reach])
            once = np.float32(0.5) if kx == 0 else one
            spread(
                flat,
                (z0 * side + y0) * row + 4 * x0,
                row,
                sheet,
                x - np.float32(x0),
                y - np.float32(y0),
                z - np.float32(z0),
                value.real * once,
                value.imag * sign * once,
                once,
            )


@compiled
def _fold(sums, values, weights):
    n = values.shape[0]
    middle = sums.shape[0] // 2
    for z in range(sums.shape[0]):
        for y in range(sums.shape[1]):
            for x in range(min(sums.shape[2], values.shape[2])):
                at = sums[z, y, x]
                values[(z - middle) % n, (y - middle) % n, x] += np.complex64(complex(at[0], at[1]))
                weights[(z - middle) % n, (y - middle) % n, x] += at[2]
