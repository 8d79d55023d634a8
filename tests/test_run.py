"""Runs: resumed after any kill, with one writer, never redoing silently."""

from __future__ import annotations

import dataclasses
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import toy

from engine.events import ChunkDone, ProjectDone, ProjectStarted, StepKept, StepStarted, StepStored
from engine.faults import EngineError
from engine.interrupt import SIGNALS, watched
from engine.run import Outcome, run
from engine.step import Step
from engine.store import LockHeld, Store

FINAL = {"ite_0003": ("refs/001/average", "table")}

SCRIPT = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
import toy, engine.run
project = toy.project(Path(sys.argv[1]))
engine.run.campaign = lambda paths: [project]
engine.run.run([project.path])
"""


def start(folder: Path, wait_s: float) -> subprocess.Popen[bytes]:
    """A process that runs the toy project, each of its 32 boxes taking wait_s."""
    script = SCRIPT.format(tests=str(Path(__file__).parent))
    environment = {**os.environ, "TOY_WAIT_S": str(wait_s)}
    return subprocess.Popen([sys.executable, "-c", script, str(folder)], env=environment, stderr=subprocess.PIPE)


def wait_for(path: Path) -> None:
    for _ in range(1000):
        if path.exists():
            return
        time.sleep(0.02)
    raise AssertionError(f"{path} did not appear")


def assert_same_end(project: toy.ToyProject, other: toy.ToyProject) -> None:
    one, two = Store(project.store_folder), Store(other.store_folder)
    assert np.array_equal(one.read("ite_0003", "refs/001/average").data, two.read("ite_0003", "refs/001/average").data)
    assert one.read("ite_0003", "table").equals(two.read("ite_0003", "table"))
    assert one.facts("ite_0003").key == two.facts("ite_0003").key


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> toy.ToyProject:
    made = toy.project(tmp_path)
    toy.use(monkeypatch, made)
    return made


def test_a_run_tells_what_it_does_and_a_second_run_keeps_it(project: toy.ToyProject) -> None:
    events: list = []
    (outcome,) = run([project.path], listen=events.append)
    names = ("ite_0000", "ite_0001", "ite_0002", "ite_0003")
    assert isinstance(outcome, Outcome)
    assert (outcome.stored, outcome.kept) == (names, ())
    assert events[0] == ProjectStarted("pr_1", 4, 4)
    assert events[1] == StepStarted("pr_1", "ite_0000", 1, "not there yet")
    assert ChunkDone("pr_1", "ite_0000", 8, 8) in events
    assert isinstance(events[-2], StepStored)
    assert isinstance(events[-1], ProjectDone)
    written = Store(project.store_folder).events()
    assert [event["step"] for event in written if event["event"] == "StepStored"] == list(names)
    assert sum(event["event"] == "ChunkDone" for event in written) <= 5
    events.clear()
    (outcome,) = run([project.path], listen=events.append)
    assert (outcome.stored, outcome.kept) == ((), names)
    assert [event.step for event in events if isinstance(event, StepKept)] == list(names)


def test_kills_at_random_moments_lose_no_step_and_change_no_bit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calm, killed = toy.project(tmp_path / "calm"), toy.project(tmp_path / "killed")
    calm.campaign.mkdir()
    killed.campaign.mkdir()
    toy.use(monkeypatch, calm, killed)
    run([calm.path])
    generator, store, n_kills = random.Random(11), Store(killed.store_folder), 0
    stored: set[str] = set()
    for _ in range(10):
        mark = len(store.events())
        with start(killed.campaign, 0.01) as process:
            for _ in range(1000):
                if len(store.events()) > mark or process.poll() is not None:
                    break
                time.sleep(0.01)
            time.sleep(generator.uniform(0, 0.12))
            n_kills += process.poll() is None
            process.kill()
        now = set(store.step_names())
        assert stored <= now
        assert all(store.facts(name) for name in now)
        stored = now
    assert n_kills >= 3
    run([killed.path])
    assert store.sweep() == []
    assert_same_end(calm, killed)


def test_a_torn_temporary_file_is_swept_and_told(project: toy.ToyProject) -> None:
    project.store_folder.mkdir()
    (project.store_folder / ".ite_0001.h5.99.tmp").write_bytes(b"half")
    events: list = []
    run([project.path], listen=events.append)
    assert events[0].leftovers == (".ite_0001.h5.99.tmp",)


def test_a_second_run_is_refused_while_the_first_goes_on(project: toy.ToyProject) -> None:
    with start(project.campaign, 0.2) as process:
        wait_for(project.store_folder / "events.jsonl")
        with pytest.raises(LockHeld, match=f"process {process.pid} on"):
            run([project.path])
        process.kill()
    (outcome,) = run([project.path])
    assert len(outcome.stored) + len(outcome.kept) == 4


def test_stale_steps_stop_the_run_before_anything_is_touched(
    project: toy.ToyProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    run([project.path])
    before = {path: path.read_bytes() for path in project.store_folder.rglob("*") if path.is_file()}
    edited = dataclasses.replace(project, steps=toy.steps((5.0, 5.0, 4.0)))
    toy.use(monkeypatch, edited)
    with pytest.raises(EngineError) as caught:
        run([project.path])
    assert "pr_1: ite_0003: cone.step_deg: 5.0 → 4.0" in str(caught.value)
    assert f"engine run {project.path} --redo stale" in str(caught.value)
    assert {path: path.read_bytes() for path in project.store_folder.rglob("*") if path.is_file()} == before
    (outcome,) = run([project.path], redo=["stale"])
    assert outcome.stored == ("ite_0003",)


def test_an_unknown_step_to_redo_is_named(project: toy.ToyProject) -> None:
    with pytest.raises(EngineError, match="ite_9999: no such step; there are ite_0000"):
        run([project.path], redo=["ite_9999"])


def test_redoing_gives_the_same_bits(project: toy.ToyProject) -> None:
    run([project.path])
    before = Store(project.store_folder).read("ite_0003", "refs/001/average").data
    (outcome,) = run([project.path], redo=["ite_0001"], workers=3)
    assert outcome.stored == ("ite_0001", "ite_0002", "ite_0003")
    assert np.array_equal(Store(project.store_folder).read("ite_0003", "refs/001/average").data, before)


def test_a_neighbour_that_has_not_run_is_asked_for_first(
    project: toy.ToyProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    follower = toy.follower(project.campaign, project)
    toy.use(monkeypatch, project, follower)
    with pytest.raises(
        EngineError, match=r"ite_0000 of pr_1 has not been run \(run pr_1 first: engine run .*pr_1.toml"
    ):
        run([follower.path])
    assert Store(follower.store_folder).step_names() == []
    outcomes = run([project.path, follower.path])
    assert [outcome.project for outcome in outcomes] == ["pr_1", "pr_2"]
    assert Store(follower.store_folder).facts("ite_0001") is not None


def test_ctrl_c_leaves_what_is_stored_and_frees_the_lock(project: toy.ToyProject) -> None:
    def interrupt(event: object) -> None:
        if isinstance(event, ChunkDone) and event.step == "ite_0002" and event.done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run([project.path], listen=interrupt)
    store = Store(project.store_folder)
    assert store.lock_holder() is None
    assert store.step_names() == ["ite_0000", "ite_0001"]
    (outcome,) = run([project.path])
    assert outcome.stored == ("ite_0002", "ite_0003")


def test_ctrl_c_inside_a_stream_leaves_nothing_half(project: toy.ToyProject) -> None:
    def interrupt(event: object) -> None:
        if isinstance(event, ChunkDone) and event.done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run([project.path], listen=interrupt)
    assert Store(project.store_folder).step_names() == []
    assert Store(project.store_folder).sweep() == []


def fails(settings: object, inputs: object, work: object) -> dict:
    raise EngineError("particle 7: NaN in the box (leave it out)")


def slips(settings: object, inputs: object, work: object) -> dict:
    return {"table": np.zeros(3) + np.zeros(4)}


def test_a_users_error_names_its_step_and_a_slip_passes_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for function, error in ((fails, EngineError), (slips, ValueError)):
        step = Step("ite_0001", function, 1, toy.Settings(), ("table",))
        project = toy.ToyProject(tmp_path / "bad.toml", [step])
        toy.use(monkeypatch, project)
        with pytest.raises(error) as caught:
            run([project.path])
        notes = getattr(caught.value, "__notes__", [])
        assert notes == (["in step ite_0001 of bad"] if error is EngineError else [])
        assert Store(project.store_folder).lock_holder() is None


def test_results_that_are_taken_away_during_a_run_are_told_as_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def bereft(settings: toy.Settings, inputs: object, work: object) -> object:
        project.store_folder.rename(tmp_path / "away")
        return Store(project.store_folder).read("ite_0000", "table")

    project = toy.ToyProject(tmp_path / "bad.toml", [Step("ite_0001", bereft, 1, toy.Settings(), ("table",))])
    toy.use(monkeypatch, project)
    with pytest.raises(
        LockHeld, match=r"the results of this run were moved or removed while it was going on \(this run ends"
    ):
        run([project.path])
    assert not project.store_folder.exists()


def test_a_stopped_redo_goes_on_with_stale(project: toy.ToyProject, monkeypatch: pytest.MonkeyPatch) -> None:
    run([project.path])
    edited = dataclasses.replace(project, steps=toy.steps((4.0, 5.0, 5.0)))
    toy.use(monkeypatch, edited)

    def interrupt(event: object) -> None:
        if isinstance(event, StepStarted) and event.step == "ite_0002":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run([project.path], redo=["ite_0001"], listen=interrupt)
    with pytest.raises(EngineError, match="--redo stale"):
        run([project.path])
    (outcome,) = run([project.path], redo=["stale"])
    assert outcome.stored == ("ite_0002", "ite_0003")


def test_signals_are_written_down_inside_and_as_before_outside() -> None:
    told: list[str] = []
    before = [signal.getsignal(number) for number in SIGNALS]
    for number in SIGNALS:
        with watched(lambda: told.append("stop")) as interrupt:
            signal.raise_signal(number)
            with pytest.raises(KeyboardInterrupt):
                interrupt.check()
    assert told == ["stop"] * 3
    assert [signal.getsignal(number) for number in SIGNALS] == before


def test_a_second_signal_stops_at_once_unless_a_batch_system_sends_it_before_the_limit() -> None:
    for first in SIGNALS:
        with watched(lambda: None):
            signal.raise_signal(first)
            signal.raise_signal(signal.SIGUSR1)
            signal.raise_signal(signal.SIGUSR1)
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(signal.SIGTERM)
