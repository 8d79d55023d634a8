"""The score of `correlate`, compiled for the CPU: one rotation at a time, everything it touches inside the core's cache.

The twin of `correlate.best_of_each`. For each plane of constant kz: the reference is sampled at the turned frequencies and
multiplied with the particle; the products go through the short Fourier sums along kx and ky; the plane is added to the map of
correlations with its phases along kz. Cosine and sine sums are shared by opposite shifts, and by opposite ky.
The global interpreter lock is released.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

LANES = 8
"""Rows of the map are padded to this many samples, the width of a vector register."""

# No reordering of sums: the same bits whatever the vector width chosen at run time.
_MATHS = {"nnan", "nsz", "arcp", "contract", "afn"}
_compiled = njit(nogil=True, cache=True, boundscheck=False, error_model="numpy", fastmath=_MATHS)


def best_of_each(
    table: Any, selection: Any, particle: np.ndarray, energy: float, rotations: np.ndarray, where: Any
) -> tuple[np.ndarray, np.ndarray]:
    """The highest CC of each rotation and its flat place in the window, like `correlate.best_of_each`."""
    size_z, size_y, size_x = where.allowed.shape
    reach = selection.reach
    cos_x, sin_x = _phases(np.arange(_padded(reach + 1, 4)), size_x // 2 + 1, 0, where.step_px, selection.box_px)
    cos_y, sin_y = _phases(np.arange(reach + 1), size_y // 2 + 1, 0, where.step_px, selection.box_px)
    cos_z, sin_z = _phases(np.arange(-reach, reach + 1), size_z, size_z // 2, where.step_px, selection.box_px)
    best_cc = np.empty(len(rotations), dtype=np.float32)
    best_place = np.empty(len(rotations), dtype=np.int64)
    _search(
        (table.values.ravel().view(np.float32), *table.values.shape[1:], table.reach, np.float32(table.scale)),
        (selection.planes, selection.k_xyz, selection.weight),
        (np.ascontiguousarray(particle.real), np.ascontiguousarray(particle.imag), np.float32(energy)),
        np.ascontiguousarray(rotations, dtype=np.float32),
        (cos_x, sin_x, cos_y, sin_y, cos_z, sin_z),
        where.allowed.ravel(),
        best_cc,
        best_place,
    )
    return best_cc, best_place


def _padded(n: int, multiple: int) -> int:
    return -(-n // multiple) * multiple


def _phases(k: np.ndarray, n_shifts: int, middle: int, step_px: float, box_px: int) -> tuple[np.ndarray, np.ndarray]:
    angle = 2 * np.pi / box_px * step_px * np.outer(k, np.arange(n_shifts) - middle)
    return np.cos(angle).astype(np.float32), np.sin(angle).astype(np.float32)


@_compiled
def _search(table, band, particle, rotations, phases, allowed, best_cc, best_place):
    """Fills best_cc and best_place, one entry a rotation."""
    planes, k_xyz, weight = band
    cos_x, sin_x, cos_y, sin_y, cos_z, sin_z = phases
    reach = cos_y.shape[0] - 1
    n_x, n_y, n_z = cos_x.shape[1], cos_y.shape[1], cos_z.shape[1]
    width = (2 * n_x - 1 + LANES - 1) // LANES * LANES
    most = 0
    for plane in range(planes.shape[0]):
        most = max(most, planes[plane, 2])
    points = np.empty((8, most), np.float32)
    corners = np.empty(most, np.int32)
    dense = np.zeros((2, cos_x.shape[0], 2 * reach + 1), np.float32)
    along_x = np.zeros((2, 2 * reach + 1, width), np.float32)
    along_y = np.zeros((2, 2 * n_y - 1, width), np.float32)
    sums = np.zeros((4, max(2 * reach + 1, n_y * width)), np.float32)
    values = np.zeros((n_z, (2 * n_y - 1) * width), np.float32)
    for number in range(rotations.shape[0]):
        values[:] = 0
        norm = 0.0
        for plane in range(planes.shape[0]):
            first, count, reach_y, reach_x = planes[plane, 1], planes[plane, 2], planes[plane, 3], planes[plane, 4]
            _place_corners(table, k_xyz, rotations[number], first, count, points, corners)
            norm += _sample_and_multiply(table, weight, particle, first, count, points, corners)
            _lay_out(k_xyz, first, count, points, dense, reach, reach_y, reach_x)
            _sum_along_x(dense, cos_x, sin_x, along_x, sums, reach, reach_y, reach_x)
            _sum_along_y(along_x, cos_y, sin_y, along_y, sums, reach, reach_y)
            row = planes[plane, 0] + reach
            _add_along_z(along_y, cos_z[row], sin_z[row], values)
        top, place = _highest(values, allowed, 2 * n_x - 1, width)
        best_cc[number] = top / np.sqrt(max(norm * particle[2], np.finfo(np.float32).tiny))
        best_place[number] = place


@_compiled
def _place_corners(table, k_xyz, rotation, first, count, points, corners):
    """Where R^-1 k falls in the table: the lower corner's flat place; the weights of four edges, the fraction, the sign."""
    _, height, width, reach, scale = table
    high, wide = np.int32(height), np.int32(width)
    offset = np.float32(reach)
    one = np.float32(1)
    r = rotation * scale
    for i in range(count):
        kx, ky, kz = k_xyz[0, first + i], k_xyz[1, first + i], k_xyz[2, first + i]
        x = r[0, 0] * kx + r[1, 0] * ky + r[2, 0] * kz
        y = r[0, 1] * kx + r[1, 1] * ky + r[2, 1] * kz
        z = r[0, 2] * kx + r[1, 2] * ky + r[2, 2] * kz
        sign = one if x >= 0 else -one
        x *= sign
        y = y * sign + offset
        z = z * sign + offset
        x0, y0, z0 = np.int32(x), np.int32(y), np.int32(z)
        fx, fy, fz = x - np.float32(x0), y - np.float32(y0), z - np.float32(z0)
        corners[i] = np.int32(2) * ((z0 * high + y0) * wide + x0)
        both = fy * fz
        points[0, i] = one - fy - fz + both
        points[1, i] = fy - both
        points[2, i] = fz - both
        points[3, i] = both
        points[4, i] = fx
        points[5, i] = sign


