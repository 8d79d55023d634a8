"""A campaign with two references, from its files to Dynamo's layout, through the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from typer.testing import CliRunner

from engine.address import Numbers, parse
from engine.cli.commands import app
from engine.faults import EngineError
from engine.files import read_table, read_volume
from engine.query import query

TRUTH = """\
kind = "phantom"
[object]
blobs = 30
radius_px = 7
conformations = 2
domain_turn_deg = 90
[boxes]
count = 20
box_px = 24
snr = 0.5
shift_px = 1
[start]
angle_error_deg = 6
shift_error_px = 1
template_lowpass_fpx = 5
"""
PROJECT = """\
kind = "alignment"
[data]
particles = "truth:particles"
table = "truth:table"
template = ["truth:template:ref=1", "truth:template:ref=2"]
[masks]
classification = { shape = "sphere", radius_px = 9 }
[[rounds]]
iterations = 2
cone = { range_deg = 16, step_deg = 8 }
azimuth = { range_deg = 16, step_deg = 8 }
shifts = { limits_xyz_px = [3, 3, 3], origin = "project-start" }
bandpass = { lowpass_fpx = 7 }
swap_references = true
"""
COMPARISON = """\
kind = "comparison"
[data]
table = "mra:table"
truth = "truth:truth"
"""
FOLLOWER = """\
kind = "alignment"
[data]
particles = "truth:particles"
table = "mra:table:ref=2"
template = "mra:a:ref=2"
halves = "parity"
[[rounds]]
cone = { range_deg = 0 }
azimuth = { range_deg = 0 }
shifts = { limits_xyz_px = [2, 2, 2] }
bandpass = { lowpass_fpx = 7 }
"""


def engine(*words: str) -> Result:
    return CliRunner().invoke(app, list(words), catch_exceptions=False)


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("campaign")
    texts = {"truth": TRUTH, "mra": PROJECT, "compared": COMPARISON, "next": FOLLOWER}
    for name, text in texts.items():
        (folder / f"{name}.toml").write_text(text)
    checked = engine("check", str(folder))
    assert checked.exit_code == 0, checked.output
    assert "s a particle and reference, of 2" in checked.output
    done = engine("run", str(folder), "--gpus", "none")
    assert done.exit_code == 0, done.output
    return folder


@pytest.fixture
def here(campaign: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(campaign)
    return campaign


def rotations(folder: Path) -> int:
    (told,) = json.loads(engine("check", str(folder / "pr.toml"), "--json").stdout)
    return int(told["forecast"]["rotations"])


def test_the_forecast_counts_every_reference(here: Path, tmp_path: Path) -> None:
    (tmp_path / "truth.toml").write_text(TRUTH)
    (tmp_path / "pr.toml").write_text(PROJECT)
    both = rotations(tmp_path)
    one = PROJECT.replace('["truth:template:ref=1", "truth:template:ref=2"]', '"truth:template"')
    one = one.replace("swap_references = true", "").replace("classification", "fsc")
    (tmp_path / "pr.toml").write_text(one)
    assert both == 2 * rotations(tmp_path) > 0
    (tmp_path / "pr.toml").write_text(
        PROJECT.replace('template = ["truth:template:ref=1", "truth:template:ref=2"]', "references = 4")
    )
    assert rotations(tmp_path) == 2 * both


def test_the_summary_tells_the_classes_and_how_stable_they_are(here: Path) -> None:
    first, last = (query(f"mra:summary:ite={number}").value for number in (1, 2))
    assert "adjusted Rand index" not in first
    assert last["surviving references"] == "1, 2"
    assert last["particles of reference 1"] + last["particles of reference 2"] == 20
    assert last["adjusted Rand index"] > 0.9
    assert last["changed reference"] == 0
    assert query("compared:summary").value["adjusted Rand index of the references"] > 0.9
    assert "adjusted Rand index" in engine("query", "mra:summary").stdout


def test_an_address_names_one_reference_several_or_all(here: Path, tmp_path: Path) -> None:
    table = query("mra:table").value
    assert set(table["ref"]) == {1, 2}
    assert query("mra:table:ref=2").value.equals(table.where(table["ref"] == 2))
    assert len(query("mra:poses:ref=2").value) == 20
    assert [one.item_path for one in query("mra:a").found] == ["refs/001/average"]
    everything = query("mra:a:ref=*:ite=0:last")
    assert list(everything.values) == [f"{ite}:ref={ref}" for ite in (0, 1, 2) for ref in (1, 2)]
    assert [one.ref for one in query("mra:fsc:ref=[1,2]").found] == [1, 2]
    shown = engine("query", "mra:a:ref=*").stdout
    assert "mra:average:ite=2:ref=1\n" in shown
    assert "mra:average:ite=2:ref=2\n" in shown
    assert engine("query", "mra:a:ref=*", "-o", str(tmp_path / "a.em")).exit_code == 0
    assert engine("query", "mra:rt:ref=*:ite=*", "-o", str(tmp_path / "t.tbl")).exit_code == 0
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names[:2] == ["a_ref_001.em", "a_ref_002.em"]
    assert names[2:] == [f"t_ref_{ref:03d}_ite_{ite:04d}.tbl" for ref in (1, 2) for ite in (0, 1, 2)]
    assert "mra:table" in engine("query", "mra").stdout


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("mra:a:ref=3", "no reference 3; there are 1, 2"),
        ("mra:a:ref=[1,7]", "no reference 7; there are 1, 2"),
        ("mra:a:ref=5:9", "no such reference; there are 1, 2"),
        ("mra:mask:ref=1", "mask is not kept by reference"),
        ("mra:a:ref=last", "ref is a number, *, a range 1:3 or a list [1,3], not 'last'"),
        ("mra:table:ite=0", None),
    ],
)
def test_a_reference_that_is_not_there_is_told_what_there_is(here: Path, address: str, words: str | None) -> None:
    if words is None:
        assert query(address).found[0].item_path == "refs/001/table"  # nobody has chosen yet: that of the first
        return
    with pytest.raises(EngineError) as problem:
        query(address)
    assert words in str(problem.value)


def test_check_knows_how_many_references_a_neighbour_has(here: Path, tmp_path: Path) -> None:
    for name, text in (("truth", TRUTH), ("mra", PROJECT)):
        (tmp_path / f"{name}.toml").write_text(text)
    for ref, words in (
        ("3", "no reference 3; there are 1, 2"),
        ("*", "names 2 results, one is needed (give one ite and"),
    ):
        (tmp_path / "next.toml").write_text(FOLLOWER.replace("mra:a:ref=2", f"mra:a:ref={ref}"))
        told = engine("check", str(tmp_path / "next.toml"))
        assert told.exit_code == 1
        assert f" data.template: mra:a:ref={ref}" in told.stdout
        assert "next.toml:5:12: E2" in told.stdout
        assert words in told.stdout


def test_a_run_goes_on_where_it_stopped_and_comes_to_the_same(here: Path) -> None:
    before = {ref: query(f"mra:a:ref={ref}").value.data for ref in (1, 2)}
    (here / "mra" / "ite_0002.h5").unlink()
    assert "mra: 1 step to do, 3 kept" in engine("run", "mra.toml", "--gpus", "none").output
    for ref, data in before.items():
        np.testing.assert_array_equal(query(f"mra:a:ref={ref}").value.data, data)


def test_a_class_is_where_the_next_project_starts(here: Path) -> None:
    tags = query("mra:table:ref=2").value.tags
    np.testing.assert_array_equal(query("next:table").value.tags, tags)


def test_results_lie_where_dynamo_has_them(here: Path, tmp_path: Path) -> None:
    assert engine("query", "mra", "--as-dynamo", str(tmp_path / "out")).exit_code == 0
    results = tmp_path / "out" / "results"
    assert (results / "ite_0002" / "currently_surviving_references_ite_0002.txt").read_text() == "1 2\n"
    averages = results / "ite_0002" / "averages"
    for ref in (1, 2):
        volume = read_volume(averages / f"average_ref_{ref:03d}_ite_0002.em")
        np.testing.assert_array_equal(volume.data, query(f"mra:a:ref={ref}").value.data)
        table = read_table(averages / f"refined_table_ref_{ref:03d}_ite_0002.tbl")
        assert len(table) == 20
        np.testing.assert_array_equal(table["averaged"], table["ref"] == ref)
        np.testing.assert_array_equal(table["ref"], query("mra:table").value["ref"])
        for name in (f"eo_fsc_ref_{ref:03d}_ite_0002.fsc", f"starting_table_ref_{ref:03d}_ite_0002.tbl"):
            assert (averages / name).is_file()
        assert (tmp_path / "out" / "settings" / f"template_initial_ref_{ref:03d}.em").is_file()
    assert (tmp_path / "out" / "settings" / "classification_mask.em").is_file()
    assert not (results / "ite_0003" / "averages" / "average_ref_001_ite_0003.em").exists()


def test_references_in_an_address_are_read() -> None:
    assert parse("p:a").ref is None
    assert parse("p:a:ref=2").ref == Numbers(listed=(2,))
    assert parse("p:a:ref=*").ref == Numbers(first=0)
    assert parse("p:a:ref=1:2:ite=3").ref == Numbers(first=1, last=2)
