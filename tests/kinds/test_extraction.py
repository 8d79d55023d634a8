"""extraction: the right voxels, the right rows."""

import memory
import numpy as np
import pytest

from engine.data import Table, Volume
from engine.faults import EngineError
from engine.geometry import euler

TOMOGRAM = Volume(np.random.default_rng(0).normal(size=(20, 30, 40)).astype(np.float32), 5.0)


def extract(values, table=None):
    values = {"data": {"tomogram": "t.mrc", **({"table": "t.tbl"} if table else {})}, "box": {"size_px": 8}, **values}
    return memory.run("extraction", values, {"t.mrc": TOMOGRAM, "t.tbl": table})["extraction"]


def test_the_boxs_centre_voxel_is_the_voxel_at_the_position():
    made = extract({}, Table.blank(1, x=20, y=12, z=9, tomo=1))
    box = made["particles"].boxes[0]
    assert box[4, 4, 4] == TOMOGRAM.data[9, 12, 20]
    np.testing.assert_array_equal(box, TOMOGRAM.data[5:13, 8:16, 16:24])


def test_what_remains_of_a_position_goes_into_the_shift_and_the_centre_stays():
    table = Table.blank(1, x=20.3, y=12.0, z=9.0, dx=0.4, dy=-2.6, tomo=1)
    made = extract({}, table)["table"]
    before = table.positions_xyz_px + table.shifts_xyz_px
    np.testing.assert_allclose(made.positions_xyz_px + made.shifts_xyz_px, before)
    assert np.abs(made.shifts_xyz_px).max() <= 0.5
    np.testing.assert_array_equal(made.positions_xyz_px, [[21, 9, 9]])


def test_rows_whose_box_leaves_the_tomogram_are_dropped_and_reported():
    made = extract({}, Table.blank(4, x=[20, 3, 37, 36], y=12, z=9, tomo=1))
    assert made["table"].tags.tolist() == [1, 4]
    assert made["dropped"].tags.tolist() == [2, 3]
    assert made["particles"].tags.tolist() == [1, 4]
    assert made["summary"]["dropped, out of the tomogram"] == 2


def test_only_rows_of_this_tomogram_are_cut():
    made = extract(
        {"data": {"tomogram": "t.mrc", "table": "t.tbl", "tomogram_number": 7}},
        Table.blank(2, x=20, y=12, z=9, tomo=[7, 8]),
    )
    assert made["table"].tags.tolist() == [1]


def test_contrast_is_turned_over_when_asked():
    table = Table.blank(1, x=20, y=12, z=9, tomo=1)
    straight, inverted = extract({}, table), extract({"box": {"size_px": 8, "invert": True}}, table)
    np.testing.assert_array_equal(inverted["particles"].boxes, -straight["particles"].boxes)


def test_points_along_a_line_have_the_lines_axis():
    line = {"start_xyz_px": [10, 15, 10], "end_xyz_px": [30, 15, 10], "spacing_px": 5}
    made = extract({"points": {"line": line}, "sampling": {"tilt_range_deg": [-50, 60]}})["table"]
    assert len(made) == 5
    np.testing.assert_allclose(euler.axes(made.angles), np.tile([1, 0, 0], (5, 1)), atol=1e-9)
    assert set(made["ftype"]) == {1}
    assert set(made["ymintilt"]) == {-50}
    assert set(made["apix"]) == {5.0}


def test_points_on_a_grid_fill_the_tomogram():
    made = extract({"points": {"grid": {"spacing_px": 8}}})
    assert len(made["table"]) > 6
    assert len(made["dropped"]) == 0


def test_a_table_of_another_tomogram_is_one_clear_error():
    with pytest.raises(EngineError, match="no row of tomogram 1"):
        extract({}, Table.blank(2, x=20, y=12, z=9, tomo=3))


def test_no_box_inside_is_one_clear_error():
    with pytest.raises(EngineError, match="no box of 8 px lies inside"):
        extract({}, Table.blank(1, x=1, y=1, z=1, tomo=1))
