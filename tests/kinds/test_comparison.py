"""comparison: errors against the truth."""

import memory
import numpy as np
import pytest

from engine.data import Table, Volume
from engine.faults import EngineError
from engine.geometry import euler, symmetry

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
