"""Conventions that only voxels show, one scene a row of the table in engine.geometry."""

import memory
import numpy as np
import pytest

from engine.data import Half, Table, Volume
from engine.files import read_table, read_volume, write_table, write_volume
from engine.geometry import euler
from engine.kernels import blobs, fourier, fsc
from engine.kernels.rotate import moved
from engine.kernels.wedge import Wedge, measured
from engine.kinds.form import Bandpass

BLOB = np.array([[5.0, 2.0, -3.0]])
"""One blob, xyz from the box centre."""


def bright(volume):
    """The brightest voxel as (x, y, z)."""
    return tuple(int(i) for i in np.unravel_index(volume.argmax(), volume.shape)[::-1])


def test_arrays_are_zyx_and_people_see_xyz():
    volume = blobs.render(BLOB, 1.0, 16)
    assert bright(volume) == (13, 10, 5)
    assert volume[5, 10, 13] == volume.max()


@pytest.mark.parametrize("n", [16, 17])
def test_the_box_centre_is_n_half_for_even_and_odd_boxes(n):
    volume = np.zeros((n, n, n), dtype=np.float32)
    volume[n // 2, n // 2, n // 2] = 1
    turned = moved(volume, euler.matrices([30, 40, 50]))
    assert bright(turned) == (n // 2,) * 3


def test_positions_are_0_based_inside_and_1_based_in_dynamos_tables(tmp_path):
    write_table(Table.blank(1, x=10, y=20, z=30), tmp_path / "t.tbl")
    assert (tmp_path / "t.tbl").read_text().split()[23:26] == ["11", "21", "31"]
    np.testing.assert_array_equal(read_table(tmp_path / "t.tbl").positions_xyz_px, [[10, 20, 30]])


def test_a_pose_is_done_to_the_template_rotation_first_then_the_shift_in_box_axes():
    rotation, shift = euler.matrices([30, 40, 50]), np.array([2.0, -1.0, 3.0])
    particle = moved(blobs.render(BLOB, 1.5, 32), rotation, shift)
    expected = 16 + BLOB[0] @ rotation.T + shift
    np.testing.assert_allclose(bright(particle), expected, atol=0.6)


def test_fourier_cropping_keeps_the_centre_at_n_half():
    volume = blobs.render(np.zeros((1, 3)), 2.5, 32)
    assert bright(fourier.cropped(volume, 16)) == (8, 8, 8)


def test_fourier_arrays_have_zero_in_the_corner_and_half_of_x():
    half = fourier.spectrum(np.ones((16, 16, 16), dtype=np.float32))
    assert half.shape == (16, 16, 9)
    assert np.abs(half).argmax() == 0
    assert fourier.half_frequencies(16)[15, 0, 3].tolist() == [3, 0, -1]  # kx, ky, kz


def test_a_resolution_is_the_box_over_the_shell():
    assert Bandpass(lowpass_A=8.1).shells(192, 1.35)[1] == pytest.approx(32)
    assert Bandpass(lowpass_A=6.82).shells(192, 1.35)[1] == pytest.approx(38, abs=0.01)
    assert fsc.resolution_A(np.r_[np.ones(33), np.zeros(10)], 0.5, 192, 1.35) == pytest.approx(192 * 1.35 / 32.5)


def test_the_template_has_the_sign_of_the_data():
    phantom = {"boxes": {"count": 1, "box_px": 24, "snr": 50}, "object": {"radius_px": 6, "blobs": 20}}
    phantom["start"] = {"angle_error_deg": 0, "shift_error_px": 0}
    given = memory.addresses("p", memory.run("phantom", phantom)["phantom"])
    project = {
        "data": {"particles": "p:particles", "table": "p:table", "template": "p:object"},
        "rounds": [{"bandpass": {"lowpass_fpx": 7}, "cone": {"range_deg": 0}, "azimuth": {"range_deg": 0}}],
    }
    right = memory.run("alignment", project, given)["ite_0001"]["table"]["cc"][0]
    volume = given["p:object"]
    given["p:object"] = Volume(-volume.data, volume.pixel_size_A)
    wrong = memory.run("alignment", project, given)["ite_0001"]["table"]["cc"][0]
    assert right > 0.9
    assert wrong < right


def test_a_tilt_about_y_measures_the_projection_x_cos_plus_z_sin():
    """A wave along (cos 30, 0, sin 30) is seen at tilt +30: it varies along x_p = x cos + z sin."""
    k = np.array([np.cos(np.radians(30)), 0, np.sin(np.radians(30))])
    assert measured(k, Wedge(1, (20, 40)))
    assert not measured(k, Wedge(1, (-40, -20)))


def test_halves_are_a_column_that_renumbering_does_not_touch():
    table = Table.blank(4, half=[Half.ODD, Half.EVEN, Half.ODD, Half.EVEN]).with_columns(tag=[10, 12, 14, 16])
    assert table["half"].tolist() == [1, 2, 1, 2]


def test_a_map_written_and_read_keeps_voxels_pixel_size_and_axes(tmp_path):
    volume = Volume(blobs.render(BLOB, 1.0, 16), 2.5)
    for name in ("v.mrc", "v.em"):
        write_volume(volume, tmp_path / name)
        back = read_volume(tmp_path / name)
        assert bright(back.data) == (13, 10, 5)
    assert read_volume(tmp_path / "v.mrc").pixel_size_A == pytest.approx(2.5)
