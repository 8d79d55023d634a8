"""Symmetry operators form the group that their name says."""

import numpy as np
import pytest

from engine.faults import EngineError
from engine.geometry import symmetry


@pytest.mark.parametrize("name", ["C1", "C2", "C6", "c6", "D1", "D3", "d7", "C13"])
def test_operators_are_a_group_of_the_said_order(name):
    group = symmetry.operators(name)
    assert group.dtype == np.float64
    assert len(group) == symmetry.order(name)
    assert np.array_equal(group[0], np.eye(3))
    assert np.linalg.det(group) == pytest.approx(np.ones(len(group)))
    products = (group[:, None] @ group[None]).reshape(-1, 3, 3)
    gaps = np.abs(products[:, None] - group[None]).max(axis=(-1, -2))
    hits = gaps < 1e-12
    assert np.all(hits.sum(axis=1) == 1)  # every product is an operator, and no operator is there twice


def test_cn_turns_about_z():
    assert symmetry.operators("C4")[1] @ [1, 0, 0] == pytest.approx([0, 1, 0], abs=1e-15)


def test_dn_has_a_two_fold_along_x():
    assert any(np.allclose(operator, np.diag([1, -1, -1])) for operator in symmetry.operators("D3"))


@pytest.mark.parametrize("name", ["", "C", "C0", "6", "ico", "O", "C-1", "C6x", "D2.5"])
def test_an_unknown_group_says_what_is_known(name):
    with pytest.raises(EngineError, match=r"Cn .*Dn") as raised:
        symmetry.operators(name)
    assert repr(name) in str(raised.value)
    with pytest.raises(EngineError):
        symmetry.order(name)
