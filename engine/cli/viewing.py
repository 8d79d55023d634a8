"""engine show: a result in a viewer."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine.cli import show
from engine.cli.options import Json
from engine.faults import EngineError

if TYPE_CHECKING:
    from engine.query import Found


def show_it(
    address: Annotated[
        str, typer.Argument(metavar="ADDRESS", help="A map or a table: pr_1:average, pr_1:table.", show_default=False)
    ],
    viewer: Annotated[str, typer.Option("--with", metavar="VIEWER", help="chimerax, 3dmod or napari.")] = "chimerax",
    volume: Annotated[
        str | None,
        typer.Option("--map", metavar="FILE", help="Under the points of a table: a tomogram's file, or an address."),
    ] = None,
    points: Annotated[
        str | None,
        typer.Option(
            "--points", metavar="FILE", help="On a map: marks in a file (.cmm .csv .mod .tbl …), or an address."
        ),
    ] = None,
    where: Annotated[str | None, typer.Option(help='Rows of a table: "cc > 0.2 and tomo == 3".')] = None,
    fraction: Annotated[
        float, typer.Option(min=1e-6, max=0.99, help="Part of the voxels that the surface encloses, the highest.")
    ] = 0.01,
    sigma: Annotated[
        float | None, typer.Option(help="Instead: level of the surface in deviations above the mean.")
    ] = None,
    invert: Annotated[bool, typer.Option("--invert", help="Dark densities become bright.")] = False,
    folder: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FOLDER", help="Where to write; else show_… in the current folder."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be written and started.")] = False,
    json: Json = False,
) -> None:
    """Write what a viewer needs to show a map or a table, and start it."""
    from engine import viewers

    if viewer not in viewers.VIEWERS:
        raise EngineError(f"there is no viewer {viewer!r}; there are {', '.join(viewers.VIEWERS)}")
    held, marks, counted_in_A = _shown(address, volume, points, where)
    name = viewers.stem_of(address)
    scene = viewers.scene_of(
        name, held, marks, fraction=fraction, sigma=sigma, is_inverted=invert, counted_in_A=counted_in_A
    )
    laid = viewers.lay_out(scene, viewer, folder or _own_folder(name), dry_run)
    if json:
        show.json_text({"written": laid.written, "command": laid.command, "is_installed": laid.is_installed})
        if laid.is_installed and not dry_run:
            viewers.start(laid)
        return
    for path in laid.written:
        show.say(f"{show.short(path)} {'would be ' if dry_run else ''}written")
    command = shlex.join(laid.command)
    if dry_run:
        show.say(f"{'then' if laid.is_installed else f'{laid.command[0]} is not installed here; elsewhere'}: {command}")
    elif not laid.is_installed:
        show.say(f"{laid.command[0]} is not installed here, or not on PATH. Where it is: {command}")
    else:
        viewers.start(laid)


def _own_folder(name: str) -> Path:
    folder = Path(f"show_{name}")
    if folder.is_symlink():
        raise EngineError(f"{folder}: is a link, what it leads to would be written into (remove it, or give -o FOLDER)")
    return folder


def _shown(address: str, volume: str | None, points: str | None, where: str | None) -> tuple[Any, Any, float]:
    """The map (held, or a path), the points, and the pixel size that these count in where they do not tell it."""
    from engine.data import Curve, Table, Volume

    value, found = _one(address, where)
    match value:
        case Volume():
            if volume:
                raise EngineError(f"{address} is a map already (leave out --map)")
            return value, *_points(points)
        case Table() | Curve():
            if points:
                raise EngineError(f"{address} is points already (leave out --points)")
            return _map(volume), value, found.pixel_size_A
    raise EngineError(f"{address}: viewers show maps and tables, not this {type(value).__name__.lower()}")


def _one(address: str, where: str | None = None) -> tuple[Any, Found]:
    """The one stored value that the address means."""
    from engine.query import query

    answer = query(address, where=where)
    if len(answer.found) != 1:
        project = address.partition(":")[0]
        if not answer.found:
            raise EngineError(f"{address}: names no item (name one, as in {project}:average:ite=last)")
        item, key = answer.address.item if answer.address else "", str(answer.key(answer.found[0]))
        one = f"{project}:{item}:{key if '=' in key else f'ite={key}'}"
        raise EngineError(f"{address}: means {len(answer.found)} values (name one, as in {one})")
    return answer.found[0].value, answer.found[0]


def _points(text: str | None) -> tuple[Any, float]:
    from engine.address import is_address
    from engine.data import Curve, Table
    from engine.files import read_marks

    if text is None:
        return None, 0.0
    if not is_address(text):
        return read_marks(text), 0.0
    value, found = _one(text)
    if not isinstance(value, Table | Curve):
        raise EngineError(f"{text}: holds no points (name a table, or a file of marks)")
    return value, found.pixel_size_A


def _map(text: str | None) -> Any:
    from engine.address import is_address
    from engine.data import Volume

    if text is None:
        return None
    if not is_address(text):
        return Path(text)
    value, _ = _one(text)
    if not isinstance(value, Volume):
        raise EngineError(f"{text}: is no map (name a map's address, or its file)")
    return value
