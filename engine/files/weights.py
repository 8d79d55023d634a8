"""Particles' own Fourier weights in foreign files: folders of volumes, stacks, STAR lists and HDF5, read one at a time."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from engine.data import Particles, WeightFacts, Weights
from engine.faults import EngineError
from engine.files.blocks import read_blocks
from engine.files.em import em_shape, read_em
from engine.files.mrc import read_mrc, read_mrc_header
from engine.files.particles import open_particles
from engine.files.raw import ending
from engine.files.star import read_star, sought
from engine.kernels.weight import half_weight

NAMES = ("pfmask", "weight")
"""What the files of a folder begin with: Dynamo's name, and ours."""
RELION_FILE = "rlnCtfImage"
_FILE = re.compile(rf"({'|'.join(NAMES)})_(\d+)\.(em|mrc)")


class WeightFiles:
    """Weights with one file each, .em or .mrc: whole or half volumes (see `kernels.weight`). The first tells the box."""

    def __init__(self, files: dict[int, Path], source: Path) -> None:
        if not files:
            raise EngineError(f"{source}: holds no weights; give a folder with files such as pfmask_00001.em")
        self.tags = np.array(list(files), dtype=np.int64)
        self._files = files
        first = next(iter(files.values()))
        self.box_px = _box_px(first, em_shape(first) if ending(first) == ".em" else read_mrc_header(first).shape_zyx)

    @property
    def files(self) -> list[Path]:
        """The files, in the order of the tags."""
        return list(self._files.values())

    def read(self, tag: int) -> np.ndarray:
        file = self._files[tag]
        volume = (read_em(file) if ending(file) == ".em" else read_mrc(file)).data
        if _box_px(file, volume.shape) != self.box_px:
            raise EngineError(f"{file}: a weight for boxes of {volume.shape[0]} px, the others are for {self.box_px}")
        return sensible(volume, str(file))


class WeightBoxes:
    """Weights that lie like particles: whole volumes in a stack, in HDF5 or in a project's item."""

    def __init__(self, boxes: Particles, source: str) -> None:
        self.tags, self.box_px = boxes.tags, boxes.box_px
        self._boxes, self._source = boxes, source

    def read(self, tag: int) -> np.ndarray:
        return sensible(self._boxes.read(tag), f"{self._source}: tag {tag}")


def sensible(volume: np.ndarray, where: str) -> np.ndarray:
    """The half spectrum of a weight that can be one."""
    if not np.isfinite(volume).all() or volume.min() < 0:
        raise EngineError(
            f"{where}: a weight holds voxels that are negative or no numbers (make it anew, or square it)"
        )
    half = half_weight(volume)
    if not half.any():
        raise EngineError(f"{where}: a weight that is 0 everywhere (leave the particle out, or make its weight anew)")
    return half


def open_weights(path: str | Path) -> Weights:
    """Weights to be read one by one; only names and the first header are read now.

    path: a folder of pfmask_00001.em (Dynamo's) or weight_00001.em, or .mrc; a RELION .star with rlnCtfImage; an MRC stack
    of cubes, tagged 1, 2, 3 …; .h5 (see `open_particles`). Anything else is an EngineError.
    """
    path = Path(path)
    if path.is_dir():
        found = [(match, file) for file in sorted(path.iterdir()) if (match := _FILE.fullmatch(file.name))]
        kind = next((name for name in NAMES if any(match[1] == name for match, _ in found)), "")
        return WeightFiles({int(match[2]): file for match, file in found if match[1] == kind}, path)
    if path.exists() and ending(path) == ".star":
        return WeightFiles(_of_star(path), path)
    return WeightBoxes(open_particles(path), str(path))


def weight_facts(path: str | Path) -> WeightFacts:
    """Tags and box, from names and the first header."""
    weights = open_weights(path)
    return WeightFacts(weights.tags, weights.box_px)


def _of_star(path: Path) -> dict[int, Path]:
    block = next((block for block in read_blocks(path).values() if RELION_FILE in block), None)
    if block is None:
        raise EngineError(f"{path}: names no weights; it needs _{RELION_FILE}")
    tags = read_star(path, pixel_size_A=1.0).table.tags.tolist()
    files = sought([Path(name) for name in block.words(RELION_FILE)], path.absolute().parent)
    return dict(zip(tags, files, strict=True))


def _box_px(file: Path, shape_zyx: tuple[int, ...]) -> int:
    n = shape_zyx[0]
    if shape_zyx not in ((n, n, n), (n, n, n // 2 + 1)):
        size = " x ".join(map(str, shape_zyx[::-1]))
        raise EngineError(
            f"{file}: {size} voxels are neither a whole nor a half volume of weights (n or n/2 + 1 along x)"
        )
    return n
