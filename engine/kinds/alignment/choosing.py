"""What particles choose their reference by: the cc with it, or with that half of its average that they are no part of.

A particle's noise lies in its own class average and pulls it back there. Two halves of each class average are free of it: a
particle of the first half is compared with the second halves of all classes, and the other way round.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engine.data import Table
from engine.kernels import average
from engine.kinds.alignment.again import scores
from engine.kinds.alignment.classes import members, surviving
from engine.kinds.alignment.iterate import Given
from engine.kinds.averaging import alternate


def first_halves(tables: Sequence[Table]) -> np.ndarray:
    """The tags of the particles that lie in the first half of their class average."""
    found = []
    for number in surviving(tables):
        mine = _averaged(members(tables[number - 1], number))
        found.append(mine.tags[alternate(mine)])
    return np.concatenate(found)


def with_whole(here: Given, table: Table, rows: np.ndarray, reference: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The exact cc of the rows with the reference under a mask."""
    settings, pixel_size_A, work = here.settings.round, here.pixel_size_A, here.work
    return scores(
        here.spectra, table, rows, here.symmetric(reference), mask, settings, pixel_size_A, work, here.weights
    )


def with_other_half(
    here: Given, table: Table, rows: np.ndarray, mine: Table, first: np.ndarray, mask: np.ndarray
) -> np.ndarray:
    """The exact cc of the rows with that half of the average of `mine` that they are no part of; first: see `first_halves`."""
    sums = here.sums(mine, whole_boxes=False)
    tags, averaged = table.tags[rows], _averaged(mine)
    of_mine = np.isin(tags, averaged.tags[alternate(averaged)])
    is_first = np.where(np.isin(tags, averaged.tags), of_mine, np.isin(tags, first))
    heights = np.zeros(len(rows))
    for half, chosen in ((sums.second, is_first), (sums.first, ~is_first)):
        heights[chosen] = with_whole(here, table, rows[chosen], np.asarray(average.compensated(half)), mask)
    return heights


def _averaged(table: Table) -> Table:
    return table.where(table["averaged"] == 1)
