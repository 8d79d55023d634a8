"""The figures that come out. `engine bench --json` writes these classes as they are, field by field.

Times are the processor's and of one thread, in seconds, unless a name says ms or wall. Ratios (times_…) are medians over
rounds in which all contestants take turns. null stands for what the system does not tell.
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.bench.clock import Machine
from engine.bench.peers import Absent


@dataclass(frozen=True)
class Speed:
    """One way to score an orientation over the whole window of shifts. The last two are known for the engine's own."""

    name: str
    ms_per_orientation: float
    orientations_per_s: float
    times_kernel: float
    gflops_per_s: float | None
    share_of_sgemm: float | None


@dataclass(frozen=True)
class WholeParticle:
    """A fast search among n_rotations, from reading the transform to the sum; and what naive engines would take for it.

    naive_s is n_rotations times one orientation of each naive engine, times_naive how many times longer that is.
    """

    n_rotations: int
    seconds: float
    particles_per_s: float
    transform_s: float
    align_s: float
    insert_s: float
    naive_s: dict[str, float]
    times_naive: dict[str, float]


@dataclass(frozen=True)
class Workers:
    """Whole particles by several workers: how many times sooner all are done, by the wall clock, than by one."""

    n_workers: int
    wall_s_one: float
    wall_s_all: float
    times_faster: float


@dataclass(frozen=True)
class CaseFigures:
    """All that was measured of a case. memory_bytes: arrays held at most while one reference and one particle are done."""

    case: str
    box_px: int
    lowpass_fpx: float
    window: int
    window_step_px: float
    n_points: int
    n_rounds: int
    sgemm_gflops_per_s: float
    speeds: list[Speed]
    whole: WholeParticle
    workers: Workers | None
    memory_bytes: int


@dataclass(frozen=True)
class Scaled:
    """The kernel in another case: what differs from the first of these, "" for the first itself."""

    varies: str
    case: str
    n_rotations: int
    n_points: int
    ms_per_orientation: float
    times_first: float


@dataclass(frozen=True)
class PeerFigures:
    """A whole search by another program, everything included, and by the engine, without preparing the reference."""

    peer: str
    job: str
    case: str
    n_particles: int
    seconds_per_particle: float
    engine_seconds_per_particle: float
    times_engine: float


@dataclass(frozen=True)
class Bench:
    """Everything. load_start and load_end are the system's averages over a minute; peak_bytes is this process's."""

    machine: Machine
    load_start: float | None
    load_end: float | None
    seconds: float
    peak_bytes: int | None
    cases: list[CaseFigures]
    scaling: list[Scaled]
    peers: list[PeerFigures]
    absent: list[Absent]
