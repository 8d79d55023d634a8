"""Angles: what a Dynamo triplet does to the template, and what RELION calls the same rotation."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from engine.geometry import euler

VECTOR = (30.0, 40.0, 50.0)
VECTOR_R = [
    [0.263258, 0.909616, 0.321394],
    [-0.829598, 0.043412, 0.556670],
    [0.492404, -0.413176, 0.766044],
]
TRIPLETS = np.array(
    [
        VECTOR,
        (0, 0, 0),
        (90, 0, 0),
        (0, 90, 0),
        (0, 0, 90),
        (-170, 12, 33),
        (120, 179, -75),
        (10, -35, 20),
        (5, 200, 7),
    ],
    dtype=float,
)


def relion_matrix(rot, tilt, psi):
    """A = Rz(-psi) Ry(-tilt) Rz(-rot), written out from RELION's definition."""

    def about_z(a):
        return np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])

    def about_y(a):
        return np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])

    rot, tilt, psi = np.radians([rot, tilt, psi])
    return about_z(-psi) @ about_y(-tilt) @ about_z(-rot)


def test_the_test_vector_gives_the_matrix_of_the_conventions_table():
    assert euler.matrices(VECTOR) == pytest.approx(np.array(VECTOR_R), abs=1e-6)  # six digits are written


def test_the_particle_to_template_matrix_is_scipys_extrinsic_zxz():
    golden = Rotation.from_euler("zxz", TRIPLETS, degrees=True).as_matrix()
    assert np.swapaxes(euler.matrices(TRIPLETS), -1, -2) == pytest.approx(golden, abs=1e-14)


def test_tdrot_of_a_level_particle_turns_it_clockwise():
    # A template point on +x is found on -y: wiki Euler_angles_convention, rotations are clockwise.
    assert euler.matrices((90, 0, 0)) @ [1, 0, 0] == pytest.approx([0, -1, 0], abs=1e-15)


def test_tilt_leans_the_particle_axis_towards_y():
    assert euler.matrices((0, 90, 0)) @ [0, 0, 1] == pytest.approx([0, 1, 0], abs=1e-15)


def test_narot_turns_the_template_about_its_own_axis_before_everything_else():
    before = euler.matrices((30, 40, 0))
    assert euler.matrices((30, 40, 25)) == pytest.approx(before @ euler.about_z(np.radians(-25)), abs=1e-15)


def test_the_inverse_triplet_undoes_the_rotation():
    assert euler.inverse(VECTOR).tolist() == [-50, -40, -30]
    both = euler.matrices(euler.inverse(TRIPLETS)) @ euler.matrices(TRIPLETS)
    assert both == pytest.approx(np.broadcast_to(np.eye(3), both.shape), abs=1e-14)


def test_the_particle_axis_is_where_the_templates_z_points():
    assert euler.axes(TRIPLETS) == pytest.approx(euler.matrices(TRIPLETS)[..., 2], abs=1e-15)
    tdrot, tilt, _ = np.radians(TRIPLETS).T
    formula = np.stack([np.sin(tdrot) * np.sin(tilt), np.cos(tdrot) * np.sin(tilt), np.cos(tilt)], axis=1)
    assert euler.axes(TRIPLETS) == pytest.approx(formula, abs=1e-15)


def test_the_test_vector_is_minus_40_40_120_in_relion():
    assert euler.to_relion(VECTOR) == pytest.approx([-40, 40, 120], abs=1e-12)
    assert euler.from_relion((-40, 40, 120)) == pytest.approx(VECTOR, abs=1e-12)


@pytest.mark.parametrize("triplet", TRIPLETS)
def test_relions_matrix_of_the_converted_angles_is_r(triplet):
    assert relion_matrix(*euler.to_relion(triplet)) == pytest.approx(euler.matrices(triplet), abs=1e-14)


@pytest.mark.parametrize("relion", [(-40, 40, 120), (170, 5, -170), (0, 0, 0), (15, -30, 80), (15, 190, 80)])
def test_dynamos_matrix_of_relions_angles_is_relions_matrix(relion):
    assert euler.matrices(euler.from_relion(relion)) == pytest.approx(relion_matrix(*relion), abs=1e-14)
