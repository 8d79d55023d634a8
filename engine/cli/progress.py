"""What a run tells while it goes: bars on a terminal, a plain line every half minute elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from engine import events
from engine.cli import show
from engine.faults import EngineError
from engine.pace import Progress, label, progress
from engine.project import Project
from engine.query import query
from engine.step import Step

LINE_EVERY_S = 30.0
STOPPING = "stopping when the particles in hand are done (Ctrl-C again: at once)"
Listener = Callable[[events.Event], None]


@contextmanager
def listener(projects: Sequence[Project], quiet: bool = False) -> Iterator[Listener]:
    """Who is told of a run's events: nobody, bars, or lines."""
    if quiet:
        yield lambda event: None
    elif sys.stderr.isatty():
        with _bars(projects) as listen:
            yield listen
    else:
        yield Lines(projects)


class Lines:
    """Plain lines for logs: each project's start and end, what steps have to tell, and between at most one in LINE_EVERY_S."""

    def __init__(self, projects: Sequence[Project], clock: Callable[[], float] = time.monotonic) -> None:
        self.projects = projects
        self.clock = clock
        self.pace = Pace(projects)
        self.last_s = -LINE_EVERY_S

    def __call__(self, event: events.Event) -> None:
        now_s = self.clock()
        self.pace.hear(event, now_s)
        if isinstance(event, events.ProjectStarted):
            show.say(_start_text(event))
        elif isinstance(event, events.ProjectDone):
            if event.stored:
                show.say(_end_text(event))
            if event.stored or len(self.projects) == 1:
                show_summary(self.pace.projects.get(event.project))
        elif isinstance(event, events.Resumed):
            show.say(_resumed_text(event))
        elif isinstance(event, events.Noted):
            show.say(f"{event.project}: {event.step}: {event.text}")
        elif isinstance(event, events.StopAsked):
            show.complain(STOPPING)
        elif isinstance(event, events.Compiling):
            show.complain(show.COMPILING)
        elif isinstance(event, events.LockWaited):
            show.complain(event.text)
        elif now_s - self.last_s >= LINE_EVERY_S and (text := self._line(event, now_s)):
            self.last_s = now_s
            show.say(text)

    def _line(self, event: events.Event, now_s: float) -> str:
        match event:
            case events.StepStarted():
                return f"{event.project}: {event.step} begins ({event.reason})"
            case events.ChunkDone():
                now = self.pace.of(event, now_s)
                if now is None:
                    return f"{event.project}: {event.step}: {event.done} of {event.total}"
                in_round = f" (round {now.round})" if now.round else ""
                return f"{event.project}: {event.step}{in_round}: {show.progress_text(now)}"
            case events.StepStored():
                return f"{event.project}: {event.step} stored after {show.duration(event.seconds)}"
            case _:
                return ""


class Pace:
    """How fast the step is that a run is doing, from the run's events and the times at which they came.

    projects come in the order in which they run: of those that have one name, in several folders, each is known from its start.
    """

    def __init__(self, projects: Sequence[Project]) -> None:
        self.waiting = list(projects)
        self.projects: dict[str, Project] = {}
        self.steps: dict[str, dict[str, Step]] = {}
        self.missing: dict[str, dict[str, Step]] = {}
        self.begun_s, self.before = 0.0, 0

    def _begin(self, name: str) -> None:
        project = next((one for one in self.waiting if one.name == name), None)
        if project is not None:
            self.waiting.remove(project)
            self.projects[name] = project
            self.steps[name] = dict(project.by_name)
            self.missing[name] = dict(self.steps[name])

    def hear(self, event: events.Event, now_s: float) -> None:
        match event:
            case events.ProjectStarted():
                self._begin(event.project)
            case events.StepKept() | events.StepStored():
                self.missing.get(event.project, {}).pop(event.step, None)
            case events.StepStarted():
                self.begun_s, self.before = now_s, 0
            case events.Resumed():
                self.before += event.done
            case _:
                pass

    def of(self, event: events.ChunkDone, now_s: float) -> Progress | None:
        step = self.steps.get(event.project, {}).get(event.step)
        if step is None:
            return None
        waiting = [other for name, other in self.missing[event.project].items() if name != event.step]
        return progress(step, waiting, event.done, event.total, self.before, now_s - self.begun_s)


