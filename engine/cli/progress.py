"""What a run tells while it goes: bars on a terminal, now and then a plain line elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from engine.cli import show
from engine.faults import EngineError
from engine.project import Project
from engine.query import query
from engine.run import (
    ChunkDone,
    Compiling,
    Event,
    Noted,
    ProjectDone,
    ProjectStarted,
    Resumed,
    StepStarted,
    StepStored,
    StopAsked,
)

LINE_EVERY_S = 5.0
STOPPING = "stopping when the particles in hand are done (Ctrl-C again: at once)"
Listener = Callable[[Event], None]


@contextmanager
def listener(projects: Mapping[str, Project], quiet: bool = False) -> Iterator[Listener]:
    """Who is told of a run's events: nobody, bars, or lines."""
    if quiet:
        yield lambda event: None
    elif sys.stderr.isatty():
        with _bars(projects) as listen:
            yield listen
    else:
        yield Lines(projects)


class Lines:
    """Plain lines for logs: each project's start and end, and between them at most one in a few seconds."""

    def __init__(self, projects: Mapping[str, Project], clock: Callable[[], float] = time.monotonic) -> None:
        self.projects = projects
        self.clock = clock
        self.last_s = -LINE_EVERY_S

    def __call__(self, event: Event) -> None:
        if isinstance(event, ProjectStarted):
            show.say(_start_text(event))
        elif isinstance(event, ProjectDone):
            show.say(_end_text(event))
            show_summary(self.projects.get(event.project))
        elif isinstance(event, Resumed):
            show.say(_resumed_text(event))
        elif isinstance(event, StopAsked):
            show.complain(STOPPING)
        elif isinstance(event, Compiling):
            show.complain(show.COMPILING)
        elif (text := _line(event)) and self.clock() - self.last_s >= LINE_EVERY_S:
            self.last_s = self.clock()
            show.say(text)


def _line(event: Event) -> str:
    match event:
        case StepStarted():
            return f"{event.project}: {event.step} begins ({event.reason})"
        case ChunkDone():
            return f"{event.project}: {event.step}: {event.done} of {event.total}"
        case Noted():
            return f"{event.project}: {event.step}: {event.text}"
        case StepStored():
            return f"{event.project}: {event.step} stored after {show.duration(event.seconds)}"
        case _:
            return ""


def _start_text(event: ProjectStarted) -> str:
    swept = f"; {len(event.leftovers)} half-written files swept away" if event.leftovers else ""
    kept = event.steps - event.missing
    return f"{event.project}: {show.counted(event.missing, 'step')} to do, {kept} kept{swept}"


def _resumed_text(event: Resumed) -> str:
    return f"{event.project}: {event.step}: of {event.total} particles {event.done} were done before"


TOMOGRAMS_SHOWN = 6


def _end_text(event: ProjectDone) -> str:
    stored = show.counted(event.stored, "step")
    return (
        f"{event.project}: done, {stored} in {show.duration(event.seconds)}"
        if event.stored
        else f"{event.project}: done"
    )


def show_summary(project: Project | None) -> None:
    """The newest summary of the project: a small table of plain values, of many tomograms those of the first few."""
    if project is None or "summary" not in project.items:
        return
    try:
        found = query(f"{project.path}:summary", folder="").found
    except EngineError:
        return
    values = [one.value for one in found]
    names = [name for name, part in values[0].items() if isinstance(part, str | int | float | bool)]
    parts = [
        (f"  {name}", *(show.number_text(one.get(name, "")) for one in values[:TOMOGRAMS_SHOWN])) for name in names
    ]
    if parts:
        show.rows(parts, right=range(1, len(parts[0])))
    if len(values) > TOMOGRAMS_SHOWN:
        show.say(f"  … {len(values) - TOMOGRAMS_SHOWN} more tomograms: engine query {project.name}:summary")


@contextmanager
def _bars(projects: Mapping[str, Project]) -> Iterator[Listener]:
    """Three bars on stderr: projects, the steps of this one, the particles of this step."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns: list[Any] = [TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()]
    progress = Progress(
        *columns, TimeElapsedColumn(), TimeRemainingColumn(), console=Console(stderr=True), transient=True
    )
    names = {name: show.clean(name).replace("[", "\\[") for name in projects}
    with progress:
        whole = progress.add_task("projects", total=len(projects), visible=len(projects) > 1)
        steps = progress.add_task("steps", total=None)
        particles = progress.add_task("particles", total=None, visible=False)

        def listen(event: Event) -> None:
            match event:
                case ProjectStarted():
                    progress.reset(steps, total=event.steps, description=names.get(event.project, "steps"))
                case StepStarted():
                    progress.update(steps, completed=event.number - 1)
                    progress.reset(particles, total=None, description=f"  {event.step}", visible=True)
                case Resumed():
                    progress.console.print(_resumed_text(event), markup=False)
                case ChunkDone():
                    progress.update(particles, completed=event.done, total=event.total)
                case StepStored():
                    progress.advance(steps)
                    progress.update(particles, visible=False)
                case ProjectDone():
                    progress.advance(whole)
                    progress.update(particles, visible=False)
                    progress.stop()
                    show.say(_end_text(event))
                    show_summary(projects.get(event.project))
                    progress.start()
                case StopAsked():
                    progress.console.print(STOPPING)
                case Compiling():
                    progress.console.print(show.COMPILING)
                case _:
                    pass

        yield listen
