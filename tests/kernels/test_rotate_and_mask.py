"""Turning boxes, and soft masks."""

import numpy as np
import pytest

from engine.geometry import euler, symmetry
from engine.kernels import blobs, mask, quick, rotate

CENTRES = np.array([[4.0, 1.0, -2.0], [-3.0, 5.0, 1.0], [0.0, -4.0, 4.0]])


@pytest.mark.parametrize("n", [32, 33])
def test_a_turned_and_shifted_box_equals_the_object_rendered_there(n):
    rotation = euler.matrices([30, 40, 50])
    shift = np.array([1.5, -2.0, 0.7])
    expected = blobs.render(CENTRES @ rotation.T + shift, 1.8, n)
    made = rotate.moved(blobs.render(CENTRES, 1.8, n), rotation, shift)
    np.testing.assert_allclose(made, expected, atol=0.01)


@pytest.mark.parametrize("n", [24, 25])
def test_compiled_turning_equals_its_twin(n):
    generator = np.random.default_rng(n)
    volume = generator.normal(size=(n,) * 3).astype(np.float32)
    soft = mask.ellipsoid(n, (8, 5, 7), (n // 2 + 1, n // 2, n // 2 - 2), 3)
    for angles in [(0, 0, 0), (0, 180, 0), (90, 0, 0), (13, 77, -150)]:
        rotation, shift = euler.matrices(angles), generator.uniform(-4, 4, 3)
        np.testing.assert_allclose(
            quick.mean_and_deviation(volume, soft, rotation, shift, mask.support_px(soft)),
            rotate.mean_and_deviation(volume, soft, rotation, shift),
            atol=1e-5,
        )


@pytest.mark.parametrize("n", [16, 21])
def test_the_compiled_correlation_under_a_turned_mask_equals_its_twin(n):
    generator = np.random.default_rng(n)
    soft = mask.ball(n, n / 3, (n // 2 + 1, n // 2, n // 2), 2.0)
    a, b = generator.normal(size=(2, n, n, n)).astype(np.float32)
    for rotation, other in zip(
        euler.matrices(euler.random(4, generator)), (b, a + b, -a, np.ones_like(a)), strict=True
    ):
        expected = rotate.correlation_under(soft, rotation, a, other)
        assert quick.correlation_under(soft, rotation, a, other) == pytest.approx(expected, abs=1e-6)
    assert quick.correlation_under(np.zeros_like(a), np.eye(3), a, b) == 0


def test_a_symmetrised_box_looks_the_same_from_every_operator():
    operators = symmetry.operators("C4")
    made = rotate.symmetrized(blobs.render(CENTRES, 1.8, 32), operators)
    for operator in operators:
        np.testing.assert_allclose(rotate.moved(made, operator), made, atol=0.01)


def test_symmetry_c1_changes_nothing():
    volume = blobs.render(CENTRES, 1.8, 16)
    np.testing.assert_array_equal(rotate.symmetrized(volume, symmetry.operators("C1")), volume)


def test_a_cylinder_stands_along_z_around_its_centre():
    made = mask.cylinder(32, 4, 12, (10, 20, 16), 0)
    assert made[16, 20, 10] == 1
    assert made[21, 20, 10] == 1  # 5 px up: inside the half height of 6
    assert made[24, 20, 10] == 0
    assert made[16, 20, 16] == 0


def test_a_soft_edge_is_half_way_at_the_radius():
    made = mask.ball(32, 8, (16, 16, 16), 4)
    assert made[16, 16, 24] == pytest.approx(0.5)
    assert made[16, 16, 22] == 1
    assert made[16, 16, 26] == pytest.approx(0, abs=1e-6)


def test_the_chain_is_not_its_own_mirror_image():
    chain = blobs.chiral_chain(60, 12, np.random.default_rng(0))
    steps = np.diff(chain, axis=0)
    handedness = np.einsum("ij,ij->i", np.cross(steps[:-2], steps[1:-1]), steps[2:])
    assert handedness.mean() > 0
    assert (handedness > 0).mean() > 0.65
    assert np.linalg.norm(chain, axis=1).max() == pytest.approx(12)


@pytest.mark.parametrize("n", [24, 25])
@pytest.mark.parametrize("group", ["C2", "C6", "D3", "T", "O"])
def test_compiled_symmetrisation_equals_its_twin(n, group):
    volume = np.random.default_rng(n).normal(size=(n,) * 3).astype(np.float32)
    operators = symmetry.operators(group)
    inner = (slice(2, -2),) * 3  # what comes from a face is in the box or out of it by rounding
    slow = rotate.symmetrized(volume, operators)[inner]
    np.testing.assert_allclose(quick.symmetrized(volume, operators)[inner], slow, atol=1e-5)
