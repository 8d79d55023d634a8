"""Boxes turned: the twins of what a turned mask covers (in `rotate`) and of `rotate.symmetrized`."""

from __future__ import annotations

import math

import numpy as np
import scipy

from engine.kernels.compiled.vector import compiled, cubic, trilinear_real

SLACK = 1e-9
"""What rounding may put outside the box of a voxel that lies on its face."""

EDGE = 2
"""Voxels that a spline reaches beyond the box."""


def mean_and_deviation(
    box: np.ndarray, mask: np.ndarray, rotation: np.ndarray, shift_xyz_px: np.ndarray, radius_px: float
) -> tuple[float, float]:
    """Mean and deviation of a box under a mask that is turned and shifted; (0, 0) under an empty one.

    radius_px: how far from its centre the mask reaches (see `mask.support_px`).
    """
    ready = _prepared(mask, rotation, shift_xyz_px)
    total, first, second = _moments(*ready, radius_px, np.ascontiguousarray(box, dtype=np.float32))
    if total <= 0:
        return 0.0, 0.0
    mean = first / total
    return mean, math.sqrt(max(second / total - mean**2, 0.0))


def correlation_under(mask: np.ndarray, rotation: np.ndarray, a: np.ndarray, b: np.ndarray) -> float:
    """Pearson's correlation of two boxes under a turned mask, like `rotate.correlation_under`; 0 where one is constant."""
    ready = _prepared(mask, rotation, np.zeros(3))
    boxes = (np.ascontiguousarray(box, dtype=np.float32) for box in (a, b))
    total, *sums = _joint_moments(*ready, 2.0 * len(mask), *boxes)
    if total <= 0:
        return 0.0
    a_1, b_1, a_2, b_2, a_b = (part / total for part in sums)
    variances = (a_2 - a_1**2) * (b_2 - b_1**2)
    return (a_b - a_1 * b_1) / math.sqrt(variances) if variances > 0 else 0.0


