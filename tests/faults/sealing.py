"""Seals for files that a test has changed: what someone does who means harm and knows the layout."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py

from engine.store import seal
from engine.store.sealed import about


def unsealed(content: bytes) -> bytes:
    """The HDF5 bytes of a results file."""
    length = int.from_bytes(content[-16:-8], "little")
    return content[: -16 - length]


def resealed(path: Path, extents: list[seal.Extent] | None = None, told: Any = None) -> None:
    """Puts a true seal behind an HDF5 file that has none; without `told` it says nothing, as those of layout 2."""
    content = path.read_bytes()
    if extents is None:
        with h5py.File(path, "r") as file:
            extents = seal.extents_of(file)
    path.write_bytes(content + seal.seal(lambda low, n: content[low : low + n], len(content), extents, told))


def resealed_as(path: Path, change: Callable[[Any], object]) -> None:
    """A true seal, which tells of the file what change() leaves of what it told."""
    told = about(path)
    assert told is not None
    plain = told.plain()
    change(plain)
    path.write_bytes(unsealed(path.read_bytes()))
    resealed(path, told=plain)


@contextmanager
def changed(path: Path) -> Iterator[h5py.File]:
    """The file of a step, open to be changed; it is sealed again afterwards."""
    path.write_bytes(unsealed(path.read_bytes()))
    with h5py.File(path, "r+") as file:
        yield file
    resealed(path)
