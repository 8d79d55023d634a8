"""The pages of a TIFF before its parser sees them: a chain that comes back to itself, and voxels that are not in the file."""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

MOST_PAGES = 100_000
MOST_TAGS = 1_000

_TYPE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
"""Bytes of a value of each type, by the descriptions of TIFF 6.0 and BigTIFF."""
_WHOLES = {1: "B", 3: "H", 4: "I", 16: "Q"}
_PLACES = {273: 279, 324: 325}
"""The tags that tell where strips and tiles begin, and beside each the tag that tells their bytes."""


@dataclass(frozen=True)
class _Form:
    """How numbers stand in a file: the order of bytes; of BigTIFF they are wider."""

    order: str
    is_big: bool

    @property
    def place(self) -> struct.Struct:
        return struct.Struct(f"{self.order}{'Q' if self.is_big else 'I'}")

    @property
    def count(self) -> struct.Struct:
        return struct.Struct(f"{self.order}{'Q' if self.is_big else 'H'}")

    @property
    def tag(self) -> struct.Struct:
        return struct.Struct(f"{self.order}{'2HQ8s' if self.is_big else '2HI4s'}")


def refuse_untrue(path: Path) -> None:
    """A ValueError where the file's pages are too many or come back, or something that they name lies beyond its end."""
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        head = file.read(16)
        order = {b"II": "<", b"MM": ">"}.get(head[:2])
        if order is None or len(head) < 16:
            raise ValueError("it does not begin as a TIFF does")
        form = _Form(order, struct.unpack_from(f"{order}H", head, 2)[0] == 43)
        seen: set[int] = set()
        (page,) = form.place.unpack_from(head, 8 if form.is_big else 4)
        while page:
            if page in seen or len(seen) == MOST_PAGES:
                raise ValueError("its pages come back to one before" if page in seen else "it has too many pages")
            seen.add(page)
            page = _next_page(file, form, page, size)


def _next_page(file: BinaryIO, form: _Form, page: int, size: int) -> int:
    """The place of the page after this one, whose tags are looked through; 0 after the last."""
    (n_tags,) = form.count.unpack(_read(file, page, form.count.size, size))
    if n_tags > MOST_TAGS:
        raise ValueError(f"a page of it has {n_tags} tags")
    start = page + form.count.size
    raw = _read(file, start, n_tags * form.tag.size + form.place.size, size)
    values = {}
    for code, kind, count, value in form.tag.iter_unpack(raw[: n_tags * form.tag.size]):
        n_bytes = count * _TYPE_BYTES.get(kind, 1)
        if n_bytes > len(value):
            _check_inside(form.place.unpack(value)[0], n_bytes, size)
        if kind in _WHOLES and (code in _PLACES or code in _PLACES.values()):
            content = value if n_bytes <= len(value) else _read(file, form.place.unpack(value)[0], n_bytes, size)
            values[code] = struct.unpack_from(f"{form.order}{count}{_WHOLES[kind]}", content)
    for places, counts in _PLACES.items():
        for place, n_bytes in zip(values.get(places, ()), values.get(counts, ()), strict=False):
            _check_inside(place, n_bytes, size)
    return int(form.place.unpack_from(raw, n_tags * form.tag.size)[0])


def _read(file: BinaryIO, place: int, n_bytes: int, size: int) -> bytes:
    _check_inside(place, n_bytes, size)
    file.seek(place)
    return file.read(n_bytes)


def _check_inside(place: int, n_bytes: int, size: int) -> None:
    if place + n_bytes > size:
        raise ValueError("a part of it reaches beyond its end")
