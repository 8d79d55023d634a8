"""The seal of a results file: proof, before libhdf5 sees a byte, that what it would interpret is what was written.

Behind the HDF5 bytes stand a line of JSON, its length in 8 bytes (little-endian) and MAGIC. The JSON holds the number of HDF5
bytes, the extents of stored values among them, and the BLAKE2b-128 hash of all the others and of these facts. Values are
chunks with checksums of their own: HDF5 compares them whenever they are read, and never takes them for anything else.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from hashlib import blake2b
from typing import Any

MAGIC = b"engseal1"
_TAIL_BYTES = 8 + len(MAGIC)
_PIECE_BYTES = 1 << 20
_MOST_BYTES = 64 << 20
"""Of a seal: a file with a million extents has less."""

Extent = tuple[int, int]
Read = Callable[[int, int], bytes]
"""Bytes from an offset on, as many as asked for."""


class BrokenSeal(ValueError):
    """The file is not as it was written."""


def extents_of(file: Any) -> list[Extent]:
    """Offset and length of all the chunks in an open HDF5 file that was flushed, in order; neighbours are joined."""
    import h5py

    found: list[Extent] = []

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and item.chunks:
            item.id.chunk_iter(lambda chunk: found.append((chunk.byte_offset, chunk.size)))

    file.visititems(visit)
    joined: list[Extent] = []
    for offset, length in sorted(found):
        if joined and sum(joined[-1]) == offset:
            joined[-1] = (joined[-1][0], joined[-1][1] + length)
        else:
            joined.append((offset, length))
    return joined


def seal(read: Read, n_bytes: int, extents: list[Extent]) -> bytes:
    """The seal of HDF5 bytes."""
    facts = {"bytes": n_bytes, "values": [list(extent) for extent in extents]}
    text = _json({**facts, "blake2b": _hash(read, n_bytes, extents)})
    return text + len(text).to_bytes(8, "little") + MAGIC


def check(read: Read, size: int) -> None:
    """A BrokenSeal where a file of that size is not as it was written; values are not looked at."""
    if size < _TAIL_BYTES or (tail := read(size - _TAIL_BYTES, _TAIL_BYTES))[8:] != MAGIC:
        raise BrokenSeal("it has no seal")
    length = int.from_bytes(tail[:8], "little")
    if not 0 < length <= min(_MOST_BYTES, size - _TAIL_BYTES):
        raise BrokenSeal("its seal is broken")
    text = read(size - _TAIL_BYTES - length, length)
    n_bytes, extents, told = _facts(text)
    if n_bytes != size - _TAIL_BYTES - length or _hash(read, n_bytes, extents) != told:
        raise BrokenSeal("it is not as it was written")


def _facts(text: bytes) -> tuple[int, list[Extent], str]:
    try:
        facts = json.loads(text)
        n_bytes, extents, told = facts["bytes"], [(low, n) for low, n in facts["values"]], facts["blake2b"]
        numbers = [n_bytes, *(number for extent in extents for number in extent)]
        if not all(isinstance(number, int) and number >= 0 for number in numbers) or _json(facts) != text:
            raise BrokenSeal("its seal is broken")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise BrokenSeal("its seal is broken") from error
    return n_bytes, extents, told


def _hash(read: Read, n_bytes: int, extents: list[Extent]) -> str:
    made = blake2b(digest_size=16)
    for low, high in _between(n_bytes, extents):
        for start in range(low, high, _PIECE_BYTES):
            piece = read(start, min(_PIECE_BYTES, high - start))
            if len(piece) != min(_PIECE_BYTES, high - start):
                raise BrokenSeal("it was cut short")
            made.update(piece)
    made.update(_json({"bytes": n_bytes, "values": [list(extent) for extent in extents]}))
    return made.hexdigest()


def _between(n_bytes: int, extents: list[Extent]) -> Iterator[Extent]:
    """(low, high) of what lies outside the extents, which must be in order."""
    low = 0
    for offset, length in extents:
        if offset < low or offset + length > n_bytes:
            raise BrokenSeal("its seal is broken")
        if offset > low:
            yield low, offset
        low = offset + length
    if low < n_bytes:
        yield low, n_bytes


def _json(facts: dict[str, Any]) -> bytes:
    return json.dumps(facts, sort_keys=True, separators=(",", ":")).encode()
