"""Marked points: every form of file gives the same points, counted from 0."""

import struct
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from imod_model import chunk, imod_model
from scipy.io import savemat

from engine.data import Curve, Marks, Table
from engine.faults import EngineError
from engine.files import Markers, as_marks, read_marks, write_markers, write_table
from engine.files.marks import of_table

POINTS = np.array([[10.0, 20.0, 30.0], [11.5, 21.0, 32.0], [40.0, 5.0, 7.0]])


def test_imod_counts_x_and_y_from_the_edge_and_z_from_the_middle(tmp_path):
    path = tmp_path / "a.mod"
    path.write_bytes(imod_model([POINTS[:2] + [0.5, 0.5, 0], POINTS[2:] + [0.5, 0.5, 0]], pixel=(1.35, -9)))
    marks = read_marks(path)
    np.testing.assert_allclose(marks.points_xyz, POINTS)
    assert marks.groups.tolist() == [1, 1, 2]
    assert marks.pixel_size_A == pytest.approx(13.5)
    assert not marks.radii.any()


def test_imods_radii_are_those_of_points_then_of_scattered_objects(tmp_path):
    path = tmp_path / "a.mod"
    path.write_bytes(imod_model([POINTS], size=7))
    assert not read_marks(path).radii.any()
    path.write_bytes(imod_model([POINTS], size=7, scattered=True))
    assert read_marks(path).radii.tolist() == [7, 7, 7]
    path.write_bytes(imod_model([POINTS], size=7, scattered=True, sizes=[3, -1, 4]))
    assert read_marks(path).radii.tolist() == [3, 7, 4]


def test_a_model_of_a_part_of_a_tomogram_is_put_into_the_whole(tmp_path):
    path = tmp_path / "a.mod"
    values = [1, 1, 1, 200, 100, 50, 0, 0, 0, 2, 2, 2, 0, 0, 0, 0, 0, 0]  # oscale, otrans, orot, cscale, ctrans, crot
    minx = chunk(b"MINX", struct.pack(">18f", *values))
    path.write_bytes(imod_model([POINTS + [0.5, 0.5, 0]], flags=1 << 14, minx=minx))
    np.testing.assert_allclose(read_marks(path).points_xyz, POINTS + [100, 50, 25])
    path.write_bytes(imod_model([POINTS + [0.5, 0.5, 0]], minx=minx))
    np.testing.assert_allclose(read_marks(path).points_xyz, POINTS)


def test_meshes_of_a_model_are_passed_over(tmp_path):
    path = tmp_path / "a.mod"
    mesh = b"MESH" + struct.pack(">2i I 2h", 2, 3, 0, 0, 0) + bytes(24 + 12)
    path.write_bytes(imod_model([POINTS], mesh=mesh))
    assert len(read_marks(path)) == 3


@pytest.mark.parametrize("length", [3, 100, 260, 430, 440])
def test_a_model_that_was_cut_short_is_one_clear_error(tmp_path, length):
    path = tmp_path / "a.mod"
    path.write_bytes(imod_model([POINTS])[:length])
    with pytest.raises(EngineError, match=r"a\.mod: "):
        read_marks(path)


def write(path, text):
    path.write_text(text, "utf-8")
    return path


def test_csv_in_px_and_in_A(tmp_path):
    marks = read_marks(write(tmp_path / "a.csv", "region,x,y,z,note\n3,10,20,30,a\n3,11.5,21,32,b\n5,40,5,7,c\n"))
    np.testing.assert_array_equal(marks.points_xyz, POINTS)
    assert (marks.unit, marks.groups.tolist(), marks.tomograms) == ("px", [3, 3, 5], ())
    marks = read_marks(write(tmp_path / "b.csv", "x_A,y_A,z_A,radius_A,tomo\n10,20,30,440,TS_01\n1,2,3,450,TS_03\n"))
    assert (marks.unit, marks.radii.tolist(), marks.tomograms) == ("A", [440, 450], ("TS_01", "TS_03"))
    assert marks.groups.tolist() == [1, 2]


