"""A tomogram read part by part: it may be larger than the memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from engine.data.volume import Volume

Corner = tuple[int, int, int]


@runtime_checkable
class Tomogram(Protocol):
    """A map whose voxels lie elsewhere. Safe to read from several processes."""

    @property
    def shape_zyx(self) -> tuple[int, int, int]: ...

    @property
    def pixel_size_A(self) -> float:
        """0 when the source does not tell."""

    def read(self, low_zyx: Corner, high_zyx: Corner) -> np.ndarray:
        """The voxels from low up to, but without, high: (z, y, x) float32, a copy. Beyond the edges is a ValueError."""


@dataclass(frozen=True, eq=False)
class HeldTomogram:
    """A tomogram that is in memory after all."""

    volume: Volume

    @property
    def shape_zyx(self) -> tuple[int, int, int]:
        return self.volume.shape_zyx

    @property
    def pixel_size_A(self) -> float:
        return self.volume.pixel_size_A

    def read(self, low_zyx: Corner, high_zyx: Corner) -> np.ndarray:
        return np.array(self.volume.data[between(self.shape_zyx, low_zyx, high_zyx)], dtype=np.float32, order="C")


def between(shape_zyx: Corner, low_zyx: Corner, high_zyx: Corner) -> tuple[slice, slice, slice]:
    """The slices from low to high; a ValueError where that is not inside the shape."""
    if not all(0 <= low <= high <= n for low, high, n in zip(low_zyx, high_zyx, shape_zyx, strict=True)):
        raise ValueError(f"{low_zyx} to {high_zyx} is not inside {shape_zyx}")
    z, y, x = (slice(int(low), int(high)) for low, high in zip(low_zyx, high_zyx, strict=True))
    return z, y, x
