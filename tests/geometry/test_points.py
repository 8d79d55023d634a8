"""Crop points along a line and on a grid."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.geometry import euler, points

places = st.tuples(*[st.floats(-500, 500)] * 3)


@given(places, places, st.floats(1, 300))
def test_points_on_a_line_are_exactly_spaced_and_centred_on_it(start, end, spacing):
    found = points.along_line(start, end, spacing)
    length = np.linalg.norm(np.subtract(end, start))
    assert found.mean(axis=0) == pytest.approx(np.add(start, end) / 2, abs=1e-6)
    assert np.linalg.norm(np.diff(found, axis=0), axis=1) == pytest.approx(np.full(len(found) - 1, spacing))
    left_over = length - (len(found) - 1) * spacing
    assert -1e-6 <= left_over < spacing + 1e-6
    assert np.linalg.norm(found[0] - start) == pytest.approx(max(left_over, 0) / 2, abs=1e-6)


def test_a_line_that_fits_has_points_at_both_ends():
    assert points.along_line((0, 0, 1), (0, 0, 1.3), 0.1)[[0, -1], 2] == pytest.approx([1, 1.3])
    assert len(points.along_line((0, 0, 1), (0, 0, 1.3), 0.1)) == 4


def test_a_line_without_length_is_one_point():
    assert points.along_line((3, 4, 5), (3, 4, 5), 2).tolist() == [[3, 4, 5]]


def test_particles_along_a_line_point_from_start_to_end():
    angles = points.angles_along_line((10, 10, 10), (13, 14, 10), narot=[0, 60])
    assert euler.axes(angles) == pytest.approx(np.tile([0.6, 0.8, 0], (2, 1)), abs=1e-12)
    assert angles[:, 2].tolist() == [0, 60]


def test_a_line_without_length_has_no_direction():
    with pytest.raises(ValueError, match="longer than 0"):
        points.angles_along_line((1, 1, 1), (1, 1, 1))


def test_grid_points_keep_their_margin_and_are_centred():
    found = points.on_grid((101, 51, 31), 10, 5)
    assert found.min(axis=0).tolist() == [5, 5, 5]
    assert found.max(axis=0).tolist() == [95, 45, 25]
    assert len(found) == 10 * 5 * 3
    assert found[1].tolist() == [15, 5, 5]
    uneven = points.on_grid((104, 51, 31), 10, 5)
    assert [uneven[:, 0].min(), uneven[:, 0].max()] == [6.5, 96.5]


def test_a_thin_volume_has_one_layer_in_its_middle_and_a_thinner_one_none():
    assert set(points.on_grid((101, 101, 21), 10, 8)[:, 2]) == {10.0}
    assert points.on_grid((101, 101, 21), 10, 11).shape == (0, 3)


@pytest.mark.parametrize("spacing", [0, -1, float("nan")])
def test_a_spacing_that_is_none_is_refused(spacing):
    with pytest.raises(ValueError, match="above 0"):
        points.along_line((0, 0, 0), (1, 0, 0), spacing)
    with pytest.raises(ValueError, match="above 0"):
        points.on_grid((10, 10, 10), spacing, 1)
