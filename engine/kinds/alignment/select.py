"""Which aligned particles go into the average."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.spatial import KDTree

from engine.data import Table
from engine.faults import EngineError
from engine.kinds.form import Select


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
    survivors = (table["aligned"] == 1) & (table["averaged"] == 1)
    return _chosen(table, rule, "select_again", "cc2", survivors, survivors)


def _chosen(table: Table, rule: Select, name: str, column: str, entrants: np.ndarray, candidates: np.ndarray) -> Table:
    """The table with the rule applied by a column to candidates, which are some of the entrants; the other entrants fall.

    The deviation is that of a sample, over n - 1, as MATLAB's std and so Dynamo's.
    """
    cc = table[column][candidates]
    n = len(cc)
    survives: dict[str, Callable[[], np.ndarray]] = {
        "all": lambda: np.ones(n, dtype=bool),
        "cc-above": lambda: cc >= rule.value,
        "cc-above-mean-times": lambda: cc >= rule.value * cc.mean(),
        "cc-above-mean-plus-std": lambda: cc >= cc.mean() + rule.value * (cc.std(ddof=1) if n > 1 else 0.0),
        "best-count": lambda: _rank(cc) < rule.value,
        "best-fraction": lambda: _rank(cc) < np.ceil(rule.value * n - 1e-9),
    }
    chosen = np.where(entrants, 0, table["averaged"])
    chosen[candidates] = survives[rule.rule]()
    if not chosen.any():
        best = f"the best {column} is {cc.max(initial=-1):.3f}"
        raise EngineError(f"{name}: no particle survives {rule.rule} {rule.value:g}; {best} (loosen the rule)")
    rejected = entrants & (chosen == 0) & rule.reject_from_alignment
    return table.with_columns(averaged=chosen, aligned=np.where(rejected, 0, table["aligned"]))


def crowded(table: Table, separation_px: float) -> np.ndarray:
    """True for the aligned rows nearer than separation_px to one of higher cc that is itself kept, in the same tomogram."""
    is_crowded = np.zeros(len(table), dtype=bool)
    if separation_px == 0:
        return is_crowded
    centres = table.positions_xyz_px + table.shifts_xyz_px
    for tomogram in np.unique(table["tomo"]):
        rows = np.flatnonzero((table["tomo"] == tomogram) & (table["aligned"] == 1))
        tree = KDTree(centres[rows])
        for row in rows[np.argsort(-table["cc"][rows], kind="stable")]:
            if not is_crowded[row]:
                near = rows[tree.query_ball_point(centres[row], np.nextafter(separation_px, 0))]
                is_crowded[near[near != row]] = True
    return is_crowded


def _rank(cc: np.ndarray) -> np.ndarray:
    """Place of each value from the highest, 0 first; equal values in their order."""
    rank = np.empty(len(cc), dtype=int)
    rank[np.argsort(-cc, kind="stable")] = np.arange(len(cc))
    return rank
