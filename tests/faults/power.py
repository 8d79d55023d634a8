"""A model of a disk whose power goes: what may be left of the operations that were recorded.

What was synced is there. Of what was not, data may be there in whole, in half, as zeros or not at all; changes of names in a
folder up to any one of them, or one alone without those before it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from faults.disks import Operation

Files = dict[str, bytes | None]
"""Relative path to content; None is a folder."""


def states(done: list[Operation], n: int) -> Iterator[Files]:
    """What may be found when power goes after the first n operations, each state once."""
    seen: set[frozenset[tuple[str, bytes | None]]] = set()
    contents = list(_contents(done[:n]))
    for names in _names(done[:n]):
        for content in contents:
            files = {path: None if inode is None else content.get(inode, b"") for path, inode in names.items()}
            if (key := frozenset(files.items())) not in seen:
                seen.add(key)
                yield files


def put(files: Files, folder: Path) -> None:
    """Makes the folder hold these files."""
    for path in sorted(files):
        place = folder / path
        if (content := files[path]) is None:
            place.mkdir(parents=True, exist_ok=True)
        else:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)


def _contents(done: list[Operation]) -> Iterator[dict[int, bytes]]:
    """Content by inode: all written, nothing unsynced, half of it, and unsynced bytes as zeros."""
    synced: dict[int, bytearray] = {}
    whole: dict[int, bytearray] = {}
    for one in done:
        if one.name in ("write", "truncate"):
            _apply(whole.setdefault(one.inode, bytearray()), one)
        elif one.name == "sync":
            synced[one.inode] = bytearray(whole.get(one.inode, b""))
    safe = {inode: bytes(content) for inode, content in synced.items()}
    yield {inode: bytes(content) for inode, content in whole.items()}
    yield safe
    halves, zeros = dict(safe), dict(safe)
    for inode, content in whole.items():
        if (kept := safe.get(inode, b"")) != bytes(content):
            half = len(kept) + (len(content) - len(kept)) // 2
            halves[inode] = bytes(content[:half])
            zeros[inode] = kept + bytes(max(0, len(content) - len(kept)))
    yield halves
    yield zeros


def _apply(content: bytearray, one: Operation) -> None:
    if one.name == "truncate":
        del content[one.offset :]
        content.extend(bytes(one.offset - len(content)))
        return
    content.extend(bytes(max(0, one.offset - len(content))))
    content[one.offset : one.offset + len(one.content)] = one.content


def _names(done: list[Operation]) -> Iterator[dict[str, int | None]]:
    """Path to inode (None: a folder): of unsynced changes in a folder the first few, or one alone, in every folder alike."""
    pending: dict[str, list[Operation]] = {}
    safe: dict[str, int | None] = {}
    every: dict[str, int | None] = {}
    for one in done:
        if one.name in ("make_folder", "create", "rename", "remove"):
            pending.setdefault(_parent(one), []).append(one)
            _name(every, one, every)
        elif one.name == "sync_folder":
            for change in pending.pop(one.path, []):
                _name(safe, change, every)
    yield dict(every)
    yield from _some(safe, [], every)
    for changes in pending.values():
        for n in range(len(changes)):
            yield from _some(safe, changes[: n + 1], every)
            yield from _some(safe, [changes[n]], every)


def _some(
    safe: dict[str, int | None], changes: list[Operation], every: dict[str, int | None]
) -> Iterator[dict[str, int | None]]:
    found = dict(safe)
    for change in changes:
        _name(found, change, every)
    yield {path: inode for path, inode in found.items() if _is_reachable(path, found)}


def _name(names: dict[str, int | None], one: Operation, every: dict[str, int | None]) -> None:
    """A change of names. A rename whose file was never seen under its first name still gives it the new one."""
    if one.name == "rename":
        inode = names.pop(one.path, None)
        names[one.new] = every.get(one.new) if inode is None else inode
    elif one.name == "remove":
        names.pop(one.path, None)
    else:
        names[one.path] = one.inode or None


def _parent(one: Operation) -> str:
    return PurePosixPath(one.path).parent.as_posix()


def _is_reachable(path: str, names: dict[str, int | None]) -> bool:
    parents = [parent.as_posix() for parent in PurePosixPath(path).parents][:-1]
    return all(parent in names for parent in parents)
