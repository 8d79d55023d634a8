"""Stopping runs from elsewhere: whoever holds a project's lock is asked to end after the particles in hand."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from engine.store import Store

LOOK_S = 0.2


@dataclass(frozen=True)
class Asked:
    """The run that was asked to stop, and how: by a signal, or by a file that it looks at between particles.

    host is empty where nobody runs the project. has_stopped is None where nobody waited for it.
    """

    project: str
    host: str = ""
    pid: int = 0
    since: str = ""
    asked_by: str = ""
    has_stopped: bool | None = None


def stop(files: Sequence[Path], *, in_a_hurry: bool = False, wait_s: float = 0.0) -> list[Asked]:
    """Asks the runs of project files to stop, and waits for them so long at most. in_a_hurry: at once, on this machine only.

    The files are not read: whoever edits one while it runs can stop the run, whatever stands in the file by then.
    """
    asked = [_asked(file, in_a_hurry) for file in files]
    if wait_s <= 0:
        return asked
    end_s = time.monotonic() + wait_s
    while (found := _looked(files, asked)) and time.monotonic() < end_s:
        if all(one.has_stopped is not False for one in found):
            break
        time.sleep(min(LOOK_S, wait_s))
    return found


def _store(file: Path) -> Store:
    return Store(file.parent / file.stem)


def _asked(file: Path, in_a_hurry: bool) -> Asked:
    holder = _store(file).request_stop(in_a_hurry)
    if holder is None:
        return Asked(file.stem)
    return Asked(file.stem, str(holder["host"]), holder["pid"], str(holder["started"]), holder["asked_by"])


def _looked(files: Sequence[Path], asked: list[Asked]) -> list[Asked]:
    return [
        replace(one, has_stopped=not _is_held(file, one)) if one.host else one
        for file, one in zip(files, asked, strict=True)
    ]


def _is_held(file: Path, one: Asked) -> bool:
    """Whether that very run still holds the lock."""
    holder = _store(file).lock_holder()
    return holder is not None and holder["alive"] and (holder["pid"], str(holder["started"])) == (one.pid, one.since)
