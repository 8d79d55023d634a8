"""Which aligned particles go into the average."""

from __future__ import annotations

import numpy as np

from engine.data import Table
from engine.faults import EngineError
from engine.geometry import neighbours
from engine.kinds.form import Select
from engine.kinds.rules import survivors


def select(table: Table, rule: Select, separation_px: float = 0.0) -> Table:
    """The table with averaged = 1 for the aligned rows that survive; rows that were not aligned stay as they are.

    First the separation: of particles of one tomogram nearer than separation_px only the one with the highest cc goes on.
    Then the rule, over those that are left.
    """
    return select_uncrowded(table, rule, crowded(table, separation_px))


def select_uncrowded(table: Table, rule: Select, is_crowded: np.ndarray) -> Table:
    """The same where it is known already which rows are crowded."""
    was_aligned = table["aligned"] == 1
    return _chosen(table, rule, "select", "cc", was_aligned, was_aligned & ~is_crowded)


def select_again(table: Table, rule: Select) -> Table:
    """The table with averaged = 1 for those survivors of `select` that survive a second rule, by cc2; other rows stay."""
    averaged = (table["aligned"] == 1) & (table["averaged"] == 1)
    return _chosen(table, rule, "select_again", "cc2", averaged, averaged)


def _chosen(table: Table, rule: Select, name: str, column: str, entrants: np.ndarray, candidates: np.ndarray) -> Table:
    """The table with the rule applied by a column to candidates, which are some of the entrants; the other entrants fall."""
    cc = table[column][candidates]
    chosen = np.where(entrants, 0, table["averaged"])
    chosen[candidates] = survivors(cc, rule.rule, rule.value)
    if not chosen.any():
        best = f"the best {column} is {cc.max(initial=-1):.3f}"
        raise EngineError(f"{name}: no particle survives {rule.rule} {rule.value:g}; {best} (loosen the rule)")
    rejected = entrants & (chosen == 0) & rule.reject_from_alignment
    return table.with_columns(averaged=chosen, aligned=np.where(rejected, 0, table["aligned"]))


def crowded(table: Table, separation_px: float) -> np.ndarray:
    """True for the aligned rows nearer than separation_px to one of higher cc that is itself kept, in the same tomogram."""
    is_crowded = np.zeros(len(table), dtype=bool)
    rows = np.flatnonzero(table["aligned"] == 1)
    centres = table.positions_xyz_px + table.shifts_xyz_px
    is_crowded[rows] = neighbours.crowded(centres[rows], -table["cc"][rows], table["tomo"][rows], separation_px)
    return is_crowded
