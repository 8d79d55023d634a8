"""The commands. Each imports what it needs when it is asked."""

from __future__ import annotations

import os
import shlex
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from engine.cli import (
    DONE,
    FAILED,
    INTERRUPTED,
    INVALID,
    LOCKED,
    UNSAFE,
    checks,
    examining,
    explaining,
    from_dynamo,
    querying,
    show,
    sweeping,
    viewing,
    watching,
)
from engine.cli.options import Json, Paths
from engine.faults import EngineError

if TYPE_CHECKING:
    from engine.project import Project

_Usage: type[Exception] = typer.BadParameter.__mro__[1]
"""What is wrong with the words of a command; which click typer brings along depends on its version."""


class _Commands(TyperGroup):
    """Turns what a user can put right into one line and an exit code, never into a traceback."""

    def make_context(self, *words: Any, **named: Any) -> Any:
        try:
            return super().make_context(*words, **named)
        except _Usage as error:
            raise _cleaned(error) from None
        except KeyboardInterrupt:
            show.complain("stopped")
            raise typer.Exit(INTERRUPTED) from None

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except _Usage as error:
            raise _cleaned(error) from None
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(DONE) from None
        except (EngineError, OSError) as error:
            show.error(error)
            raise typer.Exit(_code(error)) from None
        except KeyboardInterrupt:
            show.complain("stopped")
            raise typer.Exit(INTERRUPTED) from None


def _cleaned(error: Exception) -> Exception:
    """The error about words that were typed, or that the shell made of file names."""
    vars(error).update(message=show.clean(vars(error)["message"]))
    return error


def _code(error: Exception) -> int:
    """The exit code of an error; the names are asked for, so that the store need not be imported to compare them."""
    return {"LockHeld": LOCKED, "InvalidProject": INVALID, "Unsafe": UNSAFE}.get(type(error).__name__, FAILED)


