"""One particle against the reference: the levels of the angular search, the window of shifts, the exact cc."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.devices import namespace
from engine.kernels import correlate, exact
from engine.kernels.mask import inscribed_ball
from engine.kernels.reference import SpectrumTable, masked, spectrum_table
from engine.kernels.wedge import Wedge
from engine.kinds.alignment.polish import Pose, Slope, polished
from engine.kinds.alignment.region import Region

KEPT = 0.1
"""Share of the rotations that go on from the half band to the whole band in a fast search."""

FEWEST = 8
"""How many go on at least."""

NARROWEST_FPX = 12.0
"""Low-pass below which a fast search does not screen: half of it would be too little."""

FINE_SAMPLES = 5
"""Samples on a side of the last window, a quarter of a step apart, around the best shift."""


@dataclass(frozen=True, eq=False)
class Matter:
    """What all particles are compared with, on one device: spectra of the masked and of the whole reference, the mask.

    bands holds what each sampling of Fourier space measured of the compared shells; half_bands the lower half of them,
    empty where that would be too little to tell poses apart.
    """

    bands: Mapping[Wedge, correlate.Band]
    half_bands: Mapping[Wedge, correlate.Band]
    template: SpectrumTable
    whole: SpectrumTable
    small_mask: Any


def prepared(reference: Any, mask: Any, wedges: Iterable[Wedge], highpass_fpx: float, lowpass_fpx: float) -> Matter:
    """The matter of a reference and a mask (n, n, n), for all the samplings that occur."""
    xp = namespace(reference)
    n = reference.shape[-1]
    bands = {wedge: correlate.band(n, highpass_fpx, lowpass_fpx, wedge, xp) for wedge in wedges}
    half = lowpass_fpx / 2
    half_bands = {
        wedge: correlate.band(n, highpass_fpx, half, wedge, xp) for wedge in wedges if lowpass_fpx >= NARROWEST_FPX
    }
    any_band = next(iter(bands.values()))  # they differ in the wedge, not in their reach
    return Matter(
        bands,
        half_bands,
        spectrum_table(masked(reference, mask), any_band.reach),
        spectrum_table(reference * inscribed_ball(n, xp=xp), any_band.reach),
        exact.mask_for_comparison(mask, any_band),
    )


@dataclass(frozen=True, eq=False)
class Plan:
    """The angular search of a round: relative rotations of each level, and how a fast search goes on from the first.

    spacing_deg: half a step of the first level about x, y, z of the template, 0 for what is not searched.
    """

    levels: Sequence[np.ndarray]
    is_fast: bool
    spacing_deg: np.ndarray
    n_polish: int
    furthest: float


@dataclass(frozen=True, eq=False)
class Member:
    """A particle among others: its half spectrum, its sampling, its present pose, and where its centre may lie."""

    half_spectrum: Any
    wedge: Wedge
    rotation: np.ndarray
    shift_xyz_px: np.ndarray
    region: Region


def align_one(
    half_spectrum: Any,
    matter: Matter,
    wedge: Wedge,
    rotation: np.ndarray,
    shift_xyz_px: np.ndarray,
    region: Region,
    plan: Plan,
    candidates: np.ndarray | None = None,
) -> Pose:
    """The best pose, and its exact cc. candidates: what the first level left over, where that is known already."""
    selection = matter.bands[wedge]
    weighted, energy = correlate.weighted(selection, half_spectrum)
    step_px = correlate.shift_step_px(selection)
    top = Pose(rotation, region.clipped(shift_xyz_px), -1.0)
    if plan.is_fast:
        if candidates is None:
            candidates = screened(half_spectrum, matter, wedge, rotation @ plan.levels[0], top.shift_xyz_px, region)
        top = best_of(matter, selection, weighted, energy, candidates, top.shift_xyz_px, region)
        slope = Slope(matter.template, selection, weighted, energy, region, step_px / 2)
        top = polished(slope, top, plan.spacing_deg, plan.n_polish, plan.furthest)
    else:
        for relative in plan.levels:
            top = best_of(matter, selection, weighted, energy, top.rotation @ relative, top.shift_xyz_px, region)
    return finished(half_spectrum, matter, wedge, top, region)


def finished(half_spectrum: Any, matter: Matter, wedge: Wedge, top: Pose, region: Region) -> Pose:
    """The pose with its shift made fine, and its exact cc."""
    selection = matter.bands[wedge]
    weighted, energy = correlate.weighted(selection, half_spectrum)
    step_px = correlate.shift_step_px(selection)
    best = finely_shifted(matter, selection, weighted, energy, top, step_px, region)
    values = half_spectrum.ravel()[selection.voxel]
    cc = exact.exact_cc(matter.whole, matter.small_mask, selection, values, top.rotation, best)
    return Pose(top.rotation, best, cc)


def best_of(
    matter: Matter,
    selection: correlate.Band,
    weighted: Any,
    energy: float,
    rotations: np.ndarray,
    near: np.ndarray,
    region: Region,
) -> Pose:
    """The best of the rotations (k, 3, 3), over all shifts of the region."""
    middle, window = region.window(selection, near, correlate.shift_step_px(selection))
    particle = correlate.shifted(selection, weighted, middle)
    peak = correlate.best_pose(matter.template, selection, particle, energy, rotations, window)
    return Pose(rotations[peak.rotation], region.clipped(middle + peak.shift_xyz_px), peak.cc)


def screened(
    half_spectrum: Any, matter: Matter, wedge: Wedge, rotations: np.ndarray, near: np.ndarray, region: Region
) -> np.ndarray:
    """The rotations that score best at half the band, KEPT of them, at least FEWEST; all where the band is too narrow."""
    if not matter.half_bands or n_kept(len(rotations)) >= len(rotations):
        return rotations
    selection = matter.half_bands[wedge]
    weighted, energy = correlate.weighted(selection, half_spectrum)
    middle, window = region.window(selection, near, correlate.shift_step_px(selection))
    particle = correlate.shifted(selection, weighted, middle)
    cc, _ = correlate.search(matter.template, selection, particle, energy, rotations, window)
    return rotations[best_places(cc)]


def best_places(cc: np.ndarray) -> np.ndarray:
    """The places of the highest scores, as many as go on, in ascending order; among equals the first."""
    return np.sort(np.argsort(-cc, kind="stable")[: n_kept(len(cc))])


def n_kept(n_rotations: int) -> int:
    """How many of so many rotations go on to the whole band."""
    return min(n_rotations, max(FEWEST, int(np.ceil(KEPT * n_rotations))))


def finely_shifted(
    matter: Matter,
    selection: correlate.Band,
    weighted: Any,
    energy: float,
    top: Pose,
    step_px: float,
    region: Region,
) -> np.ndarray:
    """The shift at the last rotation, from samples a quarter of a step apart."""
    fine = correlate.window(selection, step_px / 4, np.ones((FINE_SAMPLES,) * 3, dtype=bool))
    particle = correlate.shifted(selection, weighted, top.shift_xyz_px)
    peak = correlate.best_pose(matter.template, selection, particle, energy, top.rotation[None], fine)
    return region.clipped(top.shift_xyz_px + peak.shift_xyz_px)
