"""Particles in foreign files, read one box at a time: folders, MRC stacks, STAR lists and HDF5.

Every read opens its file anew, so several threads may read at once, and the objects may be sent to other processes.
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import mrcfile
import numpy as np

from engine.data import ParticleFacts, Particles, Volume
from engine.faults import EngineError
from engine.files.em import em_shape, read_em, write_em
from engine.files.hdf5 import dataset
from engine.files.limits import refuse_beyond_memory, refuse_large
from engine.files.mrc import read_mrc, read_mrc_header, write_mrc
from engine.files.raw import ending, reading, voxels, writing
from engine.files.star import read_star

STACKS = (".mrc", ".mrcs", ".st")
HDF5 = (".h5", ".hdf5")
SAME_PIXEL = 1e-3
"""Share by which the pixel sizes of particles may differ."""

KNOWN = ("a folder of particle_00001.em or .mrc", *STACKS, ".star", *HDF5)


class ParticleFiles:
    """Particles with one file each, .em or .mrc. The header of the first gives box and pixel size."""

    def __init__(self, tags: np.ndarray, files: Sequence[Path], source: Path) -> None:
        if not len(files):
            raise EngineError(f"{source}: holds no particles; give a folder with files such as particle_00001.em")
        self.tags = np.asarray(tags, dtype=np.int64)
        self._files = dict(zip(self.tags.tolist(), files, strict=True))
        if len(self._files) < len(files):
            tags, counts = np.unique(self.tags, return_counts=True)
            raise EngineError(f"{source}: tag {tags[counts > 1][0]} is there twice; keep one file for each particle")
        shape, self.pixel_size_A = _facts(files[0])
        self.box_px = _cube(files[0], shape)

    @property
    def files(self) -> list[Path]:
        """The files, in the order of the tags."""
        return list(self._files.values())

    def read(self, tag: int) -> np.ndarray:
        file = self._files[tag]
        volume = _read(file)
        data, pixel_size_A = volume.data, volume.pixel_size_A
        if data.shape != (self.box_px,) * 3:
            shape = " x ".join(map(str, data.shape[::-1])) if len(set(data.shape)) > 1 else str(data.shape[0])
            raise EngineError(
                f"particle {tag}: box {shape} where the others have {self.box_px}: {file}; crop all of them alike"
            )
        if abs(pixel_size_A - self.pixel_size_A) > SAME_PIXEL * self.pixel_size_A:
            raise EngineError(
                f"particle {tag}: {pixel_size_A:g} A pixels where the others have {self.pixel_size_A:g}: {file}; "
                "keep particles of one pixel size together"
            )
        return data


class ParticleStack:
    """Particles along z of one MRC file: n boxes of N x N x N are N x N x (n·N). They are tagged 1, 2, 3 …"""

    def __init__(self, path: Path) -> None:
        header = read_mrc_header(path)
        sections, rows, columns = header.shape
        if rows != columns or sections % columns or header.volume_depth not in (0, columns):
            raise EngineError(f"{path}: {columns} x {rows} x {sections} voxels are no stack of cubes along z")
        if path.suffix.lower() not in STACKS:
            raise EngineError(f"{path}: is packed; unpack the stack, its boxes are read one by one")
        self.tags = np.arange(1, sections // columns + 1)
        self.box_px = columns
        self.pixel_size_A = header.pixel_size_A
        self._path, self._dtype, self._offset = path, header.dtype, header.data_offset

    def read(self, tag: int) -> np.ndarray:
        if not 1 <= tag <= len(self.tags):
            raise KeyError(tag)
        box = (self.box_px,) * 3
        offset = self._offset + (tag - 1) * self.box_px**3 * self._dtype.itemsize
        with reading(self._path, "a stack of particles"):
            return voxels(self._path, offset, self._dtype, box)


class ParticleStore:
    """Particles of an HDF5 file: dataset `particles` (n, z, y, x), `tags` (n,), attribute pixel_size_A of either."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._opened() as file:
            boxes, tags = dataset(file, "particles", path), dataset(file, "tags", path)
            if boxes.ndim != 4 or len(set(boxes.shape[1:])) != 1 or not boxes.size:
                raise EngineError(f"{path}: `particles` has shape {boxes.shape}; write (n, z, y, x) of cubic boxes")
            if tags.shape != boxes.shape[:1] or tags.dtype.kind not in "iu":
                raise EngineError(f"{path}: `tags` are not {len(boxes)} whole numbers; write one for each particle")
            self.tags = np.asarray(tags, dtype=np.int64)
            self.box_px = int(boxes.shape[-1])
            self.pixel_size_A = float(boxes.attrs.get("pixel_size_A", file.attrs.get("pixel_size_A", 0.0)))
        if not (math.isfinite(self.pixel_size_A) and self.pixel_size_A >= 0):
            raise EngineError(f"{path}: pixel_size_A is {self.pixel_size_A}; write it in A, or leave it out")
        self._rows = {tag: row for row, tag in enumerate(self.tags.tolist())}
        if len(self._rows) != len(self.tags):
            raise EngineError(
                f"{path}: {len(self.tags)} particles have {len(self._rows)} different tags; give each its own"
            )

    def read(self, tag: int) -> np.ndarray:
        row = self._rows[tag]
        refuse_beyond_memory(self._path, 8 * self.box_px**3)
        with self._opened() as file:
            return np.asarray(dataset(file, "particles", self._path)[row], dtype=np.float32)

    @contextmanager
    def _opened(self) -> Iterator[Any]:
        import h5py

        with reading(self._path, "an HDF5 file of particles"):
            refuse_large(self._path, sys.maxsize)
            with h5py.File(self._path, "r") as file:
                yield file


