"""Commands for runs that are going on elsewhere: who is asked to stop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli import FAILED, show
from engine.cli.options import Json, Paths

if TYPE_CHECKING:
    from engine.stop import Asked


def stop(
    paths: Paths,
    now: Annotated[
        bool, typer.Option("--now", help="At once, without finishing what is in hand; on this machine only.")
    ] = False,
    wait: Annotated[float, typer.Option("--wait", min=0, metavar="S", help="Wait so many seconds at most.")] = 0.0,
    json: Json = False,
) -> None:
    """Ask the run that is going on to stop after the particles in hand; running again goes on from there."""
    from engine.project import load, project_files
    from engine.stop import stop

    found = stop([load(path) for path in project_files(paths)], in_a_hurry=now, wait_s=wait)
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
    who = f"{one.project}: process {one.pid} on {one.host}, running since {one.since}"
    if one.has_stopped is not None:
        return f"{who}: {'has stopped' if one.has_stopped else 'was asked to stop, and has not yet'}"
    if one.asked_by == "signal":
        return f"{who}: asked to stop {'at once' if now else 'when the particles in hand are done'}"
    hurry = "; --now reaches processes of this machine only" if now else ""
    return f"{who}: asked by a file to stop when the particles in hand are done{hurry}"
