"""Table maps (.doc): lines of a number and a path, telling which tomogram file a value of the column `tomo` means."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from engine.faults import EngineError
from engine.files.limits import LARGEST_LIST_BYTES
from engine.files.numbers import whole
from engine.files.raw import text_of, write_text
from engine.steering import steers


def read_table_map(path: str | Path) -> dict[int, Path]:
    """Tomogram number to file, as written: relative paths stay so.

    A line of another form or a number that is there twice is an EngineError.
    """
    path = Path(path)
    found: dict[int, Path] = {}
    for line, text in enumerate(text_of(path, "a table map", LARGEST_LIST_BYTES).splitlines(), start=1):
        words = text.split(maxsplit=1)
        if not words:
            continue
        if len(words) < 2 or not words[0].isdecimal():
            raise EngineError(f"{path}:{line}: {text[:60]!r} is not a number and a path; write `3 tomograms/TS_03.rec`")
        tomogram = whole(words[0], f"{path}:{line}")
        if tomogram in found:
            raise EngineError(f"{path}:{line}: tomogram {tomogram} is there twice; remove one line")
        found[tomogram] = Path(words[1].strip())
    if not found:
        raise EngineError(f"{path}: names no tomogram; write lines such as `3 tomograms/TS_03.rec`")
    return found


def write_table_map(tomograms: Mapping[int, Path], path: str | Path) -> None:
    """Writes one line per tomogram, in ascending order. A path that would not be read back is an EngineError."""
    for name in map(str, tomograms.values()):
        if steers(name) or name != name.strip():
            raise EngineError(
                f"{path}: {name!r} cannot stand in a table map (rename it, without line breaks and outer blanks)"
            )
    write_text("".join(f"{number} {tomograms[number]}\n" for number in sorted(tomograms)), Path(path))