def test_a_dipole_in_csv_is_centre_and_north(tmp_path):
    marks = read_marks(write(tmp_path / "a.csv", "x,y,z,north_x,north_y,north_z\n1,2,3,4,5,6\n7,8,9,1,1,1\n"))
    np.testing.assert_array_equal(marks.points_xyz, [[1, 2, 3], [4, 5, 6], [7, 8, 9], [1, 1, 1]])
    assert marks.groups.tolist() == [1, 1, 2, 2]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a,b\n1,2\n", "a column 'x' is missing"),
        ("x,y,z\n1,2\n", "a.csv:2: 2 values where the header names 3"),
        ("x,y,z\n1,2,three\n", "a.csv:2: 'three' is not a number"),
        ("x,y,z\n", "holds no point"),
        ("x,y,z,x\n1,2,3,4\n", "the column 'x' is there twice"),
        ("x,y,z\n1,2,nan\n", "no finite numbers"),
        ("x,y,z,pixel_size_A\n1,2,3,1\n1,2,3,2\n", "several values"),
    ],
)
def test_csv_that_is_none_is_one_clear_error(tmp_path, text, words):
    with pytest.raises(EngineError, match=words):
        read_marks(write(tmp_path / "a.csv", text))


def test_relions_annotations_keep_tomogram_and_radius(tmp_path):
    names = ("TomoName", "CoordinateX", "CoordinateY", "CoordinateZ", "SphereRadius")
    header = "data_\n\nloop_\n" + "".join(f"_rln{name}\n" for name in names)
    marks = read_marks(write(tmp_path / "a.star", f"{header}TS_01 10 20 30 44\nTS_03 11.5 21 32 45\nTS_01 40 5 7 46\n"))
    np.testing.assert_array_equal(marks.points_xyz, POINTS)
    assert marks.tomograms == ("TS_01", "TS_03", "TS_01")
    assert marks.radii.tolist() == [44, 45, 46]
    assert marks.groups.tolist() == [1, 1, 2]


def test_a_dynamo_table_counts_from_one_in_its_file(tmp_path):
    table = Table.blank(
        3, **dict(zip("xyz", POINTS.T, strict=True)), dx=[0.5, 0, 0], reg=[4, 4, 6], tomo=[1, 1, 2], apix=2.7
    )
    for ending in (".tbl", ".star", ".csv"):
        write_table(table, tmp_path / f"a{ending}")
    rows = (tmp_path / "a.tbl").read_text().split("\n")
    assert rows[0].split()[23:26] == ["11", "21", "31"]
    for marks in (
        read_marks(tmp_path / "a.tbl"),
        read_marks(tmp_path / "a.star"),
        read_marks(tmp_path / "a.csv"),
        as_marks(table, "t"),
    ):
        np.testing.assert_allclose(marks.points_xyz, POINTS + [[0.5, 0, 0], [0, 0, 0], [0, 0, 0]])
        assert marks.groups.tolist() == [4, 4, 6]
        assert marks.tomograms == ("1", "1", "2")
        assert marks.pixel_size_A == 2.7


def test_linked_markers_are_a_line_and_others_are_spheres(tmp_path):
    points = np.arange(15.0).reshape(5, 3)
    markers = Markers(points, np.array([10.0, 20, 30, 40, 50]), np.array([5, 1, 2, 4, 3]), np.array([[1, 2], [2, 3]]))
    write_markers(markers, tmp_path / "a.cmm")
    marks = read_marks(tmp_path / "a.cmm")
    groups = {number: rows.tolist() for number, _, rows in marks.together()}
    assert sorted(groups.values()) == [[0, 1, 2], [3], [4]]
    np.testing.assert_array_equal(marks.points_xyz, points[[1, 2, 4, 3, 0]])
    assert marks.radii.tolist() == [0, 0, 0, 40, 10]
    assert marks.ids == (1, 2, 3, 4, 5)
    assert marks.unit == "A"


def test_plain_structures_of_dynamo_are_read(tmp_path):
    savemat(tmp_path / "a.omd", {"m": {"points": POINTS + 1, "group_labels": np.array([2.0, 2, 9])}})
    marks = read_marks(tmp_path / "a.omd")
    np.testing.assert_array_equal(marks.points_xyz, POINTS)
    assert marks.groups.tolist() == [2, 2, 9]
    dipoles = np.empty(2, dtype=object)
    for number in range(2):
        dipoles[number] = {"center": POINTS[number] + 1, "north": POINTS[2] + 1, "label": number + 3}
    savemat(tmp_path / "b.omd", {"m": {"dipoles": dipoles}})
    marks = read_marks(tmp_path / "b.omd")
    np.testing.assert_array_equal(marks.points_xyz, POINTS[[0, 2, 1, 2]])
    assert marks.groups.tolist() == [3, 3, 4, 4]


def test_matlabs_own_objects_are_answered_with_how_to_export(tmp_path):
    savemat(tmp_path / "a.omd", {"something": np.arange(3.0)})
    with pytest.raises(EngineError, match=r"MATLAB object.*m = dread.*writetable"):
        read_marks(tmp_path / "a.omd")
    write(tmp_path / "b.omd", "no MATLAB")
    with pytest.raises(EngineError, match="no MATLAB file of version 5 to 7"):
        read_marks(tmp_path / "b.omd")


