"""The command that looks at a result, in all its ways: printed, written, drawn, or where it lies."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from engine.cli import from_dynamo, show
from engine.cli.options import Json, addresses_begun
from engine.faults import EngineError


def query(
    address: Annotated[
        str,
        typer.Argument(
            metavar="ADDRESS",
            help="As in pr_1:average:ite=3; the project alone lists its items.",
            autocompletion=addresses_begun,
        ),
    ],
    picture: Annotated[
        str | None,
        typer.Argument(metavar="FILE", help="With --plot: the picture, .png .pdf .svg.", show_default=False),
    ] = None,
    plot: Annotated[
        bool, typer.Option("--plot", help="Draw it, into FILE or a PNG in the current folder that is named after it.")
    ] = False,
    output: Annotated[
        list[str] | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            help="Write it: .mrc .em .tbl .star .csv .json .npy .png .pdf .svg .cmm .xml; particles: a folder, .mrcs or .mrc. "
            "May be repeated.",
        ),
    ] = None,
    as_dynamo: Annotated[
        Path | None,
        typer.Option(
            "--as-dynamo",
            metavar="DIR",
            help="Write all results of an alignment under Dynamo's names, into a new folder.",
        ),
    ] = None,
    star: Annotated[
        str | None,
        typer.Option(metavar="DIALECT", help="Of a .star that is written: dynamo (default), relion3.1 or relion4."),
    ] = None,
    json: Json = False,
    path: Annotated[bool, typer.Option("--path", help="Print the file it lives in, and its place there.")] = False,
    where: Annotated[str | None, typer.Option(help='Rows of a table: "cc > 0.2 and tomo == 3".')] = None,
    columns: Annotated[str | None, typer.Option(help="Columns of a table: tag,cc.")] = None,
    sort: Annotated[str | None, typer.Option(help="Column to sort by; -cc descends.")] = None,
) -> None:
    """Look at a result, or write it to a file."""
    from engine.query import query

    asked_ways = (("-o", output), ("--path", path), ("--json", json), ("--as-dynamo", as_dynamo), ("--plot", plot))
    ways = [name for name, asked in asked_ways if asked]
    if len(ways) > 1:
        raise EngineError(f"{' and '.join(ways)} do not go together (ask for one at a time)")
    if path and (where or columns or sort):
        raise EngineError("--path is of a whole result (leave out --where, --columns and --sort)")
    if star and not any(name.lower().endswith(".star") for name in output or ()):
        raise EngineError("--star is for writing a .star list (add -o FILE.star)")
    if as_dynamo:
        if where or columns or sort:
            raise EngineError("--as-dynamo writes whole results (leave out --where, --columns and --sort)")
        from_dynamo.lay_out(address, as_dynamo)
        return
    if picture and not plot:
        raise EngineError(
            f"{picture}: is a second thing to look at (one at a time; a file is written by -o, drawn by --plot)"
        )
    answer = query(address, where=where, columns=columns, sort=sort)
    if path:
        if not answer.found:
            raise EngineError(f"{address}: name an item, as in {answer.project}:average")
        for one in answer.found:
            show.fields(show.short(one.path_of_file), one.item_path)
    elif output or plot:
        from engine.cli.values import picture_of, write

        for name in output or [picture_of(answer, picture)]:
            for written in write(answer, name, star or "dynamo"):
                show.say(f"{show.short(written)} written")
    elif json:
        show.json_text(answer.values if len(answer.found) > 1 else answer.value)
    else:
        from engine.cli.values import print_answer

        print_answer(answer)
