"""Membranes: a smooth surface through marked points, open (a height over a plane) or closed (a radius around a centre)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy

from engine.geometry.even import SAMPLES_A_POINT, directions, number_on, spread_out

MANY, NEIGHBOURS = 500, 60
"""Of more than so many marked points, the nearest few tell the surface at a place: the cost stays in bounds."""

Function = Callable[[np.ndarray], np.ndarray]
"""Values (n,) at places (n, 2) of a plane, or (n, 3) of the unit sphere."""

_STEP = 1e-4
"""Step of the differences that give slopes, as a share of the surface's size."""


@dataclass(frozen=True, eq=False)
class Sheet:
    """An open surface: height over the plane that the marked points lie nearest to, within their outline.

    axes: rows are two directions in the plane and the plane's normal, the side of which is outward.
    """

    middle: np.ndarray
    axes: np.ndarray
    height: Function
    outline: scipy.spatial.Delaunay
    size: float

    def projected(self, points: np.ndarray) -> np.ndarray:
        """(n, 3) the points moved onto the surface along the plane's normal."""
        flat = ((points - self.middle) @ self.axes.T)[:, :2]
        return self._at(flat)

    def normals(self, points: np.ndarray) -> np.ndarray:
        """(n, 3) outward unit normals where the points lie over the plane."""
        flat = ((points - self.middle) @ self.axes.T)[:, :2]
        slopes = [_slope(self.height, flat, np.eye(2)[axis] * _STEP * self.size) for axis in range(2)]
        upright = np.column_stack([-slopes[0], -slopes[1], np.ones(len(flat))])
        upright /= np.linalg.norm(upright, axis=1, keepdims=True)
        return np.asarray(upright @ self.axes)

    def samples(self, step: float) -> tuple[np.ndarray, np.ndarray]:
        """(m, 3) points on the surface about a step apart, and the area (m,) that each stands for."""
        low, high = self.outline.points.min(axis=0), self.outline.points.max(axis=0)
        n = np.maximum(1, np.ceil((high - low) / step).astype(int))
        sides = (high - low) / n
        u, v = (low[axis] + (np.arange(n[axis]) + 0.5) * sides[axis] for axis in range(2))
        flat = np.stack(np.meshgrid(u, v, indexing="ij"), axis=-1).reshape(-1, 2)
        flat = flat[self.outline.find_simplex(flat) >= 0]
        points = self._at(flat)
        leaning = np.abs(self.normals(points) @ self.axes[2])
        return points, math.prod(sides) / np.maximum(leaning, 1e-3)

    def extent(self) -> float:
        """The area of the outline in the plane."""
        return float(scipy.spatial.ConvexHull(self.outline.points).volume)

    def _at(self, flat: np.ndarray) -> np.ndarray:
        heights = self.height(flat) if len(flat) else np.empty(0)
        return np.column_stack([flat, heights]) @ self.axes + self.middle


@dataclass(frozen=True, eq=False)
class Closed:
    """A closed surface: a radius in every direction from a centre that sees all of it. Outward is away from the centre."""

    centre: np.ndarray
    radius: Function
    size: float

    def projected(self, points: np.ndarray) -> np.ndarray:
        """(n, 3) the points moved onto the surface along their radii."""
        unit = _unit(points - self.centre)
        return np.asarray(unit * self.radius(unit)[:, None] + self.centre)

    def normals(self, points: np.ndarray) -> np.ndarray:
        """(n, 3) outward unit normals: the gradient of |x| - r(x / |x|)."""
        unit = _unit(points - self.centre)
        lengths = self.radius(unit)[:, None]
        gradient = np.stack(
            [
                (self.radius(_unit(unit + step)) - self.radius(_unit(unit - step))) / (2 * _STEP)
                for step in _STEP * np.eye(3)
            ],
            axis=-1,
        )
        return _unit(unit - gradient / lengths)

    def samples(self, step: float) -> tuple[np.ndarray, np.ndarray]:
        """(m, 3) points on the surface about a step apart, and the area (m,) that each stands for."""
        n = number_on(4 * math.pi * self.size**2, step)
        points = self.projected(directions(n) + self.centre)
        outward = points - self.centre
        lengths = np.linalg.norm(outward, axis=1)
        leaning = np.einsum("ij,ij->i", self.normals(points), outward) / lengths
        return points, 4 * math.pi / n * lengths**2 / np.maximum(leaning, 1e-3)

    def extent(self) -> float:
        """The area of the sphere of the mean radius."""
        return 4 * math.pi * self.size**2


