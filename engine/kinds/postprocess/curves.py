"""The FSC curves of two half maps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.kernels import sharpen
from engine.kernels.fsc import fsc
from engine.kinds.postprocess.form import Fsc


@dataclass(frozen=True, eq=False)
class Curves:
    """The four FSC curves over the shells 0 … n // 2.

    random_from is the first shell with random phases, len(unmasked) when there was none. used is the corrected FSC, or
    the unmasked one when the mask was discarded.
    """

    unmasked: np.ndarray
    masked: np.ndarray
    random: np.ndarray
    corrected: np.ndarray
    random_from: int
    mask_made_worse: bool
    used: np.ndarray


def fsc_curves(a: np.ndarray, b: np.ndarray, mask: np.ndarray, form: Fsc, pixel_size_A: float, seed: int) -> Curves:
    """The FSC of two maps without mask, with it, with it after random phases, and freed of the mask's share."""
    box_px = a.shape[-1]
    unmasked, masked = fsc(a, b), fsc(a, b, mask)
    first = sharpen.first_below(unmasked, form.randomise_below)
    if form.randomise_from_A is not None:
        first = max(1, int(box_px * pixel_size_A / form.randomise_from_A + 1e-9))
    if first < len(unmasked):
        c, d = (sharpen.randomised(x, first, np.random.default_rng([seed, number])) for number, x in ((1, a), (2, b)))
        random = fsc(c, d, mask)
    else:
        random = masked
    corrected = sharpen.corrected(masked, random, first)
    worse = sharpen.first_below(unmasked, 0.143) > sharpen.first_below(corrected, 0.143)
    used = unmasked if worse and form.when_worse == "discard" else corrected
    return Curves(unmasked, masked, random, corrected, first, bool(worse), used)
