"""What is told of a run while it goes: in logs, on a terminal, and by status --watch from its files."""

from __future__ import annotations

import dataclasses
import json
import os
import pty
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import toy
from small_campaign import TRUTH, engine

from engine.cli import watching
from engine.cli.progress import Lines, Pace, _place
from engine.events import ChunkDone, Noted, ProjectDone, ProjectStarted, Resumed, StepKept, StepStarted, StepStored
from engine.status import Status, status
from engine.step import Cost


def searching(made: toy.ToyProject) -> toy.ToyProject:
    """The project, whose iterations try 1000 rotations for each particle."""
    later = [dataclasses.replace(step, cost=Cost(rotations=1000)) for step in made.steps[1:]]
    return dataclasses.replace(made, steps=[made.steps[0], *later])


def test_a_line_of_a_log_tells_round_iteration_particles_speed_and_time_left(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    times = iter([0, 0, 0, 10, 40, 60, 65, 140])
    lines = Lines([searching(toy.project(tmp_path))], clock=lambda: float(next(times)))
    lines(ProjectStarted("pr_1", 4, 3))
    lines(StepKept("pr_1", "ite_0000"))
    lines(StepStarted("pr_1", "ite_0001", 2, "not there yet"))
    lines(Resumed("pr_1", "ite_0001", 20, 100))
    lines(ChunkDone("pr_1", "ite_0001", 60, 100))
    lines(ChunkDone("pr_1", "ite_0001", 61, 100))
    lines(Noted("pr_1", "ite_0001", "a worker died"))
    lines(StepStored("pr_1", "ite_0001", 140.0))
    assert capsys.readouterr().out.splitlines() == [
        "pr_1: 3 steps to do, 1 kept",
        "pr_1: ite_0001 begins (not there yet)",
        "pr_1: ite_0001: of 100 particles 20 were done before",
        # 40 particles in 40 s; 40 more and two further iterations of 100
        "pr_1: ite_0001 (round 1): 60 of 100, 1/s, 1,000 orientations/s, 4 min 0 s left",
        "pr_1: ite_0001: a worker died",
        "pr_1: ite_0001 stored after 2 min 20 s",
    ]


def test_a_steps_place_among_the_rounds(tmp_path: Path) -> None:
    steps = {step.name: step for step in toy.project(tmp_path).steps}
    later = {f"late_{number}": dataclasses.replace(steps["ite_0003"], labels={"round": 2}) for number in range(2)}
    later = {name: dataclasses.replace(step, name=name) for name, step in later.items()}
    assert _place({**steps, **later}, "late_1") == (1, 2, 1, 2)
    assert _place({**steps, **later}, "ite_0002") == (0, 2, 1, 3)
    assert _place(steps, "ite_0000") is None


def states(project: toy.ToyProject, monkeypatch: pytest.MonkeyPatch, *found: Status) -> None:
    """Each look finds the next of these."""
    left = list(found)
    monkeypatch.setattr(watching, "_looked_at", lambda paths: {project.path: left.pop(0)})


def test_without_a_terminal_only_what_changes_is_told_until_all_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    project = toy.project(tmp_path)
    first = status(project)  # type: ignore[arg-type]
    half, done = (dataclasses.replace(first, n_done=number) for number in (2, 4))
    states(project, monkeypatch, first, first, half, half, done)
    watching.status([project.path], watch=True, every=0.01)
    assert capsys.readouterr().out.splitlines() == ["pr_1: 0 of 4 steps", "pr_1: 2 of 4 steps", "pr_1: 4 of 4 steps"]
    states(project, monkeypatch, half, half, done)
    watching.status([project.path], watch=True, every=0.01, json=True)
    assert [json.loads(line)["n_done"] for line in capsys.readouterr().out.splitlines()] == [2, 4]


def test_ctrl_c_ends_watching_without_a_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "truth.toml").write_text(TRUTH)

    def interrupted(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(watching.time, "sleep", interrupted)
    result = engine("status", "truth.toml", "--watch")
    assert (result.exit_code, result.output) == (0, "truth: 0 of 1 step\n")


def test_on_a_terminal_the_line_is_redrawn_while_another_process_runs(tmp_path: Path) -> None:
    (tmp_path / "truth.toml").write_text(TRUTH)
    words = [sys.executable, "-m", "engine"]
    leader, follower = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "100"}
    watch = subprocess.Popen(
        [*words, "status", "truth.toml", "--watch", "--every", "0.2"],
        stdout=follower,
        stderr=follower,
        env=environment,
        cwd=tmp_path,
    )
    os.close(follower)
    seen: list[bytes] = []

    def read() -> None:
        while True:
            try:
                part = os.read(leader, 65536)
            except OSError:
                return
            if not part:
                return
            seen.append(part)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    for _ in range(600):
        if b"0 of 1 step" in b"".join(seen):
            break
        time.sleep(0.1)
    subprocess.run([*words, "run", "truth.toml"], cwd=tmp_path, check=True, capture_output=True, timeout=300)
    assert watch.wait(timeout=60) == 0
    reader.join(timeout=10)
    os.close(leader)
    text = b"".join(seen)
    assert text.index(b"0 of 1 step") < text.index(b"1 of 1 step")
    assert b"\x1b[2K" in text  # the line before was erased


def test_the_end_of_a_project_is_told_in_a_log(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = Lines([])
    lines(ProjectDone("pr_1", 3, 0, 12.0))
    assert capsys.readouterr().out == "pr_1: done, 3 steps in 12 s\n"


def test_projects_of_one_name_in_two_folders_are_told_apart(tmp_path: Path) -> None:
    first, second = toy.project(tmp_path / "a"), toy.project(tmp_path / "b")
    pace = Pace([first, second])  # type: ignore[list-item]
    for project in (first, second):
        pace.hear(ProjectStarted("pr_1", 4, 4), 0.0)
        assert pace.projects["pr_1"] is project


def test_a_fault_of_a_neighbour_is_told_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tomos.toml").write_text('kind = "catalogue"\n[[tomograms]]\nnumber = 1\npth = "one.mrc"\n')
    (tmp_path / "cut.toml").write_text(
        'kind = "extraction"\neach = "tomogram"\n[data]\ntable = "all.tbl"\ncatalogue = "tomos:tomograms"\n'
        "[box]\nsize_px = 48\n"
    )
    result = engine("status", "cut.toml")
    assert (result.exit_code, result.output) == (0, "cut: 1 fault: engine check tomos.toml\n")
