"""NumPy files of one 3-D array."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from engine.data import Volume
from engine.faults import EngineError
from engine.files.limits import refuse_beyond_memory, refuse_large
from engine.files.raw import reading, writing


def read_npy(path: Path) -> Volume:
    """The array, zyx; its pixel size is 0. Arrays that are not 3-D and real are EngineErrors."""
    with reading(path, "a NumPy array"):
        stored = npy_mapped(path)
        refuse_beyond_memory(path, 4 * stored.size)
        return Volume(np.array(stored, dtype=np.float32))


def npy_shape(path: Path) -> tuple[int, int, int]:
    """The shape zyx, without reading voxels."""
    with reading(path, "a NumPy array"):
        z, y, x = npy_mapped(path).shape
        return z, y, x


def write_npy(volume: Volume, path: Path) -> None:
    """Writes the voxels as float32; pixel size and origin have no place in the format and are left out."""
    with writing(path), path.open("wb") as stream:
        np.save(stream, np.ascontiguousarray(volume.data, dtype=np.float32))


def npy_mapped(path: Path) -> np.ndarray:
    """The array as it lies in the file."""
    refuse_large(path, sys.maxsize)
    array = np.lib.format.open_memmap(path, mode="r")  # which neither unpickles nor opens archives
    if array.ndim != 3 or array.dtype.kind not in "biuf" or not array.size:
        raise EngineError(f"{path}: holds {array.dtype} of shape {array.shape}; a volume is 3-D and real")
    return array
