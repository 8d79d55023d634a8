"""Addresses become values."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import toy

from engine.data import Curve, Table, Volume
from engine.faults import EngineError
from engine.query import query
from engine.run import run


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    project = toy.project(tmp_path)
    toy.use(monkeypatch, project)
    run([project.path])
    return tmp_path


def test_one_iteration_is_a_value_and_several_are_values(folder: Path) -> None:
    answer = query("pr_1:a", folder=folder)
    assert isinstance(answer.value, Volume)
    (found,) = answer.found
    assert (found.ite, found.half, found.step, found.item_path) == (3, None, "ite_0003", "refs/001/average")
    assert found.path_of_file == folder / "pr_1" / "ite_0003.h5"
    several = query("pr_1:table:ite=1:last", folder=folder)
    assert list(several.values) == [1, 2, 3]
    assert all(isinstance(value, Table) for value in several.values.values())
    with pytest.raises(ValueError, match="3 values"):
        _ = several.value


def test_a_path_names_the_project_as_well(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert query(f"{folder}/pr_1:fsc").value.notes["resolution_at_0.143_A"] == 9.5
    assert query("pr_1.toml:fsc", folder=folder).found[0].ite == 3
    monkeypatch.chdir(folder)
    assert len(query("pr_1:t").value) == 8


def test_tables_are_cut_down_as_asked(folder: Path) -> None:
    cc = query("pr_1:cc", folder=folder).value
    assert cc.shape == (8,)
    assert np.array_equal(cc, query("pr_1:t", folder=folder).value["cc"])
    chosen = query("pr_1:t", folder=folder, where=f"cc > {np.median(cc)}", sort="-cc").value
    assert chosen["cc"].tolist() == sorted(cc[cc > np.median(cc)], reverse=True)
    curve = query("pr_1:t", folder=folder, columns="tag, cc", sort="tag").value
    assert isinstance(curve, Curve)
    assert list(curve.columns) == ["tag", "cc"]
    assert query("pr_1:t:tag=3", folder=folder).value.tags.tolist() == [3]


def test_a_particle_is_found_by_its_tag(folder: Path) -> None:
    box = query("pr_1:data:tag=3", folder=folder).value
    assert np.array_equal(box.data, query("pr_1:particles", folder=folder).value.read(3))
    with pytest.raises(EngineError, match="no particle 99; there are 8"):
        _ = query("pr_1:data:tag=99", folder=folder).value


def test_a_name_alone_lists_what_there_is(folder: Path) -> None:
    for text in ("pr_1", "pr_1:"):
        listing = {row.item: row for row in query(text, folder=folder).listing}
        assert set(listing) == {"average", "table", "fsc", "particles", "summary"}
        assert (listing["average"].what, listing["average"].shape) == ("volume", (8, 8, 8))
        assert listing["particles"].shape == (8, 8, 8, 8)
        assert listing["particles"].steps == ("ite_0000",)
        assert listing["fsc"].steps == ("ite_0001", "ite_0002", "ite_0003")


def test_a_stored_step_may_lack_an_item_that_the_plan_makes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = toy.project(folder)
    project.steps[:] = [dataclasses.replace(step, makes=(*step.makes, "mask")) for step in project.steps]
    toy.use(monkeypatch, project)
    assert {row.item for row in query("pr_1", folder=folder).listing} == {
        *("average", "table", "fsc", "particles", "summary")
    }


def test_the_log_is_the_list_of_events(folder: Path) -> None:
    events = query("pr_1:log", folder=folder).value
    assert events[0]["event"] == "ProjectStarted"
    assert events[-1]["event"] == "ProjectDone"


@pytest.mark.parametrize(
    ("text", "options", "says"),
    [
        ("pr_2:a", {}, "no project 'pr_2'"),
        ("pr_1:avrage", {}, "did you mean 'average'"),
        ("pr_1:a", {"where": "cc > 0"}, "for tables; this is a volume"),
        ("pr_1:a:tag=1", {}, "has no tags"),
        ("pr_1:t", {"sort": "ccc"}, "did you mean 'cc"),
        ("pr_1:t", {"where": "tmo == 1"}, "did you mean 'tomo'"),
        ("pr_1:t:tag=44", {}, "no row has the tag 44"),
        (":a", {}, "the name of the project is missing"),
        ("", {}, "the name of the project is missing"),
        ("pr_1:a:ite=1:ite=2", {}, "ite is given twice"),
        ("pr_1:log:ite=1", {}, "log takes no keys"),
        ("pr_1:log", {"sort": "time"}, "for tables; this is a log"),
        ("pr_1", {"columns": "cc"}, "for tables; this is a listing"),
        ("pr_1:summary", {"columns": "cc"}, "for tables; this is a"),
        ("pr_1:cc", {"columns": "tag"}, "is one column already"),
    ],
)
def test_a_wrong_question_is_told_the_right_one(folder: Path, text: str, options: dict, says: str) -> None:
    with pytest.raises(EngineError) as caught:
        _ = query(text, folder=folder, **options).value
    assert says in str(caught.value)


def test_what_is_not_computed_says_how_to_compute_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = toy.project(tmp_path)
    toy.use(monkeypatch, project)
    for text in ("pr_1", "pr_1:a", "pr_1:a:ite=2"):
        with pytest.raises(EngineError, match="pr_1 has not been run: engine run"):
            query(text, folder=tmp_path)
    run([project.path])
    (tmp_path / "pr_1" / "ite_0003.h5").unlink()
    assert query("pr_1:a", folder=tmp_path).found[0].ite == 2
    with pytest.raises(EngineError, match="not there yet"):
        query("pr_1:a:ite=3", folder=tmp_path)
    with pytest.raises(EngineError, match="ite 3 is not there yet"):
        query("pr_1:a:ite=[2,3]", folder=tmp_path)
