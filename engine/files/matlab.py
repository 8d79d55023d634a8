"""MATLAB files of version 5 to 7 before SciPy reads them: what would unpack to far more than it should is refused."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from engine.faults import EngineError

HEADER_BYTES = 128
_PACKED = 15


def is_version_7_3(content: bytes) -> bool:
    """Version 7.3 is HDF5, which SciPy leaves to others."""
    return content.startswith((b"MATLAB 7.3", b"\x89HDF\r\n\x1a\n"))


def refuse_other(content: bytes, path: Path, form: str, most_unpacked_bytes: int) -> None:
    """What is no file of version 5 to 7, or would unpack to more, is an EngineError; a spoilt stream is a zlib.error."""
    if len(content) < HEADER_BYTES + 8 or content[126:128] not in (b"IM", b"MI"):
        raise EngineError(
            f"{path}: is no MATLAB file of version 5 to 7, so it is not {form}; check that the name is right"
        )
    unpacked = 0
    for part in _packed_parts(content, "little" if content[126:128] == b"IM" else "big"):
        stream = zlib.decompressobj()
        unpacked += len(stream.decompress(part, most_unpacked_bytes + 1 - unpacked))
        if unpacked > most_unpacked_bytes:
            raise EngineError(
                f"{path}: unpacks to far more than such a file holds ({most_unpacked_bytes / 1e6:.0f} MB); "
                "check that the name is right"
            )


def _packed_parts(content: bytes, order: Any) -> Iterator[bytes]:
    at = HEADER_BYTES
    while at + 8 <= len(content):
        kind = int.from_bytes(content[at : at + 4], order)
        size = int.from_bytes(content[at + 4 : at + 8], order)
        if kind == _PACKED:
            yield content[at + 8 : at + 8 + size]
        at += 8 + size
