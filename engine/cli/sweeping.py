"""The command for sweeps: a project for every combination of settings, run, and what came out as a table."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli import INTERRUPTED, INVALID, show
from engine.cli.options import Json

if TYPE_CHECKING:
    from engine.sweep import Outcome, Variant


def sweep(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The project that is varied.", show_default=False)],
    sets: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE,…",
            help="What varies: 'rounds.*.bandpass.lowpass_A=20,24,28', rounds.2.symmetry=C1,C6. May be repeated.",
        ),
    ] = None,
    plan: Annotated[bool, typer.Option("--plan", help="Say what would be written and run; do nothing.")] = False,
    workers: Annotated[int | None, typer.Option(min=1, help="Worker processes on the CPU.")] = None,
    json: Json = False,
) -> None:
    """Run a project once for every combination of settings, and compare. Running it again goes on."""
    from engine import sweep as made

    try:
        found = made.variants(file, sets or ())
        faults = [fault for one in made.check_all(found) for fault in one.faults]
        if faults:
            for text in dict.fromkeys(f"{fault.path.stem if fault.path else file}: {fault.what}" for fault in faults):
                show.complain(text)
            show.complain(f"{show.counted(len(faults), 'fault')}; nothing was written or run")
            raise typer.Exit(INVALID)
        if plan:
            _show_plan(found, json)
            return
        made.write(found)
        _run(found, workers, json)
    except KeyboardInterrupt:
        sets_again = [word for one in sets or () for word in ("--set", one)]
        fewer = ["--workers", str(workers)] if workers else []
        again = shlex.join(["engine", "sweep", str(file), *sets_again, *fewer])
        show.complain(f"stopped; finished steps are kept. Go on with: {again}")
        raise typer.Exit(INTERRUPTED) from None
    results = made.outcomes(found)
    if json:
        show.json_text(results)
    else:
        _show(results)


def _run(found: list[Variant], workers: int | None, json: bool) -> None:
    from engine.cli.progress import listener
    from engine.project import load
    from engine.run import run

    with listener([load(one.path) for one in found], quiet=json) as listen:
        run([one.path for one in found], workers=workers, listen=listen)


def _show_plan(found: list[Variant], json: bool) -> None:
    if json:
        show.json_text([{"project": one.name, "settings": one.settings, "is_new": one.is_new} for one in found])
        return
    head = ("project", *found[0].settings, "")
    show.rows(
        [head, *((one.name, *map(show.cell, one.settings.values()), "new" if one.is_new else "there") for one in found)]
    )


def _show(results: list[Outcome]) -> None:
    of_each = any(one.tomo is not None for one in results)
    head = ("project", *results[0].settings, *(["tomogram"] * of_each), "mean cc", "FSC 0.143 (A)", "averaged")
    body = [
        (
            one.project,
            *map(show.cell, one.settings.values()),
            *([show.cell(one.tomo)] * of_each),
            show.cell(one.mean_cc),
            show.cell(one.resolution_A),
            show.cell(one.averaged),
        )
        for one in results
    ]
    show.rows([head, *body], right=range(1, len(head)))
