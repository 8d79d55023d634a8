"""Inputs tried in a child process whose time and memory are limited: what a crash, a hang or a bomb does there is only told.

A child takes many inputs, and tells the number of each before and after it. After one that dies another
goes on with the next input.
"""

from __future__ import annotations

import faulthandler
import json
import os
import resource
import select
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.faults import EngineError

MOST_SECONDS = 2.0
"""Of CPU time, for one input."""

MOST_MEMORY_BYTES = 1_000_000_000
"""By which the address space may grow."""

PATIENCE_S = 30.0
"""After which a child that says nothing, and waits for something else than a core, is given up."""

MOST_SECONDS_IN_C = 20
"""Of CPU time, after which the system ends a child: no alarm reaches Python while a library's loop does not return."""

PER_CHILD = 400
LONGEST_MESSAGE = 10_000


@dataclass(frozen=True)
class Outcome:
    """What became of an input: read, told (an EngineError), or a fault of ours, whose signature tells faults apart."""

    number: int
    what: str
    signature: str = ""
    detail: str = ""

    @property
    def is_fault(self) -> bool:
        return self.what not in ("read", "told")


class TooSlow(BaseException):
    """No Exception, so that no parser and no guard takes it for its own."""


def tried(numbers: Sequence[int], attempt: Callable[[int], None]) -> Iterator[Outcome]:
    """The outcome of every number, in order. attempt may raise an EngineError, and nothing else."""
    waiting = list(numbers)
    while waiting:
        batch, done = waiting[:PER_CHILD], 0
        for outcome in _in_child(batch, attempt):
            done += 1
            yield outcome
        waiting = waiting[done:]


def _in_child(batch: Sequence[int], attempt: Callable[[int], None]) -> Iterator[Outcome]:
    """Outcomes as far as the child came; its death or silence is the outcome of the number it was at."""
    reading, writing = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.close(reading)
            _work(batch, attempt, writing)
            status = 0
        finally:
            os._exit(status)
    os.close(writing)
    done = 0
    try:
        with os.fdopen(reading, "rb") as stream:
            for line in _lines(stream, child):
                if line is None:
                    yield Outcome(batch[done], "hang", f"no end within {PATIENCE_S:.0f} s")
                    return
                yield Outcome(**json.loads(line))
                done += 1
    finally:
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
    if done < len(batch):
        number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else -os.WEXITSTATUS(status)
        name = signal.Signals(number).name if number > 0 else f"exit status {-number}"
        yield Outcome(batch[done], "crash", name)


def _lines(stream: Any, child: int) -> Iterator[bytes | None]:
    """Whole lines until the end; None when none comes in time, though the child had a core to itself if it wanted one."""
    held = b""
    while True:
        if not select.select([stream], [], [], PATIENCE_S)[0]:
            if _is_running(child):
                continue
            yield None
            return
        if not (piece := os.read(stream.fileno(), 1 << 16)):
            return
        *lines, held = (held + piece).split(b"\n")
        yield from lines


def _is_running(child: int) -> bool:
    """Whether a process computes or waits for a core."""
    try:
        return Path(f"/proc/{child}/stat").read_text("utf-8").rpartition(")")[2].split()[0] == "R"
    except OSError:
        return False


def _work(batch: Sequence[int], attempt: Callable[[int], None], writing: int) -> None:
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    faulthandler.disable()
    warnings.simplefilter("error")
    signal.signal(signal.SIGPROF, _too_slow)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for number in batch:
        outcome = _attempted(number, attempt)
        os.write(writing, json.dumps(vars(outcome)).encode() + b"\n")


def _too_slow(*_: object) -> None:
    raise TooSlow


def _attempted(number: int, attempt: Callable[[int], None]) -> Outcome:
    before = _limit_memory()
    signal.setitimer(signal.ITIMER_PROF, MOST_SECONDS)
    resource.setrlimit(resource.RLIMIT_CPU, (int(time.process_time()) + MOST_SECONDS_IN_C, resource.RLIM_INFINITY))
    try:
        attempt(number)
        outcome = Outcome(number, "read")
    except EngineError as error:
        outcome = _judged(number, error)
    except TooSlow as error:
        outcome = Outcome(number, "slow", _place(error), _text(error))
    except BaseException as error:
        outcome = Outcome(number, "traceback", f"{type(error).__name__} {_place(error)}", _text(error))
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        resource.setrlimit(resource.RLIMIT_AS, before)
    return outcome


def _judged(number: int, error: EngineError) -> Outcome:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, MemoryError):
            return Outcome(number, "memory", _place(cause), _text(error))
        cause = cause.__cause__ or cause.__context__
    if not str(error).strip() or len(str(error)) > LONGEST_MESSAGE:
        return Outcome(number, "message", f"of {len(str(error))} characters {_place(error)}", str(error)[:300])
    return Outcome(number, "told", detail=str(error)[:300])


def _limit_memory() -> tuple[int, int]:
    """Lets the address space grow by MOST_MEMORY_BYTES from here; returns the limits before."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + MOST_MEMORY_BYTES, before[1]))
    return before


def _place(error: BaseException) -> str:
    """The last line of the engine's that the error came through."""
    frames = [one for one in traceback.extract_tb(error.__traceback__) if "/engine/" in one.filename]
    last = frames[-1] if frames else None
    return f"{Path(last.filename).name}:{last.lineno} {last.name}" if last else "elsewhere"


def _text(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))[-2500:]
