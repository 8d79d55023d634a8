"""Results laid out as Dynamo does are found where its users' scripts look, and hold the same numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from engine.cli.commands import app
from engine.dynamo.layout import lay_out
from engine.faults import EngineError
from engine.files import read_table, read_volume
from engine.query import query
from engine.run import run

TRUTH = """\
kind = "phantom"
[object]
blobs = 8
radius_px = 2
[boxes]
count = 8
box_px = 24
[start]
template_lowpass_fpx = 4
"""
ALIGNMENT = """\
kind = "alignment"
[data]
particles = "truth:particles"
table = "truth:table"
template = "truth:template"
halves = "parity"
[[rounds]]
iterations = 2
cone = { range_deg = 10, step_deg = 5 }
azimuth = { range_deg = 0 }
refine = { levels = 0 }
shifts = { limits_xyz_px = [2, 2, 2] }
bandpass = { highpass_fpx = 0, lowpass_fpx = 5 }
symmetry = "C2"
"""


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("campaign")
    (folder / "truth.toml").write_text(TRUTH)
    (folder / "pr_1.toml").write_text(ALIGNMENT)
    run([folder], gpus=())
    return folder


def test_every_iteration_lies_where_dynamo_has_it(campaign: Path, tmp_path: Path) -> None:
    written = lay_out(campaign / "pr_1", tmp_path / "pr_1")
    assert all(path.is_file() for path in written)
    averages = tmp_path / "pr_1" / "results" / "ite_0002" / "averages"
    assert sorted(path.name for path in averages.iterdir()) == [
        "average_ref_001_ite_0002.em",
        "average_symmetrized_ref_001_ite_0002.em",
        "eo_fsc_ref_001_ite_0002.fsc",
        "refined_table_ref_001_ite_0002.tbl",
        "starting_reference_ref_001_ite_0002.em",
        "starting_table_ref_001_ite_0002.tbl",
    ]
    assert sorted(path.name for path in (tmp_path / "pr_1" / "settings").iterdir()) == [
        "mask.em",
        "smoothing_mask.em",
        "table_initial_ref_001.tbl",
        "template_initial_ref_001.em",
    ]
    text = (averages / "refined_table_ref_001_ite_0002.tbl").read_text()
    table = query(f"{campaign}/pr_1:table:ite=2").value
    read = read_table(averages / "refined_table_ref_001_ite_0002.tbl")
    assert len(text.split("\n")[0].split()) == 42
    np.testing.assert_allclose(read.angles, table.angles, atol=1e-7)
    np.testing.assert_allclose(read.positions_xyz_px, table.positions_xyz_px, atol=1e-7)
    for name, item in (("average", "a"), ("average_symmetrized", "as")):
        volume = read_volume(averages / f"{name}_ref_001_ite_0002.em")
        np.testing.assert_array_equal(volume.data, query(f"{campaign}/pr_1:{item}:ite=2").value.data)
    fsc = np.loadtxt(averages / "eo_fsc_ref_001_ite_0002.fsc")
    np.testing.assert_allclose(fsc, query(f"{campaign}/pr_1:fsc:ite=2").value["fsc"][1:], atol=1e-5)


def test_an_iteration_starts_from_what_the_one_before_ended_with(campaign: Path, tmp_path: Path) -> None:
    lay_out(campaign / "pr_1", tmp_path / "out")
    results = tmp_path / "out" / "results"
    first, second, next_one = (results / f"ite_{number:04d}" / "averages" for number in (1, 2, 3))
    refined = (first / "refined_table_ref_001_ite_0001.tbl").read_bytes()
    assert (second / "starting_table_ref_001_ite_0002.tbl").read_bytes() == refined
    initial = (tmp_path / "out" / "settings" / "table_initial_ref_001.tbl").read_bytes()
    assert (first / "starting_table_ref_001_ite_0001.tbl").read_bytes() == initial
    names = sorted(path.name for path in next_one.iterdir())
    assert names == ["starting_reference_ref_001_ite_0003.em", "starting_table_ref_001_ite_0003.tbl"]


def test_half_sets_are_projects_of_their_own(campaign: Path, tmp_path: Path) -> None:
    lay_out(campaign / "pr_1", tmp_path / "out")
    for half, parity in (("odd", 1), ("even", 0)):
        averages = tmp_path / "out" / f"half_{half}" / "results" / "ite_0002" / "averages"
        table = read_table(averages / "refined_table_ref_001_ite_0002.tbl")
        assert set(table.tags % 2) == {parity}
        volume = read_volume(averages / "average_ref_001_ite_0002.em")
        np.testing.assert_array_equal(volume.data, query(f"{campaign}/pr_1:a:half={half}").value.data)


def test_nothing_is_written_over(campaign: Path, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "log.txt").touch()
    with pytest.raises(EngineError, match="not empty"):
        lay_out(campaign / "pr_1", tmp_path / "there")
    with pytest.raises(EngineError, match="of kind phantom"):
        lay_out(campaign / "truth", tmp_path / "new")
    with pytest.raises(EngineError, match="name it alone: pr_1"):
        lay_out("pr_1:average", tmp_path / "new")
    (tmp_path / "pr_2.toml").write_text(ALIGNMENT)
    with pytest.raises(EngineError, match="no results yet"):
        lay_out(tmp_path / "pr_2", tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_the_command_says_how_many_files(campaign: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["query", f"{campaign}/pr_1", "--as-dynamo", "out"], catch_exceptions=False)
    assert done.stdout == "50 files written below out\n"
    done = CliRunner().invoke(app, ["query", f"{campaign}/pr_1", "--as-dynamo", "new", "--sort", "cc"])
    assert done.exit_code == 1
    assert not (tmp_path / "new").exists()
