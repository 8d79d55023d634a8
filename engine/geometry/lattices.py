"""Lattices: all points of a crystal inside a box."""

from __future__ import annotations

import itertools

import numpy as np

_ROUNDING = 1e-9


def in_box(cell: np.ndarray, origin: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """(n, 3) points origin + i a + j b + k c with low <= point <= high; the rows of cell (3, 3) are a, b and c.

    They come in the order of i, j and k, k fastest. A flat cell is a ValueError.
    """
    cell, origin = np.asarray(cell, dtype=np.float64), np.asarray(origin, dtype=np.float64)
    size = np.linalg.norm(cell, axis=1).prod()
    if not abs(np.linalg.det(cell)) > 1e-6 * size:
        raise ValueError("the three vectors of the cell lie in a plane")
    corners = np.array(list(itertools.product(*zip(low, high, strict=True)))) - origin
    steps = corners @ np.linalg.inv(cell)
    first = np.floor(steps.min(axis=0) - _ROUNDING).astype(int)
    last = np.ceil(steps.max(axis=0) + _ROUNDING).astype(int)
    found = []
    for i in range(first[0], last[0] + 1):
        j, k = np.meshgrid(np.arange(first[1], last[1] + 1), np.arange(first[2], last[2] + 1), indexing="ij")
        plane = origin + i * cell[0] + j.reshape(-1, 1) * cell[1] + k.reshape(-1, 1) * cell[2]
        slack = _ROUNDING * np.abs(cell).max()
        found.append(plane[np.all((plane >= low - slack) & (plane <= high + slack), axis=1)])
    return np.concatenate(found) if found else np.empty((0, 3))


def centred(low: np.ndarray, high: np.ndarray, spacing: float) -> np.ndarray:
    """(3,) the point from which a cubic lattice lies in the middle of the box."""
    length = np.asarray(high, dtype=np.float64) - low
    return np.asarray(low + (length - np.floor(length / spacing + _ROUNDING) * spacing) / 2)
