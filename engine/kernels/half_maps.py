"""The FSC curves of two half maps: without mask, with it, after random phases, and freed of the mask's share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.kernels import sharpen
from engine.kernels.fsc import fsc

RANDOMISE_BELOW = 0.8
"""Unmasked FSC below which phases are made random, where nothing else is asked: RELION's number."""


@dataclass(frozen=True, eq=False)
class Curves:
    """Four FSC curves over the shells 0 … n // 2; random_from is the first shell with random phases, n // 2 + 1 for none."""

    unmasked: np.ndarray
    masked: np.ndarray
    random: np.ndarray
    corrected: np.ndarray
    random_from: int


def fsc_curves(
    a: np.ndarray,
    b: np.ndarray,
    mask: np.ndarray,
    seed: int,
    randomise_below: float = RANDOMISE_BELOW,
    random_from: int | None = None,
) -> Curves:
    """The curves of two maps (n, n, n) in a mask.

    Phases are random from the shell random_from on, else from the first whose unmasked FSC is below randomise_below.
    """
    unmasked, masked = fsc(a, b), fsc(a, b, mask)
    first = sharpen.first_below(unmasked, randomise_below) if random_from is None else random_from
    random = masked
    if first < len(unmasked):
        c, d = (sharpen.randomised(x, first, np.random.default_rng([seed, number])) for number, x in ((1, a), (2, b)))
        random = fsc(c, d, mask)
    return Curves(unmasked, masked, random, sharpen.corrected(masked, random, first), first)
