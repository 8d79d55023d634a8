"""A helix grows from its central part, whatever it was made of."""

import numpy as np
import pytest

from engine.geometry import euler, symmetry
from engine.kernels import blobs, helix, quick, rotate

TURN, RISE = 35.0, 3.4
SUBUNIT = np.array([[7.0, 0, 0], [8.5, 2, 1], [6, -1, -1.2]])


def column(box_px, height_px, turn_deg=TURN):
    """Blobs of a helix of subunits as far as height_px above and below the middle."""
    rotations, shifts = symmetry.helical("C1", turn_deg, RISE, height_px)
    centres = np.einsum("kij,bj->kbi", rotations, SUBUNIT) + shifts[:, None]
    return blobs.render(centres.reshape(-1, 3), 1.5, box_px)


def imposed(volume, name="C1", turn_deg=TURN, fraction=0.5):
    n = volume.shape[-1]
    length = helix.central_px(n, fraction)
    rotations, shifts = symmetry.helical(name, turn_deg, RISE, helix.furthest_px(n, length))
    return helix.symmetrized(volume, rotations, shifts, length)


@pytest.mark.parametrize("n", [40, 41])
def test_the_central_part_fills_the_box_along_the_helix(n):
    whole = column(n, 60)
    z = np.abs(np.arange(n) - n // 2)
    stump = np.where((z <= 14)[:, None, None], whole, 0)
    np.testing.assert_allclose(imposed(stump), whole, atol=0.02)  # splines of blobs 1.5 px wide
    assert np.abs(imposed(stump, turn_deg=-TURN) - whole).max() > 0.3


@pytest.mark.parametrize("name", ["C1", "C2", "D1"])
def test_a_helix_looks_the_same_from_every_operator(name):
    made = imposed(column(32, 5) + 0.1 * np.random.default_rng(0).normal(size=(32,) * 3).astype(np.float32), name)
    smooth = made[5:-5, 6:-6, 6:-6]
    rotations, shifts = symmetry.helical(name, TURN, RISE, 4.0)
    for rotation, shift in zip(rotations, shifts, strict=True):
        moved = rotate.moved(made, rotation, shift)[5:-5, 6:-6, 6:-6]
        assert np.corrcoef(moved.ravel(), smooth.ravel())[0, 1] > 0.995


def test_means_of_a_constant_are_that_constant():
    made = imposed(np.full((32, 32, 32), 3.0, np.float32))
    _, y, x = np.indices((32,) * 3) - 16
    np.testing.assert_allclose(made[x**2 + y**2 < 14**2], 3.0, atol=0.01)  # the window between its voxels is a spline


def test_all_of_a_box_may_be_repeated():
    whole = column(32, 60)
    np.testing.assert_allclose(imposed(whole, fraction=1.0), whole, atol=0.02)


@pytest.mark.parametrize("n", [24, 25])
def test_compiled_sums_of_moved_boxes_equal_their_twin(n):
    generator = np.random.default_rng(n)
    volume = generator.normal(size=(n,) * 3).astype(np.float32)
    volume[:4] = volume[-4:] = volume[:, :4] = volume[:, -4:] = volume[:, :, :4] = volume[:, :, -4:] = 0  # no faces
    rotations, shifts = euler.matrices(euler.random(3, generator)), generator.uniform(-4, 4, (3, 3))
    slow = rotate.sum_of_moved(volume, rotations, shifts)
    np.testing.assert_allclose(
        quick.sum_of_moved(volume, rotations, shifts)[2:-2, 2:-2, 2:-2], slow[2:-2, 2:-2, 2:-2], atol=2e-3
    )
