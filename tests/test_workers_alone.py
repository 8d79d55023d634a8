"""What workers must not share with the caller: the streams that its threads hold, and the cost of a fork for one job."""

from __future__ import annotations

import os
import sys
from threading import Lock
from typing import Any

import pytest

from engine import workers
from engine.devices import Work
from engine.faults import EngineError
from engine.workers import Team, can_fork

pytestmark = pytest.mark.skipif(not can_fork(), reason="processes are not forked here")


class Held:
    """A stream that a thread of the caller is writing to when workers are forked."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.lock.acquire()

    def write(self, text: str) -> int:
        if not self.lock.acquire(timeout=2):
            raise TimeoutError("nobody is left to let go of the stream")
        return len(text)

    def flush(self) -> None:
        return None


def complaining(job: int) -> int:
    print("a warning", file=sys.stderr)
    print("a word")
    return job


def test_a_worker_may_write_while_the_callers_streams_are_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Held())
    monkeypatch.setattr(sys, "stdout", Held())
    assert list(Work(workers=2).map(complaining, range(4))) == [0, 1, 2, 3]


def test_one_job_is_done_by_the_caller() -> None:
    assert list(Work(workers=4).map(lambda _: os.getpid(), [0])) == [os.getpid()]
    assert os.getpid() not in list(Work(workers=4).map(lambda _: os.getpid(), [0, 1]))


def test_a_worker_that_cannot_be_started_is_one_plain_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    forked, started = Team._forked, []

    def forked_once(self: Team, number: int) -> Any:
        if started:
            monkeypatch.setattr(os, "fork", lambda: (_ for _ in ()).throw(BlockingIOError(11, "no more processes")))
        started.append(forked(self, number))
        return started[-1]

    monkeypatch.setattr(workers.Team, "_forked", forked_once)
    with pytest.raises(EngineError, match=r"no more processes.*fewer workers"):
        list(Work(workers=2).map(abs, range(4)))
    assert [worker.process.is_alive() for worker in started] == [False]
