"""Symmetry operators form the group that their name says."""

import numpy as np
import pytest

from engine.faults import EngineError
from engine.geometry import symmetry


@pytest.mark.parametrize(
    "name", ["C1", "C2", "C6", "c6", "D1", "D3", "d7", "C13", "T", "O", "I", "i1", "I2", "I3", "I4"]
)
def test_operators_are_a_group_of_the_said_order(name):
    group = symmetry.operators(name)
    assert group.dtype == np.float64
    assert len(group) == symmetry.order(name)
    assert np.array_equal(group[0], np.eye(3))
    np.testing.assert_allclose(group @ np.swapaxes(group, 1, 2), np.broadcast_to(np.eye(3), group.shape), atol=1e-12)
    assert np.linalg.det(group) == pytest.approx(np.ones(len(group)))
    products = (group[:, None] @ group[None]).reshape(-1, 3, 3)
    gaps = np.abs(products[:, None] - group[None]).max(axis=(-1, -2))
    hits = gaps < 1e-12
    inverses = np.abs(np.swapaxes(group, 1, 2)[:, None] - group[None]).max(axis=(-1, -2))
    assert np.all(inverses.min(axis=1) < 1e-12)
    assert np.all(hits.sum(axis=1) == 1)  # every product is an operator, and no operator is there twice


def test_cn_turns_about_z():
    assert symmetry.operators("C4")[1] @ [1, 0, 0] == pytest.approx([0, 1, 0], abs=1e-15)


def test_dn_has_a_two_fold_along_x():
    assert any(np.allclose(operator, np.diag([1, -1, -1])) for operator in symmetry.operators("D3"))


@pytest.mark.parametrize("name", ["", "C", "C0", "6", "ico", "O4", "I5", "T1", "C-1", "C6x", "D2.5"])
def test_an_unknown_group_says_what_is_known(name):
    with pytest.raises(EngineError, match=r"Cn .*Dn") as raised:
        symmetry.operators(name)
    assert repr(name) in str(raised.value)
    with pytest.raises(EngineError):
        symmetry.order(name)


def folds_about(name, axis):
    """How many operators of a group leave an axis where it is."""
    return int((np.linalg.norm(symmetry.operators(name) @ axis - axis, axis=1) < 1e-3).sum())


@pytest.mark.parametrize(
    ("name", "fold", "axis"),  # the generators that RELION's symmetry library states for each group
    [
        ("T", 3, (0, 0, 1)),
        ("T", 2, (0, 0.816496, 0.577350)),
        ("O", 4, (0, 0, 1)),
        ("O", 4, (1, 0, 0)),
        ("O", 3, (0.5773502, 0.5773502, 0.5773502)),
        ("I", 2, (0, 0, 1)),
        ("I2", 5, (0.525731114, 0, 0.850650807)),
        ("I2", 3, (0, 0.356822076, 0.934172364)),
        ("I1", 2, (1, 0, 0)),
        ("I1", 5, (0.8506508, 0, -0.5257311)),
        ("I1", 3, (0.9341723640, 0.3568220765, 0)),
        ("I3", 5, (0, 0, 1)),
        ("I3", 2, (-0.5257311143, 0, 0.8506508070)),
        ("I3", 3, (-0.4911234778630044, 0.3568220764705179, 0.7946544753759428)),
        ("I4", 5, (0.8944271932547096, 0, 0.4472135909903704)),
        ("I4", 2, (0.5257311143, 0, 0.8506508070)),
        ("I4", 3, (0.4911234778630044, 0.3568220764705179, 0.7946544753759428)),
    ],
)
def test_axes_are_those_of_relion(name, fold, axis):
    assert folds_about(name, np.array(axis)) == fold


@pytest.mark.parametrize("name", ["C5", "D4", "T", "O", "I", "I1", "I2", "I3", "I4"])
def test_the_turns_about_z_are_as_many_as_said(name):
    assert folds_about(name, np.array([0.0, 0.0, 1.0])) == symmetry.n_fold(name)


def test_a_helix_climbs_as_it_turns():
    rotations, shifts = symmetry.helical("C1", 90, 2.5, 5.0)
    assert shifts[:, 2].tolist() == [0, 2.5, -2.5, 5, -5]
    np.testing.assert_allclose(rotations[1] @ [1, 0, 0] + shifts[1], [0, 1, 2.5], atol=1e-12)
    np.testing.assert_allclose(rotations[4] @ [1, 0, 0] + shifts[4], [-1, 0, -5], atol=1e-12)


@pytest.mark.parametrize("name", ["C1", "C3", "D2"])
def test_a_helix_is_a_group_as_far_as_it_reaches(name):
    rotations, shifts = symmetry.helical(name, -27.3, 1.5, 6.0)
    assert len(rotations) == 9 * symmetry.order(name)
    point = np.array([3.0, -1.0, 0.4])
    places = rotations @ point + shifts
    wide, wide_shifts = symmetry.helical(name, -27.3, 1.5, 12.0)
    reached = wide @ point + wide_shifts
    for rotation, shift in zip(rotations, shifts, strict=True):
        again = places @ rotation.T + shift
        assert np.linalg.norm(again[:, None] - reached[None], axis=-1).min(axis=1).max() < 1e-9


def test_a_helix_goes_with_a_group_about_its_axis():
    with pytest.raises(ValueError, match="Cn or Dn"):
        symmetry.helical("T", 30, 5, 20)
