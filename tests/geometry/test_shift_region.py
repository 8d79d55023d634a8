"""The ellipsoid of allowed shifts: membership, bounding box, pulling back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.geometry import euler, shifts

limits = st.tuples(*[st.floats(0, 12)] * 3)
turns = st.tuples(*[st.floats(-180, 180)] * 3).map(euler.matrices)
offsets = st.tuples(*[st.floats(-30, 30)] * 3)
UPRIGHT = np.eye(3)
LYING = euler.matrices((0, 90, 0))  # the particle axis points along y


def test_the_third_limit_is_along_the_particle_axis():
    assert shifts.inside_ellipsoid([[0, 8, 0], [0, 0, 8]], (2, 2, 8), LYING).tolist() == [True, False]
    assert shifts.inside_ellipsoid([[0, 8, 0], [0, 0, 8]], (2, 2, 8), UPRIGHT).tolist() == [False, True]


def test_equal_limits_are_a_sphere_in_any_frame():
    on, beyond = np.array([0, 2.4, 3.2]), np.array([0, 2.41, 3.2])
    for rotation in (UPRIGHT, LYING, euler.matrices((30, 40, 50))):
        assert shifts.inside_ellipsoid(on, (4, 4, 4), rotation)
        assert not shifts.inside_ellipsoid(beyond, (4, 4, 4), rotation)


@given(limits, turns)
def test_the_extent_just_holds_the_ellipsoid(limit, rotation):
    extent = shifts.ellipsoid_extent_px(limit, rotation)
    directions = euler.axes(euler.random(2000, np.random.default_rng(0)))
    surface = directions * np.maximum(limit, 0.5) @ rotation.T
    assert np.all(np.abs(surface) <= extent + 1e-9)
    assert np.all(np.abs(surface).max(axis=0) >= 0.95 * extent)  # 2000 directions lie about 3 deg apart


def test_the_extent_of_a_lying_particle_swaps_y_and_z():
    assert shifts.ellipsoid_extent_px((2, 3, 8), LYING) == pytest.approx([2, 8, 3])
    assert shifts.ellipsoid_extent_px((2, 3, 8), UPRIGHT) == pytest.approx([2, 3, 8])


@given(offsets, limits, turns)
def test_a_clipped_offset_is_inside_on_the_same_ray_and_clipped_once(offset, limit, rotation):
    clipped = shifts.clip_to_ellipsoid(offset, limit, rotation)
    assert shifts.inside_ellipsoid(clipped, limit, rotation)
    assert np.cross(clipped, offset) == pytest.approx(np.zeros(3), abs=1e-9)
    assert np.dot(clipped, offset) >= 0
    assert shifts.clip_to_ellipsoid(clipped, limit, rotation) == pytest.approx(clipped, abs=1e-9)
    if shifts.inside_ellipsoid(offset, limit, rotation):
        assert clipped == pytest.approx(offset, abs=1e-6)


def test_a_frozen_axis_in_a_turned_frame_still_has_voxels():
    grid = np.stack(np.meshgrid(*[np.arange(-5.0, 6.0)] * 3, indexing="ij"), axis=-1)
    rotation = euler.matrices((30, 40, 50))
    allowed = shifts.inside_ellipsoid(grid, (4, 4, 0), rotation)
    assert allowed.sum() > 15  # a disc of radius 4 and thickness 1 has a volume of 34 px, its slimmed edge less
    along = grid[allowed] @ rotation[:, 2]
    assert np.abs(along).max() <= 0.5


def test_without_tolerance_a_frozen_axis_is_exact():
    inside = shifts.inside_ellipsoid([[1, 0, 0], [1, 0, 1e-5]], (4, 4, 0), UPRIGHT, tolerance_px=0)
    assert inside.tolist() == [True, False]
    assert shifts.clip_to_ellipsoid([8, 0, 3], (4, 4, 0), UPRIGHT, tolerance_px=0) == pytest.approx([4, 0, 0])
    assert shifts.clip_to_ellipsoid([8, 0, 3], (0, 0, 0), UPRIGHT, tolerance_px=0) == pytest.approx([0, 0, 0])


def test_each_offset_may_have_its_own_rotation():
    rotations = np.stack([UPRIGHT, LYING])
    assert shifts.inside_ellipsoid([[0, 8, 0], [0, 8, 0]], (2, 2, 8), rotations).tolist() == [False, True]
    clipped = shifts.clip_to_ellipsoid([[0, 9, 0], [0, 9, 0]], (2, 2, 8), rotations)
    assert clipped == pytest.approx(np.array([[0, 2, 0], [0, 8, 0]]))


@pytest.mark.parametrize("bad", [(1, 2), (1, -2, 3), (np.nan, 1, 1), 4])
def test_limits_that_are_none_are_refused(bad):
    with pytest.raises(ValueError, match="three numbers"):
        shifts.ellipsoid_extent_px(bad, UPRIGHT)
