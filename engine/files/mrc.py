"""MRC files, old and new, plain and packed. The layout of the header is mrcfile's; voxels come out zyx and float32."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import mrcfile
import numpy as np
from mrcfile.dtypes import HEADER_DTYPE
from mrcfile.utils import byte_order_from_machine_stamp, dtype_from_mode

from engine.data import Volume
from engine.faults import EngineError
from engine.files.raw import PACKED, check_length, first_bytes, reading, voxels, writing

HEADER_BYTES = 1024
COMPLEX_MODES = (3, 4)
VOLUME_STACK_SPACEGROUPS = range(401, 631)
ANISOTROPY = 1e-3
LARGEST_DIMENSION = 2**24
IMOD_STAMP = 1146047817


@dataclass(frozen=True)
class MrcHeader:
    """What a header tells.

    shape is in stored order (sections, rows, columns); axes says which of z, y, x (0, 1, 2) each of them is.
    volume_depth is the number of sections of one volume in a stack of volumes, else 0.
    """

    shape: tuple[int, int, int]
    axes: tuple[int, int, int]
    dtype: np.dtype
    data_offset: int
    pixel_size_A: float
    origin_xyz_A: tuple[float, float, float]
    volume_depth: int

    @property
    def shape_zyx(self) -> tuple[int, int, int]:
        z, y, x = (self.shape[self.axes.index(axis)] for axis in range(3))
        return z, y, x


def read_mrc(path: Path) -> Volume:
    """The map of an .mrc, .map or .rec file (.gz and .bz2 too), with pixel size and origin.

    int8, IMOD's unsigned bytes, int16, uint16, float16 and float32 are read, in either byte order, with or without the
    MAP word. Complex modes, voxels that are not cubes to 0.1 % and short files are EngineErrors.
    """
    with reading(path, "an MRC volume"):
        header = read_mrc_header(path)
        stored = voxels(path, header.data_offset, header.dtype, header.shape)
        data = np.ascontiguousarray(np.transpose(stored, [header.axes.index(axis) for axis in range(3)]))
        return Volume(data, header.pixel_size_A, header.origin_xyz_A)


def read_mrc_header(path: Path) -> MrcHeader:
    """The header alone, checked for sense; a plain file that is too short for it is an EngineError."""
    with reading(path, "an MRC volume"):
        raw = first_bytes(path, HEADER_BYTES)
        if len(raw) < HEADER_BYTES:
            raise EngineError(f"{path}: holds {len(raw)} bytes, an MRC header alone has {HEADER_BYTES}; fetch it again")
        order = _byte_order(raw)
        fields = np.frombuffer(raw, HEADER_DTYPE.newbyteorder(order))[0]
        shape = _shape(path, fields)
        header = MrcHeader(
            shape=shape,
            axes=_axes(path, fields),
            dtype=_dtype(path, fields, raw, order),
            data_offset=_data_offset(path, int(fields["nsymbt"])),
            pixel_size_A=_pixel_size_A(path, fields),
            origin_xyz_A=_origin_xyz_A(path, fields),
            volume_depth=int(fields["mz"]) if int(fields["ispg"]) in VOLUME_STACK_SPACEGROUPS else 0,
        )
        check_length(path, header.data_offset, header.dtype, shape)
        return header


def write_mrc(volume: Volume, path: Path) -> None:
    """Writes float32 (mode 2) as a volume (space group 1), with voxel size, origin in Å and statistics.

    The start indices stay 0, so ChimeraX takes the origin and RELION the voxel size. Voxels that are not finite are an
    EngineError: viewers scale by the statistics of the header.
    """
    _refuse_non_finite(volume.data, path)
    with writing(path), mrcfile.new(path, overwrite=True) as mrc:
        mrc.set_data(np.ascontiguousarray(volume.data, dtype=np.float32))
        mrc.set_volume()
        mrc.voxel_size = volume.pixel_size_A
        mrc.header.origin.x, mrc.header.origin.y, mrc.header.origin.z = volume.origin_xyz_A


def _refuse_non_finite(data: np.ndarray, path: Path) -> None:
    bad = data.size - int(np.isfinite(data).sum())
    if bad:
        raise EngineError(f"{path}: not written, {bad} voxels are not finite; look for the step that made them")


def _byte_order(raw: bytes) -> Literal["<", ">"]:
    """What the machine stamp says. Old files have none and some have a wrong one: in the right order a size is small."""
    try:
        told: Literal["<", ">"] = "<" if byte_order_from_machine_stamp(raw[212:216]) == "<" else ">"
    except ValueError:
        told = "<"
    other: Literal["<", ">"] = ">" if told == "<" else "<"
    return other if not _is_sensible(raw, told) and _is_sensible(raw, other) else told


def _is_sensible(raw: bytes, order: str) -> bool:
    x, y, z, mode = struct.unpack_from(f"{order}4i", raw)
    return all(0 < n < LARGEST_DIMENSION for n in (x, y, z)) and 0 <= mode < 256


def _data_offset(path: Path, extended_bytes: int) -> int:
    offset = HEADER_BYTES + max(0, extended_bytes)
    if path.suffix.lower() not in PACKED and offset > path.stat().st_size:
        raise EngineError(
            f"{path}: the extended header of {extended_bytes} bytes is longer than the file; "
            "it was cut short or is no MRC file: fetch it again"
        )
    return offset


def _shape(path: Path, fields: np.void) -> tuple[int, int, int]:
    x, y, z = (int(fields[name]) for name in ("nx", "ny", "nz"))
    if not all(0 < n < LARGEST_DIMENSION for n in (x, y, z)):
        raise EngineError(f"{path}: the MRC header says {x} x {y} x {z} voxels; the file is garbled or no MRC file")
    return z, y, x


def _axes(path: Path, fields: np.void) -> tuple[int, int, int]:
    sections, rows, columns = (int(fields[name]) for name in ("maps", "mapr", "mapc"))
    if (sections, rows, columns) == (0, 0, 0):
        return 0, 1, 2
    if {sections, rows, columns} != {1, 2, 3}:
        raise EngineError(f"{path}: the axes of the MRC header are {columns}, {rows}, {sections}; write the map anew")
    return 3 - sections, 3 - rows, 3 - columns


def _dtype(path: Path, fields: np.void, raw: bytes, order: Literal["<", ">"]) -> np.dtype:
    mode = int(fields["mode"])
    if mode in COMPLEX_MODES:
        raise EngineError(f"{path}: holds complex numbers (MRC mode {mode}); give a real volume")
    try:
        dtype: np.dtype = dtype_from_mode(mode)
    except ValueError as error:
        raise EngineError(f"{path}: MRC mode {mode} is not known; convert the map to mode 2 (float32)") from error
    if mode == 0 and _has_unsigned_bytes(raw, order):
        return np.dtype(np.uint8)
    return dtype.newbyteorder(order)


def _has_unsigned_bytes(raw: bytes, order: str) -> bool:
    # IMOD wrote mode 0 unsigned until it introduced a flag, bit 0, for signed bytes (IMOD's description of the format).
    stamp, flags = struct.unpack_from(f"{order}2i", raw, 152)
    return stamp == IMOD_STAMP and not flags & 1


def _pixel_size_A(path: Path, fields: np.void) -> float:
    cell = np.array([float(fields["cella"][axis]) for axis in "xyz"])
    samples = np.array([int(fields[name]) for name in ("mx", "my", "mz")])
    if not np.isfinite(cell).all() or (cell < 0).any():
        raise EngineError(f"{path}: the cell of the MRC header is {cell.tolist()} Å; write the voxel size anew")
    if (samples <= 0).any() or not cell.any():
        return 0.0
    x, y, z = cell / samples
    if max(x, y, z) - min(x, y, z) > ANISOTROPY * max(x, y, z):
        raise EngineError(
            f"{path}: voxels of {x:.4g} x {y:.4g} x {z:.4g} Å are no cubes; resample the map or correct its header"
        )
    return float(np.float32(x))


def _origin_xyz_A(path: Path, fields: np.void) -> tuple[float, float, float]:
    """The origin in Å; where it is 0, the start indices tell it, as in ChimeraX."""
    origin = np.array([float(fields["origin"][axis]) for axis in "xyz"])
    if not np.isfinite(origin).all():
        raise EngineError(f"{path}: the origin of the MRC header is {origin.tolist()}; write the origin anew")
    if not origin.any():
        columns_rows_sections = np.array([int(fields[name]) for name in ("nxstart", "nystart", "nzstart")])
        starts_zyx = columns_rows_sections[::-1][[_axes(path, fields).index(axis) for axis in range(3)]]
        origin = starts_zyx[::-1] * _pixel_size_A(path, fields)
    x, y, z = origin.tolist()
    return x, y, z
