"""Commands for runs that are going on elsewhere: how far they are, and asking them to stop. All from files."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine.cli import FAILED, show
from engine.cli.options import Json, Paths
from engine.faults import InvalidProject

if TYPE_CHECKING:
    from engine.faults import Fault
    from engine.status import Status
    from engine.stop import Asked


def status(
    paths: Paths,
    watch: Annotated[bool, typer.Option("--watch", help="Go on until all is done, or Ctrl-C.")] = False,
    every: Annotated[
        float, typer.Option(min=0.1, max=86400, metavar="S", help="How often --watch looks, in seconds.")
    ] = 5.0,
    json: Json = False,
) -> None:
    """How far projects are, from any terminal, also while they run."""
    if not watch:
        found = _looked_at(paths)
        if json:
            show.json_text([_plain(path, one) for path, one in found.items()])
        else:
            for path, one in found.items():
                show.say(_line(path, one))
        return
    try:
        if sys.stdout.isatty() and not json:
            _redraw(paths, every)
        else:
            _tell_changes(paths, every, json)
    except KeyboardInterrupt:  # watching ends so, and nothing else does
        return


Look = dict[Path, "Status | list[Fault]"]


def _looked_at(paths: list[Path]) -> Look:
    from engine.project_files import project_files
    from engine.remembered import outline
    from engine.status import status

    found: Look = {}
    for path in project_files(paths):
        try:
            found[path] = status(outline(path))
        except InvalidProject as error:
            found[path] = error.faults
    return found


def _plain(path: Path, one: Status | list[Fault]) -> Any:
    return {"path": str(path), "faults": [str(fault) for fault in one]} if isinstance(one, list) else one


def _line(path: Path, one: Status | list[Fault]) -> str:
    if isinstance(one, list):
        wrong = one[0].path or path  # it may be that of a neighbour
        return f"{path.stem}: {show.counted(len(one), 'fault')}: engine check {shlex.quote(show.short(wrong))}"
    return status_line(one)


def status_line(status: Status) -> str:
    """One line: how far, what now, and the newest numbers."""
    parts = [f"{status.project}: {status.n_done} of {show.counted(status.n_steps, 'step')}"]
    if status.n_stale:
        parts.append(f"{status.n_stale} stale")
    if status.tomo is not None and (status.ite, status.mean_cc, status.resolution_A) != (None, None, None):
        parts.append(f"tomogram {status.tomo}")
    if status.ite is not None:
        parts.append(f"ite {status.ite}" + (f" (round {status.round})" if status.round else ""))
    if status.mean_cc is not None:
        parts.append(f"mean cc {status.mean_cc:.3f}")
    if status.resolution_A is not None:
        parts.append(f"FSC 0.143 at {status.resolution_A:.1f} A")
    if status.holder:
        holder = status.holder
        held = f"{holder.host}, process {holder.pid} since {show.moment(holder.since)}"
        sign = f"last sign of life {show.duration(holder.silent_s)} ago"
        parts.append(f"running on {held}, {sign}" if holder.is_alive else f"stopped without a word ({held}, {sign})")
    if now := status.now:
        parts.append(f"{now.step}{': ' if now.total else ''}{show.progress_text(now)}")
    if status.problem:
        parts.append(status.problem)
    return ", ".join(parts)


def _is_over(found: Look) -> bool:
    return all(not isinstance(one, list) and one.is_complete and not one.is_running for one in found.values())


def _redraw(paths: list[Path], every_s: float) -> None:
    """One line a project, in its place on the terminal."""
    from rich.live import Live
    from rich.text import Text

    with Live(auto_refresh=False) as live:
        while True:
            found = _looked_at(paths)
            lines = [show.clean(_line(path, one)) for path, one in found.items()]
            live.update(Text("\n".join(lines)), refresh=True)
            if _is_over(found):
                return
            time.sleep(every_s)


def _tell_changes(paths: list[Path], every_s: float, json: bool) -> None:
    """A line for a project whenever something of it has changed; as JSON one object a line."""
    before: Mapping[Path, Any] = {}
    while True:
        found = _looked_at(paths)
        now = {path: _what_counts(one) for path, one in found.items()}
        for path, one in found.items():
            if before.get(path) != now[path]:
                if json:
                    show.json_line(_plain(path, one))
                else:
                    show.say(_line(path, one))
        sys.stdout.flush()
        if _is_over(found):
            return
        before = now
        time.sleep(every_s)


def _what_counts(one: Status | list[Fault]) -> Any:
    """What is a change; speeds and signs of life are none."""
    if isinstance(one, list):
        return [str(fault) for fault in one]
    now = one.now and (one.now.step, one.now.done)
    holder = one.holder and (one.holder.host, one.holder.pid, one.holder.since, one.holder.is_alive)
    return one.n_done, one.n_steps, one.n_stale, one.ite, one.mean_cc, one.resolution_A, one.problem, now, holder


def stop(
    paths: Paths,
    now: Annotated[
        bool, typer.Option("--now", help="At once, without finishing what is in hand; on this machine only.")
    ] = False,
    wait: Annotated[float, typer.Option("--wait", min=0, metavar="S", help="Wait so many seconds at most.")] = 0.0,
    json: Json = False,
) -> None:
    """Ask the run that is going on to stop after the particles in hand; running again goes on from there."""
    from engine.project_files import content_of, project_files
    from engine.stop import stop

    files = project_files(paths)
    for file in files:
        content_of(file)  # raises for one that is not there; one with faults may be edited while it runs
    found = stop(files, in_a_hurry=now, wait_s=wait)
    if json:
        show.json_text(found)
    else:
        for one in found:
            if one.host or len(found) == 1:
                show.say(_asked_text(one, now))
        if len(found) > 1 and not any(one.host for one in found):
            show.say("nobody runs any of these projects")
    if any(one.has_stopped is False for one in found):
        raise typer.Exit(FAILED)


def _asked_text(one: Asked, now: bool) -> str:
    if not one.host:
        return f"{one.project}: nobody runs it"
    who = f"{one.project}: process {one.pid} on {one.host}, running since {show.moment(one.since)}"
    if one.has_stopped is not None:
        return f"{who}: {'has stopped' if one.has_stopped else 'was asked to stop, and has not yet'}"
    if one.asked_by == "signal":
        return f"{who}: asked to stop {'at once' if now else 'when the particles in hand are done'}"
    hurry = "; --now reaches processes of this machine only" if now else ""
    return f"{who}: asked by a file to stop when the particles in hand are done{hurry}"
