"""Spectra of particles out to a reach, read by tag: what most iterations need of the boxes."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np


@runtime_checkable
class Spectra(Protocol):
    """Low-frequency coefficients of equally large particles, one at a time. Safe to read from several threads."""

    @property
    def box_px(self) -> int:
        """The side of the boxes that were transformed."""

    @property
    def reach(self) -> int: ...

    def __contains__(self, tag: int) -> bool: ...

    def block(self, tag: int) -> np.ndarray:
        """A particle's coefficients about its box centre, (2 reach + 1, 2 reach + 1, reach + 1) complex64."""

    def variance(self, tag: int) -> float:
        """The variance of all the voxels of the particle's box, of which the block holds a part."""
