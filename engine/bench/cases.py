"""What is timed: a noisy box of a known object with a missing wedge, and the reference and mask it is compared with."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from engine.faults import EngineError
from engine.geometry import euler
from engine.kernels import blobs, correlate
from engine.kernels.fourier import EDGE_FPX, from_spectrum, half_frequencies, spectrum
from engine.kernels.mask import ball
from engine.kernels.wedge import Wedge, measured

WEDGE = Wedge(1, (-60.0, 60.0))
HIGHPASS_FPX = 2.0
SNR = 0.02
"""Variance of the object over variance of the noise in the whole box, before the wedge."""

N_BLOBS = 220
LARGEST_BOX_PX = 512


@dataclass(frozen=True)
class Case:
    """A box in px, a low-pass in Fourier pixels of it, and the samples on a side of the window of shifts (odd)."""

    box_px: int
    lowpass_fpx: float
    window: int

    def __str__(self) -> str:
        return f"{self.box_px}/{self.lowpass_fpx:g}/{self.window}"

    @cached_property
    def step_px(self) -> float:
        """Spacing of the window's samples, that of a search in this band."""
        return correlate.shift_step_px(correlate.band(self.box_px, HIGHPASS_FPX, self.lowpass_fpx, WEDGE))

    @property
    def reach_px(self) -> float:
        """How far the window reaches from its centre along each axis."""
        return self.window // 2 * self.step_px


def case_of(text: str) -> Case:
    """The case that a text like 64/20/9 means; an EngineError where it cannot be timed."""
    try:
        box, low, window = text.split("/")
        case = Case(int(box), float(low), int(window))
    except ValueError:
        raise EngineError(f"case {text!r}: give box, low-pass and window, as in 64/20/9") from None
    if not 16 <= case.box_px <= LARGEST_BOX_PX or case.box_px % 2:
        raise EngineError(f"case {text}: the box is an even number of px from 16 to {LARGEST_BOX_PX}")
    if not HIGHPASS_FPX < case.lowpass_fpx < case.box_px / 2 - EDGE_FPX:
        most = case.box_px / 2 - EDGE_FPX
        raise EngineError(f"case {text}: the low-pass lies between {HIGHPASS_FPX:g} and {most:g} Fourier pixels")
    if case.window < 1 or case.window % 2 == 0 or case.reach_px >= case.box_px / 4:
        raise EngineError(
            f"case {text}: the window is an odd number of samples that reaches less than a quarter of the box"
        )
    return case


@dataclass(frozen=True, eq=False)
class Scene:
    """A reference, its mask and the particles of a case, (n, n, n) float32 each, with their true poses."""

    case: Case
    reference: np.ndarray
    mask: np.ndarray
    particles: tuple[np.ndarray, ...]
    rotations: np.ndarray
    shifts_xyz_px: np.ndarray
    noise: float


def scene(case: Case, n_particles: int = 1) -> Scene:
    """The scene of a case: always the same for the same case."""
    shape, poses, noise = (np.random.default_rng([7, stream]) for stream in range(3))
    n = case.box_px
    centres, sigma_px = blobs.chiral_chain(N_BLOBS, 0.3 * n, shape), max(1.0, 0.3 * n / case.lowpass_fpx)
    reference = blobs.render(centres, sigma_px, n)
    rotations = euler.matrices(euler.random(n_particles, poses))
    shifts = poses.uniform(-0.5, 0.5, size=(n_particles, 3)) * case.reach_px
    deviation = float(reference.std() / np.sqrt(SNR))
    kept = measured(half_frequencies(n), WEDGE)

    def particle(rotation: np.ndarray, shift: np.ndarray) -> np.ndarray:
        clean = blobs.render(centres @ rotation.T + shift, sigma_px, n)
        noisy = clean + deviation * noise.standard_normal(clean.shape, dtype=np.float32)
        box: np.ndarray = from_spectrum(spectrum(noisy) * kept, n)
        return box

    particles = tuple(particle(rotation, shift) for rotation, shift in zip(rotations, shifts, strict=True))
    mask = ball(n, 0.37 * n, (n // 2,) * 3, 3.0)
    return Scene(case, reference, mask, particles, rotations, shifts, deviation)
