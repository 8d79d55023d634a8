"""What a run will cost: rotations, time from a short measurement on this machine, memory and disk."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import dataclass, field

from engine.address import Address
from engine.data import ParticleFacts
from engine.devices import chosen_gpus
from engine.each import LABEL, numbers_in
from engine.files.tomogram import is_mapped
from engine.kernels import quick
from engine.kinds import machine, shares
from engine.kinds.averaging import summing_groups
from engine.kinds.measuring import after, sizes_alone
from engine.locate import locate
from engine.look import FileLook
from engine.plan import plan
from engine.project import Project
from engine.step import Input, Step, StepItem, item_of

BASE_BYTES = 200 << 20
"""What Python and its libraries occupy before the first particle."""

FORK_BYTES = 20 << 20
"""What a worker process occupies beside its work: what Python writes into in memory that was shared at first."""

AROUND = 1.1
"""How many times longer a worker takes for a particle than for its computation alone: reading, counting, handing over."""

STEP_S = 0.2
"""What a step takes beside its work: it is planned, its workers start, and it is stored."""

DISK_BYTES_PER_S = 500e6
"""What reading and writing particles is reckoned at: a plain disk, all workers together. It is not measured."""

CORES_OF_A_GPU = 100
"""How many cores of a CPU a GPU is reckoned to replace: 0.3 million orientations a second on paper. None was measured."""

BYTES_PER_VOXEL = {
    "average": 4,
    "average_symmetrized": 4,
    "average_raw": 4,
    "fourier_weight": 2,
    "mask": 4,
    "fsc_mask": 4,
    "classification_mask": 4,
    "starting_reference": 4,
    "object": 4,
    "template": 4,
    "half1": 4,
    "half2": 4,
    "map": 4,
    "map_masked": 4,
    "local_resolution": 4,
    "tomogram": 4,
    "unit_cell": 4,
    "onto": 4,
}
"""What the maps of a step take on disk; a Fourier weight is half a box."""


@dataclass(frozen=True)
class Forecast:
    """The cost of the steps still to do. What cannot be known yet is in unknown, and not in the numbers; remarks say what they
    rest on.

    scratch_bytes is the part of disk_bytes that may be deleted once all is done. gpu_bytes is taken on each GPU beside what its
    driver takes, 0 without one. searches: which search each round has in force, in words, and what it costs.
    """

    steps: int
    steps_to_do: int
    particles: int
    rotations: int
    seconds: float
    memory_bytes: int
    disk_bytes: int
    scratch_bytes: int
    gpu_bytes: int = 0
    unknown: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    searches: list[str] = field(default_factory=list)


def forecast(project: Project, compiling: Callable[[], None] = lambda: None, n_gpus: int | None = None) -> Forecast:
    """The forecast of one project; takes about a second the first time a round is measured.

    compiling is called when the inner loops must be compiled first, which takes some ten seconds once on a machine. n_gpus: of
    a machine with so many GPUs; None: of this one.
    """
    planned = plan(project)
    to_do = [one.step for one in planned if one.state != "keep"]
    look = FileLook(project)
    workers = min(project.form.compute.workers, os.cpu_count() or 1)
    if n_gpus is None:
        n_gpus = len(chosen_gpus(project.form.compute.gpus))
    has_loops = any(step.cost and step.cost.needs_loops for step in to_do)
    with after(lambda: quick.ready(compiling) if has_loops else None):
        parts = [_step_cost(project, step, look) for step in to_do if step.cost]
    unknown = sorted({part for part in parts if isinstance(part, str)})
    known = [part for part in parts if not isinstance(part, str)]
    remarks = []
    if n_gpus and any(part.rotations for part in known):
        remarks.append(f"a GPU is reckoned as {CORES_OF_A_GPU} cores of this machine, and was not measured")
    start_s = machine.starting_s() + STEP_S * len(to_do) if to_do else 0.0
    crowding = machine.crowding(workers) if known and not n_gpus else 1.0
    return Forecast(
        steps=len(planned),
        steps_to_do=len(to_do),
        particles=max((part.particles for part in known), default=0),
        rotations=sum(part.rotations for part in known),
        seconds=start_s + sum(part.seconds_with(workers, n_gpus, crowding) for part in known),
        memory_bytes=max((part.memory_bytes(workers) for part in known), default=BASE_BYTES),
        disk_bytes=sum(part.disk_bytes for part in known),
        scratch_bytes=sum(part.disk_bytes for part in known if part.is_scratch),
        gpu_bytes=max((part.worker_bytes + part.shared_bytes for part in known if part.rotations), default=0)
        if n_gpus
        else 0,
        unknown=unknown,
        remarks=remarks,
        searches=list(dict.fromkeys(part.search for part in known if part.search)),
    )


def needs(project: Project, step: Step, workers: int) -> Needs | None:
    """What a step needs, all of whose inputs are there; None where that cannot be told. No time is measured."""
    if step.cost is None:
        return None
    with sizes_alone():
        part = _step_cost(project, step, FileLook(project))
    return None if isinstance(part, str) else Needs(part.memory_bytes(workers), part.disk_bytes)


@dataclass(frozen=True)
class Needs:
    """Memory at the most, and what is written."""

    memory_bytes: int
    disk_bytes: int


@dataclass(frozen=True)
class _Part:
    """What one step costs: seconds of one core, bytes read and written, and the rest as in Forecast and Share."""

    particles: int
    rotations: int
    seconds: float
    moved_bytes: int
    worker_bytes: int
    shared_bytes: int
    disk_bytes: int
    is_scratch: bool = False
    search: str = ""
    once_seconds: float = 0.0

    def memory_bytes(self, workers: int) -> int:
        """What all processes hold together; most where particles are summed, which is done by groups."""
        if self.particles:
            workers = min(workers, len(summing_groups(self.particles)))
        forks = workers if workers > 1 else 0
        return BASE_BYTES + self.shared_bytes + workers * self.worker_bytes + forks * FORK_BYTES

    def seconds_with(self, workers: int, n_gpus: int, crowding: float) -> float:
        """Aligning goes by the GPUs where there are any, all else by the workers; the disk is one for all."""
        cores = CORES_OF_A_GPU * n_gpus if n_gpus and self.rotations else workers / crowding
        return AROUND * self.seconds / cores + self.once_seconds + self.moved_bytes / DISK_BYTES_PER_S


def _step_cost(project: Project, step: Step, look: FileLook) -> _Part | str:
    """The cost of one step, or why it cannot be told."""
    assert step.cost is not None
    if step.cost.whole is not None:
        return _whole_cost(project, step, look)
    if step.cost.of_tomogram is not None:
        return _tomogram_cost(project, step, look)
    if step.cost.made is not None:
        count, box_px, _ = step.cost.made
        disk = count * box_px**3 * 4 + _volumes_bytes(step, box_px)
        seconds = count * 4 * shares.transformed(box_px, 0).seconds  # there and back, noise, and the object itself
        return _Part(count, 0, seconds, 4 * count * box_px**3, 30 * box_px**3, 30 * box_px**3, disk)
    reads = "table" if step.cost.cut_px else "particles"
    source = step.inputs[reads].source
    facts = _cut(project, step, look) if step.cost.cut_px else _particles(project, source, look)
    if facts is None:
        return f"{source} is not there yet"
    of_all = 0.5 if "half" in step.labels else 1.0
    n = round(_aligned(project, step, facts, look) * of_all)
    some = facts._replace(n_particles=n)
    share = step.cost.share(some)
    n_tables = sum(item_of(item) in ("table", "poses") for item in step.makes)
    rows = 43 * 8 * n * n_tables
    return _Part(
        n,
        n * step.cost.rotations,
        n * share.seconds,
        n * (share.read_bytes + share.kept_bytes),
        share.worker_bytes,
        share.shared_bytes + _held_bytes(project, step, look),
        _volumes_bytes(step, facts.box_px) + rows + n * share.kept_bytes,
        step.scratch,
        step.cost.words(some) if step.cost.words else "",
        share.once_seconds,
    )


def _whole_cost(project: Project, step: Step, look: FileLook) -> _Part | str:
    """The cost of a step without particles, or why it cannot be told."""
    assert step.cost is not None
    assert step.cost.whole is not None
    box_px, pixel_size_A = step.cost.box, 0.0
    if isinstance(box_px, str):
        source = step.inputs[box_px].source
        known = _box(project, step.inputs[box_px], look)
        if known is None:
            return f"{source} is not there yet"
        box_px, pixel_size_A = known
    share = step.cost.whole(box_px, pixel_size_A)
    made_bytes = _volumes_bytes(step, box_px)
    moved_bytes = made_bytes + share.read_bytes
    return _Part(
        0,
        0,
        share.seconds,
        moved_bytes,
        share.worker_bytes,
        share.shared_bytes + _held_bytes(project, step, look),
        made_bytes,
        once_seconds=share.once_seconds,
    )


def _tomogram_cost(project: Project, step: Step, look: FileLook) -> _Part | str:
    """The cost of a step that works on a whole tomogram, part by part."""
    assert step.cost is not None
    assert step.cost.of_tomogram is not None
    source = step.inputs["tomogram"].source
    facts = look.volume(str(source))
    if facts is None:
        return f"{source} is not there yet"
    share = step.cost.of_tomogram(facts.shape_zyx)
    moved_bytes = share.read_bytes + share.kept_bytes
    shared_bytes = share.shared_bytes + _held_bytes(project, step, look)
    return _Part(0, 0, share.seconds, moved_bytes, share.worker_bytes, shared_bytes, share.kept_bytes)


def _cut(project: Project, step: Step, look: FileLook) -> ParticleFacts | None:
    """The boxes that a step will cut: as many as its table has rows, of its tomogram, or is expected to have."""
    assert step.cost is not None
    read = step.inputs.get("table")
    n_rows = _rows(project, step, read, look) if read else 0
    return ParticleFacts(n_rows, step.cost.cut_px, 0.0) if n_rows else None


def _aligned(project: Project, step: Step, facts: ParticleFacts, look: FileLook) -> int:
    """How many of the particles a step works on: a table that its project begins with may name fewer than there are."""
    for one in project.steps:
        read = one.inputs.get("table")
        if read and not isinstance(read.source, StepItem) and one.labels.get(LABEL) == step.labels.get(LABEL):
            return min(_rows(project, one, read, look) or facts.n_particles, facts.n_particles)
    return facts.n_particles


def _rows(project: Project, step: Step, read: Input, look: FileLook) -> int:
    """The rows of a table that are a step's; as many as are expected of one that is not there yet, 0 when nobody tells."""
    table = look.table(str(read.source))
    if table is None:
        return _expected(project, step, read.source)
    return len(table) if read.tomo is None else int((table["tomo"] == read.tomo).sum())


