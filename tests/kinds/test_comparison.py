"""comparison: errors against the truth."""

import memory
import numpy as np
import pytest

from engine.check import check
from engine.data import Table, Volume
from engine.faults import EngineError
from engine.files import write_table
from engine.geometry import euler, symmetry
from engine.geometry.move import Move
from engine.kernels import blobs
from engine.kernels.rotate import moved
from engine.kinds.comparison.maps import mirrored

VALUES = {"data": {"table": "t.tbl", "truth": "truth.tbl"}}


def poses(n, seed):
    generator = np.random.default_rng(seed)
    return Table.blank(n).with_poses(euler.random(n, generator), generator.normal(size=(n, 3)))


def test_known_errors_come_back_by_tag():
    truth = poses(20, 0)
    turned = euler.angles(euler.matrices(truth.angles) @ euler.matrices([3.0, 0, 0]))
    table = truth.with_poses(turned, truth.shifts_xyz_px + [0, 0.5, 0]).sorted_by("tdrot")
    made = memory.run("comparison", VALUES, {"t.tbl": table, "truth.tbl": truth})["comparison"]
    np.testing.assert_allclose(made["errors"]["angle_deg"], 3.0, atol=1e-6)
    np.testing.assert_allclose(made["errors"]["shift_px"], 0.5, atol=1e-9)
    assert made["errors"]["tag"].tolist() == list(range(1, 21))
    assert made["summary"]["median angle error (deg)"] == pytest.approx(3.0)


def test_poses_that_differ_by_the_symmetry_are_equal():
    truth = poses(10, 1)
    other = euler.angles(euler.matrices(truth.angles) @ symmetry.operators("C6")[2])
    table = truth.with_poses(other, truth.shifts_xyz_px)
    given = {"t.tbl": table, "truth.tbl": truth}
    assert (
        memory.run("comparison", {**VALUES, "symmetry": "C6"}, given)["comparison"]["errors"]["angle_deg"].max() < 1e-5
    )
    assert memory.run("comparison", VALUES, given)["comparison"]["errors"]["angle_deg"].min() > 119


def test_maps_are_compared_with_whichever_pixel_size_is_known():
    volume = np.random.default_rng(0).normal(size=(16, 16, 16)).astype(np.float32)
    given = {"t.tbl": poses(3, 0), "truth.tbl": poses(3, 0), "a.mrc": Volume(volume, 4.0), "o.em": Volume(volume)}
    values = {
        "data": {**VALUES["data"], "average": "a.mrc", "object": "o.em"},
        "mask": {"shape": "sphere", "radius_A": 24},
    }
    made = memory.run("comparison", values, given)["comparison"]
    assert made["fsc"]["fsc"].min() > 0.999
    assert made["summary"]["resolution at FSC 0.5 (A)"] == pytest.approx(8.0)
    without = memory.run("comparison", {"data": values["data"]}, {**given, "a.mrc": Volume(volume)})["comparison"]
    assert without["summary"]["resolution at FSC 0.5 (A)"] == "unknown: no pixel size"
    with pytest.raises(EngineError, match="need a pixel size"):
        memory.run("comparison", values, {**given, "a.mrc": Volume(volume)})


def test_tables_without_a_common_tag_are_one_clear_error():
    with pytest.raises(EngineError, match="no tag in common"):
        memory.run("comparison", VALUES, {"t.tbl": poses(3, 0), "truth.tbl": poses(3, 0).with_columns(tag=[7, 8, 9])})


def found_particles(truth, seed=3):
    """The truth with numbers of its own, in another order, each up to half a pixel off."""
    generator = np.random.default_rng(seed)
    order = generator.permutation(len(truth))
    table = truth.where(order).with_columns(tag=np.arange(101, 101 + len(truth)))
    return table.with_poses(table.angles, table.shifts_xyz_px + generator.uniform(-0.25, 0.25, (len(truth), 3)))


def placed(n, seed, apix=10.0):
    x, y, z = np.random.default_rng(seed).permutation(1000)[:n] // [[1], [10], [100]] % 10 * 12.0
    return poses(n, seed).with_columns(x=x, y=y, z=z, tomo=1 + np.arange(n) % 2, apix=apix)


