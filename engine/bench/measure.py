"""What is timed against what, for how many rounds: from cases to figures."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from engine.bench.cases import Case, Scene, scene
from engine.bench.clock import Contestant, in_turns, load, machine, peak_bytes, ratio
from engine.bench.contestants import (
    GLOBAL,
    KERNEL,
    LOCAL,
    SGEMM,
    Arena,
    Whole,
    arena,
    kernel,
    local_plan,
    matrix_product,
    memory_of_one,
    naive_engines,
    searches,
)
from engine.bench.figures import Bench, CaseFigures, PeerFigures, Scaled, Speed, WholeParticle, Workers
from engine.bench.peers import (
    LARGEST_FOR_PEERS_PX,
    NOT_INSTALLED,
    Absent,
    Job,
    acryo_models,
    relion_program,
    relion_seconds,
    relion_version,
)
from engine.devices import Work
from engine.kinds.alignment.particle import Plan

Tell = Callable[[str], None]

WHOLE_DEG = 40.0, 44.0, 4.0
"""Cone, azimuth and step of the whole particles' search: 1045 rotations."""


@dataclass(frozen=True)
class Extent:
    """How much is measured: rounds, rotations of a search, whole particles of a lot, seconds of a worker, and what varies.

    scaling holds that which varies, the case and the number of rotations, the point of comparison first.
    """

    cases: tuple[Case, ...]
    n_rounds: int
    n_rotations: int
    n_whole: int
    lot_s: float
    scaling: tuple[tuple[str, Case, int], ...]
    jobs: tuple[Job, ...]


FULL = Extent(
    (Case(64, 20, 9), Case(192, 32, 15)),
    n_rounds=7,
    n_rotations=200,
    n_whole=8,
    lot_s=2.0,
    scaling=(
        ("", Case(192, 32, 15), 200),
        ("box", Case(96, 32, 15), 200),
        ("low-pass", Case(192, 16, 15), 200),
        ("window", Case(192, 32, 5), 200),
        ("window", Case(192, 32, 25), 200),
        ("rotations", Case(192, 32, 15), 50),
        ("rotations", Case(192, 32, 15), 800),
    ),
    jobs=(
        Job("local", order=4, sigma_deg=3, cone_deg=18, azimuth_deg=18, step_deg=3.75, n_particles=4),
        Job("global", order=2, sigma_deg=0, cone_deg=360, azimuth_deg=360, step_deg=15, n_particles=2),
    ),
)
QUICK = Extent(
    (Case(48, 12, 7),),
    n_rounds=3,
    n_rotations=100,
    n_whole=2,
    lot_s=0.2,
    scaling=(
        ("", Case(48, 9, 7), 100),
        ("box", Case(32, 9, 7), 100),
        ("low-pass", Case(48, 6, 7), 100),
        ("window", Case(48, 9, 3), 100),
        ("rotations", Case(48, 9, 7), 400),
    ),
    jobs=(Job("local", order=3, sigma_deg=5, cone_deg=30, azimuth_deg=30, step_deg=7.5, n_particles=2),),
)


def _silence(text: str) -> None:
    return None


def bench(cases: Sequence[Case] = (), *, is_quick: bool = False, n_workers: int = 2, tell: Tell = _silence) -> Bench:
    """The figures of these cases, or of the standard ones and their scaling. tell hears what is being timed."""
    start, load_start = time.perf_counter(), load()
    extent = QUICK if is_quick else FULL
    if cases:
        extent = replace(extent, cases=tuple(cases), scaling=())
    arenas: dict[tuple[int, float], Arena] = {}

    def arena_of(case: Case) -> Arena:
        key = case.box_px, case.lowpass_fpx
        if key not in arenas:
            arenas[key] = arena(scene(case, extent.n_whole))
        return arenas[key].with_window(case.window)

    absent: dict[Absent, None] = {}
    figures, jobs = [], []
    with threadpool_limits(1):
        for case in extent.cases:
            tell(f"{case}: the kernel, naive engines, whole particles")
            found, missing = case_figures(arena_of(case), extent, n_workers)
            figures.append(found)
            absent |= dict.fromkeys(missing)
        if extent.scaling:
            tell("scaling of the kernel")
        scaling = scaled(extent, arena_of)
        for case in extent.cases:
            if case.box_px <= LARGEST_FOR_PEERS_PX:
                done, missing = relion_figures(case, extent.jobs, tell)
                jobs += done
                absent |= dict.fromkeys(missing)
    seconds = time.perf_counter() - start
    return Bench(machine(), load_start, load(), seconds, peak_bytes(), figures, scaling, jobs, list(absent))


