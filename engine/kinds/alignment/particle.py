"""One particle against the reference: the levels of the angular search, the window of shifts, the exact cc."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.devices import namespace
from engine.kernels import correlate, exact, quick, weight
from engine.kernels.mask import inscribed_ball
from engine.kernels.reference import SpectrumTable, masked, spectrum_table
from engine.kernels.wedge import Wedge
from engine.kinds.polish import Pose, Slope, best_of, polished, settled
from engine.kinds.region import Region

KEPT = 0.1
"""Share of the rotations that go on from the half band to the whole band in a fast search."""

FEWEST = 8
"""How many go on at least."""

LOWEST_FPX, NARROWEST_FPX = 12.0, 4.0
"""Low-pass below which a fast search does not screen, and the width that half the band must have: less tells too little."""


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


def prepared(
    reference: Any, mask: Any, wedges: Iterable[Wedge], highpass_fpx: float, lowpass_fpx: float, block_reach: int
) -> Matter:
    """The matter of a reference and a mask (n, n, n), for all the samplings that occur and particles in blocks of a reach."""
    xp = namespace(reference)
    n = reference.shape[-1]
    bands = {wedge: correlate.band(n, highpass_fpx, lowpass_fpx, wedge, xp, block_reach) for wedge in wedges}
    half_bands = {
        wedge: correlate.band(n, highpass_fpx, lowpass_fpx / 2, wedge, xp, block_reach)
        for wedge in bands
        if screens(highpass_fpx, lowpass_fpx)
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
    """A particle among others: the block of its coefficients, its sampling, its present pose, and where its centre may lie.

    weight: its own beside the wedge, `weight.relative`; its block is then `weight.divided` by it.
    """

    block: Any
    wedge: Wedge
    rotation: np.ndarray
    shift_xyz_px: np.ndarray
    region: Region
    weight: Any | None = None

    def on(self, bands: Mapping[Wedge, correlate.Band]) -> correlate.Band:
        """The band of the particle's sampling, under its own weight."""
        shared = bands[self.wedge]
        return shared if self.weight is None else weight.under(shared, self.weight)


def member(
    block: Any, own: Any | None, wedge: Wedge, rotation: np.ndarray, shift_xyz_px: np.ndarray, region: Region
) -> Member:
    """The particle of a block of coefficients, with its own weight where it has one."""
    if own is None:
        return Member(block, wedge, rotation, shift_xyz_px, region)
    own = weight.relative(own)
    return Member(weight.divided(block, own), wedge, rotation, shift_xyz_px, region, own)


def align_one(one: Member, matter: Matter, plan: Plan, candidates: np.ndarray | None = None) -> Pose:
    """The particle's best pose, and its exact cc. candidates: what the first level left over, where that is known already."""
    selection = one.on(matter.bands)
    weighted, energy = correlate.weighted(selection, one.block)
    slope = Slope(matter.template, selection, weighted, energy, one.region, correlate.shift_step_px(selection) / 2)
    top = Pose(one.rotation, one.region.clipped(one.shift_xyz_px), -1.0)
    if plan.is_fast:
        if candidates is None:
            candidates = screened(one, matter, one.rotation @ plan.levels[0])
        top = best_of(slope, candidates, top.shift_xyz_px)
        top = polished(slope, top, plan.spacing_deg, plan.n_polish, plan.furthest)
    else:
        for relative in plan.levels:
            top = best_of(slope, top.rotation @ relative, top.shift_xyz_px)
    return finished(slope, top, one.block, matter)


def finished(slope: Slope, top: Pose, block: Any, matter: Matter) -> Pose:
    """The pose with its shift at the top, and its exact cc."""
    top = settled(slope, top)
    values = correlate.coefficients(slope.selection, block)
    cc = exact.exact_cc(matter.whole, matter.small_mask, slope.selection, values, top.rotation, top.shift_xyz_px)
    return Pose(top.rotation, top.shift_xyz_px, cc)


def screened(one: Member, matter: Matter, rotations: np.ndarray) -> np.ndarray:
    """The rotations that score best at half the band, KEPT of them, at least FEWEST; all where the band is too narrow."""
    if not matter.half_bands or n_kept(len(rotations)) >= len(rotations):
        return rotations
    selection = one.on(matter.half_bands)
    weighted, energy = correlate.weighted(selection, one.block)
    near = one.region.clipped(one.shift_xyz_px)
    middle, window = one.region.window(selection, near, correlate.shift_step_px(selection))
    particle = quick.shifted(selection, weighted, middle)
    cc, _ = quick.screen(matter.template, selection, particle, energy, rotations, window)
    return rotations[best_places(cc)]


def best_places(cc: np.ndarray) -> np.ndarray:
    """The places of the highest scores, as many as go on, in ascending order; among equals the first."""
    return np.sort(np.argsort(-cc, kind="stable")[: n_kept(len(cc))])


def screens(highpass_fpx: float, lowpass_fpx: float) -> bool:
    """Whether half the band can tell poses apart."""
    return lowpass_fpx >= LOWEST_FPX and lowpass_fpx / 2 >= highpass_fpx + NARROWEST_FPX


def n_kept(n_rotations: int) -> int:
    """How many of so many rotations go on to the whole band."""
    return min(n_rotations, max(FEWEST, int(np.ceil(KEPT * n_rotations))))
