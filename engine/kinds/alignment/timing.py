"""How long one particle takes: measured on noise, by the code that will do it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import scipy
from threadpoolctl import threadpool_limits

from engine.kernels.fourier import spectrum_block
from engine.kernels.mask import inscribed_ball
from engine.kinds.alignment import group
from engine.kinds.alignment.iterate import search_plan
from engine.kinds.alignment.particle import Matter, Member, Plan, prepared
from engine.kinds.alignment.spectra import reach_fpx
from engine.kinds.form import Round
from engine.kinds.measuring import measured
from engine.kinds.region import Region

FEW, MANY = 100, 500
"""Rotations of the first level that are timed one by one; longer lists are told from these two, a bank is timed whole."""

TOGETHER = 8
"""Particles that are timed; what more of them would share is not counted."""

NOISE = 3.0
"""Standard deviation of the noise over that of the reference."""

SHIFT_PX = 0.5
"""How far a particle may lie beside its place, along x, y and z."""

BUDGET_S = 1.0
"""How long particles are timed: a core's speed changes from one moment to the next."""


class Seconds(NamedTuple):
    """What one core takes: to align a particle, without reading it; and before, to prepare the reference for all."""

    each: float
    once: float


def seconds_to_align(
    settings: Round, box_px: int, pixel_size_A: float, n_particles: int, weighted: bool = False
) -> Seconds:
    """The seconds of an iteration of this round; takes a second or so to find out."""
    plan, shells = search_plan(settings), settings.bandpass.shells(box_px, pixel_size_A)
    way = group.way(settings, plan, box_px, shells, n_particles, weighted=weighted)
    return _measured(settings, box_px, shells, reach_fpx(settings.bandpass, box_px, pixel_size_A), way)


@measured(Seconds(0.0, 0.0))
def _measured(settings: Round, box_px: int, shells_fpx: tuple[float, float], reach: int, way: group.Way) -> Seconds:
    plan = search_plan(settings)
    reference = np.random.default_rng(0).normal(size=(box_px,) * 3).astype(np.float32)
    with threadpool_limits(1):
        start = time.thread_time()
        matter = prepared(reference, np.asarray(inscribed_ball(box_px)), [group.TYPICAL], *shells_fpx, reach)
        once = time.thread_time() - start
        members = _members(reference, reach, settings, plan)
        n_first = len(plan.levels[0])
        n_timed = n_first if way.first_stage == "bank" else min(n_first, MANY)
        many = _seconds(matter, members, settings, plan, way, n_timed)
        if n_timed == n_first:
            return Seconds(many, once)
        few = _seconds(matter, members, settings, plan, way, FEW)
    return Seconds(many + max(0.0, (n_first - MANY) * (many - few) / (MANY - FEW)), once)


def _members(reference: np.ndarray, reach: int, settings: Round, plan: Plan) -> list[Member]:
    """Particles that show the reference under noise, each a little beside the pose from which it is searched."""
    generator, box_px = np.random.default_rng(1), reference.shape[-1]
    region = Region(np.zeros(3), np.eye(3), settings.shifts, box_px)
    members = []
    for _ in range(TOGETHER):
        noise = generator.normal(0.0, NOISE, reference.shape).astype(np.float32)
        vector = np.radians(generator.uniform(-1, 1, 3) * plan.spacing_deg)
        turn = scipy.spatial.transform.Rotation.from_rotvec(vector).as_matrix()
        shift = generator.uniform(-SHIFT_PX, SHIFT_PX, 3)
        members.append(Member(spectrum_block(reference + noise, reach), group.TYPICAL, turn, shift, region))
    return members


def _seconds(
    matter: Matter, members: Sequence[Member], settings: Round, plan: Plan, way: group.Way, n_first: int
) -> float:
    """The mean over some alignments, after one to warm up, with n_first rotations in the first level."""
    shorter = replace(plan, levels=[plan.levels[0][:n_first], *plan.levels[1:]])
    search = group.search(way, settings, shorter, matter)
    warming_s = _timed(lambda: search(members[:1]))
    some = members if way.first_stage == "bank" or TOGETHER * warming_s < BUDGET_S else members[:1]
    times: list[float] = []
    while sum(times) < BUDGET_S:
        times.append(_timed(lambda: search(some)))
    return float(np.mean(times)) / len(some)


def _timed(action: Callable[[], object]) -> float:
    start = time.thread_time()
    action()
    return time.thread_time() - start
