"""Triplets and matrices: round trips, gimbal, distances."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from engine.geometry import euler, symmetry

degrees = st.floats(-720, 720, allow_nan=False)
triplets = st.tuples(degrees, degrees, degrees)
proper = st.tuples(st.floats(-179.9, 180), st.floats(0.01, 179.99), st.floats(-179.9, 180))


@given(triplets)
def test_angles_of_a_matrix_describe_the_same_rotation(triplet):
    R = euler.matrices(triplet)
    found = euler.angles(R)
    assert euler.angular_distance_deg(euler.matrices(found), R) < 1e-6
    assert -180 < found[0] <= 180
    assert 0 <= found[1] <= 180
    assert -180 < found[2] <= 180


@given(proper)
def test_triplets_in_range_come_back_as_they_were(triplet):
    difference = euler.wrapped(euler.angles(euler.matrices(triplet)) - triplet)
    assert np.abs(difference).max() < 1e-6


@given(triplets)
def test_normalised_triplets_are_in_range_and_the_same_rotation(triplet):
    tdrot, tilt, narot = euler.normalised(triplet)
    assert -180 < tdrot <= 180
    assert 0 <= tilt <= 180
    assert -180 < narot <= 180
    assert euler.angular_distance_deg(euler.matrices((tdrot, tilt, narot)), euler.matrices(triplet)) < 1e-6


@given(triplets)
def test_relion_and_back_is_the_same_rotation(triplet):
    back = euler.from_relion(euler.to_relion(triplet))
    assert euler.angular_distance_deg(euler.matrices(back), euler.matrices(triplet)) < 1e-6


def test_ten_thousand_random_triplets_come_back():
    triplets = euler.random(10_000, np.random.default_rng(0))
    for back in (
        euler.angles(euler.matrices(triplets)),
        euler.from_relion(euler.to_relion(triplets)),
        euler.normalised(euler.inverse(euler.inverse(triplets))),
    ):
        assert np.abs(euler.wrapped(back - triplets)).max() < 1e-6


@pytest.mark.parametrize("tilt", [1e-3, 1e-6, 1e-8, 180 - 1e-3, 180 - 1e-6])
def test_close_to_gimbal_no_digits_are_lost(tilt):
    R = euler.matrices((33, tilt, -71))
    assert euler.angular_distance_deg(euler.matrices(euler.angles(R)), R) < 1e-8


@pytest.mark.parametrize(
    ("triplet", "expected"), [((30, 0, 50), (80, 0, 0)), ((30, 180, 50), (-20, 180, 0)), ((170, 0, 30), (-160, 0, 0))]
)
def test_at_gimbal_narot_is_0_and_tdrot_carries_all(triplet, expected):
    assert euler.angles(euler.matrices(triplet)) == pytest.approx(expected, abs=1e-12)


def test_shapes_before_the_last_axis_are_kept():
    triplets = euler.random(6, np.random.default_rng(0)).reshape(2, 3, 3)
    assert euler.matrices(triplets)[1, 2] == pytest.approx(euler.matrices(triplets[1, 2]))
    assert euler.angles(euler.matrices(triplets)) == pytest.approx(triplets)
    assert euler.matrices(np.empty((0, 3))).shape == (0, 3, 3)
    assert euler.angles(np.empty((0, 3, 3))).shape == (0, 3)


def test_wrapping_ends_at_plus_180_and_leaves_small_angles_alone():
    given_deg = [180, -180, 540, 181, -1e-18, 360, 180 + 1e-14, -540]
    wrapped = euler.wrapped(given_deg)
    assert wrapped.tolist()[:6] == [180, 180, 180, -179, -1e-18, 0]
    assert np.all((wrapped > -180) & (wrapped <= 180))


@given(st.tuples(*[st.floats(-1, 1)] * 3).filter(lambda v: np.linalg.norm(v) > 1e-3), st.floats(1e-200, 1e200))
def test_triplets_from_a_normal_point_along_it(direction, length):
    normal = np.array(direction) / np.linalg.norm(direction)
    triplet = euler.from_axes(normal * length, narot=25)
    assert euler.axes(triplet) == pytest.approx(normal, abs=1e-12)
    assert triplet[2] == 25


def test_narot_is_given_once_or_per_normal():
    assert euler.from_axes([[0, 0, 1], [0, 1, 0]], [5, 6]).tolist() == [[0, 0, 5], [0, 90, 6]]


def test_a_normal_without_length_has_no_angles():
    with pytest.raises(ValueError, match="longer than 0"):
        euler.from_axes([[0, 0, 1], [0, 0, 0]])
    with pytest.raises(ValueError, match="finite"):
        euler.from_axes([0, np.nan, 1])


@given(st.floats(0, 180), triplets, st.integers(0, 100))
def test_the_distance_is_the_angle_of_the_rotation_between(angle, triplet, seed):
    axis = euler.axes(euler.random(1, np.random.default_rng(seed)))[0]
    R = euler.matrices(triplet)
    turned = Rotation.from_rotvec(np.radians(angle) * axis).as_matrix() @ R
    assert euler.angular_distance_deg(R, turned) == pytest.approx(angle, abs=1e-9)


@pytest.mark.parametrize("group", ["C6", "D3"])
def test_symmetric_equivalents_are_no_distance_apart(group):
    S = symmetry.operators(group)
    R = euler.matrices((30, 40, 50))
    assert euler.angular_distance_deg(R, R @ S, S) == pytest.approx(np.zeros(6), abs=1e-9)
    assert euler.angular_distance_deg(R, S @ R, S).max() > 10  # the group acts on the template's side only


def test_under_c6_a_turn_of_50_about_the_axis_is_one_of_10():
    R = euler.matrices([(30, 40, 50), (1, 2, 3)])
    turned = R @ euler.about_z(np.radians(50))
    assert euler.angular_distance_deg(R, turned, symmetry.operators("C6")) == pytest.approx([10, 10], abs=1e-9)


def test_axis_change_counts_the_axis_only():
    assert euler.axis_change_deg((30, 40, 50), (30, 47, -100)) == pytest.approx(7, abs=1e-9)
    assert euler.axis_change_deg((30, 40, 50), (30, 40, -100)) == pytest.approx(0, abs=1e-9)


@given(proper, st.floats(-180, 180), st.floats(0, 175), st.floats(-179.9, 180))
def test_azimuth_change_is_the_narot_left_after_carrying_the_axis_without_twist(triplet, towards, lean, change):
    R_old = euler.matrices(triplet)
    lean_over = Rotation.from_rotvec(
        np.radians(lean) * np.array([np.cos(np.radians(towards)), np.sin(np.radians(towards)), 0])
    ).as_matrix()
    R_new = R_old @ lean_over @ euler.about_z(np.radians(-change))
    new = euler.angles(R_new)
    assert abs(euler.wrapped(euler.azimuth_change_deg(triplet, new) - change)) < 1e-6
    assert euler.axis_change_deg(triplet, new) == pytest.approx(lean, abs=1e-6)


def test_azimuth_change_with_the_axis_kept_is_the_growth_of_narot():
    assert euler.azimuth_change_deg((30, 40, 50), (30, 40, 62)) == pytest.approx(12, abs=1e-9)
    assert euler.azimuth_change_deg((30, 40, 170), (30, 40, -170)) == pytest.approx(20, abs=1e-9)


def test_random_rotations_fill_the_space_evenly():
    R = euler.matrices(euler.random(20_000, np.random.default_rng(3)))
    assert np.abs(R.mean(axis=0)).max() < 0.02  # 3.4 sigma of sqrt(1 / 3 / 20000)
    # Haar measure: the angle of rotation has the density (1 - cos a) / pi, so below 90 deg lie 1/2 - 1/pi of all.
    below = (euler.angular_distance_deg(np.eye(3), R) < 90).mean()
    assert below == pytest.approx(0.5 - 1 / np.pi, abs=0.012)  # 4 sigma


def test_wrong_shapes_are_refused():
    with pytest.raises(ValueError, match="shape"):
        euler.matrices([1.0, 2.0])
    with pytest.raises(ValueError, match="shape"):
        euler.angles(np.zeros((4, 3)))
