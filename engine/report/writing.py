"""A report is read, drawn with as much detail as fits, and written."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from engine.faults import EngineError
from engine.project import campaign
from engine.report.detail import DETAILS
from engine.report.page import page
from engine.report.reading import Reader

MOST_BYTES = 1_500_000
ENDINGS = (".html", ".htm")


@dataclass(frozen=True)
class Written:
    """Where a report lies, how large it is, and what it leaves out to stay small."""

    path: Path
    n_bytes: int
    left_out: str


def report(paths: Iterable[str | Path], output: str | Path | None = None, most_bytes: int = MOST_BYTES) -> Written:
    """Writes the report of the projects, in the order in which they read each other.

    output: an .html; default: the name of the project or of the folder, in the current folder. No results at all, or more
    than fits however little is shown, are an EngineError.
    """
    given = [Path(path) for path in paths]
    readers = [Reader(project) for project in campaign(given)]
    name = readers[0].project.name if len(readers) == 1 else readers[0].project.campaign.resolve().name or "campaign"
    path = _place(output, name)
    if not any(reader.stored for reader in readers):
        raise EngineError(f"{name} has not been run: engine run {shlex.join(map(str, given))}")
    for detail in DETAILS:
        content = page(name, readers, detail).encode()
        if len(content) <= most_bytes:
            break
    else:
        raise EngineError(
            f"{path}: would be {len(content) / 1e6:.1f} MB with the least that a report shows (name fewer projects)"
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    except OSError as error:
        raise EngineError(f"{path}: cannot be written: {error.strerror or error}") from error
    return Written(path, len(content), detail.words)


def _place(output: str | Path | None, name: str) -> Path:
    """The file; a link that nobody typed is not written through."""
    path = Path(f"{name}.html" if output is None else output)
    if path.suffix.lower() not in ENDINGS:
        raise EngineError(f"{path}: a report is {' or '.join(ENDINGS)} (give it one of these endings)")
    if path.is_dir():
        raise EngineError(f"{path}: is a folder (name a file in it)")
    if output is None and path.is_symlink():
        raise EngineError(f"{path}: is a link, what it leads to would be overwritten (remove it, or give another name)")
    return path
