"""Processes: which one this is, and whether one that was written down still lives."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


def this_process() -> dict[str, Any]:
    """host, boot, pid_namespace, pid and process_start (in clock ticks after boot); empty where not on Linux."""
    mine = _stat(os.getpid())
    return {
        "host": socket.gethostname(),
        **_view(),
        "pid": os.getpid(),
        "process_start": mine.start if mine else 0,
    }


def lives(other: Mapping[str, Any]) -> bool | None:
    """Whether the process lives. None where that cannot be seen from here: it is of another machine, boot or container.

    A machine is known by its boot, since many are called localhost; so one that was started anew is another machine.
    """
    view = _view()
    is_near = all(value and other.get(name) == value for name, value in view.items())
    if not is_near or not other.get("process_start"):
        return None
    found = _stat(other["pid"])
    if not found:
        return None if _exists(other["pid"]) else False
    if found.start != other["process_start"]:
        return False
    is_ending = found.state in "ZX"  # its first thread has; others may still be within the system
    return None if is_ending and found.n_threads > 1 else not is_ending


def signalled(other: Mapping[str, Any], number: signal.Signals) -> bool:
    """Sends the process a signal, if it is known to live and has a handler: without one the signal would end it."""
    if not lives(other):
        return False
    try:
        handle = os.pidfd_open(other["pid"])
    except OSError:
        return False
    try:
        if not lives(other) or not _handles(other["pid"], number):  # the number may have gone to another since
            return False
        signal.pidfd_send_signal(handle, number)
    except OSError:  # it belongs to somebody else
        return False
    finally:
        os.close(handle)
    return True


def _handles(pid: int, number: signal.Signals) -> bool:
    lines = Path(f"/proc/{pid}/status").read_text("utf-8", "replace").splitlines()
    caught = next((line.split()[1] for line in lines if line.startswith("SigCgt:")), "0")
    return bool(int(caught, 16) >> (number - 1) & 1)


def _view() -> dict[str, str]:
    """What two processes have in common that see each other under the same numbers."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        return {"boot": boot, "pid_namespace": os.readlink("/proc/self/ns/pid")}
    except OSError:
        return {"boot": "", "pid_namespace": ""}


@dataclass(frozen=True)
class _Stat:
    """state is Z for a process that is dead, and that its parent has not yet asked for; start is in clock ticks after boot."""

    state: str
    n_threads: int
    start: int


def _stat(pid: int) -> _Stat | None:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    except OSError:
        return None
    return _Stat(fields[0], int(fields[17]), int(fields[19]))


def _exists(pid: int) -> bool:
    """Processes of other users may be hidden in /proc, but not from this."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
