"""Lists of tomograms: Dynamo's, RELION's and .csv, and what is wrong with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.data import Catalogue, TomogramFacts
from engine.faults import EngineError
from engine.files import found_beside, read_catalogue, write_catalogue

RELION5 = """
data_global

loop_
_rlnTomoName #1
_rlnVoltage #2
_rlnSphericalAberration #3
_rlnAmplitudeContrast #4
_rlnTomoHand #5
_rlnTomoTiltSeriesPixelSize #6
_rlnTomoTiltSeriesStarFile #7
_rlnTomoTomogramBinning #8
_rlnTomoReconstructedTomogram #9
TS_03 300 2.7 0.1 -1 1.35 tilt_series/TS_03.star 4 tomograms/rec_TS_03.mrc
TS_01 300 2.7 0.1 -1 1.35 tilt_series/TS_01.star 4 tomograms/rec_TS_01.mrc
"""
TILTS = """
data_TS_0{0}

loop_
_rlnTomoYTilt #1
_rlnTomoZRot #2
_rlnDefocusU #3
_rlnDefocusV #4
_rlnMicrographPreExposure #5
-57.0 85.2 38000 37000 117
0.0 85.4 39000 38000 0
60.0 85.3 41000 40000 120
"""
RELION4 = """
data_global

loop_
_rlnTomoName #1
_rlnTomoHand #2
_rlnTomoTiltSeriesPixelSize #3
_rlnTomoReconstructedTomogram #4
TS_01 -1 1.35 rec_TS_01.mrc

data_TS_01

loop_
_rlnDefocusU #1
_rlnDefocusV #2
_rlnMicrographPreExposure #3
30000 20000 0
30000 30000 3
"""


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return path


def test_dynamos_vll_numbers_by_place_unless_an_index_is_given(tmp_path: Path) -> None:
    text = (
        "# a list\nTS_01.rec\n* ytilt = -57 60\n* apix = 1.35\n* label = first\n\nTS_43.rec\n* index = 43\n> old.tbl\n"
    )
    first, other = read_catalogue(written(tmp_path, "tomograms.vll", text))
    assert first == TomogramFacts(1, "TS_01.rec", "first", 1.35, None, (-57.0, 60.0))
    assert (other.number, other.path) == (43, "TS_43.rec")


def test_a_table_map_is_a_list_too(tmp_path: Path) -> None:
    found = read_catalogue(written(tmp_path, "map.doc", "3 tomograms/TS_03.rec\n1 tomograms/TS_01.rec\n"))
    assert [(one.number, one.path) for one in found] == [(1, "tomograms/TS_01.rec"), (3, "tomograms/TS_03.rec")]


def test_relion_5_tells_the_acquisition_of_each_tilt_series(tmp_path: Path) -> None:
    star = written(tmp_path, "tomograms.star", RELION5)
    for number in (1, 3):
        written(tmp_path, f"tilt_series/TS_0{number}.star", TILTS.format(number))
    first, other = read_catalogue(star)
    assert (first.number, first.name, first.path) == (1, "TS_01", "tomograms/rec_TS_01.mrc")
    assert other.number == 3
    assert first.pixel_size_A == pytest.approx(5.4)  # of the binned tomogram
    assert first.tilt_range_deg == (-57.0, 60.0)
    assert first.tilt_axis_deg == pytest.approx(85.3)
    assert first.defocus_um == pytest.approx(3.85)  # the median of the tilts' means
    assert (first.dose_e_A2, first.voltage_kV, first.handedness) == (120.0, 300.0, -1)


def test_relion_4_keeps_the_tilts_in_the_same_file(tmp_path: Path) -> None:
    (one,) = read_catalogue(written(tmp_path, "tomograms.star", RELION4))
    assert one.defocus_um == pytest.approx(2.75)
    assert one.dose_e_A2 == 3.0
    assert one.tilt_range_deg is None


def test_a_catalogue_comes_back_from_the_csv_it_was_written_to(tmp_path: Path) -> None:
    facts = (TomogramFacts(2, "a b.mrc", "x, y", 1.35, None, (-60.0, 57.5), 85.3, 2.5), TomogramFacts(5, "c.rec"))
    write_catalogue(Catalogue(facts), tmp_path / "t.csv")
    assert read_catalogue(tmp_path / "t.csv").tomograms == facts


def test_paths_are_sought_beside_the_list_and_above_it(tmp_path: Path) -> None:
    """RELION counts paths from its own project, some folders above the list."""
    written(tmp_path, "relion/tomograms/rec.mrc", "")
    listing = written(tmp_path, "relion/Tomograms/job006/tomograms.star", "")
    found = found_beside({1: "tomograms/rec.mrc"}, listing, tmp_path)
    assert found == {1: "relion/tomograms/rec.mrc"}


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("t.vll", "* apix = 1\nTS_01.rec\n", "t.vll:1: .* belongs to no tomogram"),
        ("t.vll", "TS_01.rec\n* ytilt = -60\n", "t.vll:2: tilt_range_deg has 1 numbers, not 2"),
        ("t.vll", "# nothing\n", "names no tomogram"),
        ("t.csv", "number,path\n1,a.rec\n1,b.rec\n", "tomogram 1 is there twice"),
        ("t.csv", "number,path,tilt\n", "no column 'tilt'"),
        ("t.csv", "path\na.rec\n", "number and path are needed"),
        ("t.csv", "number,path\n1.5,a.rec\n", "not a whole number"),
        ("t.csv", "number,path\none,a.rec\n", "t.csv:2: number: 'one' is not a number"),
        ("t.star", RELION5.replace("rlnTomoReconstructedTomogram", "rlnTomoReconstructedTomogramHalf1"), "data.column"),
        ("t.star", "data_\n\nloop_\n_rlnCoordinateX #1\n1\n", "none of its blocks"),
        ("t.txt", "a.rec\n", "tomograms are listed in .vll .doc .csv .star"),
    ],
)
def test_what_is_wrong_with_a_list_is_one_clear_error(tmp_path: Path, name: str, text: str, words: str) -> None:
    with pytest.raises(EngineError, match=words):
        read_catalogue(written(tmp_path, name, text))


@pytest.mark.parametrize(("row", "empty"), [("1,", "path"), (",a.mrc", "number"), ('" ",a.mrc', "number")])
def test_a_row_without_number_or_path_is_told(tmp_path: Path, row: str, empty: str) -> None:
    (tmp_path / "list.csv").write_text(f"number,path\n3,b.mrc\n{row}\n")
    with pytest.raises(EngineError, match=rf"list\.csv:3: {empty} is empty; fill it in"):
        read_catalogue(tmp_path / "list.csv")
