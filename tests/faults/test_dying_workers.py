"""Workers that are killed, stopped, out of memory or with a broken GPU: their part is done elsewhere, or named."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import numpy as np
import pytest
from faults.small_alignment import alignment, assert_same, beside, phantom, undisturbed

from engine import workers
from engine.devices import Work
from engine.events import ChunkDone, Event, Noted
from engine.faults import EngineError
from engine.kinds.averaging import named
from engine.run import run
from engine.store import Store
from engine.workers import ATTEMPTS, Team, can_fork, is_device_fault

pytestmark = pytest.mark.skipif(not can_fork(), reason="processes are not forked here")

IS_LONG = os.environ.get("ENGINE_FAULTS") == "long"


class OutOfMemoryError(Exception):
    __module__ = "cupy.cuda.memory"


class CUDARuntimeError(RuntimeError):
    __module__ = "cupy_backends.cuda.api.runtime"


class CompileException(Exception):
    __module__ = "cupy.cuda.compiler"


def ran(
    function: Callable[[int, int], object], n: int, n_workers: int, note: Callable[[str], None] = lambda text: None
) -> list[object]:
    """What a team finds, in order."""
    team = Team(function, range(n), n_workers, note=note)
    try:
        return [found for _, found in sorted(team.results(lambda: None))]
    finally:
        team.dismiss()


def marked(folder: Path, *about: object) -> int:
    """Leaves a mark in the folder, and tells how many of that kind are there."""
    name = "-".join(map(str, about))
    (folder / f"{name}-{time.monotonic_ns()}-{os.getpid()}").touch()
    return sum(path.name.startswith(f"{name}-") for path in folder.iterdir())


def test_the_last_word_names_the_particles() -> None:
    tags = np.arange(101, 165)

    def job(rows: range) -> int:
        if rows.start == 32:
            os.kill(os.getpid(), signal.SIGKILL)
        return len(rows)

    jobs = [range(first, first + 16) for first in range(0, 64, 16)]
    said = rf"{ATTEMPTS} workers died \(Killed\) over part 3 of 4, 16 particles with the tags 133, 134, 135, 136, 137 … \(too l"
    with pytest.raises(EngineError, match=said):
        list(Work(2).map(job, jobs, named(tags)))
    assert named(tags[:2])(range(2)) == "2 particles with the tags 101, 102"


@pytest.mark.parametrize("fault", [OutOfMemoryError, CUDARuntimeError, MemoryError])
def test_a_part_whose_gpu_or_memory_failed_is_done_in_another_place_by_another_process(
    tmp_path: Path, fault: type[Exception]
) -> None:
    def job(place: int, number: int) -> int:
        if number == 5 and not list(tmp_path.iterdir()):
            (tmp_path / f"{place}-{os.getpid()}").touch()
            raise fault("out of memory to allocate 4 GB")
        if number == 5:
            (tmp_path / f"{place}-{os.getpid()}-again").touch()
        return number**2

    notes: list[str] = []
    assert ran(job, 12, 3, notes.append) == [number**2 for number in range(12)]
    first, second = sorted((path.name.split("-") for path in tmp_path.iterdir()), key=len)
    assert first[0] != second[0]
    assert not Path(f"/proc/{first[1]}").exists()
    assert notes == [f"a worker died ({fault.__name__}: out of memory to allocate 4 GB); 5: done again by another"]


def test_a_gpu_that_fails_over_one_part_everywhere_is_told(tmp_path: Path) -> None:
    def job(place: int, number: int) -> int:
        if number == 2:
            marked(tmp_path, place)
            raise CUDARuntimeError("cudaErrorIllegalAddress")
        return number

    said = r"3 workers died \(CUDARuntimeError: cudaErrorIllegalAddress\) over part 3 of 8, 2 \("
    with pytest.raises(EngineError, match=said):
        ran(job, 8, 2)
    places = sorted(int(path.name.split("-")[0]) for path in tmp_path.iterdir())
    assert len(places) == ATTEMPTS
    assert set(places) == {0, 1}


def test_code_that_does_not_compile_is_wrong_everywhere() -> None:
    assert not is_device_fault(CompileException("no such type"))
    assert not is_device_fault(ValueError("cupy"))
    assert is_device_fault(np.linalg.LinAlgError("x")) is False

    def job(number: int) -> int:
        raise CompileException("no such type")

    with pytest.raises(CompileException, match="no such type"):
        list(Work().map(job, range(4)))


def test_the_program_itself_tells_what_failed_in_one_line() -> None:
    def job(rows: range) -> int:
        raise MemoryError("Unable to allocate 3.00 GiB")

    said = r"16 particles with the tags 1, 2, 3, 4, 5 …: MemoryError: Unable to allocate 3.00 GiB \(free memory"
    with pytest.raises(EngineError, match=said):
        list(Work().map(job, [range(16), range(16, 32)], named(range(1, 33))))


def test_a_place_where_workers_only_die_is_given_up(tmp_path: Path) -> None:
    def job(place: int, number: int) -> int:
        if place == 1:
            marked(tmp_path, "died")
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(0.01)
        return number

    notes: list[str] = []
    assert ran(job, 30, 3, notes.append) == list(range(30))
    assert len(list(tmp_path.iterdir())) == ATTEMPTS
    assert len(notes) == ATTEMPTS
    assert notes[-1].endswith("3 in a row: it is not replaced, 2 left")
    assert not any("in a row" in text for text in notes[:-1])


def test_a_worker_that_is_stopped_amid_its_answer_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "LOOK_S", 0.3)
    big = 1_500_000

    def job(place: int, number: int) -> np.ndarray:
        if number == 1 and marked(tmp_path, "first") == 1:
            time.sleep(0.1)  # the caller has the answer of the other by now
            threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGSTOP)).start()
        return np.full(big, number)

    found = []
    with closing(Team(job, range(4), 2).results(lambda: None)) as results:
        for number, value in results:
            time.sleep(0.5)  # the others fill their lines meanwhile, and wait
            found.append((number, int(value[-1]), len(value)))
    assert sorted(found) == [(number, number, big) for number in range(4)]
    assert len(list(tmp_path.iterdir())) == 2


def test_workers_that_are_stopped_end_with_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "LOOK_S", 60.0)
    team = Team(lambda place, number: os.getpid(), range(2), 2)
    pids = {pid for _, pid in team.results(lambda: None)}
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    started = time.monotonic()
    team.dismiss()
    assert time.monotonic() - started < 30
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)


CALLER = """
import sys, time
from engine import workers
from engine.devices import Work
workers.LOOK_S, workers.PATIENCE_S, workers.PATIENCE_TIMES = 0.1, 4.0, 0

