"""Processes: which one this is, and whether one that was written down still lives."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def this_process() -> dict[str, Any]:
    """host, boot, pid_namespace, pid and process_start (in clock ticks after boot); empty where not on Linux."""
    pid = os.getpid()
    return {"host": socket.gethostname(), **_view(), "pid": pid, "process_start": _state_and_start(pid)[1]}


def lives(other: Mapping[str, Any]) -> bool | None:
    """Whether the process lives. None where that cannot be seen from here: it is of another machine, boot or container.

    A machine is known by its boot, since many are called localhost; so one that was started anew is another machine.
    """
    view = _view()
    is_near = all(value and other.get(name) == value for name, value in view.items())
    if not is_near or not other.get("process_start"):
        return None
    state, start = _state_and_start(other["pid"])
    if not state:
        return None if _exists(other["pid"]) else False
    return state not in "ZX" and start == other.get("process_start")


def _view() -> dict[str, str]:
    """What two processes have in common that see each other under the same numbers."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        return {"boot": boot, "pid_namespace": os.readlink("/proc/self/ns/pid")}
    except OSError:
        return {"boot": "", "pid_namespace": ""}


def _state_and_start(pid: int) -> tuple[str, int]:
    """State (Z: dead, and not yet asked for by its parent) and start of a process; empty and 0 where it is not shown."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    except OSError:
        return "", 0
    return fields[0], int(fields[19])


def _exists(pid: int) -> bool:
    """Processes of other users may be hidden in /proc, but not from this."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