def case_figures(where: Arena, extent: Extent, n_workers: int) -> tuple[CaseFigures, list[Absent]]:
    """The figures of one case, and the peers that could not take part."""
    case = where.case
    plan = local_plan(*WHOLE_DEG, case.lowpass_fpx)
    engines = searches(where, extent.n_rotations) + naive_engines(where, max(1, round(10 * (64 / case.box_px) ** 3)))
    absent = []
    if case.box_px <= LARGEST_FOR_PEERS_PX:
        models = acryo_models(where.scene, 2)
        if isinstance(models, Absent):
            absent.append(models)
        else:
            engines += models
    whole, product = Whole(where, plan, extent.n_whole), matrix_product()
    seconds = in_turns([*engines, Contestant("whole", whole, whole.n_particles), product], extent.n_rounds)
    sgemm = 1 / float(np.median(seconds[product.name]))
    figures = CaseFigures(
        str(case),
        case.box_px,
        case.lowpass_fpx,
        case.window,
        case.step_px,
        len(where.band.weight),
        extent.n_rounds,
        sgemm / 1e9,
        [_speed(engine, seconds) for engine in engines],
        _whole(whole, plan, seconds),
        workers(where, plan, extent, n_workers) if n_workers > 1 else None,
        memory_of_one(where.scene, plan),
    )
    return figures, absent


def _speed(engine: Contestant, seconds: dict[str, np.ndarray]) -> Speed:
    each = float(np.median(seconds[engine.name]))
    rate = engine.flops / each / 1e9 if engine.flops else None
    share = ratio(seconds[SGEMM] * engine.flops, seconds[engine.name]) if engine.flops else None
    return Speed(engine.name, 1e3 * each, 1 / each, ratio(seconds[engine.name], seconds[KERNEL]), rate, share)


def _whole(whole: Whole, plan: Plan, seconds: dict[str, np.ndarray]) -> WholeParticle:
    n_rotations = len(plan.levels[0])
    each = float(np.median(seconds["whole"]))
    transform, align, insert = np.median(whole.parts_s[1:], axis=0).tolist()
    naive = {name: n_rotations * seconds[name] for name in (LOCAL, GLOBAL)}
    return WholeParticle(
        n_rotations,
        each,
        1 / each,
        transform,
        align,
        insert,
        {name: float(np.median(values)) for name, values in naive.items()},
        {name: ratio(values, seconds["whole"]) for name, values in naive.items()},
    )


def workers(where: Arena, plan: Plan, extent: Extent, n_workers: int) -> Workers:
    """As many lots of whole particles as workers, done by one and by all; long enough that their starting counts for little."""
    jobs = [Whole(where, plan, extent.n_whole) for _ in range(n_workers)]
    start = time.perf_counter()
    jobs[0]()
    n_times = max(1, math.ceil(extent.lot_s / (time.perf_counter() - start)))

    def by(workers: int) -> Contestant:
        def lots() -> list[Any]:
            return list(Work(workers=workers).map(lambda job: [len(job()) for _ in range(n_times)], jobs))

        return Contestant(str(workers), lots)

    seconds = in_turns([by(1), by(n_workers)], max(2, extent.n_rounds // 2), time.perf_counter)
    one, together = seconds["1"], seconds[str(n_workers)]
    return Workers(n_workers, float(np.median(one)), float(np.median(together)), ratio(one, together))


def scaled(extent: Extent, arena_of: Callable[[Case], Arena]) -> list[Scaled]:
    """The kernel at every point of the scaling."""
    runners = [replace(kernel(arena_of(case), n), name=f"{case}, {n}") for _, case, n in extent.scaling]
    seconds = in_turns(runners, extent.n_rounds)
    first = seconds[runners[0].name] if runners else np.ones(1)
    return [
        Scaled(
            varies,
            str(case),
            n,
            len(arena_of(case).band.weight),
            1e3 * float(np.median(seconds[runner.name])),
            ratio(seconds[runner.name], first),
        )
        for (varies, case, n), runner in zip(extent.scaling, runners, strict=True)
    ]


def relion_figures(case: Case, jobs: Sequence[Job], tell: Tell) -> tuple[list[PeerFigures], list[Absent]]:
    """RELION's searches of a case's particles and the engine's, in turns; what is missing or fails is named."""
    program = relion_program()
    if program is None:
        return [], [Absent("RELION", NOT_INSTALLED)]
    name = relion_version(program)
    everything = scene(case, max(job.n_particles for job in jobs))
    figures: list[PeerFigures] = []
    absent: list[Absent] = []
    for job in jobs:
        tell(f"{case}: {name}, {job.name}")
        found = _relion_job(program, name, everything, job)
        if isinstance(found, Absent):
            absent.append(found)
        else:
            figures.append(found)
    return figures, absent


def _relion_job(program: str, name: str, everything: Scene, job: Job) -> PeerFigures | Absent:
    """One run of RELION between two of the engine's."""
    case = everything.case
    plan = local_plan(job.cone_deg, job.azimuth_deg, job.step_deg, case.lowpass_fpx)
    ours = Contestant("engine", Whole(arena(everything), plan, job.n_particles), job.n_particles)
    before = in_turns([ours], 1)[ours.name]
    theirs = relion_seconds(program, everything, job)
    if isinstance(theirs, str):
        return Absent(f"{name} {job.name}", theirs)
    mine = float(np.mean([*before, *in_turns([ours], 1)[ours.name]]))
    return PeerFigures(name, job.name, str(case), job.n_particles, theirs, mine, theirs / mine)
