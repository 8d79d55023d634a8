"""STAR text to blocks of columns and back, through starfile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from engine.faults import EngineError
from engine.files import star_rows
from engine.files.numbers import shortest
from engine.files.raw import reading, shortened, text_of, write_text
from engine.steering import steers

WORDS = [
    "particleFile",
    "rlnCtfImage",
    "rlnImageName",
    "rlnMicrographName",
    "rlnTomoName",
    "rlnTomoParticleName",
    "rlnTomoVisibleFrames",
]
"""Columns that stay text even where they look like numbers."""

_ENDS_WORD = frozenset("\"'#\\")

Column = np.ndarray | Sequence[float | str]


class Facts(dict[str, float | str]):
    """A block without a loop: names and single values."""


@dataclass(frozen=True, eq=False)
class Block:
    """One block of a STAR file: columns by name, equally long; a block without a loop has one row."""

    path: Path
    columns: Mapping[str, np.ndarray]

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), ()))

    def __contains__(self, name: str) -> bool:
        return name in self.columns

    def numbers(self, name: str) -> np.ndarray:
        """(n,) float64. A column that is missing or holds text is an EngineError."""
        if name not in self:
            raise EngineError(f"{self.path}: the column _{name} is missing; write the file anew with it")
        try:
            return np.asarray(self.columns[name], dtype=np.float64)
        except OverflowError as error:
            raise EngineError(f"{self.path}: the column _{name} holds a number that is too large; repair it") from error
        except (ValueError, TypeError) as error:
            raise EngineError(
                f"{self.path}: the column _{name} holds text where numbers belong ({shortened(str(error))})"
            ) from error

    def words(self, name: str) -> list[str]:
        """The column as text."""
        return [str(word) for word in self.columns[name]]

    def triples(self, names: Sequence[str]) -> np.ndarray | None:
        """(n, 3) of three columns; None when none of them is there, an EngineError when only some are."""
        if not any(name in self for name in names):
            return None
        return np.column_stack([self.numbers(name) for name in names])


def read_blocks(path: Path) -> dict[str, Block]:
    """The blocks of a STAR file, plain or packed, by name without `data_`. What is no STAR file is an EngineError."""
    import starfile

    text = text_of(path, "a STAR file")
    star_rows.check(text, path)
    with reading(path, "a STAR file"), TemporaryDirectory() as folder:
        copy = Path(folder) / "copy.star"  # starfile reads paths only, and remembers the lines of a file that failed
        copy.write_text(text, "utf-8")
        found = starfile.read(copy, always_dict=True, parse_as_string=WORDS)
        blocks = {name: Block(path, _columns(block, path)) for name, block in found.items()}
    if not blocks:
        raise EngineError(f"{path}: has no data_ block, so it is no STAR file; check that the ending is true")
    return blocks


def write_blocks(blocks: Mapping[str, Mapping[str, Column] | Facts], path: Path) -> None:
    """Writes a loop for columns, a list for facts; numbers get as many digits as give back the same bits."""
    import pandas
    import starfile

    frames = {
        name: {fact: _word(value, path) for fact, value in block.items()}
        if isinstance(block, Facts)
        else pandas.DataFrame({column: _words(values, path) for column, values in block.items()}, dtype=object)
        for name, block in blocks.items()
    }
    write_text(starfile.to_string(frames), path)


def _columns(block: Mapping[str, np.ndarray], path: Path) -> dict[str, np.ndarray]:
    names = list(block)
    for name in names:
        if names.count(name) > 1:
            raise EngineError(f"{path}: the column _{name} is there twice; remove one")
    return {str(name): np.atleast_1d(np.asarray(block[name])) for name in block}


def _words(values: Column, path: Path) -> list[str]:
    return [_word(value, path) for value in values]


def _word(value: float | str, path: Path) -> str:
    """The value as STAR has it; a text that would not be read back is an EngineError."""
    if not isinstance(value, str):
        return shortest(float(value))
    if steers(value) or not _ENDS_WORD.isdisjoint(value):
        raise EngineError(
            f"{path}: {value!r} cannot stand in a STAR file (rename it, without quotes, #, \\ and line breaks)"
        )
    return value
