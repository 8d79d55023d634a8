"""MATLAB files of version 5 to 7 before SciPy reads them: what would unpack to far more than it should is refused."""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

from engine.faults import EngineError

HEADER_BYTES = 128
_INT32, _ARRAY, _PACKED = 5, 14, 15
"""Types of elements, by MathWorks' description of the format."""
_DIMENSIONS = 1
"""Their place among the elements of an array."""
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
    for kind, low, high in _elements(content, order, HEADER_BYTES, len(content)):
        if kind == _PACKED:
            part = zlib.decompressobj().decompress(memoryview(content)[low:high], left + 1)
            left -= len(part)
            if left < 0:
                raise EngineError(
                    f"{path}: unpacks to far more than such a file holds ({most_unpacked_bytes / 1e6:.0f} MB); "
                    "check that the name is right"
                )
            for inner in _elements(part, order, 0, len(part)):
                _check_array(part, order, *inner)
        else:
            _check_array(content, order, kind, low, high)


def _elements(content: bytes, order: str, low: int, high: int) -> Iterator[tuple[int, int, int]]:
    """Type, start and end of every element between two places."""
    while low + 8 <= high:
        kind, size = struct.unpack_from(f"{order}2I", content, low)
        start, step = low + 8, size
        if kind >> 16:  # up to four bytes stand beside their own length
            kind, size, start, step = kind & 0xFFFF, kind >> 16, low + 4, 0
        if start + size > high:
            raise ValueError("a part of it reaches beyond its end")
        yield kind, start, start + size
        low += 8 + step + (-step % 8 if kind != _PACKED else 0)


def _check_array(content: bytes, order: str, kind: int, low: int, high: int, depth: int = 0) -> None:
    if kind != _ARRAY:
        return
    if depth > _DEEPEST:
        raise ValueError("its arrays are nested too deep")
    for place, (inner, start, end) in enumerate(_elements(content, order, low, high)):
        if place == _DIMENSIONS and inner == _INT32:
            dimensions = struct.unpack_from(f"{order}{(end - start) // 4}i", content, start)
            if min(dimensions, default=0) < 0 or math.prod(dimensions) > len(content):
                raise ValueError(f"an array of {' x '.join(map(str, dimensions))} is not in it")
        _check_array(content, order, inner, start, end, depth + 1)