@_compiled
def _sample_and_multiply(table, weight, particle, first, count, points, corners):
    """Puts conj(reference) * particle into points[6] and [7]; gives the plane's share of sum W |reference|^2."""
    flat, height, width, _, _ = table
    real, imaginary, _ = particle
    row, sheet = np.uint64(2 * width), np.uint64(2 * width * height)
    u1, u2, u3 = np.uint64(1), np.uint64(2), np.uint64(3)
    for i in range(count):
        a = np.uint64(corners[i])
        b, c, d = a + row, a + sheet, a + sheet + row
        wa, wb, wc, wd = points[0, i], points[1, i], points[2, i], points[3, i]
        near_re = wa * flat[a] + wb * flat[b] + wc * flat[c] + wd * flat[d]
        near_im = wa * flat[a + u1] + wb * flat[b + u1] + wc * flat[c + u1] + wd * flat[d + u1]
        far_re = wa * flat[a + u2] + wb * flat[b + u2] + wc * flat[c + u2] + wd * flat[d + u2]
        far_im = wa * flat[a + u3] + wb * flat[b + u3] + wc * flat[c + u3] + wd * flat[d + u3]
        points[6, i] = near_re + points[4, i] * (far_re - near_re)
        points[7, i] = near_im + points[4, i] * (far_im - near_im)
    norm = np.float32(0)
    for i in range(count):
        re, im = points[6, i], points[7, i] * points[5, i]
        p_re, p_im = real[first + i], imaginary[first + i]
        norm += weight[first + i] * (re * re + im * im)
        points[6, i] = re * p_re + im * p_im
        points[7, i] = re * p_im - im * p_re
    return norm


