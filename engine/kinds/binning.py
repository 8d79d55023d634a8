"""A tomogram binned in Fourier space without ever being in memory: slabs along x and y, then columns along z."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from engine.address import parse
from engine.data import Tomogram
from engine.devices import Work
from engine.faults import EngineError
from engine.kernels.binning import binned_along, binned_shape
from engine.outputs import VolumeStream
from engine.step import Input, Share

FACTORS = range(2, 17)

PART_BYTES = 32 << 20
"""What is read at a time, where a single slice is not more."""

CHUNK_PX = 64
HELD_PARTS = 5
"""Parts that a worker holds at a time: what it read, its spectrum, what is cut from it."""

Shape = tuple[int, int, int]


def item_of(factor: int) -> str:
    """The item of a catalogue that is its tomograms binned; 1 is what is known of the tomograms themselves."""
    return "tomograms" if factor == 1 else f"binned_{factor}"


def version_of(catalogue: str, factor: int) -> Input:
    """What a step reads to open the tomograms that an address of a catalogue means, binned."""
    address = parse(catalogue)
    item = item_of(factor)
    words = [address.project, item, *str(address).split(":")[2:]]
    return Input("tomogram", replace(address, item=item, text=":".join(words)))


def binned_stream(tomogram: Tomogram, factor: int, pixel_size_A: float, work: Work) -> VolumeStream:
    """The tomogram binned by a whole factor, as it is being made. pixel_size_A is that of the binned map."""
    n_z, _, _ = tomogram.shape_zyx
    z, y, x = binned_shape(tomogram.shape_zyx, factor)
    rows = _rows(n_z, y, x)
    return VolumeStream((z, y, x), pixel_size_A, (CHUNK_PX, rows, CHUNK_PX), _parts(tomogram, factor, rows, work))


def share_of(shape_zyx: Shape, factor: int) -> Share:
    """What binning takes: about 30 ns a voxel, all of them read once, the temporary file written and read."""
    z, y, x = shape_zyx
    n_voxels = z * y * x
    part_bytes = max(PART_BYTES, 4 * y * x)
    small_z, small_y, small_x = binned_shape(shape_zyx, factor)
    kept_bytes = 4 * small_z * small_y * small_x
    moved_bytes = 4 * n_voxels + 8 * z * small_y * small_x
    return Share(30e-9 * n_voxels, moved_bytes, kept_bytes, worker_bytes=HELD_PARTS * part_bytes)


def _rows(n_z: int, small_y: int, small_x: int) -> int:
    """Rows of the half-binned map that are read at a time along z."""
    return max(1, min(CHUNK_PX, small_y, PART_BYTES // (4 * n_z * small_x)))


def _parts(tomogram: Tomogram, factor: int, rows: int, work: Work) -> Iterator[tuple[Shape, np.ndarray]]:
    n_z, n_y, n_x = tomogram.shape_zyx
    _, small_y, small_x = binned_shape(tomogram.shape_zyx, factor)
    depth = max(1, PART_BYTES // (4 * n_y * n_x))
    slabs, columns = range(0, n_z, depth), range(0, small_y, rows)
    n_jobs = len(slabs) + len(columns)

    def slab(z: int) -> np.ndarray:
        values = tomogram.read((z, 0, 0), (min(z + depth, n_z), n_y, n_x))
        return binned_along(binned_along(values, factor, 2), factor, 1)

    with tempfile.NamedTemporaryFile(prefix="engine_", suffix=".binning") as scratch:
        path = Path(scratch.name)

        def column(y: int) -> np.ndarray:
            half_binned = np.memmap(path, np.float32, "r", shape=(n_z, small_y, small_x))
            return binned_along(np.array(half_binned[:, y : y + rows]), factor, 0)

        for done, values in enumerate(work.map(slab, slabs), start=1):
            _append(scratch, values, 4 * n_z * small_y * small_x)
            work.progress(done, n_jobs)
        for done, (y, values) in enumerate(zip(columns, work.map(column, columns), strict=True), start=1):
            yield (0, y, 0), values
            work.progress(len(slabs) + done, n_jobs)


def _append(scratch: tempfile._TemporaryFileWrapper[bytes], values: np.ndarray, n_bytes: int) -> None:
    try:
        scratch.write(np.ascontiguousarray(values, dtype=np.float32).data)
        scratch.flush()
    except OSError as error:
        raise EngineError(
            f"{tempfile.gettempdir()}: no temporary file of {n_bytes / 2**30:.1f} GiB: {error.strerror} "
            "(make room, or set TMPDIR to a folder that has it)"
        ) from error
