"""picking: peaks of an average are what a person would mark there."""

import memory
import numpy as np
import pytest

from engine.check import check
from engine.data import Volume
from engine.faults import EngineError
from engine.files import write_volume
from engine.kernels import blobs

CELLS = np.array([[0, 0, -3], *([6 * np.cos(a), 6 * np.sin(a), -3] for a in np.radians(np.arange(10, 370, 60)))])


def average(noise=0.05):
    volume = blobs.render(CELLS, 1.5, 32) + 2 * blobs.render(np.array([[0.0, 0, 9]]), 2.0, 32)
    return Volume(volume + noise * np.random.default_rng(0).standard_normal(volume.shape).astype(np.float32), 10.0)


MODEL = {
    "model": "peaks",
    "distance_A": 40.0,
    "most": 7,
    "lowpass_A": 30.0,
    "within": {"shape": "cylinder", "radius_A": 90, "height_A": 60, "offset_xyz_A": [0, 0, -30]},
}


def run(volume, **changes):
    values = {"tomograms": [{"map": "pr_a:average"}], "models": [{**MODEL, **changes}]}
    return memory.run("picking", values, {"pr_a:average": volume})["points"]["table"]


def test_the_unit_cells_of_an_average_are_found_where_they_lie():
    table = run(average())
    assert len(table) == 7
    apart = np.linalg.norm(table.positions_xyz_px[:, None] - (CELLS + 16), axis=2)
    assert apart.min(axis=0).max() < 0.3
    assert set(table["apix"]) == {10}
    np.testing.assert_array_equal(table.angles, 0)


def test_dark_peaks_of_a_dark_map_are_the_same_and_one_is_the_highest():
    bright, dark = average(), average()
    dark = Volume(-dark.data, dark.pixel_size_A)
    np.testing.assert_allclose(run(dark, density="dark").positions_xyz_px, run(bright).positions_xyz_px, atol=1e-5)
    (only,) = run(bright, most=1, within=None).positions_xyz_px
    np.testing.assert_allclose(only, [16, 16, 25], atol=0.3)


def test_a_map_without_a_peak_there_is_one_clear_error():
    with pytest.raises(EngineError, match=r"models no\. 1: its map has no bright peak there"):
        run(Volume(np.zeros((32, 32, 32), np.float32) - np.arange(32, dtype=np.float32), 10.0), lowpass_A=None)


def test_a_map_with_values_that_are_no_numbers_is_one_clear_error():
    volume = average()
    volume.data[3, 3, 3] = np.nan
    with pytest.raises(EngineError, match=r"models no\. 1: its map holds values that are no numbers"):
        run(volume)


def test_what_is_wrong_with_peaks_is_told_where_it_stands(tmp_path):
    write_volume(average(), tmp_path / "a.mrc")
    text = 'kind = "picking"\n[[tomograms]]\nmap = "a.mrc"\n[[models]]\nmodel = "peaks"\ndistance_A = 40\n'
    (tmp_path / "fine.toml").write_text(text)
    (tmp_path / "nowhere.toml").write_text(text.replace('map = "a.mrc"', "size_xyz_px = [9, 9, 9]\npixel_size_A = 1"))
    (tmp_path / "outside.toml").write_text(text + 'within = { shape = "sphere", radius_A = 900 }\n')
    (tmp_path / "fine_detail.toml").write_text(text + "lowpass_A = 19\n")
    told = {report.path.name: [str(fault.what) for fault in report.faults] for report in check([tmp_path])}
    assert told["fine.toml"] == []
    assert told["nowhere.toml"] == ["peaks are looked for in the map of one tomogram"]
    assert len(told["outside.toml"]) == 1
    assert told["fine_detail.toml"] == ["19 A is finer than a map of 10 A/px holds"]