app = typer.Typer(
    cls=_Commands,
    help="Subtomogram averaging from project files: engine new, check, run, query.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _version(asked: bool) -> None:
    if asked:
        import engine

        show.say(f"engine {engine.__version__}")
        raise typer.Exit


@app.callback()
def door(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


@app.command()
def new(
    kind: Annotated[
        str, typer.Argument(metavar="KIND", help="What the project does: alignment, average, …", show_default=False)
    ],
    name: Annotated[Path, typer.Argument(metavar="NAME", help="Its file, with or without .toml.", show_default=False)],
    json: Json = False,
) -> None:
    """Write a commented project file with the kind's defaults."""
    from engine.new import new

    path = new(kind, name)
    if json:
        show.json_text({"path": path})
        return
    show.say(f"{path} written. Edit it, then: engine check {shlex.quote(str(path))}")


@app.command(short_help="Find every fault, and tell what a run would cost.")
def check(
    paths: Paths,
    gpus: Annotated[
        int | None, typer.Option(min=0, help="Forecast for a machine with so many GPUs; else for this one.")
    ] = None,
    json: Json = False,
) -> None:
    """Find every fault at once, each with its line, and tell what a run would cost; nothing is computed."""
    from engine.check import check

    found = check(paths)
    if json:
        show.json_text([checks.as_plain(one, gpus) for one in found])
    else:
        checks.tell(found, gpus)
    if any(one.faults for one in found):
        raise typer.Exit(FAILED)


@app.command()
def run(
    paths: Paths,
    plan: Annotated[bool, typer.Option("--plan", help="Say what would be kept and done, and why; do nothing.")] = False,
    redo: Annotated[
        list[str] | None,
        typer.Option("--redo", metavar="STEP", help='Do again: a step, a pattern, "stale" or "all". May be repeated.'),
    ] = None,
    gpus: Annotated[str | None, typer.Option(help='"0,1", "all", or "none" for the CPU.')] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Worker processes on the CPU.")] = None,
    hooks: Annotated[
        bool,
        typer.Option("--hooks/--no-hooks", help="Run functions that projects bring along, or refuse such projects."),
    ] = True,
    follow_links: Annotated[
        bool,
        typer.Option(
            "--follow-links", help="Write results through links of your own that lead out of the campaign folder."
        ),
    ] = False,
    json: Json = False,
) -> None:
    """Check, then do what is missing, step by step. Running it again goes on where it stopped."""
    redone = [name for part in redo or [] for name in part.split(",") if name]
    try:
        projects = _valid(paths)
        if plan:
            _show_plans(projects, redone, json)
            return
        from engine.cli.progress import listener
        from engine.run import run

        with listener(projects, quiet=json) as listen:
            outcomes = run(
                [project.path for project in projects],
                redo=redone,
                workers=workers,
                gpus=_gpus(gpus),
                hooks=hooks,
                follow_links=follow_links,
                listen=listen,
            )
    except KeyboardInterrupt:
        # What was to be redone and is not yet has become stale.
        redo_rest = ["--redo", "stale"] if redone else []
        ways = [*([] if hooks else ["--no-hooks"]), *(["--follow-links"] if follow_links else [])]
        again = shlex.join(["engine", "run", *map(str, paths), *_overrides(gpus, workers), *ways, *redo_rest])
        show.complain(f"stopped; finished steps are kept. Go on with: {again}")
        raise typer.Exit(INTERRUPTED) from None
    if json:
        show.json_text(outcomes)


def _valid(paths: list[Path]) -> list[Project]:
    """The projects in the order in which they run; with faults they are shown, and nothing runs."""
    from engine.check import check

    try:
        found = check(paths)
    except EngineError as error:
        show.error(error)
        raise typer.Exit(INVALID) from None
    faults = [fault for one in found for fault in one.faults]
    if faults:
        show.faults(faults, err=True)
        show.complain(f"{show.counted(len(faults), 'fault')}; nothing was run")
        raise typer.Exit(INVALID)
    return [one.project for one in found if one.project]


def _show_plans(projects: list[Project], redone: list[str], json: bool) -> None:
    from engine.plan import plan

    names = Counter(project.name for project in projects)
    plans = {
        project.name if names[project.name] == 1 else str(project.path): plan(project, redone) for project in projects
    }
    if json:
        show.json_text(
            {
                name: [{"step": one.step.name, "state": one.state, "reason": one.reason} for one in planned]
                for name, planned in plans.items()
            }
        )
        return
    for name, planned in plans.items():
        states = [one.state for one in planned]
        counts = [f"{states.count(state)} {word}" for state, word in show.STATES.items() if state in states]
        show.say(f"{name}: {', '.join(counts) or 'nothing to do'}")
        show.rows([(f"  {one.state}", one.step.name, one.reason) for one in planned])


def _gpus(text: str | None) -> tuple[int, ...] | str | None:
    if text is None or text == "all":
        return text
    if text.lower() in ("", "none", "cpu"):
        return ()
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise typer.BadParameter(f'--gpus is "0,1", "all" or "none", not {text!r}') from None


def _overrides(gpus: str | None, workers: int | None) -> list[str]:
    return [*(["--gpus", gpus] if gpus is not None else []), *(["--workers", str(workers)] if workers else [])]


app.command()(querying.query)
app.command("show", short_help="Show a map or a table in a viewer.")(viewing.show_it)
app.command(short_help="What a code, a key or a word means; a project's values.")(explaining.explain)
app.command(short_help="Write the alignment that a Dynamo project amounts to.")(from_dynamo.import_dynamo)
app.command(short_help="How far projects are, also while they run.")(watching.status)
app.command(short_help="Ask a run to stop after the particles in hand.")(watching.stop)
app.command(short_help="Whether machine and folders are fit for runs.")(examining.doctor)
app.command(short_help="What differs between two projects or results.")(examining.diff)
app.command(short_help="Run a project for every combination of settings.")(sweeping.sweep)


@app.command(short_help="Read all results, and find what is damaged.")
def verify(
    paths: Paths,
    mend: Annotated[
        bool, typer.Option("--mend", help="Set damaged files aside, so that the next run makes their steps anew.")
    ] = False,
    json: Json = False,
) -> None:
    """Read all results and find what is not as it was written: bit rot, torn files, edits by other programs."""
    from engine.cli.values import verified_lines
    from engine.verify import verify

    found = []
    for one in verify(paths, mend=mend):
        found.append(one)
        if not json:
            for line in verified_lines(one):
                show.say(line)
    if json:
        show.json_text(found)
    if not all(one.is_whole for one in found):
        if not json and any(one.is_damaged for one in found):
            again = shlex.join(map(str, paths))
            show.complain(f"to make what is damaged anew: engine verify --mend {again}; then engine run {again}")
        raise typer.Exit(FAILED)


@app.command(short_help="Write one HTML file to read or to send.")
def report(
    paths: Paths,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="FILE", help="The .html; default: the project's or folder's name, here."
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Write one HTML file of a project or a campaign, to read or to send: it needs nothing but a browser."""
    from engine.report import report

    written = report(paths, output)
    if json:
        show.json_text(written)
        return
    show.say(f"{show.short(written.path)} written, {show.size(written.n_bytes)}")
    if written.left_out:
        show.say(f"  to keep it small: {written.left_out}")


@app.command(short_help="Refresh the JSON Schemas that editors read.")
def schema(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where to write.")] = Path("schemas"),
    json: Json = False,
) -> None:
    """Refresh the JSON Schemas that editors read, and the page of table columns."""
    from engine.schema import write

    written = list(write(folder))
    if json:
        show.json_text(written)
        return
    for path in written:
        show.say(show.short(path))


@app.command(short_help="Time the engine on this machine.")
def bench(
    quick: Annotated[bool, typer.Option("--quick", help="Small boxes and few rounds: seconds.")] = False,
    case: Annotated[
        list[str] | None,
        typer.Option(metavar="BOX/LOW/WINDOW", help="Time this instead, as in 64/20/9. May be repeated."),
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="How many workers are compared with one; 1 leaves that out.")] = 2,
    json: Json = False,
) -> None:
    """Time the engine against naive engines, other programs and the machine; about two minutes."""
    from engine.bench.cases import case_of
    from engine.bench.measure import bench

    tell = (lambda text: None) if json else show.complain
    found = bench([case_of(text) for text in case or ()], is_quick=quick, n_workers=workers, tell=tell)
    if json:
        show.json_text(found)
    else:
        from engine.cli.speeds import print_bench

        print_bench(found)
