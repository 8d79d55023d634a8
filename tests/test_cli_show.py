"""engine show, as it is typed, with viewers that only note how they were started."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import mrcfile
import numpy as np
import pytest
from small_campaign import engine, run

from engine.query import query

NOTING = """#!{python}
import json, os, sys
with open({noted!r}, "a") as file:
    file.write(json.dumps(sys.argv[1:]) + "\\n")
sys.exit(int(os.environ.get("FAILS", "0")))
"""


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A campaign that has been run."""
    return run(tmp_path_factory.mktemp("done"))


@pytest.fixture
def noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the viewers on PATH note their words; here is the current folder."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("ChimeraX", "3dmod", "napari"):
        program = programs / name
        program.write_text(NOTING.format(python=sys.executable, noted=str(tmp_path / "noted")))
        program.chmod(0o755)
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "noted"


def told(noted: Path) -> list[list[str]]:
    return [json.loads(line) for line in noted.read_text().splitlines()]


def test_each_viewer_is_started_with_what_was_written(done: Path, noted: Path) -> None:
    here = noted.parent
    for viewer in ("chimerax", "3dmod", "napari"):
        words = ("show", f"{done}/pr_1:average", "--with", viewer, "--points", "here.csv", "-o", f"x {viewer}")
        (here / "here.csv").write_text("x,y,z\n3,4,5\n")
        result = engine(*words)
        assert result.exit_code == 0, result.output
        assert f"x {viewer}/pr_1_average" in result.stdout
    folder = here / "x chimerax"
    assert told(noted) == [
        [str(folder / "pr_1_average.cxc")],
        [str(here / "x 3dmod" / "pr_1_average.mrc"), str(here / "x 3dmod" / "pr_1_average.mod")],
        [str(here / "x napari" / "pr_1_average.py")],
    ]
    average = query(f"{done}/pr_1:average").value
    with mrcfile.open(folder / "pr_1_average.mrc") as mrc:
        np.testing.assert_array_equal(mrc.data, average.data)
        assert float(mrc.voxel_size.x) == pytest.approx(average.pixel_size_A or 1.0)


def test_a_table_goes_into_its_own_folder_and_onto_a_map(done: Path, noted: Path) -> None:
    result = engine("show", f"{done}/pr_1:table", "--where", "tag < 4")
    assert result.exit_code == 0, result.output
    assert told(noted) == [[str(noted.parent / "show_pr_1_table" / "pr_1_table.cxc")]]
    script = (noted.parent / "show_pr_1_table" / "pr_1_table.cxc").read_text()
    assert "shape" not in script
    assert (noted.parent / "show_pr_1_table" / "pr_1_table_points.cmm").read_text().count("<marker ") == 3
    onto = engine("show", f"{done}/pr_1:table", "--map", f"{done}/truth:template", "--with", "3dmod", "--invert")
    assert onto.exit_code == 0, onto.output
    with mrcfile.open(noted.parent / "show_pr_1_table" / "pr_1_table.mrc") as mrc:
        np.testing.assert_array_equal(mrc.data, -query(f"{done}/truth:template").value.data)


def test_a_dry_run_writes_and_starts_nothing(done: Path, noted: Path) -> None:
    for viewer in ("chimerax", "3dmod", "napari"):
        result = engine("show", f"{done}/pr_1:average", "--with", viewer, "--dry-run")
        assert result.exit_code == 0, result.output
        assert "pr_1_average.mrc would be written" in result.stdout
        assert f"then: {noted.parent / 'bin'}" in result.stdout
    assert sorted(path.name for path in noted.parent.iterdir()) == ["bin"]


def test_a_viewer_that_is_not_there_is_one_line(done: Path, noted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(noted.parent))
    result = engine("show", f"{done}/pr_1:average", "--with", "napari")
    assert result.exit_code == 0
    script = noted.parent / "show_pr_1_average" / "pr_1_average.py"
    assert script.is_file()
    assert result.stdout.splitlines() == [
        "show_pr_1_average/pr_1_average.mrc written",
        "show_pr_1_average/pr_1_average.py written",
        f"napari is not installed here, or not on PATH. Where it is: napari {script}",
    ]


def test_a_viewer_that_fails_is_one_line(done: Path, noted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAILS", "3")
    result = engine("show", f"{done}/pr_1:average")
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert "ended with 3" in result.stderr
    (noted.parent / "bin" / "3dmod").write_text("#!/no/such/program\n")
    result = engine("show", f"{done}/pr_1:average", "--with", "3dmod")
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert "cannot be started" in result.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("pr_1:average", "--with", "pymol"), "no viewer 'pymol'; there are chimerax, 3dmod, napari"),
        (("pr_1:summary",), "viewers show maps and tables, not this dict"),
        (("pr_1:average:ite=*",), "means 2 values (name one"),
        (("pr_1",), "names no item"),
        (("pr_1:average", "--map", "x.mrc"), "is a map already"),
        (("pr_1:table", "--points", "x.csv"), "is points already"),
        (("pr_1:table", "--map", "pr_1:table"), "is no map"),
        (("pr_1:table", "--map", "no.mrc"), "no.mrc"),
        (("pr_1:average", "--points", "pr_1:average"), "holds no points"),
        (("pr_1:average", "--points", "no.txt"), "marked points are read from"),
        (("pr_1:table", "--where", "tag > 99"), "no point to show"),
        (("pr_1:table", "--with", "3dmod"), "name their tomogram: --map"),
    ],
)
def test_what_cannot_be_shown_is_one_line(
    done: Path, noted: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], said: str
) -> None:
    monkeypatch.chdir(done)
    result = engine("show", *words, "-o", str(noted.parent / "out"))
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1), result.output
    assert said in result.stderr
    assert not noted.exists()
