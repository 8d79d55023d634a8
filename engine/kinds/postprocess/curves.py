"""The FSC curves of a postprocess, and which of them counts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.kernels import half_maps, sharpen
from engine.kinds.postprocess.form import Fsc


@dataclass(frozen=True, eq=False)
class Curves(half_maps.Curves):
    """The four curves, and `used`: the corrected FSC, or the unmasked one when the mask was discarded."""

    mask_made_worse: bool
    used: np.ndarray


def fsc_curves(a: np.ndarray, b: np.ndarray, mask: np.ndarray, form: Fsc, pixel_size_A: float, seed: int) -> Curves:
    """The FSC of two maps without mask, with it, with it after random phases, and freed of the mask's share."""
    random_from = None
    if form.randomise_from_A is not None:
        random_from = max(1, int(a.shape[-1] * pixel_size_A / form.randomise_from_A + 1e-9))
    found = half_maps.fsc_curves(a, b, mask, seed, form.randomise_below, random_from)
    worse = sharpen.first_below(found.unmasked, 0.143) > sharpen.first_below(found.corrected, 0.143)
    used = found.unmasked if worse and form.when_worse == "discard" else found.corrected
    return Curves(**vars(found), mask_made_worse=bool(worse), used=used)
