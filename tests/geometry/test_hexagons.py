"""Hexagonal lattices on a sphere."""

import numpy as np
import pytest
from scipy.spatial import cKDTree

from engine.geometry import hexagons


@pytest.mark.parametrize(("h", "k"), [(1, 0), (1, 1), (2, 1), (3, 3), (5, 2), (8, 0)])
def test_an_icosahedral_lattice_has_its_number_of_points_none_of_them_twice(h, k):
    points = hexagons.icosahedral(h, k)
    assert len(points) == 10 * (h * h + h * k + k * k) + 2
    np.testing.assert_allclose(np.linalg.norm(points, axis=1), 1)
    assert cKDTree(points).query(points, k=2)[0][:, 1].min() > 0.5 / (h + k)


@pytest.mark.parametrize("radius", [430, 517, 600])
def test_a_relaxed_lattice_has_cells_of_about_one_size_and_twelve_five_fold_points(radius):
    points, frames, n_neighbours = hexagons.on_sphere(radius, 73.0)
    np.testing.assert_allclose(np.linalg.norm(points, axis=1), radius)
    assert np.bincount(n_neighbours).tolist()[5:] == [12, len(points) - 12]
    nearest = cKDTree(points).query(points, k=6)[0][:, 1:]  # five neighbours: what all have
    assert nearest.mean() == pytest.approx(73, rel=0.02)
    assert 0.83 * 73 < nearest.min() < nearest.max() < 1.12 * 73
    np.testing.assert_allclose(frames[:, :, 2], points / radius, atol=1e-9)
    np.testing.assert_allclose(frames @ frames.swapaxes(1, 2), np.broadcast_to(np.eye(3), frames.shape), atol=1e-9)
    assert (np.linalg.det(frames) > 0).all()


def test_x_of_a_frame_points_to_a_neighbour():
    points, frames, _ = hexagons.on_sphere(500, 73.0)
    ahead = points + 73 * frames[:, :, 0]
    assert np.median(cKDTree(points).query(500 * ahead / np.linalg.norm(ahead, axis=1, keepdims=True))[0]) < 6


def test_a_frame_lies_amid_its_neighbours():
    points, frames, n_neighbours = hexagons.on_sphere(500, 73.0)
    for row in np.flatnonzero(n_neighbours == 6)[:40]:
        near = cKDTree(points).query(points[row], k=7)[1][1:]
        x, y, _ = ((points[near] - points[row]) @ frames[row]).T
        off = (np.degrees(np.arctan2(y, x)) + 30) % 60 - 30
        assert abs(np.mean(off)) < 0.3
        assert np.abs(off).max() < 8


def test_no_lattice_is_wider_than_its_sphere():
    with pytest.raises(ValueError, match="no hexagons 73 apart fit"):
        hexagons.on_sphere(60, 73)
