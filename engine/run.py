"""Running projects: what is missing is done, step by step, each stored whole before the next begins."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from engine.address import Address, is_address, parse
from engine.data import Catalogue, Maps, Particles, Table, Tomogram, Volume, Weights
from engine.devices import Work, chosen_gpus
from engine.each import LABEL, joined
from engine.faults import EngineError
from engine.interrupt import Interrupt, watched
from engine.kernels import quick
from engine.kinds.hooks import hooks_of
from engine.outside import refuse_outside
from engine.plan import PlannedStep, is_asked, plan, planned_sources
from engine.project import Project, campaign
from engine.step import Input, Item, Outputs, SpectraStream, StepItem, Stream, VolumeStream, What
from engine.store import Store

Part = TypeVar("Part")

CHUNK_EVENT_S = 2.0
_TYPES: dict[str, Any] = {
    "particles": Particles,
    "weights": Particles,
    "table": Table,
    "poses": Table,
    "volume": Volume,
    "maps": Volume,
    "tomogram": Tomogram,
    "catalogue": Catalogue,
}


@dataclass(frozen=True)
class ProjectStarted:
    """A run has the lock; missing counts the steps to be done. leftovers: half-written files, swept away."""

    project: str
    steps: int
    missing: int
    leftovers: tuple[str, ...] = ()


@dataclass(frozen=True)
class StepKept:
    """The step is there already, under the key that is asked for."""

    project: str
    step: str


@dataclass(frozen=True)
class StepStarted:
    """The step begins; number counts from 1 to the number of steps of the project."""

    project: str
    step: str
    number: int
    reason: str


@dataclass(frozen=True)
class ChunkDone:
    """done of total particles (or whatever the step counts) are finished."""

    project: str
    step: str
    done: int
    total: int


@dataclass(frozen=True)
class StepStored:
    """The step is on disk."""

    project: str
    step: str
    seconds: float


@dataclass(frozen=True)
class ProjectDone:
    """All the steps of the project are on disk."""

    project: str
    stored: int
    kept: int
    seconds: float


@dataclass(frozen=True)
class StopAsked:
    """Ctrl-C came: the run ends when the particles in hand are done."""


@dataclass(frozen=True)
class Compiling:
    """The inner loops are being compiled, which happens once on a machine."""


@dataclass(frozen=True)
class Noted:
    """A step has something to tell, which stays in the log."""

    project: str
    step: str
    text: str


Event = Noted | ProjectStarted | StepKept | StepStarted | ChunkDone | StepStored | ProjectDone | StopAsked | Compiling


@dataclass(frozen=True)
class Outcome:
    """What a run did to one project: the names of the steps."""

    project: str
    stored: tuple[str, ...]
    kept: tuple[str, ...]
    seconds: float


def _nobody(event: Event) -> None:
    return None


def run(
    paths: Iterable[str | Path],
    *,
    redo: Iterable[str] = (),
    workers: int | None = None,
    gpus: tuple[int, ...] | str | None = None,
    hooks: bool = True,
    follow_links: bool = False,
    listen: Callable[[Event], None] = _nobody,
) -> list[Outcome]:
    """What was done to each project, neighbours first; paths are project files or campaign folders.

    Stale steps stop everything before anything is touched, unless redo names them (see `plan`). KeyboardInterrupt and
    the errors of steps pass through; all that was stored before stays. Projects with hooks run code of their campaign
    folder; with hooks = False they are an EngineError. Results that would be written outside the campaign folder are an Unsafe;
    with follow_links the folder of a project's results may be a link that leads there.
    """
    patterns = tuple(redo)
    projects = campaign(Path(path) for path in paths)
    if not hooks:
        _refuse_hooks(projects)
    _refuse_unknown(patterns, projects)
    refuse_outside(projects, follow_links)
    plans = [(project, plan(project, patterns)) for project in projects]
    _refuse_stale(plans)
    if any(
        one.state == "do" and one.step.cost and one.step.cost.needs_loops for _, planned in plans for one in planned
    ):
        quick.ready(lambda: listen(Compiling()))
    with watched(lambda: listen(StopAsked())) as interrupt:
        return [_Run(project, patterns, workers, gpus, listen, interrupt).whole() for project in projects]


def _refuse_unknown(patterns: tuple[str, ...], projects: list[Project]) -> None:
    names = [step.name for project in projects for step in project.steps]
    for pattern in patterns:
        if pattern != "stale" and not any(is_asked(name, (pattern,)) for name in names):
            raise EngineError(f"--redo {pattern}: no such step; there are {', '.join(dict.fromkeys(names))}")


def _refuse_hooks(projects: list[Project]) -> None:
    told = [f"{project.name} ({', '.join(found)})" for project in projects if (found := hooks_of(project.form))]
    if told:
        raise EngineError(f"hooks are refused, and there are some: {'; '.join(told)} (take them out, or allow hooks)")


def _refuse_stale(plans: list[tuple[Project, list[PlannedStep]]]) -> None:
    stale = [(project, one) for project, planned in plans for one in planned if one.state == "stale"]
    if not stale:
        return
    named = " ".join(dict.fromkeys(str(project.path) for project, _ in stale))
    lines = [f"  {project.name}: {one.step.name}: {one.reason}" for project, one in stale]
    first, last = (
        "stored steps are not what the project now asks for:",
        "nothing was touched. To replace them: engine run",
    )
    raise EngineError("\n".join([first, *lines, f"{last} {named} --redo stale"]))


class _Run:
    """One project's run: what every step of it needs at hand."""

    def __init__(
        self,
        project: Project,
        redo: tuple[str, ...],
        workers: int | None,
        gpus: tuple[int, ...] | str | None,
        listen: Callable[[Event], None],
        interrupt: Interrupt,
    ) -> None:
        compute = project.form.compute
        self.project = project
        self.redo = redo
        self.listen = listen
        self.interrupt = interrupt
        self.store = Store(project.store_folder)
        self.workers = compute.workers if workers is None else workers
        self.gpus = chosen_gpus(compute.gpus if gpus is None else gpus)
        self.chunk = compute.chunk
        self._last_chunk_s = 0.0

    def whole(self) -> Outcome:
        """Under the lock: sweep, plan, and do what is missing."""
        with self.store.lock():
            return self._steps()

    def _steps(self) -> Outcome:
        start = time.monotonic()
        leftovers = self.store.sweep()
        planned = plan(self.project, self.redo)
        _refuse_stale([(self.project, planned)])
        missing = [one for one in planned if one.state == "do"]
        for one in missing:
            self._check_neighbours(one)
        self._tell(ProjectStarted(self.project.name, len(planned), len(missing), tuple(leftovers)))
        for number, one in enumerate(planned, start=1):
            if one.state == "keep":
                self._tell(StepKept(self.project.name, one.step.name))
            else:
                self._tell(StepStarted(self.project.name, one.step.name, number, one.reason))
                self._do(one)
        kept = tuple(one.step.name for one in planned if one.state == "keep")
        stored = tuple(one.step.name for one in missing)
        seconds = time.monotonic() - start
        self._tell(ProjectDone(self.project.name, len(stored), len(kept), seconds))
        return Outcome(self.project.name, stored, kept, seconds)

    def _check_neighbours(self, one: PlannedStep) -> None:
        for source in one.step.inputs.values():
            if isinstance(source.source, Address):
                self._stored_sources(source)

    def _stored_sources(self, source: Input) -> list[tuple[Store, str, str]]:
        """Store, step and item path of what an address means, once the stored steps are those that are planned."""
        other, planned = planned_sources(self.project, source)
        store = Store(other.store_folder)
        for step, _, key in planned:
            facts = store.facts(step.name)
            if facts is None or facts.key != key:
                state = "has not been run" if facts is None else "is not up to date"
                first = f"run {other.name} first: engine run {other.path}"
                raise EngineError(f"{source.source}: {step.name} of {other.name} {state} ({first})")
        return [(store, step.name, item_path) for step, item_path, _ in planned]

    def _do(self, one: PlannedStep) -> None:
        step = one.step
        started, start = datetime.now(UTC).isoformat(timespec="seconds"), time.monotonic()

        def seconds() -> float:
            return time.monotonic() - start

        def progress(done: int, total: int) -> None:
            self._tell(ChunkDone(self.project.name, step.name, done, total))

        def note(text: str) -> None:
            self._tell(Noted(self.project.name, step.name, text))

        work = Work(self.workers, self.gpus, self.chunk, progress, self.interrupt.check, note)
        try:
            inputs = {name: self._opened(source) for name, source in step.inputs.items()}
            outputs = self._stoppable(step.function(step.settings, inputs, work))
            kind = self.project.kind
            self.store.write(step, kind, one.key, one.input_keys, outputs, started, seconds, self._devices())
        except EngineError as error:
            error.add_note(f"in step {step.name} of {self.project.name}")
            raise
        self._tell(StepStored(self.project.name, step.name, seconds()))

    def _stoppable(self, outputs: Outputs) -> Outputs:
        """The outputs, whose streams stop between particles when that is asked for."""
        self.interrupt.check()

        def watched_parts(parts: Iterator[Part]) -> Iterator[Part]:
            for part in parts:
                self.interrupt.check()
                yield part

        def stoppable(value: Item) -> Item:
            if isinstance(value, Stream):
                return replace(value, boxes=watched_parts(value.boxes))
            if isinstance(value, SpectraStream):
                return replace(value, spectra=watched_parts(value.spectra))
            if isinstance(value, VolumeStream):
                return replace(value, parts=watched_parts(value.parts))
            return value

        return {name: stoppable(value) for name, value in outputs.items()}

    def _opened(self, source: Input) -> Any:
        if isinstance(source.source, StepItem):
            return self.store.read(source.source.step, source.source.item)
        if isinstance(source.source, Address):
            places = self._stored_sources(source)
            found = [self._read(source.what, *place) for place in places]
            for value in found:
                if not isinstance(value, _TYPES.get(source.what, object)):
                    raise EngineError(f"{source.source}: this is no {source.what} (give an address of one)")
            if source.what == "maps":
                return Maps(tuple(found), tuple(_tomogram_of(store, step_name) for store, step_name, _ in places))
            if source.what == "marks":
                from engine.files import as_marks

                found = [as_marks(value, str(source.source)) for value in found]
            value = found[0] if len(found) == 1 else joined(found, source.source)
            value = as_weights(value, source.source) if source.what == "weights" else value
        else:
            value = open_input(source.what, self.project.campaign / source.source)
        return rows_of(value, source) if source.tomo is not None else value

    def _read(self, what: What, store: Store, step_name: str, item_path: str) -> Any:
        """A stored item; a tomogram is opened only, where it is stored or where the catalogue says."""
        if what == "facts":
            return store.volume_facts(step_name, item_path)
        if what != "tomogram":
            return store.read(step_name, item_path)
        if {one.path: one.what for one in store.listing(step_name)}.get(item_path) == "volume":
            return store.tomogram(step_name, item_path)
        value = store.read(step_name, item_path)
        if isinstance(value, Catalogue) and len(value) == 1:
            path = value.tomograms[0].path
            is_made = is_address(path)
            return (
                self._opened(Input("tomogram", parse(path)))
                if is_made
                else open_input("tomogram", store.folder.parent / path)
            )
        return value

    def _devices(self) -> str:
        used = f"GPU {', '.join(map(str, self.gpus))}" if self.gpus else f"CPU, {self.workers} workers"
        return f"{socket.gethostname()}: {used}"

    def _tell(self, event: Event) -> None:
        """Hands the event on; of the chunks only one in two seconds is also written down."""
        self.listen(event)
        if isinstance(event, ChunkDone):
            now = time.monotonic()
            if now - self._last_chunk_s < CHUNK_EVENT_S:
                return
            self._last_chunk_s = now
        self.store.append_event({"event": type(event).__name__, **asdict(event)})


