"""MATLAB files of version 5 to 7 before SciPy reads them: what would unpack to far more than it should is refused."""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.faults import EngineError

HEADER_BYTES = 128
_INT8, _INT32, _UINT32, _ARRAY, _PACKED = 1, 5, 6, 14, 15
_NUMBERS = {1, 2, 3, 4, 5, 6, 7, 9, 12, 13}
_TEXTS = _NUMBERS | {16, 17, 18}
"""Types of elements, by MathWorks' description of the format."""
_CELL, _STRUCT, _OBJECT, _CHAR, _SPARSE, _FUNCTION, _OPAQUE = 1, 2, 3, 4, 5, 16, 17
_NUMERIC = range(6, 16)
"""Classes of arrays."""
_IS_COMPLEX = 0x0800
_DEEPEST = 20


def is_version_7_3(content: bytes) -> bool:
    """Version 7.3 is HDF5, which SciPy leaves to others."""
    return content.startswith((b"MATLAB 7.3", b"\x89HDF\r\n\x1a\n"))


def refuse_other(content: bytes, path: Path, form: str, most_unpacked_bytes: int) -> None:
    """What is no file of version 5 to 7, or would unpack to more, is an EngineError; a spoilt one is a ValueError.

    SciPy takes the lengths and dimensions that a file tells on trust, so here each is held against what is there.
    """
    if len(content) < HEADER_BYTES + 8 or content[126:128] not in (b"IM", b"MI"):
        raise EngineError(
            f"{path}: is no MATLAB file of version 5 to 7, so it is not {form}; check that the name is right"
        )
    order = "<" if content[126:128] == b"IM" else ">"
    left = most_unpacked_bytes
    for element in _elements(content, order, HEADER_BYTES, len(content)):
        if element.kind == _PACKED:
            part = zlib.decompressobj().decompress(memoryview(content)[element.low : element.high], left + 1)
            left -= len(part)
            if left < 0:
                raise EngineError(
                    f"{path}: unpacks to far more than such a file holds ({most_unpacked_bytes / 1e6:.0f} MB); "
                    "check that the name is right"
                )
            for inner in _elements(part, order, 0, len(part)):
                _check_array(part, order, inner)
        else:
            _check_array(content, order, element)


@dataclass(frozen=True)
class _Element:
    """A part of a file: its type, and the start and end of what it holds."""

    kind: int
    low: int
    high: int


def _elements(content: bytes, order: str, low: int, high: int) -> Iterator[_Element]:
    """Every element between two places."""
    while low + 8 <= high:
        kind, size = struct.unpack_from(f"{order}2I", content, low)
        start, step = low + 8, size
        if kind >> 16:  # up to four bytes stand beside their own length
            kind, size, start, step = kind & 0xFFFF, kind >> 16, low + 4, 0
        if start + size > high:
            raise ValueError("a part of it reaches beyond its end")
        yield _Element(kind, start, start + size)
        low += 8 + step + (-step % 8 if kind != _PACKED else 0)


def _check_array(content: bytes, order: str, array: _Element, depth: int = 0) -> None:
    """That an array has exactly the elements that its class needs: SciPy reads one after the other and asks for no end."""
    if array.kind != _ARRAY or array.low == array.high:
        return
    if depth > _DEEPEST:
        raise ValueError("its arrays are nested too deep")
    parts = list(_elements(content, order, array.low, array.high))
    needed = _needed(content, order, parts)
    if len(parts) != len(needed) or not all(part.kind in kinds for part, kinds in zip(parts, needed, strict=True)):
        raise ValueError("an array of it is spoilt")
    for part in parts:
        _check_array(content, order, part, depth + 1)


def _needed(content: bytes, order: str, parts: Sequence[_Element]) -> list[Container[int]]:
    """The types that the elements of an array may have, each in its place."""

    def whole_numbers(place: int, kind: int) -> tuple[int, ...]:
        if place >= len(parts) or parts[place].kind != kind:
            raise ValueError("an array of it is spoilt")
        part = parts[place]
        letter = "I" if kind == _UINT32 else "i"
        return struct.unpack_from(f"{order}{(part.high - part.low) // 4}{letter}", content, part.low)

    flags = (*whole_numbers(0, _UINT32), 0)[0]
    what = flags & 0xFF
    if what == _OPAQUE:
        return [{_UINT32}, {_INT8}, {_INT8}, {_INT8}, {_ARRAY}]
    dimensions = whole_numbers(1, _INT32)
    count = math.prod(dimensions)
    if min(dimensions, default=0) < 0 or count > len(content):
        raise ValueError(f"an array of {' x '.join(map(str, dimensions))} is not in it")
    head: list[Container[int]] = [{_UINT32}, {_INT32}, {_INT8}]
    n_parts = 2 if flags & _IS_COMPLEX else 1
    if what in _NUMERIC:
        return [*head, *([_NUMBERS] * n_parts)]
    if what == _SPARSE:
        return [*head, *([_NUMBERS] * (2 + n_parts))]
    if what == _CHAR:
        return [*head, _TEXTS]
    if what == _FUNCTION:
        return [*head, {_ARRAY}]
    if what == _CELL:
        return [*head, *([{_ARRAY}] * count)]
    if what in (_STRUCT, _OBJECT):
        head += [{_INT8}] * (what == _OBJECT)
        (length,) = whole_numbers(len(head), _INT32) or (0,)
        names = parts[len(head) + 1] if len(head) + 1 < len(parts) else _Element(0, 0, 0)
        n_fields = (names.high - names.low) // length if length > 0 else 0
        if n_fields * count > len(content):
            raise ValueError("an array of it is spoilt")
        return [*head, {_INT32}, {_INT8}, *([{_ARRAY}] * (n_fields * count))]
    raise ValueError(f"an array of it is of class {what}, which there is not")