def _start_text(event: events.ProjectStarted) -> str:
    swept = f"; {len(event.leftovers)} half-written files swept away" if event.leftovers else ""
    kept = event.steps - event.missing
    if not event.missing:
        return f"{event.project}: nothing to do, {show.counted(kept, 'step')} kept{swept}"
    return f"{event.project}: {show.counted(event.missing, 'step')} to do, {kept} kept{swept}"


def _resumed_text(event: events.Resumed) -> str:
    return f"{event.project}: {event.step}: of {event.total} particles {event.done} were done before"


TOMOGRAMS_SHOWN = 6


def _end_text(event: events.ProjectDone) -> str:
    return f"{event.project}: done, {show.counted(event.stored, 'step')} in {show.duration(event.seconds)}"


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
def _bars(projects: Sequence[Project]) -> Iterator[Listener]:
    """Bars on stderr, each within the one above: projects, rounds, iterations (or steps), particles."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    columns: list[Any] = [TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn()]
    bars = Bars(
        *columns,
        TimeElapsedColumn(),
        TextColumn("{task.fields[said]}", markup=False),
        console=Console(stderr=True),
        transient=True,
    )
    pace = Pace(projects)
    with bars:
        whole = bars.add_task("projects", total=len(projects), visible=len(projects) > 1, said="")
        rounds = bars.add_task("rounds", total=None, visible=False, said="")
        steps = bars.add_task("steps", total=None, said="")
        particles = bars.add_task("particles", total=None, visible=False, said="")

        def begin(event: events.StepStarted) -> None:
            """The step's place in its round, and the round's in the project."""
            name = show.clean(event.project)
            place = _place(pace.steps.get(event.project, {}), event.step)
            if place is None:
                bars.update(rounds, visible=False)
                bars.update(steps, description=f"{name} steps", completed=event.number - 1)
            else:
                bars.update(rounds, description=f"{name} rounds", visible=True, total=place.of_rounds)
                bars.update(rounds, completed=place.round)
                bars.update(steps, description="  iterations", total=place.of_steps, completed=place.step)
            bars.reset(particles, total=None, description=f"    {show.clean(event.step)}", visible=True, said="")

        def listen(event: events.Event) -> None:
            now_s = time.monotonic()
            pace.hear(event, now_s)
            match event:
                case events.ProjectStarted():
                    bars.reset(steps, total=event.steps, description=f"{show.clean(event.project)} steps")
                case events.StepStarted():
                    begin(event)
                case events.Resumed():
                    bars.console.print(show.clean(_resumed_text(event)), markup=False)
                case events.Noted():
                    text = show.clean(f"{event.project}: {event.step}: {event.text}")
                    bars.console.print(text, markup=False)
                case events.ChunkDone():
                    now = pace.of(event, now_s)
                    said = show.progress_text(now).partition(", ")[2] if now else ""
                    bars.update(particles, completed=event.done, total=event.total, said=said)
                case events.StepStored():
                    bars.advance(steps)
                    bars.update(particles, visible=False)
                case events.ProjectDone():
                    bars.advance(whole)
                    bars.update(particles, visible=False)
                    bars.stop()
                    if event.stored:
                        show.say(_end_text(event))
                    else:
                        show.say(f"{event.project}: nothing to do")
                    if event.stored or len(projects) == 1:
                        show_summary(pace.projects.get(event.project))
                    bars.start()
                case events.StopAsked():
                    bars.console.print(STOPPING)
                case events.Compiling():
                    bars.console.print(show.COMPILING)
                case events.LockWaited():
                    bars.console.print(show.clean(event.text), markup=False)
                case _:
                    pass

        yield listen


class _Place(NamedTuple):
    """Which of how many rounds, and which of how many steps of that round; both counted from 0."""

    round: int
    of_rounds: int
    step: int
    of_steps: int


def _place(steps: Mapping[str, Step], name: str) -> _Place | None:
    """None for a step that is of no round."""
    number = label(steps[name], "round") if name in steps else None
    if not number:
        return None
    numbers = sorted({found for step in steps.values() if (found := label(step, "round"))})
    mine = [step.name for step in steps.values() if label(step, "round") == number]
    return _Place(numbers.index(number), len(numbers), mine.index(name), len(mine))