@_compiled
def _lay_out(k_xyz, first, count, points, dense, reach, reach_y, reach_x):
    """The products on a dense plane (kx, ky), zero where nothing was measured."""
    for x in range((reach_x + 4) // 4 * 4):
        for y in range(reach - reach_y, reach + reach_y + 1):
            dense[0, x, y] = 0
            dense[1, x, y] = 0
    for i in range(count):
        x, y = np.int64(k_xyz[0, first + i]), np.int64(k_xyz[1, first + i]) + reach
        dense[0, x, y] = points[6, i]
        dense[1, x, y] = points[7, i]


@_compiled
def _sum_along_x(dense, cos_x, sin_x, along_x, sums, reach, reach_y, reach_x):
    """along_x[ky, sx] = sum over kx of dense * exp(i kx sx); opposite shifts share their sums."""
    re, im = dense[0], dense[1]
    cos_re, cos_im, sin_re, sin_im = sums[0], sums[1], sums[2], sums[3]
    low, high = reach - reach_y, reach + reach_y + 1
    middle = cos_x.shape[1] - 1
    for shift in range(cos_x.shape[1]):
        for y in range(low, high):
            cos_re[y] = 0
            cos_im[y] = 0
            sin_re[y] = 0
            sin_im[y] = 0
        for k in range(0, (reach_x + 4) // 4 * 4, 4):
            c0, c1, c2, c3 = cos_x[k, shift], cos_x[k + 1, shift], cos_x[k + 2, shift], cos_x[k + 3, shift]
            s0, s1, s2, s3 = sin_x[k, shift], sin_x[k + 1, shift], sin_x[k + 2, shift], sin_x[k + 3, shift]
            for y in range(low, high):
                r0, r1, r2, r3 = re[k, y], re[k + 1, y], re[k + 2, y], re[k + 3, y]
                i0, i1, i2, i3 = im[k, y], im[k + 1, y], im[k + 2, y], im[k + 3, y]
                cos_re[y] += c0 * r0 + c1 * r1 + c2 * r2 + c3 * r3
                cos_im[y] += c0 * i0 + c1 * i1 + c2 * i2 + c3 * i3
                sin_re[y] += s0 * r0 + s1 * r1 + s2 * r2 + s3 * r3
                sin_im[y] += s0 * i0 + s1 * i1 + s2 * i2 + s3 * i3
        for y in range(low, high):
            along_x[0, y, middle + shift] = cos_re[y] - sin_im[y]
            along_x[1, y, middle + shift] = cos_im[y] + sin_re[y]
            along_x[0, y, middle - shift] = cos_re[y] + sin_im[y]
            along_x[1, y, middle - shift] = cos_im[y] - sin_re[y]


@_compiled
def _sum_along_y(along_x, cos_y, sin_y, along_y, sums, reach, reach_y):
    """along_y[sy, sx] = sum over ky of along_x * exp(i ky sy); opposite ky and opposite shifts share their sums."""
    re, im = along_x[0], along_x[1]
    n_shifts, width = cos_y.shape[1], re.shape[1]
    for t in range(n_shifts):
        for x in range(width):
            sums[0, t * width + x] = re[reach, x]
            sums[1, t * width + x] = im[reach, x]
            sums[2, t * width + x] = 0
            sums[3, t * width + x] = 0
    for k in range(1, reach_y + 1):
        for t in range(n_shifts):
            c, s = cos_y[k, t], sin_y[k, t]
            start = t * width
            for x in range(width):
                sums[0, start + x] += c * (re[reach + k, x] + re[reach - k, x])
                sums[1, start + x] += c * (im[reach + k, x] + im[reach - k, x])
                sums[2, start + x] += s * (re[reach + k, x] - re[reach - k, x])
                sums[3, start + x] += s * (im[reach + k, x] - im[reach - k, x])
    for t in range(n_shifts):
        start = t * width
        for x in range(width):
            cos_re, cos_im = sums[0, start + x], sums[1, start + x]
            sin_re, sin_im = sums[2, start + x], sums[3, start + x]
            along_y[0, n_shifts - 1 + t, x] = cos_re - sin_im
            along_y[1, n_shifts - 1 + t, x] = cos_im + sin_re
            along_y[0, n_shifts - 1 - t, x] = cos_re + sin_im
            along_y[1, n_shifts - 1 - t, x] = cos_im - sin_re


@_compiled
def _add_along_z(along_y, cos_z, sin_z, values):
    """values[sz] += Re(along_y * exp(i kz sz)) for one kz."""
    re, im = along_y[0].ravel(), along_y[1].ravel()
    for shift in range(cos_z.shape[0]):
        c, s = cos_z[shift], sin_z[shift]
        row = values[shift]
        for i in range(row.shape[0]):
            row[i] += c * re[i] - s * im[i]


@_compiled
def _highest(values, allowed, size_x, width):
    """The highest allowed value and its flat place in the window without padding; the first among equals."""
    top, place, number = np.float32(-np.inf), 0, 0
    for z in range(values.shape[0]):
        for y in range(values.shape[1] // width):
            for x in range(size_x):
                value = values[z, y * width + x]
                if allowed[number] and value > top:
                    top, place = value, number
                number += 1
    return top, place
