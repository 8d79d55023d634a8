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
    shell = shell_numbers(n, xp).ravel()

    def total(values: Any) -> np.ndarray:
        return to_host(xp.bincount(shell, weights=values.ravel().astype(xp.float64)))[: n // 2 + 1]

    curve = correlation(total(fa.real * fb.real + fa.imag * fb.imag), total(xp.abs(fa) ** 2), total(xp.abs(fb) ** 2))
    curve[0] = 1.0
    return curve


def shell_numbers(box_px: int, xp: Any = np) -> Any:
    """The shell of every voxel of a half spectrum, (n, n, n // 2 + 1) int64: its radius, rounded."""
    return xp.rint(shells(box_px, xp)).astype(xp.int64)


def correlation(cross: np.ndarray, first_power: np.ndarray, second_power: np.ndarray) -> np.ndarray:
    """cross / sqrt(first * second) of sums over shells; 0 where either is 0."""
    power = first_power * second_power
    return np.asarray(np.divide(cross, np.sqrt(power), out=np.zeros_like(power), where=power > 0))


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