def _prepared(
    volume: np.ndarray, rotation: np.ndarray, shift_xyz_px: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The box as the loops want it, and where a voxel comes from: back @ (x, y, z) + offset."""
    centre = volume.shape[-1] // 2
    back = np.ascontiguousarray(np.asarray(rotation, dtype=np.float64).T)
    offset = centre - back @ (centre + np.asarray(shift_xyz_px, dtype=np.float64))
    return np.ascontiguousarray(volume, dtype=np.float32), back, offset


@compiled
def _moments(mask, back, offset, radius, box):
    """Sums of w, w v and w v^2 over the box in float64."""
    n = mask.shape[0]
    room = _room(n)
    total, first, second = 0.0, 0.0, 0.0
    for z in range(n):
        for y in range(n):
            start, count = _sample_row(mask, back, offset, radius, y, z, room)
            values, weights = box[z, y, start : start + count], room[4]
            for i in range(count):
                v, w = np.float64(values[i]), np.float64(weights[i])
                total += w
                first += w * v
                second += w * v * v
    return total, first, second


@compiled
def _joint_moments(mask, back, offset, radius, a, b):
    """Sums of w, w a, w b, w a^2, w b^2 and w a b over two boxes in float64."""
    n = mask.shape[0]
    room = _room(n)
    total, a_1, b_1, a_2, b_2, a_b = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for z in range(n):
        for y in range(n):
            start, count = _sample_row(mask, back, offset, radius, y, z, room)
            of_a, of_b, weights = a[z, y, start : start + count], b[z, y, start : start + count], room[4]
            for i in range(count):
                w, p, q = np.float64(weights[i]), np.float64(of_a[i]), np.float64(of_b[i])
                total += w
                a_1 += w * p
                b_1 += w * q
                a_2 += w * p * p
                b_2 += w * q * q
                a_b += w * p * q
    return total, a_1, b_1, a_2, b_2, a_b


def mean_over(volume: np.ndarray, operators: np.ndarray) -> np.ndarray:
    """The mean of the box turned by every operator (k, 3, 3), cubic spline, (n, n, n) float32, like `rotate.symmetrized`."""
    return sum_of_moved(volume, operators, np.zeros((len(operators), 3))) / np.float32(len(operators))


def sum_of_moved(volume: np.ndarray, rotations: np.ndarray, shifts_xyz_px: np.ndarray) -> np.ndarray:
    """The sum of the box moved by every rotation and shift, cubic spline, (n, n, n) float32, like `rotate.sum_of_moved`."""
    coefficients = np.pad(scipy.ndimage.spline_filter(volume, order=3, output=np.float64), EDGE, mode="reflect").astype(
        np.float32
    )
    total = np.zeros(volume.shape, dtype=np.float32)
    for rotation, shift in zip(rotations, shifts_xyz_px, strict=True):
        _, back, offset = _prepared(volume, rotation, shift)
        _add_cubic(coefficients.ravel(), back, offset, total)
    return total


@compiled
def _add_cubic(coefficients, back, offset, total):
    """Adds the turned box; coefficients have EDGE more voxels on every side."""
    n = total.shape[0]
    width = n + 2 * EDGE
    weights = np.empty(12, np.float32)
    for z in range(n):
        for y in range(n):
            x0 = back[0, 1] * y + back[0, 2] * z + offset[0]
            y0 = back[1, 1] * y + back[1, 2] * z + offset[1]
            z0 = back[2, 1] * y + back[2, 2] * z + offset[2]
            first, end = _inside(back, x0, y0, z0, n, 2.0 * n)
            row = total[z, y, first:end]
            for i in range(row.shape[0]):
                x_low = _cubic_weights(x0 + back[0, 0] * (first + i), weights[0:4])
                y_low = _cubic_weights(y0 + back[1, 0] * (first + i), weights[4:8])
                z_low = _cubic_weights(z0 + back[2, 0] * (first + i), weights[8:12])
                place = ((z_low + EDGE - 1) * width + y_low + EDGE - 1) * width + x_low + EDGE - 1
                row[i] += cubic(coefficients, np.int64(place), np.int64(width), np.int64(width * width), weights)


@compiled
def _cubic_weights(position, weights):
    """Puts the cubic B-spline's weights of the four voxels around a position there; gives the lower inner one."""
    low = np.int64(position)
    t = np.float32(position - low)
    s, sixth = np.float32(1) - t, np.float32(1 / 6)
    weights[0] = s * s * s * sixth
    weights[1] = (np.float32(4) + t * t * (np.float32(3) * t - np.float32(6))) * sixth
    weights[2] = (np.float32(4) + s * s * (np.float32(3) * s - np.float32(6))) * sixth
    weights[3] = t * t * t * sixth
    return low


@compiled
def _room(n):
    """Room for one row: places, fractions along x, y, z, and what was sampled."""
    places, rows = np.empty(n, np.int64), np.empty((4, n), np.float32)
    return places, rows[0], rows[1], rows[2], rows[3]


@compiled
def _sample_row(volume, back, offset, radius, y, z, room):
    """Samples the part of a row that lies inside volume and radius; gives its first voxel and length."""
    n = volume.shape[0]
    places, part_x, part_y, part_z, sampled = room
    x0 = back[0, 1] * y + back[0, 2] * z + offset[0]
    y0 = back[1, 1] * y + back[1, 2] * z + offset[1]
    z0 = back[2, 1] * y + back[2, 2] * z + offset[2]
    first, end = _inside(back, x0, y0, z0, n, radius)
    flat, last = volume.ravel(), n - 2
    for i in range(end - first):
        x = x0 + back[0, 0] * (first + i)
        y = y0 + back[1, 0] * (first + i)
        z = z0 + back[2, 0] * (first + i)
        x_low, y_low, z_low = min(np.int64(x), last), min(np.int64(y), last), min(np.int64(z), last)
        part_x[i], part_y[i], part_z[i] = np.float32(x - x_low), np.float32(y - y_low), np.float32(z - z_low)
        places[i] = (z_low * n + y_low) * n + x_low
    for i in range(end - first):
        sampled[i] = trilinear_real(flat, places[i], np.int64(n), np.int64(n * n), part_x[i], part_y[i], part_z[i])
    return first, end - first


@compiled
def _inside(back, x0, y0, z0, n, radius):
    """The voxels first … end - 1 of a row whose origin lies in the box and within the radius of its centre."""
    centre = n // 2
    dx, dy, dz = x0 - centre, y0 - centre, z0 - centre
    along = dx * back[0, 0] + dy * back[1, 0] + dz * back[2, 0]
    square = along * along - (dx * dx + dy * dy + dz * dz - radius * radius)
    if square <= 0:
        return 0, 0
    low, high = -along - np.sqrt(square), -along + np.sqrt(square)
    for axis, start in ((0, x0), (1, y0), (2, z0)):
        step = back[axis, 0]
        if abs(step) > 1e-12:
            a, b = -start / step, (n - 1 - start) / step
            low, high = max(low, min(a, b)), min(high, max(a, b))
        elif not 0 <= start <= n - 1:
            return 0, 0
    first, end = max(0, int(np.ceil(low - SLACK))), min(n, int(np.floor(high + SLACK)) + 1)
    return first, max(first, end)
