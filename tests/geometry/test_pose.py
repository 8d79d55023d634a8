"""Rewriting poses: moves that undo each other, perturbations that stay within their bounds."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.geometry import euler, pose

POSES = (euler.random(50, np.random.default_rng(5)), np.random.default_rng(6).normal(0, 3, (50, 3)))
vectors = st.tuples(*[st.floats(-20, 20)] * 3)


@given(vectors, vectors)
def test_a_rigid_move_and_its_inverse_give_the_poses_back(triplet, t):
    Q = euler.matrices(np.array(triplet) * 9)
    angles, shifts = pose.transformed(*pose.transformed(*POSES, Q, t), Q.T, -Q.T @ t)
    assert euler.angular_distance_deg(euler.matrices(angles), euler.matrices(POSES[0])).max() < 1e-6
    assert shifts == pytest.approx(POSES[1], abs=1e-9)


@given(vectors)
def test_moving_the_origin_is_a_rigid_move_by_the_opposite(v):
    _, shifts = pose.transformed(*POSES, np.eye(3), -np.array(v))
    assert pose.move_origin(*POSES, v) == pytest.approx(shifts, abs=1e-9)


def test_each_pose_may_have_its_own_offset():
    offsets = np.random.default_rng(7).normal(0, 3, (50, 3))
    moved = pose.move_origin(*POSES, offsets)
    for i in (0, 17, 49):
        assert moved[i] == pytest.approx(pose.move_origin(POSES[0][i], POSES[1][i], offsets[i]))


def test_perturbed_poses_fill_the_allowed_turn_and_ball():
    angles, shifts = np.tile(POSES[0][:1], (5000, 1)), np.tile(POSES[1][:1], (5000, 1))
    new_angles, new_shifts = pose.perturbed(angles, shifts, 12.0, 3.0, np.random.default_rng(8))
    turned = euler.angular_distance_deg(euler.matrices(angles), euler.matrices(new_angles))
    moved = np.linalg.norm(new_shifts - shifts, axis=1)
    assert turned.max() <= 12 + 1e-9
    assert moved.max() <= 3 + 1e-9
    assert turned.mean() == pytest.approx(6, abs=0.2)  # 4 sigma of 12 / sqrt(12 * 5000)
    assert moved.mean() == pytest.approx(1.5, abs=0.05)
    assert np.abs((new_shifts - shifts).mean(axis=0)).max() < 0.06  # no preferred direction, 4 sigma


def test_perturbing_by_nothing_changes_nothing():
    angles, shifts = pose.perturbed(*POSES, 0.0, 0.0, np.random.default_rng(1))
    assert angles == pytest.approx(POSES[0], abs=1e-9)
    assert shifts == pytest.approx(POSES[1])


def test_the_same_seed_perturbs_in_the_same_way():
    once, again = (pose.perturbed(*POSES, 5.0, 2.0, np.random.default_rng(4)) for _ in range(2))
    assert np.array_equal(once[0], again[0])
    assert np.array_equal(once[1], again[1])


def test_no_poses_can_be_perturbed_and_a_single_unlisted_one_is_refused():
    angles, shifts = pose.perturbed(np.empty((0, 3)), np.empty((0, 3)), 5.0, 2.0, np.random.default_rng(4))
    assert angles.shape == shifts.shape == (0, 3)
    with pytest.raises(ValueError, match=r"\(n, 3\)"):
        pose.perturbed([1.0, 2.0, 3.0], [0.0, 0.0, 0.0], 5.0, 2.0, np.random.default_rng(4))
