"""Who is near whom: neighbours of points inside groups, such as the tomograms that they lie in."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import scipy


def crowded(points: np.ndarray, rank: np.ndarray, groups: np.ndarray, distance: float) -> np.ndarray:
    """(n,) bool: the points nearer than distance to one of lower rank that is itself not crowded, in the same group.

    points: (n, 3), in the unit of distance. rank: (n,) numbers, the lowest goes first; equals go in their order.
    groups: (n,) numbers. So the points that are left lie at least distance apart, and as many of the first are kept as can be.
    """
    is_crowded = np.zeros(len(points), dtype=bool)
    if distance <= 0:
        return is_crowded
    for rows in of_groups(groups):
        tree = scipy.spatial.KDTree(points[rows])
        for row in rows[np.argsort(rank[rows], kind="stable")]:
            if not is_crowded[row]:
                near = rows[tree.query_ball_point(points[row], np.nextafter(distance, 0))]
                is_crowded[near[near != row]] = True
    return is_crowded


def nearest_distances(points: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """(n,) distance to the nearest other point of the group, in the points' unit; infinite where there is none."""
    distances = np.full(len(points), np.inf)
    for rows in of_groups(groups):
        if len(rows) > 1:
            distances[rows] = scipy.spatial.KDTree(points[rows]).query(points[rows], k=2)[0][:, 1]
    return distances


def pairs(points: np.ndarray, groups: np.ndarray, distance: float) -> np.ndarray:
    """(m, 2) rows of all pairs of a group that are no further apart than distance, each pair both ways."""
    found = [np.zeros((0, 2), dtype=np.intp)]
    for rows in of_groups(groups):
        one_way = rows[scipy.spatial.KDTree(points[rows]).query_pairs(distance, output_type="ndarray")]
        found += [one_way, one_way[:, ::-1]]
    return np.concatenate(found)


def partners(
    points: np.ndarray, groups: np.ndarray, others: np.ndarray, other_groups: np.ndarray, distance: float
) -> tuple[np.ndarray, np.ndarray]:
    """Rows (m,) of the points and rows (m,) of the others that are each other's nearest in their group, within a distance.

    points (n, 3) and others (k, 3), in the unit of distance; no row of either is there twice.
    """
    mine, theirs = [np.zeros(0, dtype=np.intp)], [np.zeros(0, dtype=np.intp)]
    for rows in of_groups(groups):
        there = np.flatnonzero(other_groups == groups[rows[0]])
        if not len(there):
            continue
        apart, nearest = scipy.spatial.KDTree(others[there]).query(points[rows])
        _, back = scipy.spatial.KDTree(points[rows]).query(others[there])
        mutual = (back[nearest] == np.arange(len(rows))) & (apart <= distance)
        mine.append(rows[mutual])
        theirs.append(there[nearest[mutual]])
    return np.concatenate(mine), np.concatenate(theirs)


def of_groups(groups: np.ndarray) -> Iterator[np.ndarray]:
    """The rows of each group, in the order of the groups' numbers."""
    order = np.argsort(groups, kind="stable")
    starts = np.flatnonzero(np.diff(groups[order], prepend=np.nan))
    yield from (rows for rows in np.split(order, starts[1:]) if len(rows))
