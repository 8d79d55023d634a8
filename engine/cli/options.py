"""Arguments and options that several commands take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Paths = Annotated[
    list[Path], typer.Argument(metavar="PATH", help="Project files, or folders of them.", show_default=False)
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
