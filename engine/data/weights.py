"""Weights of particles in Fourier space, read by tag: how much of each coefficient of the object a particle holds."""

from __future__ import annotations

from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np


@runtime_checkable
class Weights(Protocol):
    """One weight for each of equally large particles, read one at a time. Safe to read from several threads."""

    @property
    def tags(self) -> np.ndarray:
        """Tags of all the weights, int64, each once."""

    @property
    def box_px(self) -> int:
        """The side of the particles' boxes."""

    def read(self, tag: int) -> np.ndarray:
        """The weight of one tag as a half spectrum (n, n, n // 2 + 1) float32, zero frequency in the corner, w(k) = w(-k).

        Finite, nowhere negative, not 0 everywhere: anything else is an EngineError. An absent tag is a KeyError.
        """


class WeightFacts(NamedTuple):
    """The tags that have a weight, and the side of the boxes they were made for."""

    tags: np.ndarray
    box_px: int
