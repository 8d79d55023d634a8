"""Stopping runs from elsewhere: whoever holds a project's lock is asked to end after the particles in hand."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from engine.project import Project
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


def stop(projects: Sequence[Project], *, in_a_hurry: bool = False, wait_s: float = 0.0) -> list[Asked]:
    """Asks the runs of the projects to stop, and waits for them so long at most. in_a_hurry: at once, on this machine only."""
    asked = [_asked(project, in_a_hurry) for project in projects]
    if wait_s <= 0:
        return asked
    end_s = time.monotonic() + wait_s
    while (found := _looked(projects, asked)) and time.monotonic() < end_s:
        if all(one.has_stopped is not False for one in found):
            break
        time.sleep(min(LOOK_S, wait_s))
    return found


def _asked(project: Project, in_a_hurry: bool) -> Asked:
    holder = Store(project.store_folder).request_stop(in_a_hurry)
    if holder is None:
        return Asked(project.name)
    return Asked(project.name, str(holder["host"]), holder["pid"], str(holder["started"]), holder["asked_by"])


def _looked(projects: Sequence[Project], asked: list[Asked]) -> list[Asked]:
    return [
        replace(one, has_stopped=not _is_held(project, one)) if one.host else one
        for project, one in zip(projects, asked, strict=True)
    ]


def _is_held(project: Project, one: Asked) -> bool:
    """Whether that very run still holds the lock."""
    holder = Store(project.store_folder).lock_holder()
    return holder is not None and holder["alive"] and (holder["pid"], str(holder["started"])) == (one.pid, one.since)
