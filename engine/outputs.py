"""What a step makes: values held in memory, and streams of what is too big for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.data import Catalogue, Curve, Table, Volume


@dataclass(frozen=True, eq=False)
class Stream:
    """Particles too big for memory, written box by box in the order of their tags.

    boxes yields len(tags) arrays (box_px, box_px, box_px) float32.
    """

    tags: np.ndarray
    box_px: int
    pixel_size_A: float
    boxes: Iterator[np.ndarray]

    @property
    def n_bytes(self) -> int:
        return 4 * len(self.tags) * self.box_px**3


@dataclass(frozen=True, eq=False)
class VolumeStream:
    """A volume too big for memory, written part by part.

    parts yields (z0, y0, x0) and the voxels from there on, (z, y, x) float32; together they fill the shape once. Parts that
    begin and end at multiples of chunk_zyx are written without being read again.
    """

    shape_zyx: tuple[int, int, int]
    pixel_size_A: float
    chunk_zyx: tuple[int, int, int]
    parts: Iterator[tuple[tuple[int, int, int], np.ndarray]]

    @property
    def n_bytes(self) -> int:
        z, y, x = self.shape_zyx
        return 4 * z * y * x


def block_bytes(reach: int) -> int:
    """What one block of a spectrum takes."""
    return 8 * (2 * reach + 1) ** 2 * (reach + 1)


@dataclass(frozen=True, eq=False)
class SpectraStream:
    """Spectra of particles (see engine.data.Spectra) too big for memory, written in the order of their tags.

    spectra yields for each tag its block (2 reach + 1, 2 reach + 1, reach + 1) complex64 and the variance of its box.
    """

    tags: np.ndarray
    box_px: int
    reach: int
    spectra: Iterator[tuple[np.ndarray, float]]

    @property
    def n_bytes(self) -> int:
        return len(self.tags) * block_bytes(self.reach)


Item = Volume | VolumeStream | Table | Curve | Catalogue | Stream | SpectraStream | np.ndarray | Mapping[str, Any]
Outputs = Mapping[str, Item]
"""Item name to value. Items of a reference are named `refs/001/average`; a mapping is a summary of numbers and texts."""
