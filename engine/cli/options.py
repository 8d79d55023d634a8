"""Arguments and options that several commands take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from engine.address import is_name
from engine.faults import EngineError

Paths = Annotated[
    list[Path], typer.Argument(metavar="PATH", help="Project files, or folders of them.", show_default=False)
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def addresses_begun(begun: str) -> list[str]:
    """For completion in the shell: the projects whose names begin so; after the colon, the items of the project."""
    name, colon, start = begun.partition(":")
    if not colon:
        folder, slash, start = begun.rpartition("/")
        stems = sorted(file.stem for file in Path(folder + slash).glob("*.toml"))
        return [f"{folder}{slash}{stem}" for stem in stems if stem.startswith(start) and is_name(stem)]
    from engine.remembered import outline

    try:
        project = outline(f"{name.removesuffix('.toml')}.toml")
    except EngineError:
        return []
    return [f"{name}:{item}" for item in project.items if item.startswith(start)]
