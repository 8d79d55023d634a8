"""T5: a point of the average and C6 give six children a row, at the right distance, all of them seeing the same."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.data import Half, Table
from engine.geometry import euler, symmetry
from engine.geometry.subboxes import children, subboxed
from engine.kernels import blobs
from engine.kernels.rotate import moved

V = np.array([9.0, 1.0, 3.0])
C6 = symmetry.operators("C6")


def parents(n=5, seed=1):
    generator = np.random.default_rng(seed)
    table = Table.blank(n, tag=10 * np.arange(1, n + 1), tomo=3, half=Half.ODD, cc=0.4, dcc=0.1, reg=7, ftype=1)
    x, y, z = generator.uniform(50, 300, (3, n))
    table = table.with_columns(x=x, y=y, z=z)
    return table.with_poses(euler.random(n, generator), generator.uniform(-3, 3, (n, 3)))


def test_t5_six_children_a_row_at_the_points_distance_with_their_parents_tag():
    table = parents()
    made = subboxed(table, V, C6)
    assert len(made) == 30
    np.testing.assert_array_equal(made.tags, (6 * (table["tag"][:, None] - 1) + np.arange(1, 7)).ravel())
    np.testing.assert_array_equal(made["otag"], np.repeat(table["tag"], 6))
    np.testing.assert_array_equal(made["npar"], np.tile(np.arange(1, 7), 5))
    centres = made.positions_xyz_px + made.shifts_xyz_px
    parent = np.repeat(table.positions_xyz_px + table.shifts_xyz_px, 6, axis=0)
    np.testing.assert_allclose(np.linalg.norm(centres - parent, axis=1), np.linalg.norm(V), rtol=1e-12)
    # A C6 ring: neighbours are as far apart as the point's distance from the axis.
    ring = centres.reshape(5, 6, 3)
    np.testing.assert_allclose(
        np.linalg.norm(ring - np.roll(ring, 1, axis=1), axis=-1), np.hypot(V[0], V[1]), rtol=1e-9
    )
    np.testing.assert_array_equal(made.positions_xyz_px, np.rint(made.positions_xyz_px))
    assert np.abs(made.shifts_xyz_px).max() <= 0.5
    for column in ("tomo", "reg", "half", "ftype"):
        np.testing.assert_array_equal(made[column], np.repeat(table[column], 6))
    assert not made["cc"].any()
    assert not made["dcc"].any()


def test_t5_the_first_child_is_turned_as_its_parent_and_all_share_the_axis():
    table = parents()
    made = subboxed(table, V, C6)
    same = euler.matrices(made.angles).reshape(5, 6, 3, 3)[:, 0]
    np.testing.assert_allclose(same, euler.matrices(table.angles), atol=1e-9)
    np.testing.assert_allclose(euler.axes(made.angles), np.repeat(euler.axes(table.angles), 6, axis=0), atol=1e-9)


def test_t5_every_child_sees_the_same_density():
    chain = blobs.chiral_chain(12, 3, np.random.default_rng(0)) + V
    whole = np.concatenate([chain @ operator.T for operator in C6])
    angles, d = np.array([[30.0, 40.0, 50.0]]), np.array([[1.0, -2.0, 0.5]])
    R = euler.matrices(angles)[0]
    tomogram = blobs.render(whole @ R.T + d[0], 1.2, 48)  # the particle's box is the tomogram here
    (centres,), (turns,) = children(angles, d + 24, V, C6)
    seen = []
    for centre, turn in zip(centres, turns, strict=True):
        back = euler.matrices(turn).T
        upright = moved(tomogram, back, -back @ (centre - 24), order=3)
        seen.append(upright[17:32, 17:32, 17:32])
    for other in seen[1:]:
        assert np.corrcoef(seen[0].ravel(), other.ravel())[0, 1] > 0.99
    about_the_point = blobs.render(whole - V, 1.2, 48)[17:32, 17:32, 17:32]
    assert np.corrcoef(seen[0].ravel(), about_the_point.ravel())[0, 1] > 0.99


@given(st.tuples(*[st.floats(-20, 20)] * 3), st.sampled_from(["C1", "C3", "D2", "T", "O", "I"]))
def test_t5_children_are_the_groups_images_of_the_point(v, name):
    operators = symmetry.operators(name)
    centres, angles = children([[0.0, 0.0, 0.0]], [[0.0, 0.0, 0.0]], v, operators)
    assert centres.shape == angles.shape == (1, len(operators), 3)
    assert np.linalg.norm(centres[0], axis=1) == pytest.approx(np.linalg.norm(v), abs=1e-9)
    np.testing.assert_allclose(euler.matrices(angles[0]) @ np.asarray(v), centres[0], atol=1e-9)
