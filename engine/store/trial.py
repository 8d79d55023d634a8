"""A trial of a folder: whether what results and the lock stand on works there."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from secrets import token_hex

from engine.store.disk import disk


def trial(folder: Path) -> dict[str, str]:
    """Each operation that results and the lock need, and why it fails there; empty where it works.

    Written are two small files that begin with `.trial-`, which are removed.
    """
    one, two = (folder / f".trial-{os.getpid()}-{token_hex(4)}" for _ in range(2))
    handles: list[int] = []

    def create() -> None:
        handles.append(disk().create(one))

    def create_once() -> str:
        with suppress(FileExistsError):
            os.close(disk().create(one))
            return "the same new file could be created twice"
        return ""

    def write() -> str:
        disk().write(handles[0], b"trial\n", 0)
        disk().sync(handles[0])
        return "" if one.read_bytes() == b"trial\n" else "what was written is not what is read"

    def touch() -> str:
        before = one.stat().st_mtime_ns
        os.utime(handles[0], ns=(before - 10**10, before - 10**10))
        return "" if one.stat().st_mtime_ns != before else "the time of a file does not change"

    def rename() -> str:
        os.close(disk().create(two))
        disk().rename(one, two)
        return "" if two.read_bytes() == b"trial\n" and not one.exists() else "the old file is still there"

    steps: dict[str, Callable[[], str | None]] = {
        "create a file": create,
        "create a file once only": create_once,
        "write and flush (fsync)": write,
        "touch": touch,
        "rename over another": rename,
        "flush the folder": lambda: disk().sync_folder(folder),
    }
    found: dict[str, str] = {}
    try:
        for name, step in steps.items():
            try:
                found[name] = step() or ""
            except OSError as error:
                found[name] = error.strerror or str(error)
            if not handles:
                break
    finally:
        for handle in handles:
            with suppress(OSError):
                disk().close(handle)
        for path in (one, two):
            with suppress(OSError):
                disk().remove(path)
    return found
