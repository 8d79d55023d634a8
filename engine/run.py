"""Running projects: what is missing is done, step by step, each stored whole before the next begins."""

from __future__ import annotations

import shlex
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from engine.devices import Work, chosen_gpus
from engine.events import (
    ChunkDone,
    Compiling,
    Event,
    LockWaited,
    Noted,
    ProjectDone,
    ProjectStarted,
    Resumed,
    StepKept,
    StepStarted,
    StepStored,
    StopAsked,
)
from engine.faults import EngineError
from engine.inputs import check_neighbours, opened
from engine.interrupt import Interrupt, watched
from engine.kernels import quick
from engine.kinds.hooks import hooks_of
from engine.outputs import Item, Outputs, SpectraStream, Stream, VolumeStream
from engine.outside import refuse_outside
from engine.plan import PlannedStep, is_asked, plan
from engine.project import Project, campaign
from engine.room import refuse_without_room
from engine.step import Step
from engine.store import Store

Part = TypeVar("Part")

CHUNK_EVENT_S = 2.0
STOP_LOOK_S = 2.0
"""How often a run looks for a request to stop that is a file."""


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


def _refuse_stale(plans: list[tuple[Project, list[PlannedStep[Step]]]]) -> None:
    stale = [(project, one) for project, planned in plans for one in planned if one.state == "stale"]
    if not stale:
        return
    named = shlex.join(dict.fromkeys(str(project.path) for project, _ in stale))
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
        self._is_waiting = False
        self._looked_s = time.monotonic()

    def whole(self) -> Outcome:
        """Under the lock: sweep, plan, and do what is missing."""
        with self.store.lock(self._wait):
            return self._steps()

    def _check(self) -> None:
        """A KeyboardInterrupt when a stop was asked for, by a signal or by a file."""
        self.interrupt.check()
        now = time.monotonic()
        if now - self._looked_s >= STOP_LOOK_S:
            self._looked_s = now
            if self.store.is_asked_to_stop():
                self.interrupt.request()
                self.interrupt.check()

    def _wait(self, text: str) -> None:
        """Tells once what the lock waits for. Ctrl-C ends the waiting."""
        self.interrupt.check()
        if not self._is_waiting:
            self.listen(LockWaited(self.project.name, text))
        self._is_waiting = True

    def _steps(self) -> Outcome:
        start = time.monotonic()
        planned = plan(self.project, self.redo)
        _refuse_stale([(self.project, planned)])
        missing = [one for one in planned if one.state == "do"]
        leftovers = self.store.sweep((one.step.name, one.key) for one in missing)
        for one in missing:
            check_neighbours(self.project, one.step)
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

    def _do(self, one: PlannedStep[Step]) -> None:
        step = one.step
        started, start = datetime.now(UTC).isoformat(timespec="seconds"), time.monotonic()

        def seconds() -> float:
            return time.monotonic() - start

        def progress(done: int, total: int) -> None:
            self._tell(ChunkDone(self.project.name, step.name, done, total))

        def note(text: str) -> None:
            self._tell(Noted(self.project.name, step.name, text))

        def resumed(done: int, total: int) -> None:
            self._tell(Resumed(self.project.name, step.name, done, total))

        made_on = "GPU" if self.gpus else "CPU"
        with closing(self.store.journal(step.name, one.key, made_on, note)) as journal:
            work = Work(self.workers, self.gpus, self.chunk, progress, self._check, note, journal, resumed)
            try:
                refuse_without_room(self.project, step, self.workers)
                inputs = {name: opened(self.project, source) for name, source in step.inputs.items()}
                outputs = self._stoppable(step.function(step.settings, inputs, work))
                kind = self.project.kind
                self.store.write(step, kind, one.key, one.input_keys, outputs, started, seconds, self._devices())
            except EngineError as error:
                self.store.check_lock()  # results that another run, or a person, took away are missing to every step
                error.add_note(f"in step {step.name} of {self.project.name}")
                raise
            journal.remove()
        self._tell(StepStored(self.project.name, step.name, seconds()))

    def _stoppable(self, outputs: Outputs) -> Outputs:
        """The outputs, whose streams stop between particles when that is asked for."""
        self._check()

        def watched_parts(parts: Iterator[Part]) -> Iterator[Part]:
            for part in parts:
                self._check()
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

    def _devices(self) -> str:
        used = (
            f"GPU {', '.join(map(str, self.gpus))}"
            if self.gpus
            else f"CPU, {self.workers} worker{'s' if self.workers > 1 else ''}"
        )
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
