"""What a run will cost: rotations, time from a short measurement on this machine, memory and disk."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from threadpoolctl import threadpool_limits

from engine.address import Address
from engine.data import ParticleFacts
from engine.devices import chosen_gpus
from engine.kernels import average
from engine.kernels.fourier import spectrum
from engine.kernels.wedge import Wedge
from engine.look import FileLook
from engine.plan import locate, plan
from engine.project import Project, neighbour
from engine.step import Step

BASE_BYTES = 250 << 20
"""What Python and its libraries occupy before the first particle."""

BYTES_PER_VOXEL = {
    "average": 4,
    "average_symmetrized": 4,
    "average_raw": 4,
    "fourier_weight": 2,
    "mask": 4,
    "fsc_mask": 4,
    "starting_reference": 4,
    "object": 4,
    "template": 4,
}
"""What the maps of a step take on disk; a Fourier weight is half a box."""


@dataclass(frozen=True)
class Forecast:
    """The cost of the steps still to do. What cannot be known yet is in unknown, and not in the numbers.

    searches: which search each round has in force, in words, and what it costs.
    """

    steps: int
    steps_to_do: int
    particles: int
    rotations: int
    seconds: float
    memory_bytes: int
    disk_bytes: int
    unknown: list[str] = field(default_factory=list)
    searches: list[str] = field(default_factory=list)


def forecast(project: Project) -> Forecast:
    """The forecast of one project; takes about a second the first time a round is measured."""
    planned = plan(project)
    to_do = [one.step for one in planned if one.state != "keep"]
    look = FileLook(project)
    workers = min(project.form.compute.workers, os.cpu_count() or 1)
    on_gpu = bool(chosen_gpus(project.form.compute.gpus))
    parts = [_step_cost(project, step, look) for step in to_do if step.cost]
    unknown = sorted({part for part in parts if isinstance(part, str)})
    known = [part for part in parts if not isinstance(part, str)]
    if on_gpu:
        unknown.append("time on a GPU is not measured: the seconds are those of this machine's CPU")
    return Forecast(
        steps=len(planned),
        steps_to_do=len(to_do),
        particles=max((part.particles for part in known), default=0),
        rotations=sum(part.rotations for part in known),
        seconds=sum(part.seconds for part in known) / workers,
        memory_bytes=BASE_BYTES + max((part.memory_bytes * (1 + workers) for part in known), default=0),
        disk_bytes=sum(part.disk_bytes for part in known),
        unknown=unknown,
        searches=list(dict.fromkeys(part.search for part in known if part.search)),
    )


@dataclass(frozen=True)
class _Part:
    particles: int
    rotations: int
    seconds: float
    memory_bytes: int
    disk_bytes: int
    search: str = ""


def _step_cost(project: Project, step: Step, look: FileLook) -> _Part | str:
    """The cost of one step on one core, or why it cannot be told."""
    assert step.cost is not None
    if step.cost.made is not None:
        count, box_px, _ = step.cost.made
        disk = count * box_px**3 * 4 + _volumes_bytes(step, box_px)
        return _Part(count, 0, count * seconds_per_average(box_px) / 2, 30 * box_px**3, disk)
    facts = _particles(project, step.inputs["particles"].source, look)
    if facts is None:
        return f"{step.inputs['particles'].source} is not there yet"
    share = 0.5 if "half" in step.labels else 1.0
    n = round(facts.n_particles * share)
    seconds = n * seconds_per_average(facts.box_px)
    search = ""
    if step.cost.seconds:
        each = step.cost.seconds(facts.box_px, facts.pixel_size_A, n)
        seconds += n * each
        if step.cost.words:
            search = f"{step.cost.words(facts.box_px, facts.pixel_size_A, n)}; {each:.2g} s a particle"
    memory = 130 * facts.box_px**3
    disk = _volumes_bytes(step, facts.box_px) + 43 * 8 * n
    return _Part(n, n * step.cost.rotations, seconds, memory, disk, search)


def _particles(project: Project, source: object, look: FileLook) -> ParticleFacts | None:
    """What is known of the particles: from where they lie, or from the plan of the project that will make them."""
    facts = look.particles(str(source))
    if facts is None and isinstance(source, Address):
        maker, _ = locate(neighbour(project, source), source)[-1]
        if maker.cost and maker.cost.made:
            return maker.cost.made
    return facts


def _volumes_bytes(step: Step, box_px: int) -> int:
    return sum(BYTES_PER_VOXEL.get(item.rsplit("/", 1)[-1], 0) for item in step.makes) * box_px**3


@lru_cache(maxsize=32)
def seconds_per_average(box_px: int) -> float:
    """Seconds that one core takes to transform one particle and put it into a sum, measured."""
    noise = np.random.default_rng(0).normal(size=(box_px,) * 3).astype(np.float32)
    total = average.empty_sum(box_px)
    wedge = Wedge(1, (-60, 60))
    return 2 * _seconds(lambda: average.inserted(total, spectrum(noise), wedge, np.eye(3), np.zeros(3)))


def _seconds(action: Callable[[], object], budget_s: float = 0.4) -> float:
    """The median time of an action on one thread, repeated within the budget, once warmed up."""
    times: list[float] = []
    with threadpool_limits(1):
        action()
        start = time.perf_counter()
        while not times or (time.perf_counter() - start < budget_s and len(times) < 9):
            before = time.perf_counter()
            action()
            times.append(time.perf_counter() - before)
    return float(np.median(times))
