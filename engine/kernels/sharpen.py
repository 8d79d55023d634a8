"""From two half maps to one sharpened map: the FSC freed of the mask's share, the Guinier plot, weights and B-factor.

Spectra are halves (n, n, n // 2 + 1) as `fourier.spectrum` gives them; shells are 0 … n // 2. All follows RELION's
post-processing: random phases after Chen et al. 2013, weights and B-factor after Rosenthal & Henderson 2003.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from engine.devices import namespace, to_host
from engine.kernels.fourier import from_spectrum, shells, spectrum
from engine.kernels.fsc import shell_numbers

EMPTY = -99.0
"""Log amplitude of a shell that holds nothing."""

LEAST_FSC = 1e-4
"""FSC below which the weights end."""

PROTEIN_SHARE = 0.476
"""What a full box of protein would be counted with in the FSC of the particle's part: RELION's number."""


def first_below(curve: np.ndarray, threshold: float) -> int:
    """The first shell after shell 0 where the curve lies below the threshold; the number of shells when there is none."""
    below = np.flatnonzero(curve[1:] < threshold)
    return int(below[0]) + 1 if len(below) else len(curve)


def resolved_A(curve: np.ndarray, threshold: float, box_px: int, pixel_size_A: float) -> float:
    """The resolution in A of the last shell before the curve first falls below the threshold; not interpolated.

    Infinite when shell 1 lies below.
    """
    last = first_below(curve, threshold) - 1
    return box_px * pixel_size_A / last if last else float("inf")


def randomised(volume: Any, first_shell: int, generator: np.random.Generator) -> Any:
    """The cubic box with uniformly random phases wherever |k| >= first_shell, amplitudes as they were. float32."""
    xp = namespace(volume)
    n = volume.shape[-1]
    half = spectrum(volume)
    phase = xp.asarray(generator.uniform(0, 2 * np.pi, half.shape).astype(np.float32))
    turned = xp.abs(half) * xp.exp(1j * phase)
    return from_spectrum(xp.where(shells(n, xp) >= np.float32(first_shell), turned, half).astype(xp.complex64), n)


def corrected(masked: np.ndarray, random: np.ndarray, first_shell: int) -> np.ndarray:
    """(masked - random) / (1 - random) from first_shell + 2 on, the masked FSC below: the FSC without the mask's share."""
    is_beyond = np.arange(len(masked)) >= first_shell + 2
    return np.where(is_beyond & (random < 1), (masked - random) / np.where(random < 1, 1 - random, 1), masked)


def of_particle_part(unmasked: np.ndarray, mask_share: float) -> np.ndarray:
    """The unmasked FSC scaled to the part of the box that the mask holds; mask_share is its share of voxels above 0.5."""
    factor = PROTEIN_SHARE / mask_share
    return factor * unmasked / (1 + (factor - 1) * unmasked)


def fsc_weights(curve: np.ndarray) -> np.ndarray:
    """sqrt(2 FSC / (1 + FSC)) of each shell, 0 from the first shell on where the FSC has fallen to nothing."""
    below = np.flatnonzero(curve < LEAST_FSC)
    last = int(below[0]) if len(below) else len(curve)
    held = np.where(np.arange(len(curve)) < last, np.maximum(curve, 0), 0)
    return np.asarray(np.sqrt(2 * held / (1 + held)))


def weighted(half: Any, weights: np.ndarray) -> Any:
    """The half spectrum times the weight of each voxel's shell; 0 beyond the last shell."""
    xp = namespace(half)
    n = half.shape[0]
    shell = shell_numbers(n, xp)
    of_shell = xp.zeros(int(shell.max()) + 1, dtype=xp.float32)
    of_shell[: len(weights)] = xp.asarray(weights, dtype=xp.float32)
    return half * of_shell[shell]


def sharpened(half: Any, b_factor_A2: float, pixel_size_A: float) -> Any:
    """The half spectrum times exp(-B / 4 d²) up to the Nyquist frequency, 0 beyond it. A negative B sharpens."""
    xp = namespace(half)
    n = half.shape[0]
    radius = shells(n, xp)
    gain = xp.exp(-b_factor_A2 / 4 * (radius / (n * pixel_size_A)) ** 2)
    return half * xp.where(radius <= n / 2, gain, 0).astype(xp.float32)


def log_amplitudes(half: Any) -> np.ndarray:
    """ln of the mean amplitude of each shell's stored voxels, of a transform divided by n³; EMPTY where there is nothing."""
    xp = namespace(half)
    n = half.shape[0]
    shell = shell_numbers(n, xp).ravel()
    amplitude = xp.abs(half).ravel().astype(xp.float64) / n**3
    mean = to_host(xp.bincount(shell, weights=amplitude) / xp.maximum(xp.bincount(shell), 1))[: n // 2 + 1]
    return np.asarray(np.log(mean, out=np.full(len(mean), EMPTY), where=mean > 0))


class Guinier(NamedTuple):
    """The straight line through ln(amplitude) over 1 / d², and the square of its correlation."""

    slope: float
    intercept: float
    correlation: float

    @property
    def b_factor_A2(self) -> float:
        return 4 * self.slope


def fit_shells(box_px: int, pixel_size_A: float, lowest_A: float, highest_A: float) -> np.ndarray:
    """True for the shells 0 … n // 2 whose resolution lies between lowest_A and highest_A, ends included."""
    shell = np.arange(box_px // 2 + 1)
    resolution = np.divide(box_px * pixel_size_A, shell, out=np.full(len(shell), np.inf), where=shell > 0)
    return np.asarray((resolution <= lowest_A * (1 + 1e-9)) & (resolution >= highest_A * (1 - 1e-9)))


def guinier_fit(square_per_A2: np.ndarray, log_amplitude: np.ndarray, is_used: np.ndarray) -> Guinier | None:
    """The unweighted least-squares line through the used shells that hold something; None with fewer than two of them."""
    used = is_used & (log_amplitude > EMPTY)
    if used.sum() < 2:
        return None
    x, y = square_per_A2[used], log_amplitude[used]
    slope, intercept = np.polyfit(x, y, 1)
    spread = np.sqrt(((x - x.mean()) ** 2).sum() * ((y - y.mean()) ** 2).sum())
    correlation = ((x - x.mean()) * (y - y.mean())).sum() / spread if spread > 0 else 0.0
    return Guinier(float(slope), float(intercept), float(correlation**2))
