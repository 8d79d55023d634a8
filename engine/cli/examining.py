"""Commands that look and change nothing: at this machine, and at what differs between two projects."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli import FAILED, show
from engine.cli.options import Json, addresses_begun

if TYPE_CHECKING:
    from engine.diff import Diff

Compared = Annotated[
    str,
    typer.Argument(help="A project (pr_1, pr_1.toml), or a result: pr_1:table:ite=3.", autocompletion=addresses_begun),
]


def doctor(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(metavar="PATH", help="Projects, or folders of them; else this folder.", show_default=False),
    ] = None,
    json: Json = False,
) -> None:
    """Whether this machine and these folders are fit for runs, and what to do where they are not."""
    from engine.doctor import doctor

    found = []
    for one in doctor(paths or [Path()]):
        found.append(one)
        if not json:
            advice = f" ({one.advice})" if one.advice else ""
            colour = {"warning": "yellow", "broken": "red"}.get(one.state, "")
            show.say(f"{one.subject}: {one.text}{advice}", bold=f"{one.state:<9}", colour=colour)
    if json:
        show.json_text(found)
    if any(one.state == "broken" for one in found):
        raise typer.Exit(FAILED)


def diff(
    a: Compared,
    b: Compared,
    everything: Annotated[bool, typer.Option("--all", help="Show what is equal too.")] = False,
    json: Json = False,
) -> None:
    """Settings and results of two projects side by side: what differs."""
    from engine.diff import diff

    found = diff(a, b, everything=everything)
    if json:
        show.json_text(found)
    else:
        _tell(found)


def _tell(found: Diff) -> None:
    for title, pairs in (("settings", found.settings), ("results", found.numbers)):
        if pairs:
            show.rows(
                [(title, found.a, found.b), *((f"  {one.name}", show.cell(one.a), show.cell(one.b)) for one in pairs)]
            )
        elif title == "settings" or not (found.poses or found.maps):
            show.say(f"{title}: no difference")
    if poses := found.poses:
        lone = ((poses.only_a, found.a), (poses.only_b, found.b))
        others = "".join(f"; {number} only in {name}" for number, name in lone if number)
        apart = ""
        if poses.angle_deg is not None and poses.shift is not None:
            apart = f": {poses.angle_deg:.3g} deg and {poses.shift:.3g} {poses.shift_unit} apart (medians)"
        show.say(f"poses of {show.counted(poses.common, 'tag')} in both{apart}{others}")
    if maps := found.maps:
        show.say(
            f"FSC of the maps as they lie: 0.5 at {maps.at_half:.3g} {maps.unit}, 0.143 at {maps.at_0143:.3g} {maps.unit}"
        )
    for note in found.notes:
        show.say(note)
