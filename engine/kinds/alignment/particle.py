"""One particle against the reference: the levels of the angular search, the window of shifts, the exact cc."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.devices import namespace
from engine.geometry import shifts
from engine.kernels import correlate, exact
from engine.kernels.mask import inscribed_ball
from engine.kernels.reference import SpectrumTable, masked, spectrum_table
from engine.kernels.wedge import Wedge
from engine.kinds.form import Shifts

FINE_SAMPLES = 5
"""Samples on a side of the last window, a quarter of a step apart, around the best shift."""


@dataclass(frozen=True, eq=False)
class Matter:
    """What all particles are compared with, on one device: spectra of the masked and of the whole reference, the mask.

    bands holds what each sampling of Fourier space measured of the compared shells.
    """

    bands: Mapping[Wedge, correlate.Band]
    template: SpectrumTable
    whole: SpectrumTable
    small_mask: Any


def prepared(reference: Any, mask: Any, wedges: Iterable[Wedge], highpass_fpx: float, lowpass_fpx: float) -> Matter:
    """The matter of a reference and a mask (n, n, n), for all the samplings that occur."""
    xp = namespace(reference)
    n = reference.shape[-1]
    bands = {wedge: correlate.band(n, highpass_fpx, lowpass_fpx, wedge, xp) for wedge in wedges}
    any_band = next(iter(bands.values()))  # they differ in the wedge, not in their reach
    return Matter(
        bands,
        spectrum_table(masked(reference, mask), any_band.reach),
        spectrum_table(reference * inscribed_ball(n, xp=xp), any_band.reach),
        exact.mask_for_comparison(mask, any_band),
    )


@dataclass(frozen=True, eq=False)
class Region:
    """Where the centre of one particle may lie: an ellipsoid around a shift, or the whole box."""

    centre: np.ndarray
    rotation: np.ndarray
    form: Shifts
    box_px: int

    @property
    def axes(self) -> np.ndarray:
        return self.rotation if self.form.frame == "particle" else np.eye(3)

    @property
    def limits(self) -> np.ndarray:
        if self.form.origin == "unlimited":
            return np.full(3, self.box_px * np.sqrt(3) / 2)
        return np.array(self.form.limits_xyz_px)

    def extent_px(self) -> np.ndarray:
        """How far the region reaches from its centre along x, y, z of the box."""
        if self.form.origin == "unlimited":
            return np.full(3, self.box_px / 2 - 1)
        return shifts.ellipsoid_extent_px(self.limits, self.axes)

    def window(
        self, selection: correlate.Band, best: np.ndarray, step_px: float
    ) -> tuple[np.ndarray, correlate.Window]:
        """The window over the whole region on the lattice of samples that `best` lies on, and its centre."""
        steps = np.rint((best - self.centre) / step_px)
        middle = best - steps * step_px
        reach = np.floor(self.extent_px() / step_px).astype(int) + (middle != self.centre)
        x, y, z = (step_px * np.arange(-n, n + 1) for n in reach)
        offsets = np.stack(np.broadcast_arrays(x[None, None, :], y[None, :, None], z[:, None, None]), axis=-1)
        allowed = shifts.inside_ellipsoid(offsets + (middle - self.centre), self.limits, self.axes)
        return middle, correlate.window(selection, step_px, allowed)

    def clipped(self, shift: np.ndarray) -> np.ndarray:
        """The shift, pulled back into the region where it lies outside."""
        inside = shifts.clip_to_ellipsoid(shift - self.centre, self.limits, self.axes, tolerance_px=0)
        return self.centre + inside


@dataclass(frozen=True, eq=False)
class Pose:
    """Where a particle was found."""

    rotation: np.ndarray
    shift_xyz_px: np.ndarray
    cc: float


def align_one(
    half_spectrum: Any,
    matter: Matter,
    wedge: Wedge,
    rotation: np.ndarray,
    shift_xyz_px: np.ndarray,
    region: Region,
    plan: Sequence[np.ndarray],
) -> Pose:
    """The best pose over the levels of relative rotations, and its exact cc."""
    selection = matter.bands[wedge]
    weighted, energy = correlate.weighted(selection, half_spectrum)
    step_px = correlate.shift_step_px(selection)
    best = region.clipped(shift_xyz_px)
    for relative in plan:
        middle, window = region.window(selection, best, step_px)
        particle = correlate.shifted(selection, weighted, middle)
        candidates = rotation @ relative
        peak = correlate.best_pose(matter.template, selection, particle, energy, candidates, window)
        rotation = candidates[peak.rotation]
        best = region.clipped(middle + peak.shift_xyz_px)
    fine = correlate.window(selection, step_px / 4, np.ones((FINE_SAMPLES,) * 3, dtype=bool))
    particle = correlate.shifted(selection, weighted, best)
    peak = correlate.best_pose(matter.template, selection, particle, energy, rotation[None], fine)
    best = region.clipped(best + peak.shift_xyz_px)
    values = half_spectrum.ravel()[selection.voxel]
    cc = exact.exact_cc(matter.whole, matter.small_mask, selection, values, rotation, best)
    return Pose(rotation, best, cc)
