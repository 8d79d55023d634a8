"""How long one particle takes: measured on noise, by the code that will do it."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import NamedTuple

import numpy as np
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

TOGETHER = 4
"""Particles that are timed in a group; what more of them would share is not counted."""


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
    noise = np.random.default_rng(0).normal(size=(box_px,) * 3).astype(np.float32)
    with threadpool_limits(1):
        block = spectrum_block(noise, reach)
        start = time.perf_counter()
        matter = prepared(noise, np.asarray(inscribed_ball(box_px)), [group.TYPICAL], *shells_fpx, reach)
        once = time.perf_counter() - start
        n_first = len(plan.levels[0])
        n_timed = n_first if way.first_stage == "bank" else min(n_first, MANY)
        many = _seconds(matter, block, box_px, settings, plan, way, n_timed)
        if n_timed == n_first:
            return Seconds(many, once)
        few = _seconds(matter, block, box_px, settings, plan, way, FEW)
    return Seconds(many + max(0.0, (n_first - MANY) * (many - few) / (MANY - FEW)), once)


def _seconds(
    matter: Matter, block: np.ndarray, box_px: int, settings: Round, plan: Plan, way: group.Way, n_first: int
) -> float:
    """The shorter of two alignments, after one to warm up, with n_first rotations in the first level."""
    shorter = replace(plan, levels=[plan.levels[0][:n_first], *plan.levels[1:]])
    region = Region(np.zeros(3), np.eye(3), settings.shifts, box_px)
    search = group.search(way, settings, shorter, matter)
    n = TOGETHER if way.first_stage == "bank" else 1
    times = []
    for _ in range(3):
        start = time.perf_counter()
        search(Member(block, group.TYPICAL, np.eye(3), np.zeros(3), region) for _ in range(n))
        times.append(time.perf_counter() - start)
    return min(times[1:]) / n