def job(number):
    time.sleep(0.3)
    return number**2

notes = []
print("begun", flush=True)
found = list(Work(2, note=notes.append).map(job, range(8)))
print(found == [number**2 for number in range(8)], notes, flush=True)
"""


@pytest.mark.parametrize("whom", ["the caller", "all"])
def test_a_program_that_is_stopped_and_continued_goes_on(whom: str) -> None:
    """For longer than a silent worker is waited for; all are stopped by a terminal's Ctrl-Z."""
    signalled = os.kill if whom == "the caller" else os.killpg
    command = [sys.executable, "-c", CALLER]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as caller:
        assert caller.stdout.readline() == "begun\n"
        time.sleep(0.5)
        signalled(caller.pid, signal.SIGSTOP)
        time.sleep(6)
        signalled(caller.pid, signal.SIGCONT)
        assert caller.communicate(timeout=60)[0] == "True []\n"
        assert caller.returncode == 0


@pytest.fixture(scope="module")
def particles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return phantom(tmp_path_factory.mktemp("phantom") / "campaign")


@pytest.mark.parametrize("n_workers", [2, 4] if IS_LONG else [2])
def test_a_run_whose_workers_are_killed_and_stopped_ends_on_the_same_bits(
    particles: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, n_workers: int
) -> None:
    """4 deaths; with ENGINE_FAULTS=long 40, for 2 and for 4 workers. The undisturbed run has one worker."""
    monkeypatch.setattr(workers, "LOOK_S", 0.02)
    n_deaths, every, iterations = (40, 4, 20) if IS_LONG else (4, 4, 3)
    text = alignment(iterations, step_deg=6, chunk=1)
    calm = undisturbed(particles, tmp_path / "calm", text)
    path = beside(particles, tmp_path / "campaign", text)
    generator, notes, seen, sent = random.Random(n_workers), [], [0], {signal.SIGKILL: 0, signal.SIGSTOP: 0}

    def listen(event: Event) -> None:
        if isinstance(event, Noted):
            notes.append(event.text)
        if not isinstance(event, ChunkDone) or len(notes) >= n_deaths:
            return
        seen[0] += 1
        if seen[0] % every == 0 and (there := [one.pid for one in multiprocessing.active_children() if one.pid]):
            how = generator.choice(list(sent))
            with suppress(ProcessLookupError):
                os.kill(generator.choice(there), how)
                sent[how] += 1

    n_ended = 0
    for _ in range(n_deaths):
        try:
            run([path], workers=n_workers, listen=listen)
            break
        except EngineError as error:  # chance has met one part as often as it may be begun: the run is gone on with
            notes.append(f"a worker died (Killed): {error}")
            n_ended += 1
    assert n_ended < n_deaths
    told = f"{sent[signal.SIGKILL]} killed, {sent[signal.SIGSTOP]} stopped, {len(notes)} missed, {n_ended} runs ended"
    print(f"{n_workers} workers: {told}")
    assert len(notes) >= n_deaths  # one that had nothing left to do is not missed
    assert all(text.startswith("a worker died (Killed)") for text in notes)
    assert_same(Store(path.with_suffix("")), calm)
