"""The score, one rotation at a time, everything it touches inside the core's cache: the twin of `correlate.best_of_each`.

For each plane of constant kz: the reference is sampled at the turned frequencies and multiplied with the particle; the
products go through short Fourier sums along kx and ky; the plane is added to the map of correlations with its phases along kz.
Opposite shifts share their sums. Rows of a map hold HALF shifts upwards from 0, then HALF downwards.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from engine.kernels.compiled.vector import (
    COLUMNS,
    LANES,
    POINTS,
    add_row_sums,
    compiled,
    products_of_four,
    sums_of_3,
    sums_of_4,
    sums_of_5,
    trilinear,
)

HALF = LANES // 2
"""Shifts upwards from 0 that a vector holds, beside as many downwards."""

MOMENTS = 3
"""Powers of kx in `slopes`: 0, 1, 2."""


def best_of_each(
    table: Any, selection: Any, particle: np.ndarray, energy: float, rotations: np.ndarray, where: Any
) -> tuple[np.ndarray, np.ndarray]:
    """The highest CC of each rotation and its flat place in the window, like `correlate.best_of_each`."""
    n_z, n_y, n_x = (side // 2 + 1 for side in where.allowed.shape)
    columns = min(COLUMNS, key=lambda n: (_padded(n_y, n), -n))
    n_y = _padded(n_y, columns)
    reach = selection.reach
    cos_y, sin_y = _phases(np.arange(reach + 1), np.arange(n_y), where.step_px, selection.box_px)
    cos_z, sin_z = _phases(np.arange(-reach, reach + 1), np.arange(1 - n_z, n_z), where.step_px, selection.box_px)
    best_cc = np.empty(len(rotations), dtype=np.float32)
    best_place = np.empty(len(rotations), dtype=np.int64)
    _search(
        _table(table),
        _band(selection),
        particle.view(np.float32),
        np.float32(energy),
        np.ascontiguousarray(rotations, dtype=np.float32) * np.float32(table.scale),
        (_row_phases(reach, n_x, where.step_px, selection.box_px), cos_y.ravel(), sin_y.ravel(), cos_z, sin_z),
        columns,
        _slots(where.allowed, n_x, n_y),
        best_cc,
        best_place,
    )
    return best_cc, best_place


def slopes(table: Any, selection: Any, particle: np.ndarray, energy: float, rotations: np.ndarray) -> np.ndarray:
    """CC and its derivatives by the shift (k, 10), like `correlate.slopes`."""
    powers = np.zeros((selection.reach + 1, LANES), dtype=np.float32)
    powers[:, :MOMENTS] = np.arange(selection.reach + 1)[:, None] ** np.arange(MOMENTS)
    out = np.empty((len(rotations), 10))
    _slopes(
        _table(table),
        _band(selection),
        particle.view(np.float32),
        energy,
        np.ascontiguousarray(rotations, dtype=np.float32) * np.float32(table.scale),
        powers.ravel(),
        2 * np.pi / selection.box_px,
        out,
    )
    return out


def shifted(selection: Any, particle: np.ndarray, shift_xyz_px: np.ndarray) -> np.ndarray:
    """The coefficients with another origin of shifts, like `correlate.shifted`."""
    k = np.arange(-selection.reach, selection.reach + 1)
    turns = 2 * np.pi / selection.box_px * np.asarray(shift_xyz_px)[:, None] * k
    out = np.empty_like(particle)
    _shifted(particle, selection.k_xyz, np.exp(1j * turns).astype(np.complex64), selection.reach, out)
    return out


def _table(table: Any) -> tuple[Any, ...]:
    return (table.values.ravel().view(np.float32), *table.values.shape[1:], table.reach)


def _band(selection: Any) -> tuple[Any, ...]:
    return (selection.k_xyz, selection.weight, selection.planes, selection.runs, selection.reach)


def _padded(n: int, multiple: int) -> int:
    return -(-n // multiple) * multiple


def _phases(k: np.ndarray, shifts: np.ndarray, step_px: float, box_px: int) -> tuple[np.ndarray, np.ndarray]:
    angle = 2 * np.pi / box_px * step_px * np.outer(k, shifts)
    return np.cos(angle).astype(np.float32), np.sin(angle).astype(np.float32)


def _row_phases(reach: int, n_x: int, step_px: float, box_px: int) -> np.ndarray:
    """Cosines, then sines, of HALF shifts for every kx, (blocks, reach + 1, LANES) flat float32."""
    n = _padded(n_x, HALF)
    parts = _phases(np.arange(reach + 1), np.arange(n), step_px, box_px)
    blocks = [part.reshape(reach + 1, n // HALF, HALF).swapaxes(0, 1) for part in parts]
    return np.concatenate(blocks, axis=2).ravel()


def _slots(allowed: np.ndarray, n_x: int, n_y: int) -> tuple[np.ndarray, np.ndarray]:
    """Where the allowed samples, by their ascending place in the window, lie in the map of `_search`; and these places."""
    z, y, x = np.nonzero(allowed)
    y, x = y - allowed.shape[1] // 2, x - allowed.shape[2] // 2
    row = (np.abs(x) // HALF * n_y + np.abs(y)) * 2 + (y < 0)
    per_z = _padded(n_x, HALF) // HALF * n_y * 2 * LANES
    return z * per_z + row * LANES + np.abs(x) % HALF + HALF * (x < 0), np.flatnonzero(allowed)


@compiled
def _search(table, band, particle, energy, rotations, phases, columns, slots, best_cc, best_place):
    """Fills best_cc and best_place, one entry a rotation (given times the table's scale)."""
    row_phases, cos_y, sin_y, cos_z, sin_z = phases
    planes, reach = band[2], band[4]
    n_blocks, n_y, n_z = row_phases.shape[0] // ((reach + 1) * LANES), cos_y.shape[0] // (reach + 1), cos_z.shape[1]
    stride = n_blocks * 2 * LANES
    points = _points(planes)
    rows = np.zeros((2 * reach + 1) * stride, np.float32)
    n_map = n_blocks * n_y * 2 * LANES
    sums = np.zeros((2, n_map), np.float32)
    values = np.zeros((n_z, n_map), np.float32)
    for number in range(rotations.shape[0]):
        values[:] = 0
        norm = 0.0
        for plane in range(planes.shape[0]):
            norm += _products(table, band, particle, rotations[number], plane, points)
            _sum_rows(points[3], band, plane, row_phases, rows)
            _sum_columns(rows, reach, planes[plane, 3], cos_y, sin_y, columns, sums)
            row = planes[plane, 0] + reach
            _add_along_z(sums[0], sums[1], cos_z[row], sin_z[row], values)
        top, place = _highest(values.ravel(), slots)
        best_cc[number] = top / np.sqrt(max(norm * energy, np.finfo(np.float32).tiny))
        best_place[number] = place


@compiled
def _points(planes):
    """Room for the points of one plane: places of corners, fractions (x, y, z), signs, products, their W |reference|^2."""
    most = 0
    for plane in range(planes.shape[0]):
        most = max(most, planes[plane, 2])
    return (
        np.empty(most, np.int32),
        np.empty((3, most), np.float32),
        np.empty(most, np.float32),
        np.empty(2 * most, np.float32),
        np.empty(2 * POINTS, np.float32),
    )


@compiled
def _products(table, band, particle, rotation, plane, points):
    """Puts conj(reference) * particle into the room; gives the plane's share of sum W |reference|^2."""
    k_xyz, weight, planes, _, _ = band
    first, count = planes[plane, 1], planes[plane, 2]
    corners, fractions, signs, products, energies = points
    end = first + count
    k_x, k_y, k_z = k_xyz[0][first:end], k_xyz[1][first:end], k_xyz[2][first:end]
    _place_corners(table, k_x, k_y, k_z, rotation, corners, fractions, signs)
    flat, height, width, _ = table
    row, sheet = np.int64(2 * width), np.int64(2 * width * height)
    x, y, z = fractions[0], fractions[1], fractions[2]
    n = count // POINTS
    energies[:] = 0
    mine, share = particle[2 * first : 2 * end], weight[first:end]
    products_of_four(flat, row, sheet, corners, x, y, z, signs, mine, share, products, energies, n)
    for i in range(n * POINTS, count):
        re, im = trilinear(flat, np.int64(corners[i]), row, sheet, x[i], y[i], z[i])
        im *= signs[i]
        p_re, p_im = mine[2 * i], mine[2 * i + 1]
        products[2 * i] = re * p_re + im * p_im
        products[2 * i + 1] = re * p_im - im * p_re
        energies[0] += share[i] * (re * re + im * im)
    return energies.sum()


@compiled
def _place_corners(table, k_x, k_y, k_z, rotation, corners, fractions, signs):
    """Where R^-1 k falls in the table: the lower corner's flat place, the fractions; the sign that brings x above 0."""
    _, height, width, reach = table
    high, wide = np.int32(height), np.int32(width)
    offset, one = np.float32(reach), np.float32(1)
    x_x, x_y, x_z = rotation[0, 0], rotation[1, 0], rotation[2, 0]
    y_x, y_y, y_z = rotation[0, 1], rotation[1, 1], rotation[2, 1]
    z_x, z_y, z_z = rotation[0, 2], rotation[1, 2], rotation[2, 2]
    part_x, part_y, part_z = fractions[0], fractions[1], fractions[2]
    for i in range(k_x.shape[0]):
        kx, ky, kz = k_x[i], k_y[i], k_z[i]
        x = x_x * kx + x_y * ky + x_z * kz
        y = y_x * kx + y_y * ky + y_z * kz
        z = z_x * kx + z_y * ky + z_z * kz
        sign = one if x >= 0 else -one
        x *= sign
        y = y * sign + offset
        z = z * sign + offset
        x0, y0, z0 = np.int32(x), np.int32(y), np.int32(z)
        part_x[i], part_y[i], part_z[i] = x - np.float32(x0), y - np.float32(y0), z - np.float32(z0)
        corners[i] = np.int32(2) * ((z0 * high + y0) * wide + x0)
        signs[i] = sign


@compiled
def _sum_rows(products, band, plane, factors, rows):
    """rows[ky]: for every block of columns the sums along kx, real then imaginary; rows that hold nothing are 0."""
    planes, runs, reach = band[2], band[3], band[4]
    width = reach + 1
    n_blocks = factors.shape[0] // (width * LANES)
    stride = n_blocks * 2 * LANES
    first, last = reach - planes[plane, 3], reach + planes[plane, 3] + 1
    rows[first * stride : last * stride] = 0
    for run in range(planes[plane, 4], planes[plane, 4] + planes[plane, 5]):
        kx, point, count = runs[run, 1], runs[run, 2] - planes[plane, 1], runs[run, 3]
        for block in range(n_blocks):
            place = (runs[run, 0] + reach) * stride + block * 2 * LANES
            add_row_sums(products, point, count, factors, block * width + kx, rows, place)


@compiled
def _sum_columns(rows, reach, reach_y, cos_y, sin_y, at_once, sums):
    """sums: for every block of columns and each shift along y the sums along ky, at +t and at -t, real, then imaginary."""
    n_y = cos_y.shape[0] // (reach + 1)
    stride = rows.shape[0] // (2 * reach + 1)
    flat, apart = sums.ravel(), sums.shape[1]
    for block in range(stride // (2 * LANES)):
        middle = reach * stride + block * 2 * LANES
        for t in range(0, n_y, at_once):
            place = (block * n_y + t) * 2 * LANES
            if at_once == 3:
                sums_of_3(rows, middle, stride, reach_y, cos_y, sin_y, n_y, t, flat, place, apart)
            elif at_once == 4:
                sums_of_4(rows, middle, stride, reach_y, cos_y, sin_y, n_y, t, flat, place, apart)
            else:
                sums_of_5(rows, middle, stride, reach_y, cos_y, sin_y, n_y, t, flat, place, apart)


@compiled
def _add_along_z(re, im, cos_z, sin_z, values):
    """values[sz] += Re((re + i im) * exp(i kz sz)) for one kz."""
    for shift in range(cos_z.shape[0]):
        c, s = cos_z[shift], sin_z[shift]
        row = values[shift]
        for i in range(row.shape[0]):
            row[i] += c * re[i] - s * im[i]


@compiled
def _highest(values, slots):
    """The highest allowed value and its place in the window; the first among equals."""
    where, places = slots
    top, best = np.float32(-np.inf), places[0]
    for i in range(where.shape[0]):
        value = values[where[i]]
        if value > top:
            top, best = value, places[i]
    return top, best


@compiled
def _slopes(table, band, particle, energy, rotations, powers, turn, out):
    """Fills out, ten numbers a rotation (given times the table's scale)."""
    planes, reach = band[2], band[4]
    points = _points(planes)
    rows = np.zeros((2 * reach + 1) * 2 * LANES, np.float32)
    for number in range(rotations.shape[0]):
        norm = 0.0
        total = np.zeros(10)
        for plane in range(planes.shape[0]):
            norm += _products(table, band, particle, rotations[number], plane, points)
            _sum_rows(points[3], band, plane, powers, rows)
            kz = planes[plane, 0]
            for y in range(reach - planes[plane, 3], reach + planes[plane, 3] + 1):
                ky = y - reach
                re, im = rows[y * 2 * LANES :], rows[y * 2 * LANES + LANES :]
                total[0] += re[0]
                total[1] -= im[1]
                total[2] -= ky * im[0]
                total[3] -= kz * im[0]
                total[4] -= re[2]
                total[5] -= ky * ky * re[0]
                total[6] -= kz * kz * re[0]
                total[7] -= ky * re[1]
                total[8] -= kz * re[1]
                total[9] -= ky * kz * re[0]
        total[1:4] *= turn
        total[4:] *= turn * turn
        out[number] = total / np.sqrt(max(norm * energy, np.finfo(np.float32).tiny))


@compiled
def _shifted(particle, k_xyz, phases, reach, out):
    """out = particle * exp(i k.turn), from the phases of each axis."""
    along_x, along_y, along_z = phases[0], phases[1], phases[2]
    for i in range(particle.shape[0]):
        x, y, z = np.int64(k_xyz[0, i]), np.int64(k_xyz[1, i]), np.int64(k_xyz[2, i])
        out[i] = particle[i] * (along_x[x + reach] * along_y[y + reach] * along_z[z + reach])
