"""extraction from a catalogue: the right voxels of the right tomogram, at any binning, in bounded memory."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import memory
import mrcfile
import numpy as np
import pytest

import engine
from engine.check import check
from engine.data import Table, Volume
from engine.devices import Work
from engine.faults import EngineError
from engine.files import read_table, write_star, write_table, write_volume
from engine.forecast import forecast
from engine.kernels.binning import binned
from engine.kinds import cutting
from engine.project import load

CATALOGUE = """kind = "catalogue"
[[tomograms]]
number = 1
path = "TS_01.mrc"
tilt_range_deg = [-57, 60]
defocus_um = 2.5
[[tomograms]]
number = 3
path = "TS_03.mrc"
[binned]
bin_factors = [2]
"""
CROP = """kind = "extraction"
each = "tomogram"
[data]
catalogue = "tomos:tomograms"
table = "picks.csv"
[box]
size_px = 8
"""


def tomogram(number: int) -> Volume:
    return Volume(np.random.default_rng(number).normal(size=(24, 32, 40)).astype(np.float32), 4.0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in (1, 3):
        write_volume(tomogram(number), tmp_path / f"TS_0{number}.mrc")
    picks = Table.blank(5, tomo=[3, 1, 3, 1, 3], x=[20.3, 10, 16, 38, 30], y=14, z=[12, 12, 10, 12, 12], dx=0.5)
    write_table(picks, tmp_path / "picks.csv")
    (tmp_path / "tomos.toml").write_text(CATALOGUE, "utf-8")
    return tmp_path


def crop(folder: Path, text: str = CROP, name: str = "crop") -> None:
    (folder / f"{name}.toml").write_text(text, "utf-8")
    found = check(folder)
    assert [str(fault) for one in found for fault in one.faults] == []
    engine.run([folder])


def read(folder: Path, address: str):
    return engine.query(address, folder=folder).value


def test_each_row_is_cut_from_its_own_tomogram(folder: Path) -> None:
    crop(folder)
    assert read(folder, "crop:table:tomo=3").tags.tolist() == [1, 3, 5]
    assert read(folder, "crop:table:tomo=1").tags.tolist() == [2]
    assert read(folder, "crop:dropped:tomo=1").tags.tolist() == [4]
    box = read(folder, "crop:particles:tomo=3:tag=3").data
    np.testing.assert_array_equal(box, tomogram(3).data[6:14, 10:18, 12:20])


def test_the_catalogue_tells_wedge_defocus_and_pixel_size(folder: Path) -> None:
    crop(folder)
    first, other = read(folder, "crop:table:tomo=1"), read(folder, "crop:table:tomo=3")
    assert (first["ftype"][0], first["ymintilt"][0], first["ymaxtilt"][0]) == (1, -57, 60)
    assert (first["def"][0], first["apix"][0], other["ftype"][0]) == (2.5, 4.0, 0)


def test_the_same_table_cuts_the_binned_tomograms(folder: Path) -> None:
    """Rows of 4 A (filled in by the first extraction) in a tomogram of 8 A: positions and shifts are halved."""
    crop(folder)
    again = CROP.replace("picks.csv", "crop:table").replace("table =", "bin_factor = 2\ntable =")
    crop(folder, again, "small")
    before, after = read(folder, "crop:table:tomo=3"), read(folder, "small:table:tomo=3")
    centres = before.positions_xyz_px + before.shifts_xyz_px
    np.testing.assert_allclose(after.positions_xyz_px + after.shifts_xyz_px, centres / 2)
    assert np.abs(after.shifts_xyz_px).max() <= 0.5
    x, y, z = after.positions_xyz_px[0].astype(int)
    whole = binned(tomogram(3).data, 2)[z - 4 : z + 4, y - 4 : y + 4, x - 4 : x + 4]
    np.testing.assert_allclose(read(folder, "small:particles:tomo=3:tag=1").data, whole, atol=1e-6)
    back = CROP.replace("picks.csv", "small:table")
    crop(folder, back, "full")
    full = read(folder, "full:table:tomo=3")
    np.testing.assert_allclose(full.positions_xyz_px + full.shifts_xyz_px, centres)


def test_a_table_that_tells_no_pixel_size_counts_in_px_of_the_tomograms_themselves(folder: Path) -> None:
    crop(folder, CROP.replace("table =", "bin_factor = 2\ntable ="))
    found = read(folder, "crop:table:tomo=3")
    np.testing.assert_allclose((found.positions_xyz_px + found.shifts_xyz_px)[:, 0], [10.4, 8.25, 15.25])
    assert read(folder, "crop:summary:tomo=3")["positions times"] == "0.5"


def test_scales_near_whole_numbers_are_whole() -> None:
    table = Table.blank(4, apix=[1.35, 5.4, 5.39998, 7.0])
    np.testing.assert_array_equal(cutting.scales(table, 1.35, 1.35, None)[:3], [1, 4, 4])
    assert cutting.scales(table, 1.35, 1.35, None)[3] == pytest.approx(7.0 / 1.35)
    np.testing.assert_array_equal(cutting.scales(table, 5.4, 1.35, 1.35), [0.25] * 4)


@pytest.mark.parametrize(("how", "radius"), [("box", None), ("background", None), ("background", 3.0)])
def test_boxes_are_normalised_where_it_is_asked_for(how: str, radius: float | None) -> None:
    box = {"size_px": 12, "normalise": how, **({"background_radius_px": radius} if radius else {})}
    values = {"data": {"tomogram": "t.mrc", "table": "t.tbl"}, "box": box}
    lifted = Volume(5 + 3 * tomogram(1).data, 4.0)
    given = {"t.mrc": lifted, "t.tbl": Table.blank(2, x=[20, 15], y=14, z=12, tomo=1)}
    boxes = memory.run("extraction", values, given)["extraction"]["particles"].boxes
    background = cutting.background_of(how, 12, radius)
    assert background is not None
    assert background[6, 6, 6] == (how == "box")
    for one in boxes:
        assert one[background].mean() == pytest.approx(0, abs=1e-5)
        assert one[background].std() == pytest.approx(1, abs=1e-5)
    plain = memory.run("extraction", {**values, "box": {"size_px": 12}}, given)["extraction"]["particles"].boxes
    assert np.corrcoef(plain[0].ravel(), boxes[0].ravel())[0, 1] == pytest.approx(1, abs=1e-6)


def test_bits_do_not_depend_on_workers_or_chunks() -> None:
    values = {"data": {"tomogram": "t.mrc", "table": "t.tbl"}, "box": {"size_px": 8, "normalise": "background"}}
    rows = Table.blank(9, x=np.arange(10, 19), y=14, z=12, tomo=1)
    found = [
        memory.run("extraction", values, {"t.mrc": tomogram(1), "t.tbl": rows}, work)["extraction"]["particles"].boxes
        for work in (Work(), Work(workers=2, chunk=1), Work(workers=3, chunk=7))
    ]
    assert found[0].tobytes() == found[1].tobytes() == found[2].tobytes()


SIZES = dict.fromkeys(("TS_01", "TS_03"), (40, 32, 24))
NAMED = CATALOGUE.replace('path = "TS_01', 'name = "TS_01"\npath = "TS_01').replace(
    'path = "TS_03', 'name = "TS_03"\npath = "TS_03'
)


@pytest.mark.parametrize("bin_factor", [1, 2])
def test_relion_5_counts_from_the_middle_of_the_tomogram(folder: Path, bin_factor: int) -> None:
    text = CROP.replace("table =", f"bin_factor = {bin_factor}\ntable =")
    crop(folder, text)
    picks = read_table(folder / "picks.csv").with_columns(apix=4.0)
    write_star(picks, folder / "picks.star", "relion5", tomogram_sizes_xyz=SIZES)
    crop(
        folder, text.replace("picks.csv", "picks.star").replace("table =", 'table_origin = "middle"\ntable ='), "middle"
    )
    for number in (1, 3):
        first, other = (read(folder, f"{name}:table:tomo={number}") for name in ("crop", "middle"))
        np.testing.assert_allclose(first.positions_xyz_px, other.positions_xyz_px)
        np.testing.assert_allclose(first.shifts_xyz_px, other.shifts_xyz_px, atol=1e-5)


def test_particles_that_cannot_lie_there_are_told_before_they_are_cut(folder: Path) -> None:
    engine.run([folder / "tomos.toml"])
    picks = read_table(folder / "picks.csv").with_columns(apix=4.0)
    write_star(picks, folder / "picks.star", "relion5", tomogram_sizes_xyz=SIZES)
    (folder / "crop.toml").write_text(CROP.replace("picks.csv", "picks.star"), "utf-8")
    (found,) = check([folder / "crop.toml"])
    assert any("5 of 5 particles lie outside their tomograms" in str(fault) for fault in found.faults), found.faults


def test_a_list_that_numbers_tomograms_otherwise_is_told(folder: Path) -> None:
    """Names without numbers of their own count in their order: 1 of the list would be cut from 1 of the catalogue."""
    (folder / "tomos.toml").write_text(NAMED.replace('"TS_01"', '"a_grid"').replace('"TS_03"', '"b_grid"'), "utf-8")
    engine.run([folder / "tomos.toml"])
    picks = Table.blank(2, tomo=3, x=20, y=14, z=12, apix=4.0)
    write_star(picks, folder / "picks.star", "relion4", tomogram_names={3: "b_grid"})
    some = CROP.replace("picks.csv", "picks.star").replace("tomos:tomograms", "tomos:tomograms:tomo=[1]")
    for text, told in ((CROP.replace("picks.csv", "picks.star"), True), (some, False)):
        (folder / "crop.toml").write_text(text, "utf-8")
        (found,) = check([folder / "crop.toml"])
        words = [str(fault) for fault in found.faults]
        assert any("b_grid is tomogram 1 of the table's file and 3 of the catalogue" in one for one in words) == told, (
            words
        )


def test_points_of_several_tomograms_have_tags_of_their_own(folder: Path) -> None:
    text = CROP.replace('table = "picks.csv"\n', "") + "[points]\ngrid = { spacing_px = 8 }\n"
    crop(folder, text)
    tags = [read(folder, f"crop:table:tomo={number}").tags for number in (1, 3)]
    assert len(np.intersect1d(*tags)) == 0


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('each = "tomogram"\n', "", "boxes are cut from each of its tomograms"),
        ('catalogue = "tomos:tomograms"\n', "", "neither is given"),
        (
            'catalogue = "tomos:tomograms"\n',
            'tomogram = "TS_01.mrc"\n',
            "nothing that the project reads is kept by tomogram",
        ),
        ("[box]", "pixel_size_A = 4\n[box]", "the catalogue has the pixel sizes"),
        ("[box]", "bin_factor = 3\n[box]", "makes no binned_3"),
        ("tomos:tomograms", "tomos:tomograms:tomo=2", "no tomogram 2; there are 1, 3"),
        ("tomos:tomograms", "picks.csv", "a catalogue is a project's result"),
        ("size_px = 8", "size_px = 25", "a box of 25 px is larger than tomogram 1"),
        ("size_px = 8", "size_px = 8\nbackground_radius_px = 3", 'is for normalise = "background"'),
        ("picks.csv", "one.csv", "has no row of tomogram 1"),
        ("picks.csv", "twice.csv", "tag 2 stands in 2 rows of tomogram 3"),
        ("picks.csv", "nowhere.csv", "1 rows have positions or shifts that are no numbers, first row 2"),
        ("picks.csv", "other.csv", "has rows of tomogram 9, which the catalogue has not"),
    ],
)
def test_what_is_wrong_is_told_before_anything_runs(folder: Path, old: str, new: str, words: str) -> None:
    engine.run([folder / "tomos.toml"])
    write_table(Table.blank(1, tomo=3, x=20, y=14, z=12), folder / "one.csv")
    twice = Table.blank(3, tag=[2, 2, 2], tomo=[1, 3, 3], x=20, y=14, z=12)
    write_table(twice, folder / "twice.csv")
    write_table(twice.with_columns(tag=[1, 2, 3], x=[20, np.nan, 20]), folder / "nowhere.csv")
    write_table(Table.blank(3, tomo=[1, 3, 9], x=20, y=14, z=12), folder / "other.csv")
    (folder / "crop.toml").write_text(CROP.replace(old, new), "utf-8")
    (found,) = check([folder / "crop.toml"])
    assert any(words in str(fault) for fault in found.faults), found.faults


def test_some_of_the_tomograms_can_be_named(folder: Path) -> None:
    write_table(Table.blank(1, tomo=3, x=20, y=14, z=12), folder / "picks.csv")
    crop(folder, CROP.replace("tomos:tomograms", "tomos:tomograms:tomo=[3]"))
    assert [step.name for step in load(folder / "crop.toml").steps] == ["tomo_003/extraction"]


def test_voxels_that_are_no_numbers_are_one_clear_error() -> None:
    values = {"data": {"tomogram": "t.mrc", "table": "t.tbl"}, "box": {"size_px": 8, "normalise": "box"}}
    data = tomogram(1).data.copy()
    data[12, 14, 20] = np.nan
    given = {"t.mrc": Volume(data, 4.0), "t.tbl": Table.blank(1, x=20, y=14, z=12, tomo=1)}
    with pytest.raises(EngineError, match="no numbers"):
        memory.run("extraction", values, given)


def test_cutting_a_large_tomogram_holds_a_few_boxes_at_a_time(tmp_path: Path) -> None:
    """128 MB of tomogram, 40 boxes of 1 MB: as many as the forecast says a worker holds."""
    with mrcfile.new_mmap(tmp_path / "TS_01.mrc", (128, 512, 512), mrc_mode=2) as mrc:
        mrc.data[::5] = 1
        mrc.voxel_size = 2.0
    places = np.random.default_rng(0).uniform(32, 96, (40, 3))
    write_table(Table.blank(40, tomo=1, x=places[:, 0], y=places[:, 1], z=places[:, 2]), tmp_path / "picks.csv")
    (tmp_path / "tomos.toml").write_text(
        'kind = "catalogue"\ntomograms = [{ number = 1, path = "TS_01.mrc" }]\n', "utf-8"
    )
    (tmp_path / "crop.toml").write_text(CROP.replace("= 8", '= 64\nnormalise = "background"'), "utf-8")
    box_bytes = 4 * 64**3
    engine.run([tmp_path / "tomos.toml"])
    cost = forecast(load(tmp_path / "crop.toml"))
    assert cost.particles == 40
    assert cost.disk_bytes == pytest.approx(40 * box_bytes, rel=0.01)
    assert cost.memory_bytes < 600e6
    tracemalloc.start()
    engine.run([tmp_path / "crop.toml"])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < cutting.HELD_BOXES * box_bytes
