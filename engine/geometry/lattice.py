"""Neighbours on a curved surface: near, with axes alike, beside and not above each other, at the lattice's angles."""

from __future__ import annotations

import numpy as np

from engine.geometry import euler, neighbours


def neighbours_on_surface(
    points: np.ndarray,
    angles: np.ndarray,
    groups: np.ndarray,
    distances: tuple[float, float],
    axis_deg: float,
    surface_deg: float,
    fold: int | None = None,
    fold_deg: float = 180.0,
) -> np.ndarray:
    """(n,) how many neighbours each point has in its group.

    points: (n, 3) xyz in the unit of distances; angles: (n, 3) triplets whose axes are the surface's normals.
    A neighbour's distance lies between the two given; its axis differs by axis_deg at most; the way to it leaves the plane
    across the point's own axis by surface_deg at most. With fold, only those count that stand within fold_deg of the
    directions, 360/fold apart, which agree best with all of the point's neighbours.
    """
    normals = euler.axes(angles).reshape(-1, 3)
    pairs = neighbours.pairs(points, groups, distances[1])
    way = points[pairs[:, 1]] - points[pairs[:, 0]]
    length = np.linalg.norm(way, axis=1)
    own, other = normals[pairs[:, 0]], normals[pairs[:, 1]]
    height = np.einsum("ij,ij->i", way, own)
    is_one = (
        (length >= distances[0])
        & (length > 0)
        & (np.einsum("ij,ij->i", own, other) >= np.cos(np.radians(axis_deg)) - 1e-12)
        & (np.abs(height) <= length * np.sin(np.radians(surface_deg)) + 1e-12)
    )
    own_rows, way = pairs[is_one, 0], way[is_one]
    if fold is not None:
        turn = _azimuths(way, angles[own_rows]) * fold
        wave = np.exp(1j * turn)
        phase = np.bincount(own_rows, wave.real, len(points)) + 1j * np.bincount(own_rows, wave.imag, len(points))
        off = np.abs(np.angle(wave * np.conj(phase[own_rows]))) / fold
        own_rows = own_rows[off <= np.radians(fold_deg) + 1e-12]
    return np.bincount(own_rows, minlength=len(points))


def _azimuths(ways: np.ndarray, angles: np.ndarray) -> np.ndarray:
    """(m,) radians: where a way points to about the particle's own axis."""
    x, y, _ = np.moveaxis(np.einsum("mji,mj->mi", euler.matrices(angles).reshape(-1, 3, 3), ways), -1, 0)
    return np.asarray(np.arctan2(y, x))