def _expected(project: Project, step: Step, source: object) -> int:
    """How many of the rows of a table that is not there yet are a step's, as its project expects; 0 when it tells nothing."""
    if not isinstance(source, Address):
        return 0
    other = project.neighbour(source)
    expected = other.form.compute.expected_particles or 0
    if other.is_for_each:
        return expected if LABEL in step.labels else expected * len(numbers_in(other.steps))
    return round(expected / len(numbers_in(project.steps))) if LABEL in step.labels else expected


def _held_bytes(project: Project, step: Step, look: FileLook) -> int:
    """What a tomogram takes that cannot be read part by part."""
    read = step.inputs.get("tomogram")
    if read is None or isinstance(read.source, StepItem | Address) or is_mapped(project.campaign / read.source):
        return 0
    facts = look.volume(str(read.source))
    return 4 * math.prod(facts.shape_zyx) if facts else 0


def _box(project: Project, read: Input, look: FileLook) -> tuple[int, float] | None:
    """Side in px and pixel size in A of a map or of particles; of a map that is not made yet, those of the particles it will be
    made of."""
    source = read.source
    if read.what == "particles":
        facts = _particles(project, source, look)
        return (facts.box_px, facts.pixel_size_A) if facts else None
    if found := look.volume(str(source)):
        return found.shape_zyx[-1], found.pixel_size_A
    if not isinstance(source, Address):
        return None
    maker, _ = locate(project.neighbour(source), source)[-1]
    if maker.cost and maker.cost.made:
        return maker.cost.made.box_px, maker.cost.made.pixel_size_A
    if "particles" not in maker.inputs:
        return None
    facts = _particles(project, maker.inputs["particles"].source, look)
    return (facts.box_px, facts.pixel_size_A) if facts else None


