"""catalogue: tomograms by number, checked against their headers; binned versions, made once."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import mrcfile
import numpy as np
import pytest

import engine
from engine.check import check
from engine.data import Catalogue, Volume
from engine.files import write_volume
from engine.forecast import forecast
from engine.kernels.binning import binned
from engine.kinds import binning
from engine.project import load

ROWS = """
[[tomograms]]
number = 1
path = "TS_01.mrc"
tilt_range_deg = [-57, 60]

[[tomograms]]
number = 3
path = "TS_03.mrc"
defocus_um = 1.5
"""


def tomogram(number: int) -> Volume:
    return Volume(np.random.default_rng(number).normal(size=(16, 20, 24 + number)).astype(np.float32), 4.0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in (1, 3):
        write_volume(tomogram(number), tmp_path / f"TS_0{number}.mrc")
    return tmp_path


def faults(folder: Path, text: str) -> list[str]:
    (folder / "tomos.toml").write_text(f'kind = "catalogue"\n{text}', "utf-8")
    (found,) = check([folder / "tomos.toml"])
    return [f"{fault.line}: {fault.what}" for fault in found.faults]


def test_what_is_typed_and_what_headers_tell_stand_together(folder: Path) -> None:
    assert faults(folder, ROWS) == []
    engine.run([folder / "tomos.toml"])
    found = engine.query("tomos:tomograms", folder=folder).value
    assert isinstance(found, Catalogue)
    first, other = found
    assert (first.number, first.path, first.tilt_range_deg, first.shape_zyx) == (
        1,
        "TS_01.mrc",
        (-57, 60),
        (16, 20, 25),
    )
    assert (other.number, other.pixel_size_A, other.defocus_um) == (3, 4.0, 1.5)
    assert engine.query("tomos:tomograms:tomo=3", folder=folder).value.numbers == [3]


def test_binned_versions_are_those_of_the_whole_map(folder: Path) -> None:
    assert faults(folder, ROWS + "[binned]\nbin_factors = [2, 4]\n") == []
    engine.run([folder / "tomos.toml"])
    for factor in (2, 4):
        found = engine.query(f"tomos:binned_{factor}:tomo=3", folder=folder).value
        assert found.pixel_size_A == 4.0 * factor
        np.testing.assert_allclose(found.data, binned(tomogram(3).data, factor), atol=1e-6)


def test_another_tomogram_leaves_what_is_made_standing(folder: Path) -> None:
    faults(folder, ROWS + "[binned]\nbin_factors = [2]\n")
    engine.run([folder / "tomos.toml"])
    write_volume(tomogram(7), folder / "TS_07.mrc")
    rows = '[[tomograms]]\nnumber = 7\npath = "TS_07.mrc"\n'
    assert faults(folder, ROWS + rows + "[binned]\nbin_factors = [2]\n") == []
    (outcome,) = engine.run([folder / "tomos.toml"])
    assert outcome.stored == ("tomo_007/catalogue", "tomo_007/binned_2")


def test_a_list_is_completed_by_what_is_typed(folder: Path) -> None:
    (folder / "lists").mkdir()
    (folder / "lists/tomograms.vll").write_text("TS_01.mrc\n* index = 1\nTS_03.mrc\n* index = 3\n* apix = 9\n", "utf-8")
    text = '[data]\nlist = "lists/tomograms.vll"\npixel_size_A = 4\n[[tomograms]]\nnumber = 3\ndefocus_um = 2\n'
    assert faults(folder, text) == []
    engine.run([folder / "tomos.toml"])
    first, other = engine.query("tomos:tomograms", folder=folder).value
    assert (first.path, first.pixel_size_A, other.defocus_um, other.pixel_size_A) == ("TS_01.mrc", 4.0, 2.0, 4.0)


def test_what_a_list_names_wrongly_is_told_where_the_list_stands(folder: Path) -> None:
    (folder / "tomograms.vll").write_text("TS_01.mrc\nTS_02.mrc\nTS_03.mrc\n", "utf-8")
    text = '[data]\nlist = "tomograms.vll"\n[[tomograms]]\nnumber = 3\npixel_size_A = 5\n'
    found = faults(folder, text)
    assert found[0] == '3: there is no file "TS_02.mrc"'
    (folder / "tomograms.vll").write_text("TS_01.mrc\n\nTS_03.mrc\n* index = 3\n", "utf-8")
    (fault,) = faults(folder, text)
    assert fault.startswith("3: tomogram 3, as it is typed or listed, has a pixel size of 5 A")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (ROWS.replace("TS_03.mrc", "TS_04.mrc"), '10: there is no file "TS_04.mrc"'),
        (ROWS.replace("number = 3", "number = 1"), "tomogram 1 is there twice"),
        (ROWS.replace("TS_03", "TS_01"), "TS_01.mrc is there twice"),
        (ROWS.replace("defocus_um = 1.5", "pixel_size_A = 4.1"), "pixel size of 4.1 A, the header of TS_03.mrc of 4 A"),
        ("[data]\npixel_size_A = 8\n" + ROWS, "pixel size of 8 A"),
        (ROWS.replace("[-57, 60]", "[60, -57]"), "6: [60, -57] is no range of tilts"),
        (ROWS.replace('path = "TS_03.mrc"\n', ""), "tomogram 3 has no path"),
        (ROWS + "[binned]\nbin_factors = [17]\n", "16"),
        (ROWS + "[binned]\nbin_factors = [2, 2]\n", "2 is there twice"),
        ("[data]\n", "there is no tomogram"),
        ('[data]\nlist = "none.star"\n', "none.star: no such file"),
        ('[data]\nlist = "wrong.csv"\n', "tomogram 1: pixel_size_A is -4.0"),
    ],
)
def test_what_is_wrong_is_told_before_anything_runs(folder: Path, text: str, expected: str) -> None:
    (folder / "wrong.csv").write_text("number,path,pixel_size_A\n1,TS_01.mrc,-4\n", "utf-8")
    assert any(expected in fault for fault in faults(folder, text)), faults(folder, text)


def test_a_map_that_tells_no_pixel_size_wants_one_typed(folder: Path) -> None:
    write_volume(tomogram(1), folder / "TS_01.em")
    text = '[[tomograms]]\nnumber = 1\npath = "TS_01.em"\n'
    assert any("does not tell its pixel size" in fault for fault in faults(folder, text))
    assert faults(folder, text + "pixel_size_A = 4\n") == []


def test_binning_holds_only_parts_of_the_tomogram(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """64 MB of voxels in parts of 1 MB: what is held at a time stays below what the forecast says of a worker."""
    monkeypatch.setattr(binning, "PART_BYTES", 1 << 20)
    with mrcfile.new_mmap(tmp_path / "t.mrc", (64, 512, 512), mrc_mode=2) as mrc:
        mrc.data[:, ::7] = 1
        mrc.voxel_size = 2.0
    assert faults(tmp_path, '[[tomograms]]\nnumber = 1\npath = "t.mrc"\n[binned]\nbin_factors = [4]\n') == []
    (share,) = [step.cost.of_tomogram((64, 512, 512)) for step in load(tmp_path / "tomos.toml").steps if step.cost]
    assert forecast(load(tmp_path / "tomos.toml")).disk_bytes == 4 * 16 * 128 * 128
    tracemalloc.start()
    engine.run([tmp_path / "tomos.toml"])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < share.worker_bytes + (4 << 20)  # and what the program itself allocates meanwhile
    assert engine.query("tomos:binned_4", folder=tmp_path).value.shape_zyx == (16, 128, 128)
