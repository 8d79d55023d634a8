"""Particles of a chunk: one after the other, or a group together where a bank of turned references serves them all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np

from engine.devices import namespace
from engine.kernels import bank, correlate, own_frame, quick
from engine.kernels.bank import GROUP
from engine.kernels.cost import Sizes, bank_is_quicker
from engine.kernels.wedge import Wedge
from engine.kinds.alignment import everywhere
from engine.kinds.alignment.particle import Matter, Member, Plan, align_one, best_places, n_kept, screens
from engine.kinds.form import Round
from engine.kinds.polish import Pose
from engine.kinds.region import Region

TYPICAL = Wedge(1, (-60.0, 60.0))
"""The sampling that costs are told for."""


Search = Callable[[Iterable[Member]], list[Pose]]
"""The poses of a group of particles."""


@dataclass(frozen=True)
class Way:
    """How a round's first stage goes: one particle after the other or through a bank, and the cuts it has in Fourier px.

    bank_bytes: what the bank occupies, once; call_bytes: what scoring a group of particles by it takes, for each worker.
    """

    first_stage: Literal["gather", "bank"]
    highpass_fpx: float
    lowpass_fpx: float
    bank_bytes: int = 0
    call_bytes: int = 0

    @property
    def screens(self) -> bool:
        """Whether a fast search screens at all."""
        return screens(self.highpass_fpx, self.lowpass_fpx)

    def chunk(self, asked: int) -> int:
        """Particles handed to a worker at a time: those of a bank go together in fixed groups."""
        return GROUP if self.first_stage == "bank" else asked


def way(
    settings: Round,
    plan: Plan,
    box_px: int,
    shells_fpx: tuple[float, float],
    n_particles: int,
    on_gpu: bool = False,
    weighted: bool = False,
) -> Way:
    """The quicker way, told from sizes only. weighted: particles have weights of their own, and share no bank."""
    high, low = shells_fpx
    is_global = settings.search == "global"
    n = len(plan.levels[0])
    if weighted:
        return Way("gather", high, low)
    if not is_global and not (plan.is_fast and screens(high, low) and n_kept(n) < n):
        return Way("gather", high, low)  # nothing is screened
    first_low = everywhere.low_fpx(high, low) if is_global else low / 2
    selection, ball = (correlate.band(box_px, high, first_low, wedge) for wedge in (TYPICAL, Wedge(0)))
    step_px = everywhere.step_px(selection) if is_global else correlate.shift_step_px(selection)
    region = Region(np.zeros(3), np.eye(3), settings.shifts, box_px)
    _, window = region.window(selection, np.zeros(3), step_px)
    sizes = Sizes(
        selection.k_xyz.shape[1],
        (selection if is_global else ball).k_xyz.shape[1],
        selection.reach,
        window.allowed.shape,
        int(window.allowed.sum()),
        n,
        n_particles,
    )
    if not bank_is_quicker(sizes, not is_global, on_gpu):
        return Way("gather", high, low)
    return Way("bank", high, low, *bank.held_bytes(sizes.n_rotations, sizes.n_ball, sizes.n_shifts))


def search(chosen: Way, settings: Round, plan: Plan, matter: Matter) -> Search:
    """The search of a round on one device."""
    with_bank = chosen.first_stage == "bank"
    if settings.search == "global":
        sphere = everywhere.prepared(
            matter, plan, settings.symmetry, chosen.highpass_fpx, chosen.lowpass_fpx, with_bank
        )
        return lambda members: everywhere.align(list(members), matter, plan, sphere)
    if with_bank:
        return partial(_screened_and_aligned, matter, plan, relative_bank(matter, plan, chosen))
    return partial(_one_by_one, matter, plan)


def relative_bank(matter: Matter, plan: Plan, chosen: Way) -> bank.Bank:
    """The reference at the relative rotations of the first level, at half the band, without a wedge."""
    any_band = next(iter(matter.half_bands.values()))
    xp = namespace(matter.template.values)
    cuts = chosen.highpass_fpx, chosen.lowpass_fpx / 2
    ball = correlate.band(any_band.box_px, *cuts, Wedge(0), xp, any_band.block_reach)
    return bank.bank([matter.template], ball, plan.levels[0])


def _one_by_one(matter: Matter, plan: Plan, members: Iterable[Member]) -> list[Pose]:
    return [align_one(one, matter, plan) for one in members]


def _screened_and_aligned(matter: Matter, plan: Plan, relative: bank.Bank, some: Iterable[Member]) -> list[Pose]:
    members = list(some)
    return [
        align_one(one, matter, plan, candidates)
        for one, candidates in zip(members, screened_together(members, matter, plan, relative), strict=True)
    ]


def screened_together(members: Sequence[Member], matter: Matter, plan: Plan, relative: bank.Bank) -> list[np.ndarray]:
    """For each particle what `particle.screened` gives: here every particle is turned into its own frame instead."""
    xp = namespace(matter.template.values)
    ball = relative.selection
    weights = xp.empty((len(members), ball.k_xyz.shape[1]), dtype=xp.float32)
    compared = []
    for row, one in enumerate(members):
        near = one.region.clipped(one.shift_xyz_px)
        _, energy = correlate.weighted(matter.half_bands[one.wedge], one.block)
        centred = quick.shifted(ball, correlate.coefficients(ball, one.block), near)
        weights[row] = own_frame.turned_weight(ball, one.wedge, one.rotation)
        values = weights[row] * own_frame.turned(ball, centred, one.rotation)
        window = one.region.turned_window(ball, near, correlate.shift_step_px(ball), one.rotation)
        compared.append(bank.compared(values, energy, row, window))
    cc, _ = bank.best_of_each(relative, compared, weights)
    return [one.rotation @ plan.levels[0][best_places(scores)] for one, scores in zip(members, cc, strict=True)]
