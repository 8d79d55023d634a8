"""Ellipsoids: even points on them, their outward normals, and the ellipsoid through points that were marked.

An ellipsoid is a centre, semi-axes (a, b, c), and a rotation whose columns are the directions of its axes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.geometry.even import SAMPLES_A_POINT, directions, number_on, spread_out

FEWEST_POINTS = 9


@dataclass(frozen=True, eq=False)
class Ellipsoid:
    """centre (3,), semi_axes (3,), rotation (3, 3) from its own axes to the tomogram's."""

    centre: np.ndarray
    semi_axes: np.ndarray
    rotation: np.ndarray

    def normals(self, points: np.ndarray) -> np.ndarray:
        """(n, 3) outward unit normals at points (n, 3) on it."""
        own = (points - self.centre) @ self.rotation
        outward = (own / self.semi_axes**2) @ self.rotation.T
        return np.asarray(outward / np.linalg.norm(outward, axis=1, keepdims=True))

    def projected(self, points: np.ndarray) -> np.ndarray:
        """(n, 3) the points moved onto it, towards or away from its centre."""
        own = (points - self.centre) @ self.rotation
        own /= np.linalg.norm(own / self.semi_axes, axis=1, keepdims=True)
        return np.asarray(own @ self.rotation.T + self.centre)


def samples_on(ellipsoid: Ellipsoid, n: int) -> tuple[np.ndarray, np.ndarray]:
    """(n, 3) points on the ellipsoid, and the area (n,) that each stands for.

    A patch of the unit sphere at u becomes a b c |u / (a, b, c)| times as large.
    """
    unit = directions(n)
    stretch = np.prod(ellipsoid.semi_axes) * np.linalg.norm(unit / ellipsoid.semi_axes, axis=1)
    points = (unit * ellipsoid.semi_axes) @ ellipsoid.rotation.T + ellipsoid.centre
    return points, 4.0 * np.pi / n * stretch


def area(ellipsoid: Ellipsoid) -> float:
    """The area of the surface, to about 1e-4 of itself for axes within a factor of five."""
    return float(samples_on(ellipsoid, 20000)[1].sum())


def on_ellipsoid(ellipsoid: Ellipsoid, spacing: float) -> np.ndarray:
    """(n, 3) points spread evenly by area over the ellipsoid, n = area / spacing^2."""
    n = number_on(area(ellipsoid), spacing)
    samples, areas = samples_on(ellipsoid, max(SAMPLES_A_POINT * n, 2000))
    return ellipsoid.projected(spread_out(samples, areas, n))


def ellipsoid_through(points: np.ndarray) -> tuple[Ellipsoid, float]:
    """The ellipsoid nearest to the points (n, 3), n >= 9, and the root mean square distance to it along its radii.

    Least squares of the quadric x A x + b x = 1 about the points' mean. What is no ellipsoid is a ValueError.
    """
    points = np.asarray(points, dtype=np.float64)
    middle = points.mean(axis=0)
    size = float(np.abs(points - middle).max()) if len(points) else 0.0
    if len(points) < FEWEST_POINTS or size == 0:
        raise ValueError(f"an ellipsoid is told by {FEWEST_POINTS} or more points")
    x, y, z = ((points - middle) / size).T
    terms = np.column_stack([x * x, y * y, z * z, 2 * x * y, 2 * x * z, 2 * y * z, 2 * x, 2 * y, 2 * z])
    (xx, yy, zz, xy, xz, yz, *linear), _, rank, _ = np.linalg.lstsq(terms, np.ones(len(points)), rcond=1e-9)
    matrix = np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])
    curvatures, axes = np.linalg.eigh(matrix)
    if rank < FEWEST_POINTS or curvatures[0] <= 1e-6 * curvatures[-1]:
        raise ValueError("the points lie on no ellipsoid; mark points all around it")
    centre = -np.linalg.solve(matrix, np.array(linear))
    value = 1.0 + float(centre @ matrix @ centre)
    if np.linalg.det(axes) < 0:
        axes[:, 0] *= -1
    found = Ellipsoid(centre * size + middle, np.sqrt(value / curvatures) * size, axes)
    misfit = np.linalg.norm(points - found.projected(points), axis=1)
    return found, float(np.sqrt(np.mean(misfit**2)))
