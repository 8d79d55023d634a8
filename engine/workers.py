"""Worker processes: forked from the caller, so that each finds in memory what the caller had there, and shares it.

A worker is handed the numbers of jobs and sends back what they give. One that dies (killed, out of memory, a fault of a driver)
or is stuck (stopped, or silent far longer than any job took) is replaced, and the job it had in hand is done again, ATTEMPTS
times in all. Workers die with the caller, however it ends.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys
import time
import traceback
import warnings
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, TextIO, TypeVar, cast

from engine.faults import EngineError

ATTEMPTS = 3
"""How often a job is begun before the worker's death is held against it."""

IN_HAND = 2
"""Jobs given to a worker at a time: the next waits there while the caller is busy."""

LOOK_S = 2.0
"""How long the caller waits for an answer before it looks at the workers."""

PATIENCE_S, PATIENCE_TIMES = 600.0, 10
"""A worker is stuck when it is silent for so many seconds and so many times the longest job so far beside."""

_PR_SET_PDEATHSIG = 1

Job = TypeVar("Job")
Result = TypeVar("Result")


def can_fork() -> bool:
    """Whether processes can be forked here without risk: on Linux."""
    return sys.platform == "linux"


@dataclass(eq=False)
class _Worker:
    """A process, the caller's end of the line to it, and the numbers of the jobs it has, the first one at work since then."""

    number: int
    process: BaseProcess
    line: Connection
    in_hand: deque[int] = field(default_factory=deque)
    since: float = field(default_factory=time.monotonic)


class Team:
    """Workers that do jobs by function(number of the worker, job)."""

    def __init__(self, function: Callable[[int, Job], Result], jobs: Sequence[Job], n_workers: int) -> None:
        self._function, self._jobs = function, jobs
        self._waiting = deque(range(len(jobs)))
        self._deaths: Counter[int] = Counter()
        self._longest_s = 0.0
        self._workers: list[_Worker] = []
        try:
            for number in range(min(n_workers, len(jobs))):
                self._workers.append(self._forked(number))
        except BaseException:
            self.dismiss()
            raise

    def results(self, check: Callable[[], None]) -> Iterator[Any]:
        """What the jobs give, in their order; check() is called after each. An exception of a job is raised here."""
        found: dict[int, Any] = {}
        for number in range(len(self._jobs)):
            while number not in found:
                self._hand_out(number + IN_HAND * len(self._workers))
                found.update(self._received())
            yield found.pop(number)
            check()

    def dismiss(self) -> None:
        """Ends the workers at once."""
        for worker in self._workers:
            worker.line.close()
            worker.process.terminate()
        for worker in self._workers:
            worker.process.join()

    def _forked(self, number: int) -> _Worker:
        mine, theirs = multiprocessing.Pipe()
        lines = [mine, *(worker.line for worker in self._workers)]
        process = multiprocessing.get_context("fork").Process(
            target=_serve, args=(theirs, lines, self._function, self._jobs, number, os.getpid()), daemon=True
        )
        with warnings.catch_warnings():
            # Threads of the caller are not there in a fork. Workers touch nothing that those may hold.
            warnings.simplefilter("ignore", DeprecationWarning)
            try:
                process.start()
            except OSError as error:
                raise EngineError(f"no further worker can be started: {error.strerror} (give fewer workers)") from error
        theirs.close()
        return _Worker(number, process, mine)

    def _hand_out(self, end: int) -> None:
        """Gives jobs before the end-th to those who have the fewest, one for each first."""
        for n_in_hand in range(IN_HAND):
            for worker in self._workers:
                if len(worker.in_hand) <= n_in_hand and self._waiting and self._waiting[0] < end:
                    number = self._waiting.popleft()
                    worker.in_hand.append(number)
                    worker.since = worker.since if n_in_hand else time.monotonic()
                    with suppress(OSError):  # it is dead: that is found out when its answer is asked for
                        worker.line.send(number)

    def _received(self) -> dict[int, Any]:
        """The answers that are there, at least one unless a worker has died."""
        found = {}
        while not (lines := wait([worker.line for worker in self._workers], LOOK_S)):
            self._end_those_who_are_stuck()
        for worker in [worker for worker in self._workers if worker.line in lines]:
            try:
                number, result, fault = worker.line.recv()
            except (EOFError, OSError):
                self._replace(worker)
                continue
            worker.in_hand.popleft()
            now = time.monotonic()
            self._longest_s, worker.since = max(self._longest_s, now - worker.since), now
            if fault is not None:
                raise fault
            found[number] = result
        return found

    def _end_those_who_are_stuck(self) -> None:
        """Kills workers that are stopped or silent for too long: their line then ends, as that of any dead worker."""
        patience_s = PATIENCE_S + PATIENCE_TIMES * self._longest_s
        for worker in self._workers:
            if worker.in_hand and (_is_stopped(worker.process) or time.monotonic() - worker.since > patience_s):
                worker.process.kill()

    def _replace(self, dead: _Worker) -> None:
        """Another worker in the place of a dead one; what that had in hand waits again."""
        dead.line.close()
        dead.process.join()
        if dead.in_hand:
            number = dead.in_hand[0]
            self._deaths[number] += 1
            if self._deaths[number] == ATTEMPTS:
                raise EngineError(
                    f"{ATTEMPTS} workers died ({_manner(dead.process)}) over part {number + 1} of {len(self._jobs)}, "
                    f"{self._jobs[number]!r} (too little memory? give fewer workers)"
                )
            self._waiting.extendleft(reversed(dead.in_hand))
        place = self._workers.index(dead)
        del self._workers[place]
        self._workers.insert(place, self._forked(dead.number))


def _is_stopped(process: BaseProcess) -> bool:
    try:
        state = Path(f"/proc/{process.pid}/stat").read_text("utf-8").rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state == "T"


def _manner(process: BaseProcess) -> str:
    code = process.exitcode or 0
    return signal.strsignal(-code) or f"signal {-code}" if code < 0 else f"exit code {code}"


def _serve(
    line: Connection,
    callers_lines: Sequence[Connection],
    function: Callable[[int, Job], Result],
    jobs: Sequence[Job],
    worker: int,
    caller: int,
) -> None:
    """A worker's life: numbers of jobs in, (number, result, fault) out, until the caller hangs up."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to the workers too; the caller decides
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    cast(Any, ctypes.CDLL(None)).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != caller:
        return
    sys.stdout, sys.stderr = _own_stream(1), _own_stream(2)
    for other in callers_lines:
        other.close()
    while True:
        try:
            number = line.recv()
        except (EOFError, OSError):
            return
        answer: tuple[int, Any, BaseException | None]
        try:
            answer = number, function(worker, jobs[number]), None
        except Exception as fault:  # raised again by the caller
            fault.add_note(f"in a worker process:\n{traceback.format_exc()}")
            answer = number, None, fault
        try:
            line.send(answer)
        except OSError:
            return  # the caller has gone
        except Exception as fault:
            line.send((number, None, RuntimeError(f"what a worker found cannot be sent: {fault!r}")))


def _own_stream(number: int) -> TextIO:
    """A stream to the file of that number. The caller's streams may be locked by a thread of it, such as that of the bars."""
    try:
        return open(number, "w", buffering=1, errors="replace", closefd=False)
    except OSError:  # the caller has closed it
        return open(os.devnull, "w")