def _tomogram_of(store: Store, step_name: str) -> int:
    """The number of the tomogram that a stored step is of; 0 where it is of none."""
    facts = store.facts(step_name)
    return int(facts.labels.get(LABEL, 0)) if facts else 0


def open_input(what: What, path: Path) -> Any:
    """The value of an input file; particles are read box by box."""
    from engine.files import (
        open_particles,
        open_tomogram,
        open_weights,
        read_marks,
        read_residues,
        read_source,
        read_table,
        read_volume,
        volume_facts,
    )

    if what == "tomogram":
        return open_tomogram(path)
    if what == "particles":
        return open_particles(path)
    if what == "weights":
        return open_weights(path)
    if what == "source":
        return read_source(path)
    if what == "residues":
        return read_residues(path)
    if what == "facts":
        return volume_facts(path)
    if what == "marks":
        return read_marks(path)
    if what == "maps":
        return Maps((read_volume(path),), (0,))
    return read_table(path) if what in ("table", "poses") else read_volume(path)


def as_weights(boxes: Particles, address: Address) -> Weights:
    """The weights that a project's boxes are."""
    from engine.files import WeightBoxes

    return WeightBoxes(boxes, str(address))


def rows_of(table: Table, source: Input) -> Table:
    """The rows of the tomogram that is meant; a table that has none is an EngineError."""
    mine = table["tomo"] == source.tomo
    if not mine.any():
        there = ", ".join(f"{number:g}" for number in np.unique(table["tomo"]))
        raise EngineError(
            f"{source.source}: no row is of tomogram {source.tomo} (column tomo), those of {there} are there "
            "(name the tomograms that are meant with tomo=[1,3] where the catalogue is read)"
        )
    return table.where(mine)
