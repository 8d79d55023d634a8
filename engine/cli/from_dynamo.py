"""The commands for those who come from Dynamo. Each imports what it needs when it is asked."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from engine.cli import show
from engine.cli.options import Json


def lay_out(project: str, folder: Path) -> None:
    """Lays a project's results out under Dynamo's names, and says how many files there are."""
    from engine.dynamo import layout

    written = layout.lay_out(project, folder)
    show.say(f"{show.counted(len(written), 'file')} written below {show.short(folder)}")


def import_dynamo(
    project: Annotated[
        Path, typer.Argument(metavar="PROJECT", help="A Dynamo project's folder, or its virtual_project.mat.")
    ],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="The .toml; default: the project's name, here."),
    ] = None,
    json: Json = False,
) -> None:
    """Write the alignment project that a Dynamo project amounts to, and name what it cannot carry."""
    from engine.dynamo import importing

    made = importing.import_dynamo(project, output)
    if json:
        show.json_text(made)
        return
    show.say(f"{show.short(made.path)} written, {show.counted(made.rounds, 'round')}")
    for matters, words in ((True, "not carried, or not as it stands:"), (False, "not carried, and of no consequence:")):
        if rows := importing.grouped(one for one in made.left if one.matters == matters):
            show.say("", bold=words)
            for fields, value, reason in rows:
                show.say(f"  {fields}{f' = {value}' if value else ''}: {reason}")
    show.say(f"Then: engine check {shlex.quote(str(made.path))}")
