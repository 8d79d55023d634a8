"""Runs end where they are asked to, and nobody else does: by a signal of a batch system, by `engine stop`, by a file."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import toy
from small_campaign import TRUTH, engine

from engine.devices import Work
from engine.events import ChunkDone, StopAsked
from engine.run import run
from engine.stop import Asked, stop
from engine.store import Store, lock, process
from engine.workers import can_fork

ENGINE = [sys.executable, "-m", "engine"]
seen_from_here = pytest.mark.skipif(not process.this_process()["boot"], reason="processes are looked up on Linux")

HOLDER = """
import sys, time
from pathlib import Path
from engine.interrupt import watched
from engine.store import Store
with Store(Path(sys.argv[1])).lock():
    if sys.argv[2] == "handles":
        with watched(lambda: print("asked", flush=True)):
            print("ready", flush=True)
            time.sleep(60)
    print("ready", flush=True)
    time.sleep(60)
"""


def holder(folder: Path, manner: str) -> subprocess.Popen[str]:
    """A process that has the lock and looks at nothing."""
    script = [sys.executable, "-c", HOLDER, str(folder), manner]
    made = subprocess.Popen(script, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert made.stdout is not None
    assert made.stdout.readline() == "ready\n"
    return made


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> toy.ToyProject:
    made = toy.project(tmp_path)
    toy.use(monkeypatch, made)
    return made


@seen_from_here
def test_engine_stop_ends_a_run_which_goes_on_from_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "truth.toml").write_text(TRUTH.replace("count = 6", "count = 20000"))
    words = [*ENGINE, "run", "truth.toml", "--workers", "1"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as going:
        assert going.stdout is not None
        assert "to do" in going.stdout.readline()
        result = engine("stop", "truth.toml", "--wait", "60", "--json")
        _, errors = going.communicate(timeout=60)
    assert result.exit_code == 0
    (told,) = json.loads(result.stdout)
    assert (told["project"], told["pid"], told["asked_by"], told["has_stopped"]) == ("truth", going.pid, "signal", True)
    assert going.returncode == 4
    assert "Go on with: engine run truth.toml --workers 1\n" in errors
    assert Store(tmp_path / "truth").lock_holder() is None


def test_where_nobody_runs_that_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "truth.toml").write_text(TRUTH)
    result = engine("stop", "truth.toml", "--wait", "5")
    assert (result.exit_code, result.stdout) == (0, "truth: nobody runs it\n")
    (tmp_path / "more.toml").write_text(TRUTH)
    result = engine("stop", ".")
    assert (result.exit_code, result.stdout) == (0, "nobody runs any of these projects\n")
    assert not (tmp_path / "truth").exists()
    result = engine("stop", "tuth.toml")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "tuth.toml: there is no such file (did you mean truth?)" in result.stderr


@seen_from_here
def test_faults_in_a_file_keep_nobody_from_stopping_its_run_or_another(
    project: toy.ToyProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project.campaign)
    with holder(project.store_folder, "handles") as process:
        project.path.write_text('kind = "alignment"\nrounds = [')
        (project.campaign / "begun.toml").write_text('kind = "nothing yet"\n')
        result = engine("stop", ".", "--now", "--wait", "30")
        assert process.wait(timeout=30) == -signal.SIGINT
    assert result.exit_code == 0
    assert "has stopped" in result.stdout


@seen_from_here
def test_now_ends_a_run_that_finishes_nothing(project: toy.ToyProject) -> None:
    with holder(project.store_folder, "handles") as process:
        (asked,) = stop([project.path], wait_s=0.5)
        assert (asked.asked_by, asked.has_stopped) == ("signal", False)
        assert process.poll() is None
        (asked,) = stop([project.path], in_a_hurry=True, wait_s=30)
        assert asked.has_stopped
        assert process.wait(timeout=30) == -signal.SIGINT  # as Python ends by a KeyboardInterrupt
        assert process.stdout is not None
        assert process.stdout.read() == "asked\n"


@seen_from_here
def test_a_process_without_a_handler_is_asked_by_a_file_and_not_killed(project: toy.ToyProject) -> None:
    with holder(project.store_folder, "ignores") as process:
        (asked,) = stop([project.path], in_a_hurry=True)
        assert (asked.pid, asked.asked_by) == (process.pid, "file")
        assert stop([project.path]) == [asked]  # asked twice
        time.sleep(0.3)
        assert process.poll() is None
        process.kill()
    assert (project.store_folder / ".lock" / "00000001.stop").exists()
    (outcome,) = run([project.path])  # which nobody has asked
    assert len(outcome.stored) == 4
    assert sorted(os.listdir(project.store_folder / ".lock")) == ["00000002"]


def test_a_run_on_another_machine_looks_at_the_file(project: toy.ToyProject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.run.STOP_LOOK_S", 0.0)
    monkeypatch.setattr(lock, "signalled", lambda other, number: False)
    events: list[object] = []
    asked: list[Asked] = []

    def listen(event: object) -> None:
        events.append(event)
        if isinstance(event, ChunkDone) and event.step == "ite_0002" and not asked:
            asked.extend(stop([project.path]))

    with pytest.raises(KeyboardInterrupt):
        run([project.path], listen=listen)
    assert [(one.pid, one.asked_by) for one in asked] == [(os.getpid(), "file")]
    assert sum(isinstance(event, StopAsked) for event in events) == 1
    store = Store(project.store_folder)
    assert store.step_names() == ["ite_0000", "ite_0001"]
    assert store.lock_holder() is None
    assert sorted(os.listdir(project.store_folder / ".lock")) == ["00000001"]
    (outcome,) = run([project.path])
    assert outcome.stored == ("ite_0002", "ite_0003")


@pytest.mark.skipif(not can_fork(), reason="workers are forked on Linux")
def test_a_batch_system_may_signal_the_workers_too(tmp_path: Path) -> None:
    """They finish what they have in hand, so that no chunk is held against a worker that died."""
    notes: list[str] = []

    def slow(job: int) -> tuple[int, int]:
        for number in (signal.SIGUSR1, signal.SIGTERM, signal.SIGUSR1) if job == 1 else ():
            os.kill(os.getpid(), number)
        time.sleep(0.1)
        return job, os.getpid()

    found = list(Work(workers=2, note=notes.append).map(slow, range(6)))
    assert [job for job, _ in found] == list(range(6))
    assert len({pid for _, pid in found}) == 3
    assert notes == [note for note in notes if "exit code 0" in note]
    assert len(notes) == 1
