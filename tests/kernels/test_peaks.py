"""Peaks of a map."""

import numpy as np

from engine.kernels import blobs
from engine.kernels.peaks import peaks


def test_the_tops_of_gaussians_come_back_to_a_part_of_a_voxel():
    centres = np.array([[5.3, -2.2, 1.4], [-4.6, 3.1, -2.0], [0.2, 6.4, 5.1]])
    volume = sum(height * blobs.render(one[None], 2.0, 32) for height, one in zip((3, 2, 1), centres, strict=True))
    found = peaks(volume, np.ones(volume.shape, bool), 3.0, 10)
    np.testing.assert_allclose(found[:3], centres + 16, atol=0.1)


def test_of_two_near_peaks_the_higher_one_stays_and_no_more_than_asked_for():
    volume = np.zeros((16, 16, 16))
    volume[4, 4, 4], volume[4, 4, 7], volume[12, 12, 12] = 2, 3, 1
    inside = np.ones(volume.shape, bool)
    assert len(peaks(volume + 0.0, inside, 3.0, 3)) == 3
    np.testing.assert_array_equal(peaks(volume, inside, 3.5, 2), [[7, 4, 4], [12, 12, 12]])
    np.testing.assert_array_equal(peaks(volume, inside, 3.5, 1), [[7, 4, 4]])


def test_peaks_outside_do_not_count_and_faces_are_no_reason_to_fail():
    volume = np.zeros((8, 8, 8))
    volume[0, 0, 7], volume[4, 4, 4] = 2, 1
    inside = np.ones(volume.shape, bool)
    np.testing.assert_array_equal(peaks(volume, inside, 2, 1), [[7, 0, 0]])
    inside[0] = False
    np.testing.assert_array_equal(peaks(volume, inside, 2, 1), [[4, 4, 4]])


def test_a_flat_part_of_a_map_has_no_peak():
    """As a map is outside a mask: nothing there is higher than around, nor lower."""
    volume = np.zeros((16, 16, 16))
    inside = np.ones(volume.shape, bool)
    assert len(peaks(volume, inside, 2.0, 10)) == 0
    volume[8, 8, 8:10] = 1
    assert len(peaks(volume, inside, 2.0, 10)) == 1
