"""The score as one matrix product: a bank of turned references, shared by all particles.

Rows are the reference's coefficients F(R^-1 k) at many rotations, without a wedge, so that particles of any tomogram share
them; columns are the particles' W p exp(2 pi i k.s / n), one for each shift that is allowed. Read as twice as many real
numbers, their product is the numerator of the score in `correlate`; the squares of the rows times W are its norms. Plain
array code: the matrix product is the library's, on any device; on a GPU its factors are rounded to tf32, which moves a CC by
1.4e-5 at most. So a bank screens, and what it leaves is scored again.

The bank is cut into tiles of rotations and points. Tiles are kept when all of them fit into the stated memory, and made
again for each call where they do not; the columns and scores of a call take about as much again. Sums over tiles are in a
fixed order, but a library may sum a product in another order when it has more columns: who wants the same bits brings the
same particles together (see GROUP).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from engine.devices import matrix_units, namespace, to_host
from engine.kernels.correlate import POINTS_AT_ONCE, Band, Window, on_device
from engine.kernels.reference import SpectrumTable, sample


@dataclass(frozen=True)
class Tiling:
    """What a bank may occupy, and what a call may need beside it; rotations of a tile."""

    memory_bytes: int
    rows: int


ON_CPU = Tiling(256 << 20, 1024)
"""Measured: tiles of 256 rows reach two thirds of this product's rate, of 4096 the same; a bank that is not kept, half."""

ON_GPU = Tiling(4 << 30, 16384)
"""A card needs more rows to be busy, and has the memory; not measured."""

GROUP = 16
"""Particles that go through a bank together. Fixed, so that results do not depend on workers or chunks."""

_COMPLEX = 8


@dataclass(frozen=True, eq=False)
class Bank:
    """References at rotations, on the points of a band: rows in the order (reference, rotation).

    tables: one spectrum for each reference; rotations (k, 3, 3) float32 where they live; selection: the points, those of the
    weakest wedge that occurs (none: the whole ball). kept: the tiles (rows, points, coefficients), None when they are
    too many to keep.
    """

    tables: tuple[SpectrumTable, ...]
    selection: Band
    rotations: Any
    tiling: Tiling
    kept: tuple[tuple[slice, slice, Any], ...] | None

    @property
    def n_rows(self) -> int:
        return len(self.tables) * len(self.rotations)


@dataclass(frozen=True, eq=False)
class Compared:
    """A particle as the bank meets it: W p on the bank's points, with the window's centre as origin, and its energy.

    weight: the row of the weights that holds its W. places: the allowed samples, flat, on the host.
    """

    values: Any
    energy: float
    weight: int
    window: Window
    places: np.ndarray


def compared(values: Any, energy: float, weight: int, window: Window) -> Compared:
    """The particle's part in a comparison with a bank."""
    return Compared(values, energy, weight, window, np.flatnonzero(to_host(window.allowed)))


def bank(tables: Sequence[SpectrumTable], selection: Band, rotations: np.ndarray, tiling: Tiling | None = None) -> Bank:
    """The bank of one or several references at rotations (k, 3, 3), template to particle, sampled now if it fits.

    Without a tiling it is the device's.
    """
    if tiling is None:
        tiling = ON_CPU if namespace(selection.k_xyz) is np else ON_GPU
    empty = Bank(tuple(tables), selection, on_device(selection.k_xyz, rotations), tiling, None)
    if size_bytes(empty.n_rows, selection.k_xyz.shape[1]) > tiling.memory_bytes:
        return empty
    return replace(empty, kept=tuple(_sampled_tiles(empty)))


def size_bytes(n_rows: int, n_points: int) -> int:
    """What the coefficients of a bank occupy."""
    return _COMPLEX * n_rows * n_points


