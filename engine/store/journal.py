"""Journals: what is finished of a step that is not stored yet, so that a run that was killed goes on from there.

A journal decides nothing and may be deleted at any time. It is a row of records, each a length, a blake2b hash and a payload;
the first says what the journal is of, each other one holds some rows of numbers. What follows a torn or damaged record is not
read, and a journal of anything else is not read at all.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from engine.faults import EngineError
from engine.store.atomic import make_folder
from engine.store.disk import disk

SYNC_S = 5.0
"""How often a journal is flushed: when power goes, what was finished since is computed again."""

_FRAME = struct.Struct("<I16s")
_NUMBERS = np.dtype("<f8")


@dataclass(frozen=True, eq=False)
class _Rows:
    """Rows (n, width) of one of the step's sets of rows, counted from 1, from the first-th row on."""

    rows_of: int
    first: int
    values: np.ndarray


class Journal:
    """The journal of a step at a path; head says what it is of: nothing of a journal with another head is used.

    What the disk refuses ends the journal, not the step: note is told once, and from then on nothing is written down.
    """

    def __init__(self, path: Path, head: Mapping[str, Any], note: Callable[[str], None]) -> None:
        self._path, self._note = path, note
        self._head = json.dumps(dict(head), sort_keys=True).encode()
        self._n_begun = 0
        self._found: list[_Rows] | None = None
        self._size = 0
        self._handle: int | None = None
        self._is_new = self._is_given_up = False
        self._synced_s = time.monotonic()

    def begin(self, n: int, width: int) -> tuple[np.ndarray, np.ndarray]:
        """Of the step's next n rows of width numbers: which are finished (n,), and the rows (n, width) float64."""
        if self._found is None:
            self._found, self._size = _read(self._path, self._head)
        self._n_begun += 1
        is_done, rows = np.zeros(n, dtype=bool), np.empty((n, width))
        for one in self._found:
            count, its_width = one.values.shape
            end = one.first + count
            if one.rows_of == self._n_begun and its_width == width and end <= n:
                is_done[one.first : end], rows[one.first : end] = True, one.values
        return is_done, rows

    def add(self, first: int, rows: np.ndarray) -> None:
        """These rows of those that were begun last, from the first on, are finished too."""
        if self._is_given_up:
            return
        place = json.dumps({"rows_of": self._n_begun, "first": first, "shape": rows.shape}).encode()
        try:
            if self._handle is None:
                self._handle = self._opened()
            disk().append(self._handle, _record(place + b"\n" + rows.astype(_NUMBERS).tobytes()))
            if time.monotonic() - self._synced_s >= SYNC_S:
                self._sync(self._handle)
        except (OSError, EngineError) as error:
            self._is_given_up = True
            reason = getattr(error, "strerror", None) or error
            self._note(
                f"{self._path}: not written: {reason} (the run goes on; what is finished from now on waits for the step)"
            )

    def _sync(self, handle: int) -> None:
        disk().sync(handle)
        if self._is_new:
            disk().sync_folder(self._path.parent)
            self._is_new = False
        self._synced_s = time.monotonic()

    def close(self) -> None:
        """What is written stays for the next run."""
        if self._handle is not None:
            with suppress(OSError):
                disk().close(self._handle)
            self._handle = None

    def remove(self) -> None:
        """The step is stored. A journal that cannot be removed is swept by the next run."""
        self.close()
        if os.path.lexists(self._path):
            with suppress(OSError):
                disk().remove(self._path)

    def _opened(self) -> int:
        """The journal's file, which ends behind the last record that can be used; in the place of any other a new one."""
        make_folder(self._path.parent)
        self._is_new = self._size == 0
        if self._is_new and os.path.lexists(self._path):
            disk().remove(self._path)
        handle = disk().create(self._path) if self._is_new else disk().open_end(self._path)
        try:
            if self._is_new:
                disk().append(handle, _record(self._head))
            else:
                disk().truncate(handle, self._size)
        except BaseException:
            disk().close(handle)
            raise
        return handle


def _record(payload: bytes) -> bytes:
    return _FRAME.pack(len(payload), _digest(payload)) + payload


def _digest(payload: bytes | memoryview) -> bytes:
    return hashlib.blake2b(payload, digest_size=16).digest()


def _read(path: Path, head: bytes) -> tuple[list[_Rows], int]:
    """The rows in a journal of that head, and where the last record ends that can be used."""
    try:
        content = path.read_bytes()
    except OSError:
        return [], 0
    records = _payloads(memoryview(content))
    first = next(records, None)
    if first is None or bytes(first[0]) != head:
        return [], 0
    found, size = [], first[1]
    for payload, end in records:
        rows = _rows(bytes(payload))
        if rows is None:
            break
        found.append(rows)
        size = end
    return found, size


def _payloads(content: memoryview) -> Iterator[tuple[memoryview, int]]:
    """Each whole payload and where its record ends, up to the first that is torn or damaged."""
    start = 0
    while len(content) - start >= _FRAME.size:
        length, digest = _FRAME.unpack_from(content, start)
        begin, end = start + _FRAME.size, start + _FRAME.size + length
        if end > len(content) or _digest(content[begin:end]) != digest:
            return
        yield content[begin:end], end
        start = end


def _rows(payload: bytes) -> _Rows | None:
    """What a record says; None for what no journal of ours says, though its hash is right."""
    text, _, numbers = payload.partition(b"\n")
    try:
        place = json.loads(text)
        rows_of, first, (count, width) = place["rows_of"], place["first"], place["shape"]
        if not all(type(one) is int and one >= 0 for one in (rows_of, first, count, width)):
            return None
        return _Rows(rows_of, first, np.frombuffer(numbers, _NUMBERS).reshape(count, width))
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
