"""The disk, as results see it: the few operations that change it. Tests put another in its place, which fails or ends there."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Disk:
    """The system's. Each operation is one moment at which power can go or the disk be full; an OSError says what it refuses.

    A handle is an open file's number. What `sync` and `sync_folder` have not yet been told may be lost when power goes.
    """

    def make_folder(self, path: Path) -> None:
        """Makes the folder, which may be there already."""
        path.mkdir(exist_ok=True)

    def create(self, path: Path) -> int:
        """The handle of a new file; FileExistsError where there is one, whoever made it."""
        return os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o644)

    def open_end(self, path: Path) -> int:
        """The handle of a file, made where there is none, for `append`."""
        return os.open(path, os.O_CREAT | os.O_RDWR | os.O_APPEND | os.O_CLOEXEC, 0o644)

    def open_direct(self, handle: int) -> int:
        """Another handle of an open file, by which whole blocks from block to block go past the system's cache."""
        return os.open(f"/proc/self/fd/{handle}", os.O_WRONLY | os.O_CLOEXEC | getattr(os, "O_DIRECT", 0))

    def write(self, handle: int, content: bytes | memoryview, offset: int) -> None:
        """Writes all of it at that place of the file."""
        rest = memoryview(content).cast("B")
        while rest:
            n_written = os.pwrite(handle, rest, offset)
            rest, offset = rest[n_written:], offset + n_written

    def append(self, handle: int, content: bytes | memoryview) -> None:
        """Writes all of it behind the end of the file, wherever that is by now."""
        rest = memoryview(content).cast("B")
        while rest:
            rest = rest[os.write(handle, rest) :]

    def truncate(self, handle: int, size: int) -> None:
        """Cuts the file to that size, or fills it up with zeros."""
        os.ftruncate(handle, size)

    def sync(self, handle: int) -> None:
        """What was written is on disk afterwards."""
        os.fsync(handle)

    def close(self, handle: int) -> None:
        os.close(handle)

    def rename(self, path: Path, new: Path) -> None:
        """Gives the file that name, in the place of a file that has it."""
        os.replace(path, new)

    def remove(self, path: Path) -> None:
        """Removes the file, if it is there."""
        path.unlink(missing_ok=True)

    def sync_folder(self, path: Path) -> None:
        """Names that were made, changed or removed in the folder are on disk afterwards."""
        handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    def free_bytes(self, folder: Path) -> int:
        """Room that is left for this user."""
        return shutil.disk_usage(folder).free


_in_use = Disk()


def disk() -> Disk:
    """The disk in use."""
    return _in_use


@contextmanager
def using(other: Disk) -> Iterator[None]:
    """Inside, results go to another disk."""
    global _in_use
    before, _in_use = _in_use, other
    try:
        yield
    finally:
        _in_use = before
