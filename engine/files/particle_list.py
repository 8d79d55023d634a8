"""A table together with what STAR files tell beside it: the particles' files and the tomograms' names."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from engine.data import Table

MOST_DIGITS = 15
"""Of a number that a table can hold."""


@dataclass(frozen=True, eq=False)
class ParticleList:
    """files: one per row, or none when the list names none. tomogram_names: value of the column `tomo` to name.

    is_centred: positions count from the middle of the tomogram, half its size, whose size was not known.
    """

    table: Table
    files: tuple[Path, ...] = ()
    tomogram_names: Mapping[int, str] = field(default_factory=dict)
    is_centred: bool = False


def tomogram_numbers(names: Sequence[str]) -> dict[str, int]:
    """Name to number: the digits of the names (TS_01 is 1) where each name has one run of them and no two agree.

    Otherwise 1, 2, 3 … in sorted order.
    """
    ordered = sorted(set(names))
    runs = [re.findall(r"\d+", name) for name in ordered]
    numbers = [int(run[0]) for run in runs if len(run) == 1 and len(run[0]) <= MOST_DIGITS]
    if len(set(numbers)) < len(ordered):
        numbers = list(range(1, len(ordered) + 1))
    return dict(zip(ordered, numbers, strict=True))


def trailing_numbers(names: Sequence[str]) -> np.ndarray | None:
    """(n,) int64: the number each name ends with, 12 for `TS_01/12` and `particle_00012`.

    None unless every name has one, all differ and none is 0.
    """
    found = [re.search(rf"(\d{{1,{MOST_DIGITS}}})$", name) for name in names]
    numbers = np.array([int(match[1]) for match in found if match], dtype=np.int64)
    if len(numbers) < len(names) or (numbers < 1).any() or len(np.unique(numbers)) < len(names):
        return None
    return numbers