def open_particles(path: str | Path) -> Particles:
    """Particles to be read one by one; only names and the first header are read now.

    path: a folder of particle_00001.em or .mrc (any number of digits), an MRC stack (.mrc, .mrcs, .st) of cubes along
    z, a Dynamo or RELION .star that names one file per particle, or .h5. Anything else is an EngineError.
    """
    path = Path(path)
    if path.is_dir():
        return _of_folder(path)
    if not path.exists():
        raise EngineError(f"{path}: no such file or folder; check the name")
    match ending(path):
        case ".star":
            return _of_star(path)
        case suffix if suffix in STACKS:
            return ParticleStack(path)
        case suffix if suffix in HDF5:
            return ParticleStore(path)
        case suffix:
            raise EngineError(f"{path}: particles are not read from {suffix or 'no ending'!r}; give {', '.join(KNOWN)}")


def particle_facts(path: str | Path) -> ParticleFacts:
    """How many particles, their box in px and pixel size in Å (0 when not told), from names and headers alone."""
    particles = open_particles(path)
    return ParticleFacts(len(particles.tags), particles.box_px, particles.pixel_size_A)


def write_particle_folder(particles: Particles, folder: str | Path, ending: str = ".em") -> None:
    """Writes particle_<tag>.em or .mrc, tags with five digits or more, into a folder that is made when needed.

    .em has no place for the pixel size.
    """
    if ending not in (".em", ".mrc"):
        raise ValueError(f"particles are written as .em or .mrc, not {ending!r}")
    folder = Path(folder)
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    write = write_em if ending == ".em" else write_mrc
    for tag in particles.tags.tolist():
        file = folder / f"particle_{tag:05d}{ending}"
        if file.is_symlink():
            raise EngineError(
                f"{file}: is a link, what it leads to would be overwritten (remove it, or name another folder)"
            )
        write(Volume(particles.read(tag), particles.pixel_size_A), file)


def write_particle_stack(particles: Particles, path: str | Path) -> None:
    """Writes an MRC stack of volumes (space group 401), one box in memory at a time; tags become 1, 2, 3 …"""
    path = Path(path)
    shape = (len(particles.tags), *(particles.box_px,) * 3)
    with writing(path), mrcfile.new_mmap(path, shape=shape, mrc_mode=2, overwrite=True) as mrc:
        for row, tag in enumerate(particles.tags.tolist()):
            mrc.data[row] = particles.read(tag)
        mrc.voxel_size = particles.pixel_size_A
        mrc.update_header_stats()


def _of_folder(folder: Path) -> ParticleFiles:
    matches = [(re.fullmatch(r"particle_(\d+)\.(em|mrc)", file.name), file) for file in folder.iterdir()]
    tagged = sorted((int(match[1]), file) for match, file in matches if match)
    return ParticleFiles(np.array([tag for tag, _ in tagged], dtype=np.int64), [file for _, file in tagged], folder)


def _of_star(path: Path) -> ParticleFiles:
    listed = read_star(path, pixel_size_A=1.0)  # positions are not used, so their pixel need not be told
    if not listed.files:
        raise EngineError(f"{path}: names no particle files; it needs _particleFile or _rlnImageName")
    return ParticleFiles(listed.table.tags, listed.files, path)


def _facts(file: Path) -> tuple[tuple[int, int, int], float]:
    if "@" in file.name:
        raise EngineError(f"{file}: is one image of a stack; give particles that are volumes, one file each")
    if ending(file) == ".em":
        return em_shape(file), 0.0
    header = read_mrc_header(file)
    return header.shape_zyx, header.pixel_size_A


def _read(file: Path) -> Volume:
    return read_em(file) if ending(file) == ".em" else read_mrc(file)


def _cube(file: Path, shape_zyx: tuple[int, int, int]) -> int:
    if len(set(shape_zyx)) != 1:
        raise EngineError(f"{file}: {' x '.join(map(str, shape_zyx[::-1]))} voxels are no cubic box; crop cubes")
    return shape_zyx[0]
