"""Hexagonal lattices on a sphere, as in an immature virus."""

from __future__ import annotations

import numpy as np
import scipy

GOLDEN = (1 + np.sqrt(5)) / 2
RELAXING, SPRING = 80, 0.3
"""Rounds in which neighbours pull and push each other towards the mean distance, and the share of it done in each."""

SAME = 1e-6
"""Distance on the unit sphere below which two points of neighbouring faces are one."""


def on_sphere(radius: float, spacing: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Centres of hexagons on a sphere about the origin: (n, 3), outward frames (n, 3, 3) and numbers of neighbours (n,).

    The lattice is icosahedral (Caspar and Klug), relaxed until its cells are about equal; of the possible ones the one whose
    spacing comes nearest. Twelve points have five neighbours, all others six. Columns of a frame: x towards a neighbour, as
    near as a regular star of axes lies to all of them, y, z outward.
    """
    if not 0 < spacing < radius:
        raise ValueError(f"no hexagons {spacing:g} apart fit on a sphere of radius {radius:g}")
    cells = 4 * np.pi * radius**2 / (np.sqrt(3) / 2 * spacing**2)
    points = icosahedral(*_nearest((cells - 2) / 10))
    pairs = _edges(points)
    for _ in range(RELAXING):
        apart = points[pairs[:, 1]] - points[pairs[:, 0]]
        length = np.linalg.norm(apart, axis=1)
        move = (SPRING / 2 * (1 - length.mean() / length))[:, None] * apart
        np.add.at(points, pairs[:, 0], move)
        np.add.at(points, pairs[:, 1], -move)
        points /= np.linalg.norm(points, axis=1, keepdims=True)
    ends = np.concatenate([pairs, pairs[:, ::-1]])
    ends = ends[np.lexsort((ends[:, 1], ends[:, 0]))]
    _, first, n_neighbours = np.unique(ends[:, 0], return_index=True, return_counts=True)
    towards = points[ends[:, 1]] - points[ends[:, 0]]
    return radius * points, _amid(frames(points, towards[first]), ends[:, 0], towards, n_neighbours), n_neighbours


def frames(normals: np.ndarray, towards: np.ndarray) -> np.ndarray:
    """Rotations (n, 3, 3) with z along the normals (n, 3) and x along what of `towards` is at right angles to them."""
    z = normals / np.linalg.norm(normals, axis=1, keepdims=True)
    x = towards - (towards * z).sum(axis=1, keepdims=True) * z
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    return np.stack([x, np.cross(z, x), z], axis=2)


def _amid(frames: np.ndarray, of: np.ndarray, towards: np.ndarray, n_neighbours: np.ndarray) -> np.ndarray:
    """The frames (n, 3, 3) turned about z until a regular star of axes, x one of them, lies amid the neighbours.

    towards (m, 3): the ways to all the neighbours; of (m,): whose they are.
    """
    x, y = (np.einsum("mi,mi->m", frames[of, :, axis], towards) for axis in (0, 1))
    fold = n_neighbours[of]
    stars = np.exp(1j * fold * np.arctan2(y, x))
    mean = np.bincount(of, stars.real) + 1j * np.bincount(of, stars.imag)
    angle = np.angle(mean) / n_neighbours
    cos, sin = np.cos(angle)[:, None], np.sin(angle)[:, None]
    x_axis, y_axis, z_axis = np.moveaxis(frames, 2, 0)
    return np.stack([cos * x_axis + sin * y_axis, cos * y_axis - sin * x_axis, z_axis], axis=2)


def icosahedral(h: int, k: int) -> np.ndarray:
    """The 10 T + 2 points, T = h² + hk + k², of an icosahedral hexagonal lattice on the unit sphere, (n, 3)."""
    corners = _icosahedron()
    faces = scipy.spatial.ConvexHull(corners).simplices
    side = np.array([h + k / 2, k * np.sqrt(3) / 2])
    third = np.array([[0.5, -np.sqrt(3) / 2], [np.sqrt(3) / 2, 0.5]]) @ side
    reach = np.arange(-h - k, 2 * (h + k) + 1)
    i, j = (part.ravel() for part in np.meshgrid(reach, reach))
    plane = np.column_stack([i + j / 2, j * np.sqrt(3) / 2])
    b, c = np.linalg.solve(np.column_stack([side, third]), plane.T)
    shares = np.column_stack([1 - b - c, b, c])
    inside = shares[(shares > -SAME).all(axis=1)]
    found = []
    for face in faces:
        p, q, r = corners[face]
        if np.dot(np.cross(q - p, r - p), p) < 0:
            q, r = r, q
        found.append(inside @ np.stack([p, q, r]))
    points = np.concatenate(found)
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    twins = scipy.spatial.cKDTree(points).query_pairs(SAME, output_type="ndarray")
    return np.delete(points, np.unique(twins.max(axis=1)), axis=0)


def _nearest(triangulation: float) -> tuple[int, int]:
    """The h >= k >= 0 whose h² + hk + k² comes nearest."""
    most = int(np.sqrt(triangulation)) + 2
    pairs = [(h, k) for h in range(1, most + 1) for k in range(h + 1)]
    return min(pairs, key=lambda pair: abs(pair[0] ** 2 + pair[0] * pair[1] + pair[1] ** 2 - triangulation))


def _icosahedron() -> np.ndarray:
    ones = [(0.0, a, b * GOLDEN) for a in (-1, 1) for b in (-1, 1)]
    corners = np.array([np.roll(one, turn) for turn in range(3) for one in ones])
    return corners / np.linalg.norm(corners, axis=1, keepdims=True)


def _edges(points: np.ndarray) -> np.ndarray:
    """Pairs of neighbours (m, 2), each once: the edges of the convex hull."""
    faces = scipy.spatial.ConvexHull(points).simplices
    pairs = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [0, 2]]]), axis=1)
    return np.unique(pairs, axis=0)