def _particles(project: Project, source: object, look: FileLook) -> ParticleFacts | None:
    """What is known of the particles: from where they lie, or from the plan of the project that will make them."""
    facts = look.particles(str(source))
    if facts is None and isinstance(source, Address):
        other = project.neighbour(source)
        makers = [maker for maker, _ in locate(other, source)]
        if makers[-1].cost and makers[-1].cost.made:
            return makers[-1].cost.made
        if all(maker.cost and maker.cost.cut_px for maker in makers):
            return _all_cut(other, makers)
        return _collected(other, makers[-1])
    return facts


def _collected(other: Project, maker: Step) -> ParticleFacts | None:
    """The boxes that a neighbour will make of maps, which are not there yet either."""
    maps = [read for read in maker.inputs.values() if read.what in ("maps", "volume")]
    look = FileLook(other)
    known = _box(other, maps[0], look) if maps else None
    if known is None:
        return None
    n_maps = sum(len(look.tomograms(str(read.source))) if read.what == "maps" else 1 for read in maps)
    return ParticleFacts(n_maps, *known)


def _all_cut(other: Project, makers: list[Step]) -> ParticleFacts | None:
    """The boxes that the steps of a neighbour will cut together."""
    look = FileLook(other)
    found = [_cut(other, maker, look) for maker in makers]
    known = [facts for facts in found if facts]
    if len(known) < len(found):
        return None
    n_particles = sum(facts.n_particles for facts in known)
    return known[0]._replace(n_particles=n_particles, pixel_size_A=_pixel_size_A(other, makers[0], look))


def _pixel_size_A(project: Project, step: Step, look: FileLook) -> float:
    """Of what a step will make: as its form tells it, else as the tomogram that it reads has it; 0 where nobody knows."""
    read = step.inputs.get("tomogram")
    if step.pixel_size_A or read is None:
        return step.pixel_size_A
    if found := look.volume(str(read.source)):
        return found.pixel_size_A * step.bin_factor
    if not isinstance(read.source, Address):
        return 0.0
    other = project.neighbour(read.source)
    maker, _ = locate(other, read.source)[-1]
    return _pixel_size_A(other, maker, FileLook(other)) * step.bin_factor


def _volumes_bytes(step: Step, box_px: int) -> int:
    return sum(BYTES_PER_VOXEL.get(item_of(item), 0) for item in step.makes) * box_px**3
