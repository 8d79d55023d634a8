"""Worker processes: forked from the caller, so that each finds in memory what the caller had there, and shares it.

A worker is handed the numbers of jobs and sends back what they give. One that dies (killed, out of memory, a fault of a GPU or
its driver) or is stuck (stopped, or silent far longer than any job took) is replaced, and the job it had in hand is done again,
in another's place where there is one, ATTEMPTS times in all. A place where workers only die is given up while there are others.
Workers die with the caller, however it ends.
"""

from __future__ import annotations

import copy
import ctypes
import multiprocessing
import os
import signal
import sys
import time
import traceback
import warnings
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from threading import Event, Thread
from types import FrameType
from typing import Any, TextIO, TypeVar, cast

from engine.faults import EngineError

ATTEMPTS = 3
"""How often a job is begun before the worker's death is held against it; and how often one dies in a place before that is."""

IN_HAND = 2
"""Jobs given to a worker at a time: the next waits there while the caller is busy."""

LOOK_S = 2.0
"""How long the caller waits for an answer before it looks at the workers."""

PATIENCE_S, PATIENCE_TIMES = 600.0, 10
"""A worker is stuck when it is silent for so many seconds and so many times the longest job so far beside.

Only time that the caller has waited counts: it may have been stopped itself, and its workers with it.
"""

_PR_SET_PDEATHSIG = 1

Job = TypeVar("Job")
Result = TypeVar("Result")


def can_fork() -> bool:
    """Whether processes can be forked here without risk: on Linux."""
    return sys.platform == "linux"


def is_device_fault(fault: BaseException) -> bool:
    """Whether an error says that memory or a GPU failed, not that the job is wrong: elsewhere, or later, it may go well.

    CuPy's errors are told by their names, since only `devices` imports it. Code that does not compile is wrong everywhere.
    """
    kind = type(fault)
    is_cupys = kind.__module__.partition(".")[0] in ("cupy", "cupy_backends")
    return isinstance(fault, MemoryError) or (is_cupys and kind.__name__.endswith("Error"))


@dataclass(frozen=True)
class _Failed:
    """The last words of a worker whose memory or GPU failed."""

    what: str


@dataclass(eq=False)
class _Worker:
    """A process, the caller's end of the line to it, and the numbers of the jobs it has, the first one at work.

    silent_s: how long the caller has waited since that began.
    """

    place: int
    process: BaseProcess
    line: Connection
    in_hand: deque[int] = field(default_factory=deque)
    silent_s: float = 0.0


def _no_note(text: str) -> None:
    return None


