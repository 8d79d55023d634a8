"""Tables as CSV: a header with the column names of Table, then one row per particle.

x, y and z count from 0, as in Table; every column is kept, `half` too.
"""

from __future__ import annotations

import csv
import io
from difflib import get_close_matches
from pathlib import Path

import numpy as np

from engine.data import COLUMNS, EXTRA_COLUMNS, Table
from engine.faults import EngineError
from engine.files.numbers import number, shortest
from engine.files.raw import reading, text_of, write_text

NAMES = (*COLUMNS, *EXTRA_COLUMNS)


def read_csv(path: Path) -> Table:
    """The table; of columns that are not there, `aligned`, `averaged` and `ref` are 1 and the others 0.

    Unknown or doubled columns, a missing `tag`, text and short rows are EngineErrors that name the line.
    """
    with reading(path, "a CSV table"):
        rows = csv.reader(io.StringIO(text_of(path, "a CSV table")))
        header = [name.strip() for name in next(rows, [])]
        _check_header(header, path)
        values = [_numbers(row, len(header), f"{path}:{rows.line_num}") for row in rows if row]
    columns = np.array(values, dtype=np.float64).reshape(-1, len(header)).T
    return Table.blank(len(values), **dict(zip(header, columns, strict=True)))


def write_csv(table: Table, path: Path) -> None:
    """Writes every column with as many digits as give back the same bits."""
    columns = [[shortest(value) for value in table[name].tolist()] for name in NAMES]
    lines = [",".join(row) for row in [NAMES, *zip(*columns, strict=True)]]
    write_text("\n".join([*lines, ""]), path)


def _check_header(header: list[str], path: Path) -> None:
    for name in header:
        if name not in NAMES:
            near = get_close_matches(name, NAMES, n=1)
            advice = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(NAMES)}"
            raise EngineError(f"{path}:1: a table has no column {name[:40]!r}; {advice}")
        if header.count(name) > 1:
            raise EngineError(f"{path}:1: the column {name!r} is there twice; remove one")
    if "tag" not in header:
        raise EngineError(f"{path}:1: the column 'tag' is missing; number the particles in it")


def _numbers(row: list[str], width: int, where: str) -> list[float]:
    if len(row) != width:
        raise EngineError(f"{where}: {len(row)} values where the header names {width}; repair the line")
    return [number(word.strip(), where) for word in row]
