"""The global search: all orientations at a low band, then the best few climb with a rising band.

The first stage scores every orientation of the asymmetric unit at a coarse window of shifts, for a group of particles at once
by a bank of the reference at absolute orientations. Its best modes, some way apart, are polished at the low band, at half the
band and at the whole; the one that stands highest at the whole band wins.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.devices import namespace
from engine.geometry import symmetry
from engine.kernels import bank, correlate, quick
from engine.kernels.wedge import Wedge, measured
from engine.kinds.alignment.particle import Matter, Member, Plan, finished
from engine.kinds.polish import Pose, Slope, polished

STEP_DEG = 15.0
"""Distance of neighbouring orientations in the first stage."""

LOW_FPX = 8.0
"""Low-pass of the first stage: what orientations 15 deg apart can tell of an object that half fills its box."""

NARROWEST_FPX = 4.0
"""Width of the first stage's band at least, where the high-pass lies high."""

SAMPLES_PER_PERIOD = 3.0
"""Shifts tried for each period of the first stage's highest shell."""

MODES = 8
"""Orientations that climb."""

APART_DEG = 20.0
"""Distance between the modes."""

SAME_TOP_DEG = 3.0
"""Modes that come nearer than this while they climb go on as one."""

ROUNDS = 2
"""Rounds of the polish at each band below the whole."""


@dataclass(frozen=True, eq=False)
class Everywhere:
    """What a global search compares with, on one device.

    orientations (k, 3, 3); bank: the reference at them, None where one after the other is quicker; weights: a row for each
    sampling, on the bank's points; bands: from the low one to the whole, each with its low-pass.
    """

    orientations: np.ndarray
    bank: bank.Bank | None
    weights: Any
    row_of: Mapping[Wedge, int]
    bands: Sequence[tuple[float, Mapping[Wedge, correlate.Band]]]
    operators: np.ndarray


def low_fpx(highpass_fpx: float, lowpass_fpx: float) -> float:
    """The low-pass of the first stage."""
    return min(lowpass_fpx, max(LOW_FPX, highpass_fpx + NARROWEST_FPX))


def lowpasses(highpass_fpx: float, lowpass_fpx: float) -> list[float]:
    """The low-passes that the modes climb through."""
    low = low_fpx(highpass_fpx, lowpass_fpx)
    return sorted({low, max(low, lowpass_fpx / 2), lowpass_fpx})


def prepared(
    matter: Matter, plan: Plan, group: str, highpass_fpx: float, lowpass_fpx: float, has_bank: bool
) -> Everywhere:
    """The matter of a global search."""
    whole = next(iter(matter.bands.values()))
    xp = namespace(matter.template.values)

    def band(low: float, wedge: Wedge) -> correlate.Band:
        return correlate.band(whole.box_px, highpass_fpx, low, wedge, xp, whole.block_reach)

    bands: list[tuple[float, Mapping[Wedge, correlate.Band]]] = [
        (low, {wedge: band(low, wedge) for wedge in matter.bands}) for low in lowpasses(highpass_fpx, lowpass_fpx)[:-1]
    ]
    bands.append((lowpass_fpx, matter.bands))
    low, narrow = bands[0]
    shared = next(iter(narrow.values()))  # one sampling: only what it measured
    if len(narrow) > 1:
        shared = band(low, Wedge(0))
    samplings = sorted(narrow, key=repr)
    weights = xp.stack([xp.where(measured(shared.k_xyz.T, wedge), shared.weight, 0) for wedge in samplings])
    return Everywhere(
        plan.levels[0],
        bank.bank([matter.template], shared, plan.levels[0]) if has_bank else None,
        weights.astype(xp.float32),
        {wedge: row for row, wedge in enumerate(samplings)},
        bands,
        symmetry.operators(group),
    )


def step_px(selection: correlate.Band) -> float:
    """Spacing of the shifts of the first stage."""
    return max(1.0, selection.box_px / (SAMPLES_PER_PERIOD * selection.reach))


