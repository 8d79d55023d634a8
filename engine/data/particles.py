"""Cubic boxes of density, read by tag: what an alignment works on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np


@runtime_checkable
class Particles(Protocol):
    """A set of equally large cubic boxes, read one at a time. Safe to read from several threads."""

    @property
    def tags(self) -> np.ndarray:
        """Tags of all the boxes, int64, in stored order, each once."""

    @property
    def box_px(self) -> int: ...

    @property
    def pixel_size_A(self) -> float:
        """0 when the source does not tell."""

    def read(self, tag: int) -> np.ndarray:
        """The box of one tag, (z, y, x) float32. An absent tag is a KeyError; a broken source is an EngineError."""


@dataclass(frozen=True, eq=False)
class ParticleArray:
    """Particles held in memory: boxes is (n, z, y, x) float32."""

    boxes: np.ndarray
    tags: np.ndarray
    pixel_size_A: float = 0.0

    @classmethod
    def numbered(cls, boxes: np.ndarray | Sequence[np.ndarray], pixel_size_A: float = 0.0) -> ParticleArray:
        """The boxes tagged 1, 2, 3 …"""
        stack = np.asarray(boxes, dtype=np.float32)
        return cls(stack, np.arange(1, len(stack) + 1), pixel_size_A)

    @property
    def box_px(self) -> int:
        return int(self.boxes.shape[-1])

    def read(self, tag: int) -> np.ndarray:
        (found,) = np.nonzero(self.tags == tag)
        if not len(found):
            raise KeyError(tag)
        return np.asarray(self.boxes[found[0]], dtype=np.float32)


class JoinedParticles:
    """Particles of several sets of equal boxes, as one. A tag that is in two of them is a ValueError, so are unequal boxes."""

    def __init__(self, parts: Sequence[Particles]) -> None:
        sizes = {(part.box_px, round(part.pixel_size_A, 6)) for part in parts}
        if len(sizes) != 1:
            raise ValueError(f"boxes and pixel sizes differ: {sorted(sizes)}")
        self.tags = np.concatenate([part.tags for part in parts])
        self.box_px, self.pixel_size_A = parts[0].box_px, parts[0].pixel_size_A
        self._of = {int(tag): part for part in parts for tag in part.tags}
        if len(self._of) != len(self.tags):
            tags, counts = np.unique(self.tags, return_counts=True)
            raise ValueError(f"tag {tags[counts > 1][0]} is there more than once")

    def __repr__(self) -> str:
        return f"JoinedParticles({len(self.tags)} boxes of {self.box_px} px)"

    def read(self, tag: int) -> np.ndarray:
        return self._of[int(tag)].read(tag)
