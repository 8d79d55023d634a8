"""Disks for tests: one that writes down what is done to it, one that fails, one whose power goes."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from engine.store.disk import Disk


class PowerCut(BaseException):
    """Nothing that the program does from now on reaches the disk. No handler of errors may take it for one."""


@dataclass
class Counting(Disk):
    """Counts the operations that change something; `before` is called with the number of each, from 1 on."""

    n_done: int = 0

    def before(self) -> None:
        self.n_done += 1

    def make_folder(self, path: Path) -> None:
        self.before()
        super().make_folder(path)

    def create(self, path: Path) -> int:
        self.before()
        return super().create(path)

    def open_end(self, path: Path) -> int:
        self.before()
        return super().open_end(path)

    def open_direct(self, handle: int) -> int:
        self.before()
        return super().open_direct(handle)

    def write(self, handle: int, content: bytes | memoryview, offset: int) -> None:
        self.before()
        super().write(handle, content, offset)

    def append(self, handle: int, content: bytes | memoryview) -> None:
        self.before()
        super().append(handle, content)

    def truncate(self, handle: int, size: int) -> None:
        self.before()
        super().truncate(handle, size)

    def sync(self, handle: int) -> None:
        self.before()
        super().sync(handle)

    def rename(self, path: Path, new: Path) -> None:
        self.before()
        super().rename(path, new)

    def remove(self, path: Path) -> None:
        self.before()
        super().remove(path)

    def sync_folder(self, path: Path) -> None:
        self.before()
        super().sync_folder(path)


@dataclass
class Cut(Counting):
    """Does so many operations and no more: as if the process had been killed there."""

    after: int = 0

    def before(self) -> None:
        if self.n_done == self.after:
            raise PowerCut
        super().before()


@dataclass
class Failing(Counting):
    """The n-th operation is refused by the system with that error number; with `from_then_on`, all later ones too."""

    n: int = 0
    errno: int = 0
    from_then_on: bool = False

    def before(self) -> None:
        super().before()
        if self.n_done == self.n or (self.from_then_on and self.n_done > self.n):
            raise OSError(self.errno, os.strerror(self.errno))


@dataclass(frozen=True)
class Operation:
    """What was done: paths are relative to the folder that is watched; inode tells files apart that had one name in turn."""

    name: str
    path: str = ""
    new: str = ""
    inode: int = 0
    content: bytes = b""
    offset: int = 0


@dataclass
class Recording(Disk):
    """Does all that is asked for, and writes it down."""

    folder: Path
    done: list[Operation] = field(default_factory=list)
    _inodes: dict[int, int] = field(default_factory=dict)
    _n_inodes: int = 0

    def _path(self, path: Path) -> str:
        return path.relative_to(self.folder).as_posix()

    def mark(self, text: str) -> None:
        """Writes down that the program said something."""
        self.done.append(Operation("said", text))

    def make_folder(self, path: Path) -> None:
        is_new = not path.is_dir()
        super().make_folder(path)
        if is_new:
            self.done.append(Operation("make_folder", self._path(path)))

    def create(self, path: Path) -> int:
        handle = super().create(path)
        self._made(path, handle)
        return handle

    def open_end(self, path: Path) -> int:
        is_new = not path.exists()
        handle = super().open_end(path)
        if is_new:
            self._made(path, handle)
        else:
            known = next(one for one in reversed(self.done) if one.name == "create" and one.path == self._path(path))
            self._inodes[handle] = known.inode
        return handle

    def open_direct(self, handle: int) -> int:
        direct = super().open_direct(handle)
        self._inodes[direct] = self._inodes[handle]
        return direct

    def _made(self, path: Path, handle: int) -> None:
        self._n_inodes += 1
        self._inodes[handle] = self._n_inodes
        self.done.append(Operation("create", self._path(path), inode=self._n_inodes))

    def write(self, handle: int, content: bytes | memoryview, offset: int) -> None:
        super().write(handle, content, offset)
        self.done.append(Operation("write", inode=self._inodes[handle], content=bytes(content), offset=offset))

    def append(self, handle: int, content: bytes | memoryview) -> None:
        offset = os.fstat(handle).st_size
        super().append(handle, content)
        self.done.append(Operation("write", inode=self._inodes[handle], content=bytes(content), offset=offset))

    def truncate(self, handle: int, size: int) -> None:
        super().truncate(handle, size)
        self.done.append(Operation("truncate", inode=self._inodes[handle], offset=size))

    def sync(self, handle: int) -> None:
        super().sync(handle)
        self.done.append(Operation("sync", inode=self._inodes[handle]))

    def rename(self, path: Path, new: Path) -> None:
        super().rename(path, new)
        self.done.append(Operation("rename", self._path(path), self._path(new)))

    def remove(self, path: Path) -> None:
        if path.exists():
            super().remove(path)
            self.done.append(Operation("remove", self._path(path)))

    def sync_folder(self, path: Path) -> None:
        super().sync_folder(path)
        self.done.append(Operation("sync_folder", self._path(path)))
