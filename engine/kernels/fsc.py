"""Fourier shell correlation."""

from __future__ import annotations

from typing import Any

import numpy as np

from engine.devices import namespace, to_host
from engine.kernels.fourier import shells, spectrum


def fsc(a: Any, b: Any, mask: Any | None = None) -> np.ndarray:
    """The correlation of two cubic boxes in shells 0 … n // 2, float64 on the host; shell 0 is 1.

    Sums run over the stored half of the transforms without doubling, as RELION's do, so that curves compare.
    A shell in which either map is empty gives 0.
    """
    xp = namespace(a)
    weight = 1 if mask is None else mask
    fa, fb = spectrum(a * weight), spectrum(b * weight)
    n = a.shape[-1]
    shell = xp.rint(shells(n, xp)).astype(xp.int64).ravel()

    def total(values: Any) -> np.ndarray:
        return to_host(xp.bincount(shell, weights=values.ravel().astype(xp.float64)))[: n // 2 + 1]

    cross = total(fa.real * fb.real + fa.imag * fb.imag)
    power = total(xp.abs(fa) ** 2) * total(xp.abs(fb) ** 2)
    curve = np.divide(cross, np.sqrt(power), out=np.zeros(n // 2 + 1), where=power > 0)
    curve[0] = 1.0
    return curve


def crossing_fpx(curve: np.ndarray, threshold: float) -> float:
    """The shell, with a fraction, where the curve first falls below the threshold; its end when it never does."""
    below = np.flatnonzero(curve < threshold)
    if not len(below):
        return float(len(curve) - 1)
    if below[0] == 0:
        return 0.0
    last, first = curve[below[0] - 1], curve[below[0]]
    return float(below[0] - 1 + (last - threshold) / (last - first))


def resolution_A(curve: np.ndarray, threshold: float, box_px: int, pixel_size_A: float) -> float:
    """box * pixel size / shell of the crossing: the resolution in A. Infinite when even shell 0 lies below."""
    shell = crossing_fpx(curve, threshold)
    return float("inf") if shell == 0 else box_px * pixel_size_A / shell
