"""Many processes want one project at once, and are killed at any moment: never do two have it.

A few seconds by default; with ENGINE_FAULTS=long in the environment minutes, and 200 pairs of runs.
"""

from __future__ import annotations

import fcntl
import multiprocessing
import os
import random
import sys
import time
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest
import toy

from engine.run import run
from engine.store import LockHeld, Store, lock, process
from engine.workers import can_fork

IS_LONG = os.environ.get("ENGINE_FAULTS") == "long"
N_RACERS = 4


def race(folder: Path, seed: int, is_alone: bool) -> None:
    """Takes the lock and lets it go until it is killed, and counts how often; ends when another has it meanwhile.

    The kernel's own lock says so: a process that is killed loses that in the same moment.
    """
    generator = random.Random(seed)
    if is_alone:  # on a machine of its own
        process._view = lambda: {"boot": str(os.getpid()), "pid_namespace": "pid:[1]"}
    while True:
        try:
            with Store(folder).lock(), (folder / "count").open("r+b", buffering=0) as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                count = int(file.read())
                time.sleep(generator.uniform(0, 0.005))
                file.seek(0)
                file.write(f"{count + 1:09}".encode())
        except LockHeld:
            time.sleep(generator.uniform(0, 0.005))


@pytest.mark.skipif(not can_fork(), reason="processes are not forked here")
@pytest.mark.parametrize(
    ("is_alone", "kill_s"), [(False, 0.2), (True, 5.0)], ids=["on one machine", "on as many machines"]
)
def test_never_do_two_hold_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_alone: bool, kill_s: float) -> None:
    monkeypatch.setattr(lock, "BEAT_S", 0.05)
    monkeypatch.setattr(lock, "LOOK_S", 0.1)
    (tmp_path / "count").write_text("000000000")
    generator = random.Random(1)
    seeds = iter(range(10**6))
    racers: list[BaseProcess] = []
    n_killed, end = 0, time.monotonic() + (120 if IS_LONG else 4)
    next_kill = time.monotonic() + kill_s
    try:
        while time.monotonic() < end:
            while len(racers) < N_RACERS:
                racer = multiprocessing.get_context("fork").Process(target=race, args=(tmp_path, next(seeds), is_alone))
                racer.start()
                racers.append(racer)
            time.sleep(0.01)
            assert all(racer.exitcode is None for racer in racers), "two held it at once"
            if time.monotonic() > next_kill:
                killed = racers.pop(generator.randrange(N_RACERS))
                killed.kill()
                killed.join()
                n_killed += 1
                next_kill = time.monotonic() + generator.uniform(0, 2 * kill_s)
    finally:
        for racer in racers:
            racer.kill()
            racer.join()
    n_held = int((tmp_path / "count").read_text())
    print(f"held {n_held} times, {n_killed} killed")
    assert n_held > 10
    monkeypatch.setattr(lock, "LOOK_S", 0.01)
    with Store(tmp_path).lock():
        assert len(list((tmp_path / ".lock").iterdir())) == 1


def run_at(start: Barrier, project: toy.ToyProject) -> None:
    """A run that begins with others; its end is that of the command."""
    start.wait()
    try:
        run([project.path])
    except LockHeld:
        sys.exit(5)


@pytest.mark.skipif(not can_fork(), reason="processes are not forked here")
def test_of_two_runs_that_are_started_at_once_one_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOY_WAIT_S", "0.02")
    forking = multiprocessing.get_context("fork")
    for number in range(200 if IS_LONG else 5):
        project = toy.project(tmp_path, f"pr_{number}")
        toy.use(monkeypatch, project)
        start = forking.Barrier(2)
        runs = [forking.Process(target=run_at, args=(start, project)) for _ in range(2)]
        for one in runs:
            one.start()
        for one in runs:
            one.join()
        assert sorted(one.exitcode or 0 for one in runs) == [0, 5]
        store = Store(project.store_folder)
        assert store.step_names() == ["ite_0000", "ite_0001", "ite_0002", "ite_0003"]
        assert all(store.facts(name) for name in store.step_names())
        assert [event["event"] for event in store.events()].count("ProjectStarted") == 1