BY_PLACE = {**VALUES, "by": "place", "within_A": 30.0}


def test_particles_that_were_found_are_known_by_their_place():
    truth = placed(60, 5)
    table = found_particles(truth)
    made = memory.run("comparison", BY_PLACE, {"t.tbl": table, "truth.tbl": truth})["comparison"]
    assert made["summary"]["found (%)"] == 100
    assert made["summary"]["false, of those in the table (%)"] == 0
    assert made["errors"]["angle_deg"].max() < 1e-4
    assert 0 < made["errors"]["shift_px"].max() <= np.sqrt(3) / 4
    assert (len(made["missed"]), len(made["false"])) == (0, 0)


def test_what_was_missed_and_what_is_none_are_tables():
    truth = placed(60, 5)
    table = found_particles(truth)
    beside = table.where(np.arange(3)).with_columns(tag=[901, 902, 903], z=table["z"][:3] + 500)
    twice = table.where(np.arange(3, 5)).with_columns(tag=[904, 905], x=table["x"][3:5] + 1)
    given = {"t.tbl": table.where(np.arange(57)).joined(beside).joined(twice), "truth.tbl": truth}
    made = memory.run("comparison", BY_PLACE, given)["comparison"]
    assert made["summary"]["found (%)"] == pytest.approx(95)
    assert len(made["missed"]) == 3
    assert sorted(made["false"]["tag"]) == [901, 902, 903, 904, 905]


def test_a_place_in_another_tomogram_is_another_place():
    truth = placed(20, 5).with_columns(tomo=1)
    with pytest.raises(EngineError, match="no particle lies within 30 A"):
        memory.run("comparison", BY_PLACE, {"t.tbl": truth.with_columns(tomo=2), "truth.tbl": truth})


def test_tables_of_two_binnings_are_compared_in_A():
    truth = placed(20, 5, apix=5.0)
    x, y, z = truth.positions_xyz_px.T / 2
    table = truth.with_columns(x=x, y=y, z=z, apix=10.0).with_poses(truth.angles, truth.shifts_xyz_px / 2)
    made = memory.run("comparison", BY_PLACE, {"t.tbl": table, "truth.tbl": truth})["comparison"]
    assert made["errors"]["shift_px"].max() < 1e-9


def chiral_map(seed=2, n=32):
    """Blobs (n, n, n) along a helix that is not its mirror image."""
    return blobs.render(blobs.chiral_chain(30, 8.0, np.random.default_rng(seed)), 1.5, n)


SEARCH = {
    "azimuth": {"range_deg": 40, "step_deg": 8},
    "limits_xyz_px": [2, 2, 2],
    "bandpass": {"lowpass_fpx": 12},
}


def test_an_average_in_another_frame_is_laid_on_and_its_poses_with_it():
    true = chiral_map()
    move = Move.of_pose(np.array([12.0, 0, 0]), np.array([1.0, -0.5, 0.5]))
    average = np.asarray(moved(true, move.rotation, move.translation_xyz_px), dtype=np.float32)
    truth = placed(30, 5)
    given = {
        "t.tbl": move.of_poses(truth),
        "truth.tbl": truth,
        "a.mrc": Volume(average, 10.0),
        "o.mrc": Volume(true, 10.0),
    }
    values = {**VALUES, "data": {**VALUES["data"], "average": "a.mrc", "object": "o.mrc"}}
    made = memory.run("comparison", {**values, "search": SEARCH}, given)["comparison"]
    assert made["errors"]["angle_deg"].max() < 0.3
    assert made["errors"]["shift_px"].max() < 0.1
    assert made["summary"]["hand"] == "right"
    assert made["fsc"]["fsc"][:8].min() > 0.98
    apart = memory.run("comparison", values, given)["comparison"]
    assert apart["errors"]["angle_deg"].min() > 11
    assert "hand" not in apart["summary"]


def test_the_mirror_image_of_the_object_has_the_wrong_hand():
    true = chiral_map()
    given = {"t.tbl": placed(5, 0), "truth.tbl": placed(5, 0)}
    given |= {"a.mrc": Volume(mirrored(true), 10.0), "o.mrc": Volume(true, 10.0)}
    values = {"data": {**VALUES["data"], "average": "a.mrc", "object": "o.mrc"}, "search": SEARCH}
    told = memory.run("comparison", values, given)["comparison"]["summary"]
    assert told["hand"].startswith("wrong")
    assert told["cc with its mirror image"] > 0.99


