"""EM files: a 512-byte header, then the voxels, x fastest.

The header field for the pixel size is filled in nm by some programs, in Å by others and by most not at all: it is
not read.
"""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

from engine.data import Volume
from engine.faults import EngineError
from engine.files.raw import check_length, first_bytes, reading, voxels, writing

HEADER_BYTES = 512
REAL_TYPES = {1: "i1", 2: "i2", 4: "i4", 5: "f4", 9: "f8"}
COMPLEX_TYPES = (8, 10)
BIG_ENDIAN_MACHINES = (0, 3, 4, 5)  # OS-9, SGI, Sun, Mac; VAX (1), Convex (2) and PC (6) are little-endian
PC = 6
LARGEST_DIMENSION = 2**24  # 1 read in the wrong byte order


def read_em(path: Path) -> Volume:
    """The volume of an .em file of any real type and byte order; its pixel size is 0."""
    with reading(path, "an EM volume"):
        dtype, shape = _header(path)
        return Volume(voxels(path, HEADER_BYTES, dtype, shape))


def em_shape(path: Path) -> tuple[int, int, int]:
    """The shape zyx from the header alone; a plain file that is too short for it is an EngineError."""
    with reading(path, "an EM volume"):
        dtype, shape = _header(path)
        check_length(path, HEADER_BYTES, dtype, shape)
        return shape


def em_layout(path: Path) -> tuple[int, np.dtype, tuple[int, int, int]]:
    """Where the voxels begin, their type, and the shape zyx, for who maps the file."""
    dtype, shape = _header(path)
    check_length(path, HEADER_BYTES, dtype, shape)
    return HEADER_BYTES, dtype, shape


def write_em(volume: Volume, path: Path) -> None:
    """Writes float32, little-endian. Pixel size and origin have no place in the format and are left out."""
    header = struct.pack("<4b3i", PC, 0, 0, 5, *reversed(volume.shape_zyx)).ljust(HEADER_BYTES, b"\0")
    with writing(path), path.open("wb") as stream:
        stream.write(header)
        np.ascontiguousarray(volume.data, dtype="<f4").tofile(stream)


def _header(path: Path) -> tuple[np.dtype, tuple[int, int, int]]:
    raw = first_bytes(path, HEADER_BYTES)
    if len(raw) < HEADER_BYTES:
        raise EngineError(f"{path}: holds {len(raw)} bytes, an EM header alone has {HEADER_BYTES}; fetch it again")
    machine, code = raw[0], raw[3]
    if machine > PC:
        raise EngineError(
            f"{path}: EM machine {machine} is unknown (known: 0 to {PC}); the file is garbled or no EM file"
        )
    if code in COMPLEX_TYPES:
        raise EngineError(f"{path}: holds complex numbers (EM type {code}); give a real volume")
    if code not in REAL_TYPES:
        known = ", ".join(str(each) for each in REAL_TYPES)
        raise EngineError(f"{path}: EM type {code} is unknown (known: {known}); the file is garbled or no EM file")
    # Some programs leave the machine code at 0: an order that gives absurd dimensions is given up for the other.
    orders = "><" if machine in BIG_ENDIAN_MACHINES else "<>"
    for order in orders:
        x, y, z = struct.unpack_from(f"{order}3i", raw, 4)
        if all(0 < n < LARGEST_DIMENSION for n in (x, y, z)):
            return np.dtype(order + REAL_TYPES[code]), (z, y, x)
    x, y, z = struct.unpack_from(f"{orders[0]}3i", raw, 4)
    raise EngineError(f"{path}: the EM header says {x} x {y} x {z} voxels; the file is garbled or no EM file")