class Team:
    """Workers that do jobs by function(place of the worker, job). describe names a job; note is told of each that died."""

    def __init__(
        self,
        function: Callable[[int, Job], Result],
        jobs: Sequence[Job],
        n_workers: int,
        describe: Callable[[Job], str] = repr,
        note: Callable[[str], None] = _no_note,
    ) -> None:
        self._function, self._jobs, self._describe, self._note = function, jobs, describe, note
        self._waiting = deque(range(len(jobs)))
        self._died_over: dict[int, list[int]] = defaultdict(list)  # the places where workers died over a job
        self._died_in_a_row: dict[int, int] = defaultdict(int)  # and how many in a place since one gave something
        self._longest_s = 0.0
        self._workers: list[_Worker] = []
        self._is_over, self._looking = Event(), Thread(target=self._end_those_who_are_stopped, daemon=True)
        try:
            for place in range(min(n_workers, len(jobs))):
                self._workers.append(self._forked(place))
        except BaseException:
            self.dismiss()
            raise
        self._looking.start()

    def results(self, check: Callable[[], None]) -> Iterator[tuple[int, Any]]:
        """The number of each job and what it gave, as they come; check() is called after each.

        None is begun far ahead of the first that is missing. An exception of a job is raised here.
        """
        first_missing, found = 0, set[int]()
        while first_missing < len(self._jobs):
            self._hand_out(first_missing + IN_HAND * len(self._workers))
            for number, result in self._received().items():
                found.add(number)
                yield number, result
                check()
            while first_missing in found:
                found.remove(first_missing)
                first_missing += 1

    def dismiss(self) -> None:
        """Ends the workers at once, those that are stopped too."""
        self._is_over.set()
        for worker in self._workers:
            worker.line.close()
            worker.process.kill()
        for worker in self._workers:
            worker.process.join()
        if self._looking.is_alive():
            self._looking.join()

    def _forked(self, place: int) -> _Worker:
        mine, theirs = multiprocessing.Pipe()
        lines = [mine, *(worker.line for worker in self._workers)]
        process = multiprocessing.get_context("fork").Process(
            target=_serve, args=(theirs, lines, self._function, self._jobs, place, os.getpid()), daemon=True
        )
        with warnings.catch_warnings():
            # Threads of the caller are not there in a fork. Workers touch nothing that those may hold.
            warnings.simplefilter("ignore", DeprecationWarning)
            try:
                process.start()
            except OSError as error:
                raise EngineError(f"no further worker can be started: {error.strerror} (give fewer workers)") from error
        theirs.close()
        return _Worker(place, process, mine)

    def _hand_out(self, end: int) -> None:
        """Gives jobs before the end-th to those who have the fewest, one for each first."""
        for n_in_hand in range(IN_HAND):
            for worker in self._workers:
                number = self._next_for(worker, end) if len(worker.in_hand) <= n_in_hand else None
                if number is None:
                    continue
                self._waiting.remove(number)
                worker.silent_s = worker.silent_s if worker.in_hand else 0.0
                worker.in_hand.append(number)
                with suppress(OSError):  # it is dead: that is found out when its answer is asked for
                    worker.line.send(number)

    def _next_for(self, worker: _Worker, end: int) -> int | None:
        """The first waiting job before the end-th, of those over which none died in this place while there are others."""
        for number in self._waiting:
            if number >= end:
                break
            died = self._died_over.get(number, ())
            if worker.place not in died or {other.place for other in self._workers} <= set(died):
                return number
        return None

    def _received(self) -> dict[int, Any]:
        """The answers that are there, at least one unless a worker has died."""
        found = {}
        while not (lines := self._spoken()):
            self._end_those_who_are_silent()
        for worker in [worker for worker in self._workers if worker.line in lines]:
            try:
                number, result, fault = worker.line.recv()
            except (EOFError, OSError):
                self._replace(worker)
                continue
            if isinstance(fault, _Failed):
                self._replace(worker, fault.what)
                continue
            worker.in_hand.popleft()
            self._longest_s, worker.silent_s = max(self._longest_s, worker.silent_s), 0.0
            self._died_in_a_row[worker.place] = 0
            if fault is not None:
                raise fault
            found[number] = result
        return found

    def _spoken(self) -> Sequence[Any]:
        """The lines that have something to say, after LOOK_S at most; all have been silent until then."""
        before = time.monotonic()
        lines = wait([worker.line for worker in self._workers], LOOK_S)
        waited_s = min(time.monotonic() - before, LOOK_S)  # longer: the caller was stopped
        for worker in self._workers:
            worker.silent_s += waited_s
        return lines

    def _end_those_who_are_silent(self) -> None:
        """Kills workers that are silent for too long: their line then ends, as that of any dead worker."""
        patience_s = PATIENCE_S + PATIENCE_TIMES * self._longest_s
        for worker in self._workers:
            if worker.in_hand and worker.silent_s > patience_s:
                worker.process.kill()

    def _end_those_who_are_stopped(self) -> None:
        """Kills workers that are stopped at two looks, in a thread: one may be stopped in the middle of an answer.

        One look is not enough. Where the terminal stops all of the program, the caller may go on a moment before the others.
        """
        seen: set[int | None] = set()
        while not self._is_over.wait(LOOK_S):
            stopped = [worker.process for worker in list(self._workers) if _is_stopped(worker.process)]
            for process in stopped:
                if process.pid in seen:
                    process.kill()
            seen = {process.pid for process in stopped}

    def _replace(self, dead: _Worker, failed: str = "") -> None:
        """Another worker in the place of a dead one; what that had in hand waits again."""
        dead.line.close()
        dead.process.kill()  # one that failed may hang in the driver
        dead.process.join()
        manner = failed or _manner(dead.process)
        if dead.in_hand:
            self._blame(dead, manner)
            self._waiting.extendleft(reversed(dead.in_hand))
        self._died_in_a_row[dead.place] += 1
        is_given_up = self._died_in_a_row[dead.place] >= ATTEMPTS and len(self._workers) > 1
        at = self._workers.index(dead)
        del self._workers[at]
        if not is_given_up:
            self._workers.insert(at, self._forked(dead.place))
        again = f"; {self._describe(self._jobs[dead.in_hand[0]])}: done again by another" if dead.in_hand else ""
        fewer = f"; {ATTEMPTS} in a row: it is not replaced, {len(self._workers)} left" if is_given_up else ""
        self._note(f"a worker died ({manner}){again}{fewer}")

    def _blame(self, dead: _Worker, manner: str) -> None:
        """Writes down over which job a worker died; an EngineError when it is not the first."""
        number = dead.in_hand[0]
        self._died_over[number].append(dead.place)
        if len(self._died_over[number]) == ATTEMPTS:
            raise EngineError(
                f"{ATTEMPTS} workers died ({manner}) over part {number + 1} of {len(self._jobs)}, "
                f"{self._describe(self._jobs[number])} (too little memory? give fewer workers)"
            )


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
    place: int,
    caller: int,
) -> None:
    """A worker's life: numbers of jobs in, (number, result, fault) out, until the caller hangs up."""
    # A terminal and batch systems send their signals to the workers too: the caller decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    leave = _Leave()
    signal.signal(signal.SIGTERM, leave.ask)
    cast(Any, ctypes.CDLL(None)).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != caller:
        return
    sys.stdout, sys.stderr = _own_stream(1), _own_stream(2)
    for other in callers_lines:
        other.close()
    while not leave.is_asked:
        try:
            leave.is_idle = True
            number = line.recv()
            leave.is_idle = False
        except (EOFError, OSError):
            return
        answer: tuple[int, Any, Exception | None]
        try:
            answer = number, function(place, jobs[number]), None
        except Exception as fault:
            if is_device_fault(fault):  # nothing more is computed here: what failed may be in a bad state
                with suppress(OSError):
                    line.send((number, None, _Failed(f"{type(fault).__name__}: {fault}")))
                return
            fault.add_note(f"in a worker process:\n{traceback.format_exc()}")
            answer = number, None, _sendable(fault)  # raised again by the caller
        try:
            line.send(answer)
        except OSError:
            return  # the caller has gone
        except Exception as fault:
            line.send((number, None, RuntimeError(f"what a worker found cannot be sent: {fault!r}")))


def _sendable(fault: Exception) -> Exception:
    """The exception, or one with its words where it cannot be made again at the other end of the line."""
    try:
        copy.copy(fault)
    except Exception:
        told = RuntimeError(f"{type(fault).__name__}: {fault}")
        for note in fault.__notes__:
            told.add_note(note)
        return told
    return fault


class _Leave:
    """SIGTERM to a worker: it ends, a busy one when what it has in hand is sent."""

    def __init__(self) -> None:
        self.is_asked, self.is_idle = False, False

    def ask(self, number: int, frame: FrameType | None) -> None:
        self.is_asked = True
        if self.is_idle:
            raise SystemExit


def _own_stream(number: int) -> TextIO:
    """A stream to the file of that number. The caller's streams may be locked by a thread of it, such as that of the bars."""
    try:
        return open(number, "w", buffering=1, errors="replace", closefd=False)
    except OSError:  # the caller has closed it
        return open(os.devnull, "w")