def test_a_mirror_image_keeps_the_box_centre():
    volume = np.zeros((8, 8, 8), np.float32)
    volume[1, 2, 4], volume[1, 2, 6] = 1, 2
    assert mirrored(volume)[1, 2].tolist() == [0, 0, 2, 0, 1, 0, 0, 0]
    np.testing.assert_array_equal(mirrored(volume[..., 1:])[1, 2], [0, 2, 0, 1, 0, 0, 0])


def on_maps(average, true, **given):
    given = {"t.tbl": placed(5, 0), "truth.tbl": placed(5, 0), **given}
    given |= {"a.mrc": Volume(average.astype(np.float32), 10.0), "o.mrc": Volume(true, 10.0)}
    values = {"data": {**VALUES["data"], "average": "a.mrc", "object": "o.mrc"}, "search": SEARCH}
    return memory.run("comparison", values, given)["comparison"]["summary"]


@pytest.mark.parametrize("seed", range(3))
def test_noise_tells_no_hand(seed):
    noise = np.random.default_rng(seed).normal(size=(32, 32, 32))
    assert on_maps(noise, chiral_map())["hand"].startswith("not told")


def test_an_object_that_is_its_own_mirror_image_tells_no_hand():
    ball = blobs.render(np.zeros((1, 3)), 4.0, 32)
    assert on_maps(ball, ball)["hand"].startswith("not told")


def test_a_noisy_average_still_tells_its_hand():
    true = chiral_map()
    noisy = true + true.std() * np.random.default_rng(0).normal(size=true.shape)
    assert on_maps(noisy, true)["hand"] == "right"
    assert on_maps(noisy, mirrored(true))["hand"].startswith("wrong")


def test_a_map_that_holds_what_is_no_number_is_one_clear_error():
    true = chiral_map()
    broken = true.copy()
    broken[3, 3, 3] = np.nan
    with pytest.raises(EngineError, match="the average holds values that are no numbers"):
        on_maps(broken, true)


@pytest.mark.parametrize("column", ["x", "dx", "tdrot"])
@pytest.mark.parametrize("values", [VALUES, BY_PLACE])
def test_poses_that_are_no_numbers_are_one_clear_error(values, column):
    truth = placed(5, 0)
    table = truth.with_columns(**{column: np.where(np.arange(5) == 2, np.nan, truth[column])})
    with pytest.raises(EngineError, match=r"data\.table: 1 rows hold values that are no numbers, first row 3"):
        memory.run("comparison", values, {"t.tbl": table, "truth.tbl": truth})


@pytest.mark.parametrize("name", ["table", "truth"])
@pytest.mark.parametrize("values", [VALUES, BY_PLACE])
def test_a_table_without_a_row_is_one_clear_error(values, name):
    given = {"t.tbl": placed(5, 0), "truth.tbl": placed(5, 0)}
    given["t.tbl" if name == "table" else "truth.tbl"] = placed(5, 0).where(np.zeros(5, bool))
    with pytest.raises(EngineError, match=rf"data\.{name}: there is not one row"):
        memory.run("comparison", values, given)


def test_what_is_wrong_with_the_poses_stands_at_their_key(tmp_path):
    truth = placed(5, 0)
    write_table(truth, tmp_path / "truth.csv")
    write_table(truth.with_columns(apix=0), tmp_path / "bare.csv")
    write_table(truth.where(np.zeros(5, bool)), tmp_path / "empty.csv")
    text = 'kind = "comparison"\nby = "place"\n[data]\ntruth = "truth.csv"\ntable = "{}.csv"\n'
    for name in ("truth", "bare", "empty"):
        (tmp_path / f"pr_{name}.toml").write_text(text.format(name))
    told = {report.path.stem: [(fault.key, fault.line) for fault in report.faults] for report in check([tmp_path])}
    assert told == {"pr_truth": [], "pr_bare": [(("data", "table"), 5)], "pr_empty": [(("data", "table"), 5)]}