def align(members: Sequence[Member], matter: Matter, plan: Plan, sphere: Everywhere) -> list[Pose]:
    """The best pose of each particle among all orientations, and its exact cc."""
    poses = []
    for one, starts in zip(members, _modes(members, matter, sphere), strict=True):
        top = max(_climbed(one, matter, plan, sphere, starts), key=lambda pose: pose.cc)
        poses.append(finished(_slope(one, matter, one.on(matter.bands)), top, one.block, matter))
    return poses


def _modes(members: Sequence[Member], matter: Matter, sphere: Everywhere) -> list[list[Pose]]:
    """Where each particle's climbs begin."""
    _, narrow = sphere.bands[0]
    selections = [one.on(narrow) for one in members]
    windows = [
        one.region.window(selection, one.region.clipped(one.shift_xyz_px), step_px(selection))
        for one, selection in zip(members, selections, strict=True)
    ]
    if sphere.bank is not None:
        shared, compared = sphere.bank.selection, []
        for one, selection, (middle, window) in zip(members, selections, windows, strict=True):
            row = sphere.row_of[one.wedge]
            _, energy = correlate.weighted(selection, one.block)
            values = sphere.weights[row] * correlate.coefficients(shared, one.block)
            compared.append(bank.compared(quick.shifted(shared, values, middle), energy, row, window))
        cc, places = bank.best_of_each(sphere.bank, compared, sphere.weights)
    else:
        scores = []
        for one, selection, (middle, window) in zip(members, selections, windows, strict=True):
            weighted, energy = correlate.weighted(selection, one.block)
            particle = quick.shifted(selection, weighted, middle)
            scores.append(quick.screen(matter.template, selection, particle, energy, sphere.orientations, window))
        cc, places = np.array([a for a, _ in scores]), np.array([b for _, b in scores])
    found = []
    for number, (middle, window) in enumerate(windows):
        chosen = distinct(sphere.orientations, cc[number], sphere.operators, MODES, APART_DEG)
        found.append(
            [
                Pose(
                    sphere.orientations[row],
                    members[number].region.clipped(middle + correlate.offset_px(window, int(places[number, row]))),
                    float(cc[number, row]),
                )
                for row in chosen
            ]
        )
    return found


def distinct(
    rotations: np.ndarray, heights: np.ndarray, operators: np.ndarray, n_most: int, apart_deg: float
) -> list[int]:
    """The places of the highest rotations (k, 3, 3), each at least so far from those before it, modulo the operators."""
    left = np.array(heights, dtype=np.float64)
    flat = rotations.reshape(len(rotations), 9)
    chosen: list[int] = []
    while len(chosen) < n_most and np.isfinite(left.max()):
        chosen.append(int(left.argmax()))
        traces = flat @ (rotations[chosen[-1]] @ operators).reshape(-1, 9).T
        left[traces.max(axis=1) > 1 + 2 * np.cos(np.radians(apart_deg))] = -np.inf
        left[chosen[-1]] = -np.inf
    return chosen


def _climbed(one: Member, matter: Matter, plan: Plan, sphere: Everywhere, starts: list[Pose]) -> list[Pose]:
    """The modes after their climb through all bands; the stencil narrows as the band widens."""
    tops = starts
    lowest, whole = sphere.bands[0][0], sphere.bands[-1][0]
    for low, bands in sphere.bands:
        selection = one.on(bands)
        slope = _slope(one, matter, selection)
        rounds = max(1, plan.n_polish) if low == whole else ROUNDS
        spacing = plan.spacing_deg * (lowest / low)
        tops = [polished(slope, top, spacing, rounds, plan.furthest) for top in tops]
        heights = np.array([top.cc for top in tops])
        rotations = np.array([top.rotation for top in tops])
        tops = [tops[n] for n in distinct(rotations, heights, sphere.operators, MODES, SAME_TOP_DEG)]
    return tops


def _slope(one: Member, matter: Matter, selection: correlate.Band) -> Slope:
    """What the particle climbs on a band."""
    weighted, energy = correlate.weighted(selection, one.block)
    return Slope(matter.template, selection, weighted, energy, one.region, correlate.shift_step_px(selection) / 2)
