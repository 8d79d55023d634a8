"""The seal of a results file: proof, before libhdf5 sees a byte, that what it would interpret is what was written.

Behind the HDF5 bytes stand a line of JSON, its length in 8 bytes (little-endian) and MAGIC. The JSON holds the number of HDF5
bytes, the extents of stored values among them, what the file tells of itself, and the BLAKE2b-128 hash of all other bytes and
of this JSON. Values are chunks with checksums of their own: HDF5 compares them whenever they are read, and never takes them
for anything else.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from hashlib import blake2b
from typing import Any

LAYOUT = 3
"""Of results files, as schemas/results.md has it. Seals of layout 2 say nothing about the file."""

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


def seal(read: Read, n_bytes: int, extents: list[Extent], about: Mapping[str, Any] | None = None) -> bytes:
    """The seal of HDF5 bytes; about is what they tell, as plain values, so that nobody needs HDF5 to know it."""
    facts: dict[str, Any] = {} if about is None else {"about": about}
    facts |= {"bytes": n_bytes, "values": [list(extent) for extent in extents]}
    text = _json({**facts, "blake2b": _hash(read, n_bytes, extents, facts)})
    return text + len(text).to_bytes(8, "little") + MAGIC


def check(read: Read, size: int) -> Any:
    """What the file tells of itself, None where its seal says nothing; a BrokenSeal where a file of that size is not as it was
    written. Values are not looked at."""
    if size < _TAIL_BYTES or (tail := read(size - _TAIL_BYTES, _TAIL_BYTES))[8:] != MAGIC:
        raise BrokenSeal("it has no seal")
    length = int.from_bytes(tail[:8], "little")
    if not 0 < length <= min(_MOST_BYTES, size - _TAIL_BYTES):
        raise BrokenSeal("its seal is broken")
    text = read(size - _TAIL_BYTES - length, length)
    n_bytes, extents, facts = _facts(text)
    hashed = facts.pop("blake2b")
    if n_bytes != size - _TAIL_BYTES - length or _hash(read, n_bytes, extents, facts) != hashed:
        raise BrokenSeal("it is not as it was written")
    return facts.get("about")


def _facts(text: bytes) -> tuple[int, list[Extent], dict[str, Any]]:
    try:
        facts = json.loads(text)
        n_bytes, extents = facts["bytes"], [(low, n) for low, n in facts["values"]]
        numbers = [n_bytes, *(number for extent in extents for number in extent)]
        if (
            "blake2b" not in facts
            or not all(isinstance(number, int) and number >= 0 for number in numbers)
            or _json(facts) != text
        ):
            raise BrokenSeal("its seal is broken")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise BrokenSeal("its seal is broken") from error
    return n_bytes, extents, facts


def _hash(read: Read, n_bytes: int, extents: list[Extent], facts: Mapping[str, Any]) -> str:
    """Of what lies outside the extents, and of the facts."""
    made = blake2b(digest_size=16)
    for low, high in _between(n_bytes, extents):
        for start in range(low, high, _PIECE_BYTES):
            piece = read(start, min(_PIECE_BYTES, high - start))
            if len(piece) != min(_PIECE_BYTES, high - start):
                raise BrokenSeal("it was cut short")
            made.update(piece)
    made.update(_json(facts))
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


def _json(facts: Mapping[str, Any]) -> bytes:
    """In the order given: that of a summary is its own."""
    return json.dumps(facts, separators=(",", ":")).encode()
