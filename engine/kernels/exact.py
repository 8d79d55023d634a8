"""The reported cross-correlation: locally normalised under the turned mask, at one pose (Roseman 2003)."""

from __future__ import annotations

from typing import Any

import numpy as np

from engine.devices import namespace
from engine.kernels import quick
from engine.kernels.correlate import Band
from engine.kernels.fourier import cropped, even_fast, from_spectrum
from engine.kernels.reference import SpectrumTable, sample

MASK_REACH = 1.0
"""Bandwidth of the mask that the compared box still carries, in reaches of the band."""


def comparison_box_px(selection: Band) -> int:
    """The side of the small box in which poses are rescored: twice the band's reach, and the mask's beside it."""
    return min(selection.box_px, even_fast((2 + MASK_REACH) * selection.reach + 2))


def mask_for_comparison(mask: Any, selection: Band) -> Any:
    """The mask resampled to the comparison's box, clipped to 0 … 1."""
    return namespace(mask).clip(cropped(mask, comparison_box_px(selection)), 0, 1)


def exact_cc(
    table: SpectrumTable,
    small_mask: Any,
    selection: Band,
    particle: Any,
    rotation: np.ndarray,
    shift_xyz_px: np.ndarray,
) -> float:
    """The correlation coefficient, -1 to 1, of band- and wedge-filtered reference and particle under the turned mask.

    table: spectrum of the *unmasked* reference; small_mask: see `mask_for_comparison`; particle: the half spectrum's values
    on the band (n,), unweighted; rotation (3, 3) template to particle; shift in px of the full box.
    """
    xp = namespace(particle)
    n = small_mask.shape[-1]
    centred = quick.shifted(selection, particle, shift_xyz_px)
    template = sample(table, selection.k_xyz, xp.asarray(rotation, dtype=xp.float32)[None])[0]
    return quick.correlation_under(
        small_mask,
        rotation,
        box_of(selection, template * selection.amplitude, n),
        box_of(selection, centred * selection.amplitude, n),
    )


def box_of(selection: Band, values: Any, n: int) -> Any:
    """The box of side n whose spectrum on the band is given; the scale is left as it falls."""
    xp = namespace(values)
    half = xp.zeros((n, n, n // 2 + 1), dtype=xp.complex64)
    k = selection.k_xyz.astype(xp.int32)
    half[k[2] % n, k[1] % n, k[0]] = values
    return from_spectrum(half, n)