def test_proposals_are_marks_too():
    names = ("region", "tomo", "x", "y", "z", "radius", "pixel_size_A", "score")
    curve = Curve(
        dict(zip(names, np.array([[1, 3, 10, 20, 30, 44, 10, 9], [2, 3, 1, 2, 3, 45, 10, 8.0]]).T, strict=True))
    )
    marks = as_marks(curve, "find_1:proposals")
    assert (marks.radii.tolist(), marks.tomograms, marks.pixel_size_A) == ([44, 45], ("3", "3"), 10)
    with pytest.raises(EngineError, match=r"pr_1:fsc: a column 'x' is missing"):
        as_marks(Curve({"shell": np.arange(3.0)}), "pr_1:fsc")


def test_marks_become_px_of_a_map_in_one_way(tmp_path):
    write(tmp_path / "a.csv", "x_A,y_A,z_A,radius_A\n107,198,300,50\n")
    in_A = read_marks(tmp_path / "a.csv").in_px(5.0, (7.0, -2.0, 0.0), counted_in_A=3.0)
    np.testing.assert_allclose(in_A.points_xyz, [[20, 40, 60]])
    binned = Marks(np.array([[10.0, 20, 30]]), np.ones(1, int), np.array([5.0]), pixel_size_A=10.0)
    for marks in (in_A, binned.in_px(5.0, (7.0, -2.0, 0.0)), binned.in_px(1.0).in_px(5.0)):
        np.testing.assert_allclose(marks.points_xyz, [[20, 40, 60]])
        assert (marks.radii.tolist(), marks.unit, marks.pixel_size_A) == ([10], "px", 5.0)
    np.testing.assert_allclose(binned.in_px(5.0, counted_in_A=20.0).points_xyz, [[40, 80, 120]])
    np.testing.assert_allclose(binned.in_px(0.0).points_xyz, binned.points_xyz)


def test_an_unknown_ending_names_the_known_ones(tmp_path):
    with pytest.raises(EngineError, match=r"\.cmm \.mod \.omd, not \.xyz"):
        read_marks(tmp_path / "a.xyz")


@pytest.mark.parametrize("ending", ["mod", "omd", "csv", "star"])
def test_spoilt_bytes_are_read_or_refused_and_never_break(tmp_path, ending):
    path = tmp_path / f"a.{ending}"
    if ending == "mod":
        path.write_bytes(imod_model([POINTS, POINTS[:1]], size=3, scattered=True, sizes=[1, 2, 3]))
    elif ending == "omd":
        savemat(path, {"m": {"points": POINTS, "group_labels": np.array([2.0, 2, 9])}})
    elif ending == "csv":
        write(path, "region,x,y,z,radius,tomo\n3,10,20,30,4,TS_1\n3,11.5,21,32,4,TS_1\n")
    else:
        write(path, "data_\n\nloop_\n_rlnTomoName\n_rlnCoordinateX\n_rlnCoordinateY\n_rlnCoordinateZ\nTS_01 1 2 3\n")
    whole = path.read_bytes()
    generator = np.random.default_rng(0)
    for _ in range(60 if ending != "star" else 15):
        spoilt = np.frombuffer(whole, np.uint8).copy()
        places = generator.integers(0, len(spoilt), 3)
        spoilt[places] = generator.integers(0, 256, 3)
        path.write_bytes(spoilt.tobytes()[: generator.integers(1, len(whole) + 1)])
        with suppress(EngineError):
            assert len(read_marks(path)) > 0


@pytest.mark.parametrize("column", ["x", "dy", "apix"])
def test_a_table_with_a_centre_that_is_no_number_has_no_marks(column: str) -> None:
    table = Table.blank(2, apix=2.0).with_columns(**{column: [1.0, np.inf]})
    with pytest.raises(EngineError, match="no place or no pixel size, NaN"):
        of_table(table)


def test_of_a_matlab_variable_that_is_there_twice_the_last_counts(tmp_path: Path) -> None:
    savemat(tmp_path / "first.mat", {"m": {"points": POINTS + 1}})
    savemat(tmp_path / "then.mat", {"m": {"points": POINTS + 2}})
    (tmp_path / "a.omd").write_bytes((tmp_path / "first.mat").read_bytes() + (tmp_path / "then.mat").read_bytes()[128:])
    assert np.array_equal(read_marks(tmp_path / "a.omd").points_xyz, POINTS + 1)
