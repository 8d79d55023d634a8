"""One writer: a lock that outlives the crash of its holder, on local and network file systems.

Whoever creates the highest number in the folder `.lock` holds the lock: creating a file that must be new is decided at one
place, also on network file systems. The new holder first removes all lower numbers, which is how an older one that had only
slept finds out (`Lock.check`). What that had written aside by then is swept before the new holder begins, and what it writes
aside later does not pass the check, so it commits nothing.

A holder touches its file every few seconds. One whose process cannot be looked at from here is dead when its file was touched
at none of many looks. No clock enters, neither that of another machine nor one that went on while this process slept.
"""

from __future__ import annotations

import errno
import json
import os
import shlex
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from secrets import token_hex
from typing import Any

from engine.faults import EngineError
from engine.store.atomic import make_folder, told
from engine.store.disk import disk
from engine.store.process import lives, signalled, this_process

FOLDER = ".lock"
BEAT_S = 5.0
LOOK_S, LOOKS = 1.0, 30
HURRY_S = 0.2
_RELEASED = b"released\n"
_MOST_BYTES = 4096
_held_here: set[bytes] = set()
"""What the locks say that this process holds; a disk that fails may keep others from which it let go."""


class LockHeld(EngineError):
    """Another process is running the project, or has taken it over."""


class Lock:
    """What the holder has: the file of its number, which says who it is."""

    def __init__(self, path: Path) -> None:
        """Creates the file; FileExistsError where another was quicker."""
        self.path = path
        self._pid = os.getpid()
        self._line = json.dumps({**this_process(), "started": now(), "token": token_hex(4)}).encode() + b"\n"
        self._is_over = threading.Event()
        self._heart = threading.Thread(target=self._beat, name="lock", daemon=True)
        self._handle = disk().create(path)
        _held_here.add(self._line)

    def check(self) -> None:
        """A LockHeld when another process has taken the lock since; asked before whatever others will see."""
        if _look(self.path).line != self._line:
            raise LockHeld(
                f"{self.path.parent.parent}: {_taker_text(self.path.parent)} (this run ends and changes nothing more)"
            )

    def is_asked_to_stop(self) -> bool:
        """Whether somebody has asked this holder to stop by a file, which is removed."""
        path = _request_of(self.path)
        if not os.path.lexists(path):
            return False
        with suppress(OSError):
            disk().remove(path)
        return True

    def start(self) -> None:
        """Says who holds the lock, and goes on saying so."""
        disk().write(self._handle, self._line, 0)
        disk().sync(self._handle)
        try:
            self._heart.start()
        except RuntimeError as error:
            raise EngineError(
                f"cannot lock {self.path.parent.parent}: {error} (end other programs, then run again)"
            ) from error

    def release(self) -> None:
        """Leaves the lock to whoever wants it; a forked worker leaves it alone. Nothing is raised: the run's error counts."""
        if os.getpid() != self._pid:
            return
        _held_here.discard(self._line)
        self._is_over.set()
        if self._heart.ident:
            self._heart.join()
        try:
            disk().write(self._handle, _RELEASED, len(self._line))
            disk().sync(self._handle)
        except OSError:  # a full disk takes no word, but lets a file go
            with suppress(OSError):
                if os.path.samestat(os.fstat(self._handle), self.path.stat()):
                    disk().remove(self.path)
        with suppress(OSError):
            disk().close(self._handle)

    def _beat(self) -> None:
        """Touching needs no room on the disk and tears nothing, and does not bring back a file that was removed."""
        while not self._is_over.wait(BEAT_S):
            with suppress(OSError):  # the next may succeed, and `check` tells what came of it
                os.utime(self._handle)


@dataclass(frozen=True)
class _Seen:
    """A look at a lock's file: what its holder wrote, when it touched it, and whether it has let go."""

    line: bytes
    touched_ns: int
    is_over: bool

    @cached_property
    def holder(self) -> dict[str, Any]:
        """Who wrote it; empty when that cannot be read."""
        try:
            holder = json.loads(self.line)
        except (ValueError, RecursionError):
            return {}
        is_told = isinstance(holder, dict) and {"host", "started"} <= set(holder)
        return holder if is_told and isinstance(pid := holder.get("pid"), int) and 0 < pid < 2**31 else {}

    @property
    def is_alive(self) -> bool | None:
        """Whether the holder lives and holds it; None where that cannot be seen from here."""
        alive = lives(self.holder)
        return self.line in _held_here if alive and self.holder["pid"] == os.getpid() else alive


@contextmanager
def locked(folder: Path, waiting: Callable[[str], None] = lambda text: None) -> Iterator[Lock]:
    """Inside, this process alone commits; a LockHeld names the other holder. A dead holder's lock is free.

    waiting is called every second with what is waited for, where it takes long to find out whether the holder is dead.
    """
    held = _taken(_lock_folder(folder), waiting)
    try:
        yield held
    finally:
        held.release()


