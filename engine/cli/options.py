"""Arguments and options that several commands take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from engine.address import is_name

Paths = Annotated[
    list[Path], typer.Argument(metavar="PATH", help="Project files, or folders of them.", show_default=False)
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def projects_named(begun: str) -> list[str]:
    """For completion in the shell: the projects whose names begin so. Items are not looked up, which would load all kinds."""
    folder, slash, start = begun.rpartition("/")
    stems = sorted(file.stem for file in Path(folder + slash).glob("*.toml"))
    return [f"{folder}{slash}{stem}" for stem in stems if stem.startswith(start) and is_name(stem)]
