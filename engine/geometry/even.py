"""Points spread evenly over a surface that is known by many samples, and how even they are."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import scipy

SAMPLES_A_POINT = 40
"""Samples of a surface for each point that is wanted: enough for a cell's middle to lie within a tenth of the spacing."""

STARTS_A_POINT = 8
"""Samples that the first places are chosen among, for each point: choosing takes the square of their number."""

ROUNDS = 30
"""Moves of all points to the middle of their cells. After 20 to 30 the distances change by less than 1 %."""


END_STEPS = 1.3
"""Where a spiral begins and ends, in steps from the poles."""


class Spread(NamedTuple):
    """Distances from each of several points to its nearest neighbour: median, and deviation over mean; 0 for one point."""

    median: float
    relative: float


def number_on(area: float, spacing: float) -> int:
    """How many points lie on an area with one for each square of the spacing; at least one."""
    if not spacing > 0:
        raise ValueError(f"a spacing is above 0, got {spacing}")
    return max(1, round(area / spacing**2))


def nearest_distances(points: np.ndarray) -> np.ndarray:
    """(n,) from each point (n, 3) to its nearest neighbour; none for fewer than two points."""
    if len(points) < 2:
        return np.empty(0)
    return np.asarray(scipy.spatial.cKDTree(points).query(points, k=2)[0][:, 1])


def spread(distances: np.ndarray) -> Spread:
    """The spread of nearest-neighbour distances."""
    if not len(distances):
        return Spread(0.0, 0.0)
    return Spread(float(np.median(distances)), float(distances.std() / distances.mean()))


def spread_out(samples: np.ndarray, areas: np.ndarray, n_points: int) -> np.ndarray:
    """(n_points, 3) positions near a surface, each in the middle of an equal share of it.

    samples (m, 3) lie on the surface, m much larger than n_points; areas (m,) is how much of it each stands for. Points
    start as far from each other as can be, and go to the weighted mean of the samples nearest to them, again and again
    (Lloyd, IEEE Trans. Inf. Theory 28 (1982)). A mean lies a little inside a curved surface: project it back.
    The same samples give the same points.
    """
    if len(samples) <= n_points:
        return np.array(samples)
    n_starts = min(len(samples), STARTS_A_POINT * n_points)
    starts = np.sort(np.random.default_rng(0).choice(len(samples), n_starts, replace=False))
    centres = _far_apart(samples[starts], n_points)
    for _ in range(ROUNDS):
        cell = scipy.spatial.cKDTree(centres).query(samples)[1]
        share = np.bincount(cell, areas, n_points)
        sums = np.stack([np.bincount(cell, areas * axis, n_points) for axis in samples.T], axis=-1)
        centres = np.where(share[:, None] > 0, sums / np.maximum(share, 1e-300)[:, None], centres)
    return centres


def _far_apart(samples: np.ndarray, n_points: int) -> np.ndarray:
    """Samples chosen one by one, each the furthest from all before it."""
    chosen = np.empty(n_points, dtype=np.intp)
    squared = np.full(len(samples), np.inf)
    nearest = 0
    for number in range(n_points):
        chosen[number] = nearest
        difference = samples - samples[nearest]
        np.minimum(squared, np.einsum("ij,ij->i", difference, difference), out=squared)
        nearest = int(squared.argmax())
    return np.array(samples[chosen])


def directions(n: int) -> np.ndarray:
    """(n, 3) unit vectors evenly over the sphere, along a Fibonacci spiral about z.

    Equal steps in z, the golden angle from one to the next (González, Math. Geosci. 42 (2010)). The ends are drawn in from
    the poles by END_STEPS steps, which keeps the nearest pair apart: 0.92 of the square root of a point's area, where half a
    step would leave 0.87.
    """
    if n < 3:
        return np.array([[0.0, 0.0, 1.0], [0.0, 0.0, -1.0]])[:n]
    place = np.arange(n)
    z = 1.0 - 2.0 * (place + END_STEPS) / (n - 1 + 2.0 * END_STEPS)
    turn = np.pi * (3.0 - math.sqrt(5.0)) * place
    flat = np.sqrt(np.maximum(0.0, 1.0 - z * z))
    return np.column_stack([flat * np.cos(turn), flat * np.sin(turn), z])
