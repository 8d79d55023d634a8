"""How far a project is, told from its files."""

from __future__ import annotations

import dataclasses
import os
import re
from pathlib import Path

import pytest
import toy

from engine.events import ChunkDone
from engine.pace import Progress
from engine.run import run
from engine.status import Status, status
from engine.store import Store


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> toy.ToyProject:
    made = toy.project(tmp_path)
    toy.use(monkeypatch, made)
    return made


def test_nothing_is_done_before_the_first_run(project: toy.ToyProject) -> None:
    now = status(project)
    assert (now.n_done, now.n_steps, now.n_stale, now.ite, now.now, now.holder) == (0, 4, 0, None, None, None)
    assert not now.is_running
    assert not project.store_folder.exists()


def test_a_finished_project_shows_its_newest_numbers(project: toy.ToyProject) -> None:
    run([project.path])
    now = status(project)
    assert now.is_complete
    assert (now.ite, now.round, now.resolution_A) == (3, 1, 9.5)
    assert now.mean_cc == Store(project.store_folder).read("ite_0003", "table")["cc"].mean()
    assert status(dataclasses.replace(project, steps=toy.steps((5.0, 4.0, 4.0)))).n_stale == 2


def test_a_running_project_shows_step_speed_and_time_left(
    project: toy.ToyProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOY_WAIT_S", "0.02")
    monkeypatch.setattr("engine.run.CHUNK_EVENT_S", 0.0)
    seen: list[Status] = []

    def look(event: object) -> None:
        if isinstance(event, ChunkDone) and event.step == "ite_0002" and event.done == 6:
            seen.append(status(project))

    run([project.path], listen=look)
    (now,) = seen
    assert now.is_running
    assert (now.n_done, now.ite) == (2, 1)
    assert now.now is not None
    assert (now.now.step, now.now.ite, now.now.done, now.now.total) == ("ite_0002", 2, 5, 8)
    assert 1 < now.now.per_second < 50
    assert now.now.eta_s == pytest.approx(3 / now.now.per_second)
    assert now.now.run_eta_s == pytest.approx(11 / now.now.per_second)


def test_the_line_of_a_running_project_tells_who_runs_it(project: toy.ToyProject) -> None:
    from engine.cli.watching import status_line

    with Store(project.store_folder).lock():
        now = status(project)
        assert now.is_running
        text = rf"running on \S+, process {os.getpid()} since 20\S+ \S+, last sign of life \d\.\d s ago$"
        assert re.search(text, status_line(now))
        assert now.holder is not None
        dead = dataclasses.replace(now.holder, is_alive=False, silent_s=7200.0)
    assert not status(project).is_running
    text = rf"stopped without a word \(\S+, process {os.getpid()} since 20\S+ \S+, last sign of life 2 h 0 min ago\)$"
    assert re.search(text, status_line(dataclasses.replace(now, holder=dead)))


def test_a_plan_that_cannot_be_made_is_a_problem_not_a_failure(project: toy.ToyProject) -> None:
    run([project.path])
    now = status(toy.with_file_input(project, "gone.csv"))
    assert "gone.csv" in now.problem
    assert now.n_done == 4


def test_a_step_that_counts_nothing_is_shown_without_a_count(project: toy.ToyProject) -> None:
    from engine.cli.watching import status_line

    now = Progress("ite_0002", 2, 1, 0, 0, 0.0, None, None)
    assert status_line(dataclasses.replace(status(project), now=now)) == "pr_1: 0 of 4 steps, ite_0002"
    counted = dataclasses.replace(now, done=3, total=8)
    assert status_line(dataclasses.replace(status(project), now=counted)).endswith("ite_0002: 3 of 8")
