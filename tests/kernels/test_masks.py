"""Shapes, their edges, sets of masks, and masks from densities."""

import numpy as np
import pytest

from engine.kernels import blobs, mask
from engine.kernels.density_mask import density_mask, sigma_threshold

C = (24, 24, 24)
Z, Y, X = np.meshgrid(*[np.arange(48) - 24] * 3, indexing="ij")
MAP = blobs.render(np.array([[5.0, 2.0, -3.0], [-6.0, 4.0, 2.0]]), 2.5, 32)


@pytest.mark.parametrize(
    ("made", "volume"),
    [
        (mask.ball(48, 12, C, 3), 4 / 3 * np.pi * 12**3),
        (mask.shell(48, 14, 5, C, 2), 4 / 3 * np.pi * (16.5**3 - 11.5**3)),
        (mask.ellipsoid(48, (8, 10, 14), C, 2), 4 / 3 * np.pi * 8 * 10 * 14),
        (mask.cylinder(48, 10, 20, C, 2), np.pi * 10**2 * 20),
        (mask.tube(48, 12, 6, 24, C, 2), np.pi * (15**2 - 9**2) * 24),
        (mask.cuboid(48, (12, 18, 25), C, 2), 12 * 18 * 25),
        (mask.membrane(48, 9, None, 18, C, 2), np.pi * 18**2 * 9),
    ],
    ids=["ball", "shell", "ellipsoid", "cylinder", "tube", "box", "membrane"],
)
def test_every_shape_has_the_volume_of_its_formula(made, volume):
    assert made.dtype == np.float32
    assert made.min() >= 0
    assert made.max() == 1
    assert made.sum(dtype=float) == pytest.approx(volume, rel=0.02)  # edges are rounded at rims


def test_a_hemisphere_is_a_membrane_that_reaches_its_equator():
    made = mask.membrane(48, 4, 15, 40, (24, 24, 20), 1)
    assert made.sum(dtype=float) == pytest.approx(2 / 3 * np.pi * (17**3 - 13**3), rel=0.03)
    assert made[:5].max() == 0  # the equator lies at z = 5


def test_shapes_look_the_same_along_the_axes_they_do_not_tell_apart():
    for made in (mask.ball(33, 9, (16,) * 3, 3), mask.shell(33, 9, 3, (16,) * 3, 3)):
        np.testing.assert_array_equal(made, made[::-1])
        np.testing.assert_allclose(made, made.transpose(1, 2, 0), atol=1e-6)
    for made in (mask.tube(33, 9, 3, 12, (16,) * 3, 3), mask.membrane(33, 5, 20, 12, (16,) * 3, 3)):
        np.testing.assert_allclose(made, made.transpose(0, 2, 1), atol=1e-6)
        np.testing.assert_array_equal(made, made[:, ::-1, ::-1])


def test_a_membrane_with_a_positive_radius_bends_down_and_its_mirror_image_up():
    down = mask.membrane(48, 5, 30, 18, C, 2)
    np.testing.assert_array_equal(mask.membrane(48, 5, -30, 18, C, 2)[1:], down[1:][::-1])
    middle = [np.average(np.arange(48), weights=down[:, 24, x]) - 24 for x in (24, 36)]
    assert middle[0] == pytest.approx(0, abs=0.05)
    assert middle[1] == pytest.approx(np.sqrt(30**2 - 12**2) - 30, abs=0.1)


def test_a_hardly_curved_membrane_is_a_flat_one():
    flat = mask.membrane(48, 5, None, 18, C, 3)
    np.testing.assert_allclose(mask.membrane(48, 5, 1e8, 18, C, 3), flat, atol=1e-4)


def test_an_edge_is_one_half_on_the_surface_and_as_wide_as_asked():
    profile = mask.cuboid(48, (20, 20, 20), C, 6)[24, 24]
    assert profile[34] == pytest.approx(0.5)
    assert profile[31] == 1
    assert 0 < profile[36] < 0.5
    assert profile[37] == pytest.approx(0, abs=1e-6)
    np.testing.assert_array_equal(mask.ball(48, 10, C, 0), X**2 + Y**2 + Z**2 <= 100)


def test_an_ellipsoid_is_filled_at_its_centre():
    assert mask.ellipsoid(24, (6, 7, 8), (12, 12, 12), 3)[12, 12, 12] == 1


def test_sets_of_masks_are_sets():
    left, right = mask.ball(48, 7, (14, 24, 24), 3), mask.ball(48, 7, (34, 24, 24), 3)
    wide = mask.ball(48, 12, (20, 24, 24), 3)
    np.testing.assert_array_equal(mask.union(left, right), left + right)
    assert not mask.intersection(left, right).any()
    assert not mask.subtraction(wide, wide).any()
    np.testing.assert_array_equal(mask.subtraction(left, right), left)
    parts = mask.intersection(left, wide).sum(dtype=float) + mask.subtraction(left, wide).sum(dtype=float)
    assert parts == pytest.approx(left.sum(dtype=float))
    both = mask.union(left, wide).sum(dtype=float) + mask.intersection(left, wide).sum(dtype=float)
    assert both == pytest.approx(left.sum(dtype=float) + wide.sum(dtype=float))


def test_a_threshold_without_extension_and_edge_is_numpys():
    np.testing.assert_array_equal(density_mask(MAP, 0.3, 0, 0), MAP >= 0.3)
    assert sigma_threshold(MAP, 2.0) == pytest.approx(MAP.mean(dtype=float) + 2 * MAP.std(dtype=float))


def test_an_extended_threshold_holds_all_voxels_within_the_distance_and_falls_off_beyond():
    inside = np.argwhere(MAP >= 0.5)
    places = np.stack(np.meshgrid(*[np.arange(32)] * 3, indexing="ij"), axis=-1)
    distance = np.min([np.linalg.norm(places - one, axis=-1) for one in inside], axis=0)
    made = density_mask(MAP, 0.5, 2.5, 4)
    assert (made[distance <= 2.5] == 1).all()
    assert (made[distance >= 6.5] < 1e-6).all()
    np.testing.assert_allclose(made, mask.soft_edge(distance - 4.5, 4), atol=1e-6)


def test_a_threshold_above_everything_gives_nothing():
    assert not density_mask(MAP, MAP.max() + 1, 3, 3).any()


def test_extent_and_centre_of_mass_are_those_of_the_shape():
    made = mask.cuboid(48, (10, 14, 20), (20, 25, 30), 0)
    assert mask.extent_xyz_px(made) == (11, 15, 21)  # both faces run through voxels
    assert mask.centre_of_mass_xyz_px(made) == pytest.approx((20, 25, 30))
    assert mask.extent_xyz_px(np.zeros((8, 8, 8))) == (0, 0, 0)
    with pytest.raises(ValueError, match="no centre of mass"):
        mask.centre_of_mass_xyz_px(np.zeros((8, 8, 8)))
