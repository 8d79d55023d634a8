"""One writer: a lock that its holder's death opens."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from engine.faults import EngineError
from engine.store.atomic import make_folder, told

_PATIENCE_S = 0.5  # `lock_holder` of another process holds the lock for a moment


class LockHeld(EngineError):
    """Another process is running the project."""


@contextmanager
def lock(folder: Path) -> Iterator[None]:
    """Inside, this process alone writes here; a LockHeld names the other holder. A dead holder's lock is free."""
    make_folder(folder)
    with told(f"lock {folder}"):
        handle = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        if not _locked(handle, fcntl.LOCK_EX, _PATIENCE_S):
            raise LockHeld(f"{folder}: {_holder_text(_holder(handle))} (wait for it, or stop that process)")
        holder = {"host": socket.gethostname(), "pid": os.getpid(), "started": now()}
        with told(f"lock {folder}"):
            os.ftruncate(handle, 0)
            os.pwrite(handle, json.dumps(holder).encode(), 0)
        try:
            yield
        finally:
            with suppress(OSError):  # the lock is free all the same, and an error of the run must not be hidden
                os.ftruncate(handle, 0)
    finally:
        os.close(handle)


def lock_holder(folder: Path) -> dict[str, Any] | None:
    """host, pid, started and alive of the last run that did not end by itself; None when the last one did."""
    try:
        handle = os.open(folder / ".lock", os.O_RDWR)
    except OSError:
        return None
    try:
        holder = _holder(handle)
        return {**holder, "alive": not _locked(handle, fcntl.LOCK_SH, 0)} if holder else None
    finally:
        os.close(handle)


def _locked(handle: int, mode: int, patience_s: float) -> bool:
    end = time.monotonic() + patience_s
    while True:
        try:
            fcntl.flock(handle, mode | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= end:
                return False
            time.sleep(0.02)
        except OSError as error:
            raise EngineError(
                f"this file system has no locks ({error.strerror}); keep projects on one that has"
            ) from error
        else:
            return True


def _holder(handle: int) -> dict[str, Any]:
    try:
        holder = json.loads(os.pread(handle, 4096, 0))
    except ValueError:
        return {}
    return holder if isinstance(holder, dict) and {"host", "pid", "started"} <= set(holder) else {}


def _holder_text(holder: Mapping[str, Any]) -> str:
    if not holder:
        return "another process is running this project"
    return f"process {holder['pid']} on {holder['host']} has been running this project since {holder['started']}"


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
