"""Worker processes: what they share, how they fail, how they die."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from engine import workers
from engine.devices import Work
from engine.faults import EngineError
from engine.workers import ATTEMPTS, can_fork

pytestmark = pytest.mark.skipif(not can_fork(), reason="processes are not forked here")


def test_jobs_are_shared_out_among_processes_and_their_results_come_in_order():
    table = np.arange(7.0)

    def job(number):
        time.sleep(0.01 * (number % 3))
        return os.getpid(), table * number

    found = list(Work(2).map(job, range(20)))
    assert len({pid for pid, _ in found} | {os.getpid()}) == 3
    assert [values[1] for _, values in found] == list(range(20))


def test_a_workers_exception_is_the_callers_and_says_where_it_happened():
    def job(number):
        if number == 3:
            raise EngineError("particle 3: no such file")
        return number

    with pytest.raises(EngineError, match="particle 3: no such file") as caught:
        list(Work(2).map(job, range(8)))
    assert "test_workers.py" in caught.value.__notes__[0]


class Fussy(Exception):
    """Cannot be made again from its text alone, as what a process sends is."""

    def __init__(self, what, where):
        super().__init__(f"{what} at {where}")


def test_an_exception_that_cannot_be_made_again_arrives_with_its_words():
    def job(number):
        raise Fussy("a fault", 4)

    with pytest.raises(RuntimeError, match="Fussy: a fault at 4") as caught:
        list(Work(2).map(job, range(3)))
    assert "test_workers.py" in caught.value.__notes__[0]


def test_what_cannot_be_sent_is_said_so():
    with pytest.raises(RuntimeError, match="cannot be sent"):
        list(Work(2).map(lambda job: lambda: job, range(2)))


def dies(folder: Path, number: int) -> None:
    """Kills this process until it has done so as often as the job may be begun, less one."""
    for attempt in range(ATTEMPTS - 1):
        mark = folder / f"{number}_{attempt}"
        if not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)


def test_the_job_of_a_worker_that_was_killed_is_done_by_another(tmp_path):
    def job(number):
        if number in (2, 9):
            dies(tmp_path, number)
        return number**2

    assert list(Work(3).map(job, range(12))) == [number**2 for number in range(12)]
    assert len(list(tmp_path.iterdir())) == 2 * (ATTEMPTS - 1)


def test_the_job_of_a_worker_that_was_stopped_is_done_by_another(tmp_path, monkeypatch):
    monkeypatch.setattr(workers, "LOOK_S", 0.05)

    def job(number):
        if number == 3 and not (tmp_path / "stopped").exists():
            (tmp_path / "stopped").touch()
            os.kill(os.getpid(), signal.SIGSTOP)
        return number**2

    assert list(Work(2).map(job, range(8))) == [number**2 for number in range(8)]
    assert (tmp_path / "stopped").exists()


def test_the_job_of_a_worker_that_is_silent_for_too_long_is_done_by_another(tmp_path, monkeypatch):
    monkeypatch.setattr(workers, "LOOK_S", 0.05)
    monkeypatch.setattr(workers, "PATIENCE_S", 0.3)

    def job(number):
        if number == 3 and not (tmp_path / "asleep").exists():
            (tmp_path / "asleep").touch()
            time.sleep(600)
        return number**2

    assert list(Work(2).map(job, range(8))) == [number**2 for number in range(8)]


def test_a_job_that_kills_every_worker_is_named():
    def job(rows):
        if rows.start == 32:
            os.kill(os.getpid(), signal.SIGKILL)
        return len(rows)

    said = rf"{ATTEMPTS} workers died \(Killed\) over part 3 of 4, range\(32, 48\) \(too little memory"
    with pytest.raises(EngineError, match=said):
        list(Work(2).map(job, [range(first, first + 16) for first in range(0, 64, 16)]))


def test_workers_end_when_the_caller_stops_asking():
    results = Work(2).map(lambda job: os.getpid(), range(50))
    pid = next(results)
    results.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def lives(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


FOREVER = """
import time
from engine.devices import Work

def job(number):
    print(__import__("os").getpid(), flush=True)
    time.sleep(60)

list(Work(2).map(job, range(2)))
"""


def test_workers_die_with_a_caller_that_was_killed():
    with subprocess.Popen([sys.executable, "-c", FOREVER], stdout=subprocess.PIPE, text=True) as caller:
        pids = [int(caller.stdout.readline()) for _ in range(2)]
        caller.kill()
        caller.wait()
    end = time.monotonic() + 60
    while any(lives(pid) for pid in pids):
        assert time.monotonic() < end
        time.sleep(0.01)
