"""Tomograms opened without being read: plain .mrc .map .rec .em and .npy files are mapped, others are read whole."""

from __future__ import annotations

import mmap
from pathlib import Path

import numpy as np

from engine.data import HeldTomogram, Tomogram
from engine.data.tomogram import Corner, between
from engine.files.em import em_layout
from engine.files.mrc import read_mrc_header
from engine.files.npy import npy_mapped
from engine.files.raw import PACKED, ending, reading

MRC = (".mrc", ".map", ".rec")
MAPPED = (*MRC, ".em", ".npy")
HELD_BYTES = 128 << 20
"""Of a mapped file so much stays in memory between two readings at most; it is read again from the system's cache."""


class MappedTomogram:
    """A file whose voxels are read where they lie. stored has the axes z, y, x in any order of memory."""

    def __init__(self, path: Path, stored: np.ndarray, pixel_size_A: float) -> None:
        self._path, self._stored = path, stored
        self.pixel_size_A = pixel_size_A
        z, y, x = stored.shape
        self.shape_zyx: Corner = (z, y, x)
        self._touched = 0

    def __repr__(self) -> str:
        return f"MappedTomogram({self._path}, {self.shape_zyx})"

    def read(self, low_zyx: Corner, high_zyx: Corner) -> np.ndarray:
        where = between(self.shape_zyx, low_zyx, high_zyx)
        with np.errstate(over="ignore"):
            found = np.array(self._stored[where], dtype=np.float32, order="C")
        self._let_go(low_zyx, high_zyx)
        return found

    def _let_go(self, low_zyx: Corner, high_zyx: Corner) -> None:
        """Gives pages back once enough of them were touched: what a process maps counts as its memory."""
        spans = sorted(
            (stride, high - low) for stride, low, high in zip(self._stored.strides, low_zyx, high_zyx, strict=True)
        )
        (_, _), (row, n_rows), (_, n_slices) = spans
        self._touched += n_slices * n_rows * row
        mapped = getattr(self._stored, "_mmap", None)
        if self._touched > HELD_BYTES and mapped is not None and hasattr(mmap, "MADV_DONTNEED"):
            mapped.madvise(mmap.MADV_DONTNEED)
            self._touched = 0


def is_mapped(path: Path) -> bool:
    """Whether the file can be read part by part."""
    return path.suffix.lower() not in PACKED and ending(path) in MAPPED


def open_tomogram(path: str | Path) -> Tomogram:
    """The tomogram of a file, by its ending; packed files and TIFF stacks are read into memory whole."""
    path = Path(path)
    if not is_mapped(path):
        from engine.files import read_volume

        return HeldTomogram(read_volume(path))
    with reading(path, "a tomogram"):
        if ending(path) == ".npy":
            return MappedTomogram(path, npy_mapped(path), 0.0)
        if ending(path) == ".em":
            offset, dtype, shape = em_layout(path)
            return MappedTomogram(path, np.memmap(path, dtype, "r", offset, shape), 0.0)
        header = read_mrc_header(path)
        stored = np.memmap(path, header.dtype, "r", header.data_offset, header.shape)
        zyx = np.transpose(stored, [header.axes.index(axis) for axis in range(3)])
        return MappedTomogram(path, zyx, header.pixel_size_A)