def held_bytes(n_rows: int, n_points: int, n_shifts: int, tiling: Tiling = ON_CPU) -> tuple[int, int]:
    """What a bank occupies, and what a call for GROUP particles takes beside it.

    That is the squares of a tile, the columns (being made, waiting, together) with one particle's phases, and the scores.
    """
    kept = size_bytes(n_rows, n_points)
    rows = min(n_rows, tiling.rows)
    tile = min(size_bytes(rows, n_points), tiling.memory_bytes // 4)
    columns = min(size_bytes(GROUP * n_shifts, n_points), tiling.memory_bytes // 4)
    phases = min(size_bytes(n_shifts, n_points), columns)
    call = tile + 3 * columns + 2 * phases + 4 * rows * GROUP * n_shifts
    return (kept, call) if kept <= tiling.memory_bytes else (0, call + tile)


def best_of_each(whole: Bank, particles: Sequence[Compared], weights: Any) -> tuple[np.ndarray, np.ndarray]:
    """The highest CC of each particle and row among its allowed shifts (n, rows) float32, and its flat place in the window.

    weights (m, points): W as it falls on the bank's points, one row for each wedge, or for each particle where
    particles were turned into frames of their own.
    """
    most = max(1, whole.tiling.memory_bytes // 4 // (4 * min(whole.tiling.rows, whole.n_rows)))
    cc = np.empty((len(particles), whole.n_rows), dtype=np.float32)
    place = np.empty((len(particles), whole.n_rows), dtype=np.int64)
    with matrix_units(weights):
        for batch in _batches(particles, most):
            for rows, scores, norms in _scores(whole, particles[batch], weights):
                cc[batch, rows], place[batch, rows] = _highest(scores, norms, particles[batch])
    return cc, place


def _batches(particles: Sequence[Compared], most_columns: int) -> Iterator[slice]:
    """Runs of particles with no more columns than that, or one particle."""
    first, columns = 0, 0
    for number, one in enumerate(particles):
        if columns and columns + len(one.places) > most_columns:
            yield slice(first, number)
            first, columns = number, 0
        columns += len(one.places)
    if columns:
        yield slice(first, len(particles))


def _scores(whole: Bank, particles: Sequence[Compared], weights: Any) -> Iterator[tuple[slice, Any, Any]]:
    """Numerators (rows, all columns) and norms (rows, m), one tile of rows after the other."""
    xp = namespace(weights)
    n_columns = sum(len(one.places) for one in particles)
    n_points = whole.selection.k_xyz.shape[1]
    scores = norms = None
    for rows, points, tile in whole.kept or _sampled_tiles(whole):
        real = tile.view(xp.float32)
        if scores is None:
            scores = xp.zeros((len(real), n_columns), dtype=xp.float32)
            norms = xp.zeros((len(real), len(weights)), dtype=xp.float32)
        norms += (real * real) @ xp.repeat(weights[:, points], 2, axis=1).T
        for columns, values in _columns(whole, particles, points):
            scores[:, columns] += real @ values.view(xp.float32).T
        if points.stop == n_points:
            yield rows, scores, norms
            scores = norms = None


def _highest(scores: Any, norms: Any, particles: Sequence[Compared]) -> tuple[np.ndarray, np.ndarray]:
    """The highest CC (n, rows) and its flat place in each particle's window; the first among equals."""
    xp = namespace(scores)
    last = np.cumsum([len(one.places) for one in particles])
    highest, places = [], []
    for one, stop in zip(particles, last, strict=True):
        mine = scores[:, stop - len(one.places) : stop]
        winner = mine.argmax(axis=1)
        top = xp.take_along_axis(mine, winner[:, None], axis=1)[:, 0]
        scale = xp.sqrt(xp.maximum(norms[:, one.weight] * one.energy, np.finfo(np.float32).tiny))
        highest.append(to_host(top / scale))
        places.append(one.places[to_host(winner)])
    return np.array(highest), np.array(places)


def _sampled_tiles(whole: Bank) -> Iterator[tuple[slice, slice, Any]]:
    """The tiles (rows, points, coefficients (rows, points) complex64): all points of some rows, then the next rows."""
    n_points = whole.selection.k_xyz.shape[1]
    n_rows = min(whole.tiling.rows, whole.n_rows)
    at_once = min(n_points, max(64, whole.tiling.memory_bytes // 4 // (_COMPLEX * n_rows)))
    for first in range(0, whole.n_rows, n_rows):
        rows = slice(first, min(first + n_rows, whole.n_rows))
        for start in range(0, n_points, at_once):
            points = slice(start, min(start + at_once, n_points))
            yield rows, points, _tile(whole, rows, points)


def _tile(whole: Bank, rows: slice, points: slice) -> Any:
    """The coefficients of some rows on some points."""
    xp = namespace(whole.rotations)
    k = xp.ascontiguousarray(whole.selection.k_xyz[:, points])
    at_once = max(1, POINTS_AT_ONCE // k.shape[1])
    tile = xp.empty((rows.stop - rows.start, k.shape[1]), dtype=xp.complex64)
    n = len(whole.rotations)
    row = rows.start
    while row < rows.stop:
        reference, rotation = divmod(row, n)
        stop = min(rows.stop, row + at_once, (reference + 1) * n)
        turned = whole.rotations[rotation : rotation + stop - row]
        tile[row - rows.start : stop - rows.start] = sample(whole.tables[reference], k, turned)
        row = stop
    return tile


def _columns(whole: Bank, particles: Sequence[Compared], points: slice) -> Iterator[tuple[slice, Any]]:
    """W p exp(2 pi i k.s / n) for every particle and allowed shift, (columns, points), in pieces that fit the memory."""
    most = max(1, whole.tiling.memory_bytes // 4 // (_COMPLEX * (points.stop - points.start)))
    xp = namespace(whole.rotations)
    waiting: list[Any] = []
    first, n_waiting = 0, 0
    for one in particles:
        for piece in _shifted_copies(one, whole.selection, points):
            if waiting and n_waiting + len(piece) > most:
                yield slice(first, first + n_waiting), xp.concatenate(waiting)
                first, waiting, n_waiting = first + n_waiting, [], 0
            waiting.append(piece)
            n_waiting += len(piece)
    yield slice(first, first + n_waiting), xp.concatenate(waiting)


def _shifted_copies(one: Compared, selection: Band, points: slice) -> Iterator[Any]:
    """The particle at its allowed shifts (some, points), one z of the window after the other."""
    xp = namespace(one.values)
    kx, ky, kz = selection.k_xyz[:, points].astype(xp.int32)
    size_z, size_y, size_x = one.window.allowed.shape
    along_x = xp.ascontiguousarray(one.window.phase_x[kx].T)
    along_y = one.window.phase_y[:, ky + selection.reach]
    plane = (along_y[:, None] * along_x[None]).reshape(size_y * size_x, -1)
    of_z, within = np.divmod(one.places, size_y * size_x)
    for z in range(size_z):
        chosen = within[of_z == z]
        if len(chosen):
            copies = plane[xp.asarray(chosen)]
            copies *= one.window.phase_z[z, kz + selection.reach] * one.values[points]
            yield copies
