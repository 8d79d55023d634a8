"""STAR text before starfile reads it: what starfile would take for something else without a word is refused."""

from __future__ import annotations

import re
from pathlib import Path

from engine.faults import EngineError

MOST_COLUMNS = 1000
"""RELION's lists have less than a hundred; starfile takes a millisecond for each."""
LONGEST_LINE = 100_000
"""For the names and values outside of loops starfile takes a time that grows with the square of their length."""

_COLUMN = re.compile(r"_\S+\s+#\d+")
_WORD = re.compile(r"\"[^\"]*\"\S*|\S+")


def check(text: str, path: Path) -> None:
    """EngineError, with its line, for a block that is there twice and for rows that are not as long as the loop's header.

    starfile keeps the last of such blocks, fills short rows with NaN, and cuts a value at a #.
    """
    names: set[str] = set()
    n_columns: int | None = None  # None outside of loops
    in_header = False
    for number, line in enumerate(text.split("\n"), start=1):
        line = line.strip()
        if len(line) > LONGEST_LINE:
            raise EngineError(
                f"{path}:{number}: a line of more than {LONGEST_LINE} characters; check that it is a STAR file"
            )
        if line.startswith("data_"):
            if line in names:
                raise EngineError(f"{path}:{number}: the block {line[:60]!r} is there twice; remove or rename one")
            names.add(line)
            n_columns = None
        elif line.startswith("loop_") and n_columns is None:
            n_columns, in_header = 0, True
        elif n_columns is None and _COLUMN.fullmatch(line):
            raise EngineError(
                f"{path}:{number}: a column of a list without a loop_ before it; write loop_ above the first"
            )
        elif n_columns is not None and line and line[0] != "#":
            if in_header and line[0] == "_":
                n_columns += 1
                if n_columns > MOST_COLUMNS:
                    raise EngineError(
                        f"{path}:{number}: more than {MOST_COLUMNS} columns; check that it is a STAR file"
                    )
                continue
            in_header = False
            n_words = _n_words(line, f"{path}:{number}")
            if n_words != n_columns:
                raise EngineError(
                    f"{path}:{number}: {n_words} values where the loop names {n_columns} columns; repair the line"
                )


def _n_words(line: str, where: str) -> int:
    """How many values stand in a row."""
    if "#" not in line and '"' not in line and "'" not in line:
        return len(line.split())
    before, mark, _ = line.partition("#")
    if mark and not before[-1:].isspace():
        raise EngineError(f"{where}: a # within a value would begin a comment; rename what is called so")
    before = before.replace("'", '"')
    if before.count('"') % 2:
        raise EngineError(f"{where}: a quote is not closed; close it, or rename what is called so")
    return len(_WORD.findall(before))
