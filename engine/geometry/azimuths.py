"""Orientations of particles on a surface: z along the normal, and the turn about it."""

from __future__ import annotations

import numpy as np

from engine.geometry import euler


def at_random(normals: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """(n, 3) triplets with z along the normals (n, 3) and narot even over the circle."""
    return euler.from_axes(normals, generator.uniform(-180.0, 180.0, len(normals)))


def along(normals: np.ndarray, axis: np.ndarray) -> np.ndarray:
    """(n, 3) triplets with z along the normals (n, 3) and the particle's x as near to the axis as can be.

    Where a normal is along the axis there is no nearest one: narot is 0.
    """
    normals = normals / np.linalg.norm(normals, axis=1, keepdims=True)
    x = axis - (normals @ axis)[:, None] * normals
    lengths = np.linalg.norm(x, axis=1)
    is_told = lengths > 1e-9 * np.linalg.norm(axis)
    angles = euler.from_axes(normals)
    x = x[is_told] / lengths[is_told, None]
    told = np.stack([x, np.cross(normals[is_told], x), normals[is_told]], axis=-1)
    angles[is_told] = euler.angles(told)
    return np.asarray(angles)
