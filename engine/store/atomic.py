"""Files that are whole or absent: written aside, flushed, renamed, and the folder flushed."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engine.faults import EngineError

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
            folder.mkdir(exist_ok=True)
            _flush(folder.parent)


@contextmanager
def aside(path: Path) -> Iterator[Path]:
    """A new file beside the path; after the block it is flushed and takes that name, after an error it is gone."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644))
    try:
        yield temporary
        _flush(temporary)
        temporary.rename(path)
        _flush(path.parent)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_bytes(path: Path, content: bytes) -> None:
    with path.open("wb", buffering=0) as file:
        rest = memoryview(content)
        while rest:
            rest = rest[file.write(rest) :]


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
