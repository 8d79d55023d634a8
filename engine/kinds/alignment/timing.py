"""How long one particle takes: measured on noise, by the code that will do it."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import lru_cache

import numpy as np
from threadpoolctl import threadpool_limits

from engine.kernels.fourier import spectrum_block
from engine.kernels.mask import inscribed_ball
from engine.kernels.wedge import Wedge
from engine.kinds.alignment.iterate import search_plan
from engine.kinds.alignment.particle import Matter, Plan, align_one, prepared
from engine.kinds.alignment.region import Region
from engine.kinds.alignment.spectra import reach_fpx
from engine.kinds.form import Round

FEW, MANY = 100, 500
"""Rotations of the first level that are timed; longer lists are told from these two."""

WEDGE = Wedge(1, (-60.0, 60.0))


@lru_cache(maxsize=16)
def seconds_per_particle(settings: Round, box_px: int, pixel_size_A: float) -> float:
    """Seconds that one core takes to align one particle whose coefficients are there; takes a second or so to find out."""
    plan = search_plan(settings)
    high, low = settings.bandpass.shells(box_px, pixel_size_A)
    noise = np.random.default_rng(0).normal(size=(box_px,) * 3).astype(np.float32)
    with threadpool_limits(1):
        block = spectrum_block(noise, reach_fpx(settings.bandpass, box_px, pixel_size_A))
        matter = prepared(noise, np.asarray(inscribed_ball(box_px)), [WEDGE], high, low, block.shape[-1] - 1)
        n_first = len(plan.levels[0])
        many = _seconds(matter, block, box_px, settings, plan, min(n_first, MANY))
        if n_first <= MANY:
            return many
        few = _seconds(matter, block, box_px, settings, plan, FEW)
    return many + (n_first - MANY) * (many - few) / (MANY - FEW)


def _seconds(matter: Matter, block: np.ndarray, box_px: int, settings: Round, plan: Plan, n_first: int) -> float:
    """The shorter of two alignments, after one to warm up, with n_first rotations in the first level."""
    shorter = replace(plan, levels=[plan.levels[0][:n_first], *plan.levels[1:]])
    region = Region(np.zeros(3), np.eye(3), settings.shifts, box_px)
    times = []
    for _ in range(3):
        start = time.perf_counter()
        align_one(block, matter, WEDGE, np.eye(3), np.zeros(3), region, shorter)
        times.append(time.perf_counter() - start)
    return min(times[1:])
