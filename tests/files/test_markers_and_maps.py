"""Marker files (.cmm) and table maps (.doc) come back; wrong and hostile ones are told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from engine.faults import EngineError
from engine.files import Markers, read_markers, read_table_map, write_markers, write_table_map

here = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@st.composite
def marker_sets(draw) -> Markers:
    n = draw(st.integers(0, 5))
    coordinates = st.floats(-1e6, 1e6)
    ids = draw(st.permutations(range(1, n + 1)))
    links = draw(st.lists(st.tuples(*[st.integers(1, n)] * 2), max_size=4)) if n else []
    return Markers(
        points_xyz_A=draw(hnp.arrays(np.float64, (n, 3), elements=coordinates)),
        radii_A=draw(hnp.arrays(np.float64, n, elements=st.floats(0, 100))),
        ids=np.array(ids, dtype=np.int64),
        links=np.array(links, dtype=np.int64).reshape(-1, 2),
        name=draw(st.text("abc <>&\"'å", max_size=8)),
    )


@here
@given(marker_sets())
def test_markers_come_back(tmp_path: Path, markers) -> None:
    write_markers(markers, tmp_path / "a.cmm")
    back = read_markers(tmp_path / "a.cmm")
    assert back.name == markers.name
    for name in ("points_xyz_A", "radii_A", "ids", "links"):
        np.testing.assert_array_equal(getattr(back, name), getattr(markers, name))


def test_markers_as_chimerax_writes_them_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.cmm").write_text(
        '<marker_set name="axis">\n'
        '<marker id="1" x="-6.1267" y="17.44" z="-3.1338" r="0.7" g="0.7" b="0.7" radius="0.35217" note="top"/>\n'
        '<marker id="4" x="1.5395e1" y="16.277" z="-3.0339" r="1" g="0" b="1" radius="0.5"/>\n'
        '<link id1="1" id2="4" r="1" g="1" b="0" radius="0.17"/>\n'
        "</marker_set>\n"
    )
    markers = read_markers(tmp_path / "a.cmm")
    np.testing.assert_array_equal(markers.points_xyz_A, [[-6.1267, 17.44, -3.1338], [15.395, 16.277, -3.0339]])
    assert (markers.ids.tolist(), markers.links.tolist(), markers.name) == ([1, 4], [[1, 4]], "axis")


ONE = '<marker id="1" x="1" y="2" z="3" radius="1"/>'


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "cannot be read as a marker file"),
        ("<marker_set><marker", "cannot be read as a marker file"),
        ("x y z", "cannot be read as a marker file"),
        ("<other/>", "0 marker sets"),
        ("<s><marker_set/><marker_set/></s>", "2 marker sets"),
        ('<!DOCTYPE m [<!ENTITY a "b">]><marker_set/>', "XML entities"),
        ('<marker_set><marker id="1" x="1" y="2" radius="1"/></marker_set>', "no 'z'"),
        (f"<marker_set>{ONE.replace('2', 'two')}</marker_set>", "'two' is not a number"),
        (f"<marker_set>{ONE.replace('1', '1.5')}</marker_set>", "not a whole number"),
        (f"<marker_set>{ONE}{ONE}</marker_set>", "twice"),
        (f'<marker_set>{ONE}<link id1="1" id2="9"/></marker_set>', "marker 9"),
        (f"<marker_set>{' ' * 10_000_001}</marker_set>", "larger than 10 MB"),
    ],
)
def test_wrong_marker_files_are_told(tmp_path: Path, text, told) -> None:
    (tmp_path / "a.cmm").write_text(text)
    with pytest.raises(EngineError, match=told):
        read_markers(tmp_path / "a.cmm")


def test_a_table_map_comes_back_with_spaces_in_paths(tmp_path: Path) -> None:
    tomograms = {3: Path("tomograms/TS 03.rec"), 1: Path("/data/TS_01.mrc")}
    write_table_map(tomograms, tmp_path / "tomograms.doc")
    assert read_table_map(tmp_path / "tomograms.doc") == tomograms
    assert (tmp_path / "tomograms.doc").read_text() == "1 /data/TS_01.mrc\n3 tomograms/TS 03.rec\n"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "names no tomogram"),
        ("1 a.rec\nTS_03 b.rec\n", ":2:"),
        ("1\n", ":1:"),
        ("1 a.rec\n1 b.rec\n", ":2: tomogram 1 is there twice"),
    ],
)
def test_a_wrong_table_map_is_told_with_its_line(tmp_path: Path, text, told) -> None:
    (tmp_path / "a.doc").write_text(text)
    with pytest.raises(EngineError, match=told):
        read_table_map(tmp_path / "a.doc")
