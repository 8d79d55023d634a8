"""Files that are whole or absent: written aside, flushed, renamed, and the folder flushed."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from engine.faults import EngineError
from engine.store.disk import disk

_ADVICE = {
    errno.EEXIST: "move that file away",
    errno.ENOTDIR: "a file stands where a folder should be: move that file away",
    errno.EACCES: "get the right to write there, or move the project to where you have it",
    errno.EPERM: "get the right to write there, or move the project to where you have it",
    errno.EROFS: "move the project to a place that can be written",
    errno.ENOSPC: "make room, then run again",
    errno.EDQUOT: "make room, then run again",
}


@contextmanager
def told(what: str) -> Iterator[None]:
    """Around work on files: what the system refuses becomes one EngineError, `cannot <what>: why (what to do)`."""
    try:
        yield
    except OSError as error:
        raise EngineError(f"cannot {what}: {error.strerror or error} ({advice(error)})") from error


def advice(error: OSError) -> str:
    """What to do about a file that could not be written."""
    return _ADVICE.get(error.errno or 0, "mend that, then run again")


def make_folder(folder: Path) -> None:
    """Makes the folder and those above it, all on disk afterwards."""
    with told(f"make the folder {folder} for results"):
        if not folder.is_dir():
            make_folder(folder.parent)
            disk().make_folder(folder)
            disk().sync_folder(folder.parent)


def free_bytes(folder: Path) -> int:
    """Room that is left where the folder is, or will be."""
    while not folder.is_dir() and folder != folder.parent:
        folder = folder.parent
    with told(f"find out how much room is left in {folder}"):
        return disk().free_bytes(folder)


@contextmanager
def aside(path: Path) -> Iterator[int]:
    """The handle of a new file beside the path: after the block it is flushed and takes that name, after an error it goes."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    handle = disk().create(temporary)
    try:
        try:
            yield handle
            disk().sync(handle)
        finally:
            disk().close(handle)
        disk().rename(temporary, path)
        disk().sync_folder(path.parent)
    except BaseException:
        with suppress(OSError):  # it is swept by the next run, and the error of the writing must not be hidden
            disk().remove(temporary)
        raise