def sheet_through(points: np.ndarray, smoothing: float = 0.0, inside: np.ndarray | None = None) -> Sheet:
    """The open surface near points (n, 3), n >= 3. smoothing: how far it passes from them (root mean square).

    Outward is away from the point inside, or without it the side of greater z. Points of one line, and points that lie over
    each other, are ValueErrors.
    """
    points = np.asarray(points, dtype=np.float64)
    middle = points.mean(axis=0)
    _, extents, axes = np.linalg.svd(points - middle, full_matrices=True)
    if len(points) < 3 or extents[1] <= 1e-6 * max(float(extents[0]), 1e-300):
        raise ValueError("a membrane is told by three or more points that lie on no line")
    up = axes[2] if inside is None else middle - inside
    is_turned = float(axes[2] @ up) < 0 if inside is not None else tuple(axes[2][::-1]) < (0.0, 0.0, 0.0)
    axes = np.array([axes[0], axes[1], -axes[2] if is_turned else axes[2]])
    if np.linalg.det(axes) < 0:
        axes[0] *= -1
    own = (points - middle) @ axes.T
    _refuse_doubled(own[:, :2], "over each other, seen along the membrane's normal")
    return Sheet(
        middle, axes, _spline(own[:, :2], own[:, 2], smoothing), scipy.spatial.Delaunay(own[:, :2]), float(extents[0])
    )


def closed_through(points: np.ndarray, smoothing: float = 0.0, inside: np.ndarray | None = None) -> Closed:
    """The closed surface near points (n, 3), n >= 6, around the point inside (default: their mean)."""
    points = np.asarray(points, dtype=np.float64)
    centre = points.mean(axis=0) if inside is None else np.asarray(inside, dtype=np.float64)
    outward = points - centre
    lengths = np.linalg.norm(outward, axis=1)
    if len(points) < 6 or np.linalg.matrix_rank(outward, tol=1e-6 * max(float(lengths.max()), 1e-300)) < 3:
        raise ValueError("a closed membrane is told by six or more points all around it")
    unit = outward / np.maximum(lengths, 1e-300)[:, None]
    _refuse_doubled(unit, "behind each other, seen from the centre")
    return Closed(centre, _spline(unit, lengths, smoothing), float(lengths.mean()))


def on_surface(surface: Sheet | Closed, spacing: float) -> tuple[np.ndarray, float]:
    """(n, 3) points spread evenly by area over the surface, n = area / spacing^2, and that area."""
    step = min(spacing / math.sqrt(SAMPLES_A_POINT), math.sqrt(surface.extent() / 2000))
    samples, areas = surface.samples(step)
    total = float(areas.sum())
    return surface.projected(spread_out(samples, areas, number_on(total, spacing))), total


def _spline(places: np.ndarray, values: np.ndarray, smoothing: float) -> Function:
    """A thin-plate spline that passes the values at a root mean square distance of `smoothing`, or as near to it as it can.

    Fewer points than tell a bend give a linear function.
    """
    if len(places) <= places.shape[1] + 1:
        matrix = np.column_stack([places, np.ones(len(places))])
        factors = np.linalg.lstsq(matrix, values, rcond=None)[0]
        return lambda at: np.asarray(at @ factors[:-1] + factors[-1])

    def fitted(stiffness: float) -> scipy.interpolate.RBFInterpolator:
        neighbours = NEIGHBOURS if len(places) > MANY else None
        return scipy.interpolate.RBFInterpolator(places, values, neighbours, stiffness, "thin_plate_spline")

    def misfit(stiffness: float) -> float:
        return float(np.sqrt(np.mean((fitted(stiffness)(places) - values) ** 2)))

    if smoothing <= 0:
        return fitted(0.0)
    low, high = -12.0, 12.0
    for _ in range(24):
        middle = (low + high) / 2
        low, high = (low, middle) if misfit(10.0**middle) > smoothing else (middle, high)
    return fitted(10.0**low)


def _slope(height: Function, flat: np.ndarray, step: np.ndarray) -> np.ndarray:
    if not len(flat):
        return np.empty(0)
    return np.asarray((height(flat + step) - height(flat - step)) / (2 * np.linalg.norm(step)))


def _unit(vectors: np.ndarray) -> np.ndarray:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True))


def _refuse_doubled(places: np.ndarray, words: str) -> None:
    size = float(np.ptp(places, axis=0).max())
    close = scipy.spatial.cKDTree(places).query_pairs(1e-6 * size)
    if close:
        first, second = sorted(next(iter(sorted(close))))
        raise ValueError(f"marked points {first + 1} and {second + 1} lie {words}; remove one")
