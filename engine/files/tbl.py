"""Dynamo tables (.tbl): rows of 1 to 42 numbers, columns known by their place.

x, y and z count from 1 in the file and from 0 here. The column `half` has no place in the format and is left out:
.csv and .star keep it.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import numpy as np

from engine.data import COLUMNS, Table
from engine.faults import EngineError
from engine.files.numbers import number
from engine.files.raw import text_of, write_text

FIRST_POSITION = list(COLUMNS).index("x")


def read_tbl(path: Path) -> Table:
    """The table; columns the file does not reach are 0. Of MATLAB's complex entries the real part is kept.

    Text, rows of unequal width, more than 42 columns and a file without rows are EngineErrors that name the line.
    """
    matrix = _matrix(path)
    matrix[:, FIRST_POSITION : FIRST_POSITION + 3] -= 1
    return Table.from_matrix(matrix)


def write_tbl(table: Table, path: Path) -> None:
    """Writes all 42 columns with ten significant digits, whole numbers without a point; `half` is left out."""
    matrix = table.to_matrix()
    matrix[:, FIRST_POSITION : FIRST_POSITION + 3] += 1
    row = " ".join(["%.10g"] * len(COLUMNS)) + "\n"
    text = "".join(row % tuple(values) for values in (matrix + 0.0).tolist())
    write_text(text.replace("nan", "NaN").replace("inf", "Inf"), path)


def _matrix(path: Path) -> np.ndarray:
    rows: list[list[float]] = []
    for line, text in enumerate(text_of(path, "a Dynamo table").split("\n"), start=1):
        words = text.split()
        if not words:
            continue
        if "_" in text:
            raise EngineError(f"{path}:{line}: {text.strip()[:40]!r} are not numbers; correct or remove the line")
        if len(words) > len(COLUMNS):
            raise EngineError(f"{path}:{line}: {len(words)} columns, a Dynamo table has {len(COLUMNS)} at most")
        if rows and len(words) != len(rows[0]):
            raise EngineError(
                f"{path}:{line}: {len(words)} columns where the first row has {len(rows[0])}; repair the line"
            )
        rows.append(_numbers(words, f"{path}:{line}"))
    if not rows:
        raise EngineError(f"{path}: has no rows; give a table with particles")
    return np.array(rows)


def _numbers(words: list[str], where: str) -> list[float]:
    with suppress(ValueError):  # several times faster than `number`, which knows complex entries
        return [float(word) for word in words]
    return [number(word, where) for word in words]
