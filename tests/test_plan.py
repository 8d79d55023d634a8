"""A plan says what is kept, done or stale, and why; an address finds its step."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import pytest
import toy

from engine.address import parse
from engine.faults import EngineError
from engine.locate import locate
from engine.plan import identity, plan
from engine.run import run
from engine.status import status
from engine.step import Input, Step


def states(project: toy.ToyProject, redo: tuple[str, ...] = ()) -> list[str]:
    return [one.state for one in plan(project, redo)]


@pytest.fixture
def scratched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> toy.ToyProject:
    """A project of five steps, all stored, of which the second is scratch."""
    project = toy.with_scratch(toy.project(tmp_path))
    toy.use(monkeypatch, project)
    run([project.path])
    assert (project.store_folder / "kept.h5").is_file()
    return project


@pytest.fixture
def done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> toy.ToyProject:
    """A project of four steps, all stored."""
    project = toy.project(tmp_path)
    toy.use(monkeypatch, project)
    run([project.path])
    return project


def test_without_results_everything_is_to_be_done(tmp_path: Path) -> None:
    planned = plan(toy.project(tmp_path))
    assert [(one.state, one.reason) for one in planned] == [("do", "not there yet")] * 4


def test_what_is_stored_under_its_key_is_kept(done: toy.ToyProject) -> None:
    assert states(done) == ["keep"] * 4


def test_editing_the_settings_of_step_three_keeps_the_first_two_and_names_the_change(done: toy.ToyProject) -> None:
    planned = plan(dataclasses.replace(done, steps=toy.steps((5.0, 4.0, 5.0))))
    assert [one.state for one in planned] == ["keep", "keep", "stale", "stale"]
    assert planned[2].reason == "cone.step_deg: 5.0 → 4.0"
    assert planned[3].reason == "its input ite_0002 changed"


def test_another_version_of_a_step_is_said(done: toy.ToyProject) -> None:
    planned = plan(dataclasses.replace(done, steps=toy.steps(version=2)))
    assert planned[1].reason == "made by another version of the step (1, now 2)"


def test_a_missing_step_is_done_and_what_follows_is_kept_because_the_bits_will_be_the_same(
    done: toy.ToyProject,
) -> None:
    (done.store_folder / "ite_0001.h5").unlink()
    assert states(done) == ["keep", "do", "keep", "keep"]


def test_redo_takes_along_what_follows(done: toy.ToyProject) -> None:
    assert states(done, ("ite_0002",)) == ["keep", "keep", "do", "do"]
    assert states(done, ("ite_*3",)) == ["keep", "keep", "keep", "do"]
    assert states(done, ("all",)) == ["do"] * 4
    assert states(done, ("stale",)) == ["keep"] * 4
    edited = dataclasses.replace(done, steps=toy.steps((5.0, 4.0, 5.0)))
    assert states(edited, ("stale",)) == ["keep", "keep", "do", "do"]
    assert plan(edited, ("stale",))[2].reason == "cone.step_deg: 5.0 → 4.0"


def test_a_redone_step_may_be_unreadable(done: toy.ToyProject) -> None:
    (done.store_folder / "ite_0003.h5").write_bytes(b"nothing")
    with pytest.raises(EngineError, match="not a whole results"):
        plan(done)
    assert states(done, ("ite_0003",))[-1] == "do"


def test_a_changed_input_file_makes_stale_and_is_named(done: toy.ToyProject, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = toy.with_file_input(done, "list.csv")
    with pytest.raises(EngineError, match=r"list\.csv: no such file"):
        plan(listed)
    table = done.campaign / "list.csv"
    table.write_text("tag\n1\n")
    toy.use(monkeypatch, listed)
    run([listed.path], redo=["stale"])
    os.utime(table, (1, 1))
    assert states(listed) == ["keep"] * 4
    table.write_text("tag\n2\n")
    planned = plan(listed)
    assert planned[0].state == "stale"
    assert planned[0].reason == "input list (list.csv) changed"


def test_a_folder_is_known_by_its_names_sizes_and_times(tmp_path: Path) -> None:
    (tmp_path / "particle_1.em").write_bytes(b"123")
    before = identity(tmp_path)
    assert identity(tmp_path) == before
    (tmp_path / "particle_2.em").write_bytes(b"123")
    assert identity(tmp_path) != before


def test_a_large_file_is_known_by_size_time_and_its_beginning(tmp_path: Path) -> None:
    file = tmp_path / "tomogram.mrc"
    with file.open("wb") as handle:
        handle.truncate(65 << 20)
    before = identity(file)
    os.utime(file, ns=(5, 5))
    assert identity(file) != before


def test_scratch_that_nothing_needs_is_kept_whether_it_is_there_or_not(scratched: toy.ToyProject) -> None:
    assert states(scratched) == ["keep"] * 5
    (scratched.store_folder / "kept.h5").unlink()
    assert states(scratched) == ["keep"] * 5
    now = status(scratched)
    assert (now.n_done, now.n_steps, now.is_complete) == (5, 5, True)
    (outcome,) = run([scratched.path])
    assert outcome.stored == ()
    assert not (scratched.store_folder / "kept.h5").exists()


def test_scratch_is_made_again_for_a_step_that_has_to_be_done(scratched: toy.ToyProject) -> None:
    (scratched.store_folder / "ite_0003.h5").unlink()
    assert states(scratched) == ["keep", "keep", "keep", "keep", "do"]
    (scratched.store_folder / "kept.h5").unlink()
    assert states(scratched) == ["keep", "do", "keep", "keep", "do"]
    (outcome,) = run([scratched.path])
    assert outcome.stored == ("kept", "ite_0003")


def test_other_scratch_makes_nothing_stale_and_is_replaced_without_asking(scratched: toy.ToyProject) -> None:
    other = toy.with_scratch(toy.project(scratched.campaign), number=1)
    assert states(other) == ["keep"] * 5
    (scratched.store_folder / "ite_0003.h5").unlink()
    planned = plan(other)
    assert [one.state for one in planned] == ["keep", "do", "keep", "keep", "do"]
    assert planned[1].reason == "number: 0 → 1"


def test_scratch_is_stale_with_all_that_reads_it_and_redone_with_it(scratched: toy.ToyProject) -> None:
    edited = toy.with_scratch(toy.project(scratched.campaign, cones=(4.0, 5.0, 5.0)), number=1)
    assert states(edited) == ["keep", "stale", "stale", "stale", "stale"]
    assert states(edited, ("stale",)) == ["keep", "do", "do", "do", "do"]
    assert states(scratched, ("kept",)) == ["keep", "do", "keep", "keep", "keep"]
    assert states(scratched, ("ite_0003",)) == ["keep", "keep", "keep", "keep", "do"]
    assert states(scratched, ("all",)) == ["do"] * 5


def test_no_address_names_scratch(scratched: toy.ToyProject) -> None:
    with pytest.raises(EngineError, match="has no item 'kept'"):
        locate(scratched, parse("pr_1:kept"))


def test_the_neighbours_edit_is_a_changed_input(done: toy.ToyProject, monkeypatch: pytest.MonkeyPatch) -> None:
    follower = toy.follower(done.campaign, done)
    toy.use(monkeypatch, done, follower)
    run([follower.path])
    assert states(follower) == ["keep"]
    edited = dataclasses.replace(done, steps=toy.steps((5.0, 5.0, 4.0)))
    planned = plan(dataclasses.replace(follower, neighbours={"pr_1": edited}))
    assert planned[0].state == "stale"
    assert "input reference (pr_1:a) changed" in planned[0].reason
    assert "particles" not in planned[0].reason


def test_projects_that_read_each_other_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def reader(name: str, of: str) -> toy.ToyProject:
        sources = {"table": Input("table", parse(f"{of}:table"))}
        only = Step("cut", toy.iterate, 1, toy.Settings(), ("table",), sources)
        return toy.ToyProject(tmp_path / f"{name}.toml", [only])

    one, two = reader("pr_1", "pr_2"), reader("pr_2", "pr_1")
    one.neighbours["pr_2"] = two
    two.neighbours["pr_1"] = one
    toy.use(monkeypatch, one, two)
    with pytest.raises(EngineError, match="pr_1 and pr_2 read from each other"):
        plan(one)


def found(project: toy.ToyProject, text: str, complete: set[str] | None = None) -> list[tuple[str, str]]:
    return [(step.name, path) for step, path in locate(project, parse(text), complete)]


def test_an_address_finds_the_steps_that_make_its_item(tmp_path: Path) -> None:
    project = toy.project(tmp_path)
    assert found(project, "pr_1:a") == [("ite_0003", "refs/001/average")]
    assert found(project, "pr_1:a:ref=1:ite=2") == [("ite_0002", "refs/001/average")]
    assert found(project, "pr_1:t", {"ite_0000", "ite_0001"}) == [("ite_0001", "table")]
    assert found(project, "pr_1:t", set()) == []
    assert [name for name, _ in found(project, "pr_1:t:ite=1:2")] == ["ite_0001", "ite_0002"]
    assert [name for name, _ in found(project, "pr_1:t:ite=1:last")] == ["ite_0001", "ite_0002", "ite_0003"]
    assert len(found(project, "pr_1:t:ite=*")) == 4
    assert found(project, "pr_1:particles") == [("ite_0000", "particles")]


def test_halves_are_found_apart(tmp_path: Path) -> None:
    steps = toy.steps(half="even") + toy.steps(half="odd") + toy.steps()
    project = toy.ToyProject(tmp_path / "pr_1.toml", steps)
    assert found(project, "pr_1:a:half=odd") == [("half_odd/ite_0003", "refs/001/average")]
    assert found(project, "pr_1:a") == [("ite_0003", "refs/001/average")]
    only_halves = dataclasses.replace(project, steps=steps[:8])
    with pytest.raises(EngineError, match="half=even or half=odd"):
        found(only_halves, "pr_1:a")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("pr_1:avrage", "did you mean 'average'"),
        ("pr_1:nonsense", "it has average, table, fsc"),
        ("pr_1:mask", "makes no mask; it makes average"),
        ("pr_1:a:ite=7", "ite 0 to 3, not in 7"),
        ("pr_1:fsc:ite=0", "ite 1 to 3, not in 0"),
        ("pr_1:a:half=even", "no halves"),
        ("pr_1:a:ref=2", "no reference 2; there are 1"),
        ("pr_1:t:ref=1", "not kept by reference"),
    ],
)
def test_an_impossible_address_is_told_what_there_is(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(EngineError) as caught:
        found(toy.project(tmp_path), text)
    assert says in str(caught.value)