def lock_holder(folder: Path) -> dict[str, Any] | None:
    """host, pid, started, alive and silent_s of the last run that did not end by itself; None when the last one did.

    Where its process cannot be looked at, alive says that it was silent for less time than a new run would wait. silent_s
    compares the clocks of two machines: good enough to be told.
    """
    try:
        newest = _newest(folder / FOLDER)
        seen = _look(_path(folder / FOLDER, newest))
    except (OSError, EngineError):
        return None
    if not newest or seen.is_over or not seen.holder:
        return None
    silent_s = max(0.0, time.time() - seen.touched_ns / 1e9)
    alive = seen.is_alive
    return {**seen.holder, "alive": silent_s < LOOK_S * LOOKS if alive is None else alive, "silent_s": silent_s}


def request_stop(folder: Path, in_a_hurry: bool = False) -> dict[str, Any] | None:
    """Asks the holder to stop. As `lock_holder`, and `asked_by`: "signal", or "file" where no signal can be sent from here.

    None where nobody holds the lock, or the holder is known to be dead. in_a_hurry: at once, which a file cannot say. A file is
    named after the number of the lock, so that it asks no other run.
    """
    holder = lock_holder(folder)
    if holder is None or lives(holder) is False:
        return None
    if signalled(holder, signal.SIGUSR1):
        if in_a_hurry:
            time.sleep(HURRY_S)
            signalled(holder, signal.SIGTERM)
        return {**holder, "asked_by": "signal"}
    place = folder / FOLDER
    with told(f"ask the run of {folder} to stop"), suppress(FileExistsError):
        disk().close(disk().create(_request_of(_path(place, _newest(place)))))
    return {**holder, "asked_by": "file"}


def _request_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.stop")


def _lock_folder(folder: Path) -> Path:
    place = folder / FOLDER
    make_folder(folder)
    if place.is_file():  # as earlier versions had it
        with told(f"remove the old {place}"), suppress(IsADirectoryError):  # another run was quicker
            disk().remove(place)
    make_folder(place)
    return place


def _taken(place: Path, waiting: Callable[[str], None]) -> Lock:
    number = 0
    while True:
        with told(f"lock {place.parent}"):
            number = max(number, _newest(place))
        if number:
            _await_end(_path(place, number), waiting)
        number += 1
        with told(f"lock {place.parent}"), suppress(FileExistsError):  # another was quicker: who?
            if held := _created(_path(place, number)):
                return held


def _created(path: Path) -> Lock | None:
    """The lock of a new number that is the highest; None when it had been held and removed, and there are higher ones."""
    held = Lock(path)
    try:
        held.start()
        numbers = _numbers(path.parent)
        if max(numbers, default=0) == int(path.name):
            for lower in set(numbers) - {int(path.name)}:
                disk().remove(_path(path.parent, lower))
            for late in path.parent.glob("*.stop"):
                disk().remove(late)
            return held
    except BaseException:
        held.release()
        raise
    held.release()
    return None


def _await_end(path: Path, waiting: Callable[[str], None]) -> None:
    """Comes back once the holder is known to be dead or has let go; a LockHeld when it lives."""
    seen, n_still = _look(path), 0
    while not seen.is_over:
        alive = seen.is_alive
        if alive:
            raise LockHeld(_held_text(path, seen))
        if alive is False or n_still == LOOKS:
            return
        if n_still:
            waiting(
                f"{path.parent.parent}: {_holder_text(seen)}, and may be dead: "
                f"waiting {LOOK_S * LOOKS:.0f} s for a sign of life"
            )
        time.sleep(LOOK_S)
        before, seen = seen, _look(path)
        if seen.line == before.line and seen.touched_ns != before.touched_ns and not seen.is_over:
            raise LockHeld(_held_text(path, seen))
        n_still = n_still + 1 if seen == before else 0


def _look(path: Path) -> _Seen:
    """Opens the file, since a network file system then asks its server; other ways show what was true a minute ago."""
    with told(f"read the lock {path}"):
        try:
            handle = os.open(path, os.O_RDONLY)
            try:
                content, touched_ns = os.pread(handle, _MOST_BYTES, 0), os.fstat(handle).st_mtime_ns
            finally:
                os.close(handle)
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ESTALE):
                raise
            return _Seen(b"", 0, True)
    return _Seen(content.removesuffix(_RELEASED), touched_ns, content.endswith(_RELEASED))


def _path(place: Path, number: int) -> Path:
    return place / f"{number:08}"


def _numbers(place: Path) -> list[int]:
    try:
        names = os.listdir(place)
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [int(name) for name in names if name.isascii() and name.isdigit()]


def _newest(place: Path) -> int:
    return max(_numbers(place), default=0)


def _held_text(path: Path, seen: _Seen) -> str:
    store = path.parent.parent
    return f"{store}: {_holder_text(seen)} (wait for it, or engine stop {shlex.quote(f'{store}.toml')})"


def _holder_text(seen: _Seen) -> str:
    if not seen.holder:
        return "another process is running this project"
    holder = seen.holder
    return f"process {holder['pid']} on {holder['host']} has been running this project since {holder['started']}"


def _taker_text(place: Path) -> str:
    """What became of a lock whose file is not there any more."""
    if not place.parent.is_dir():
        return "the results of this run were moved or removed while it was going on"
    newest = _newest(place)
    if not newest:
        return "the lock of this run was removed"
    taker = _look(_path(place, newest)).holder
    who = f"process {taker['pid']} on {taker['host']}" if taker else "another process"
    return f"{who} has taken this project over, since this run showed no sign of life"


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
