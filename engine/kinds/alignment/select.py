"""Which aligned particles go into the average."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from engine.data import Table
from engine.faults import EngineError
from engine.kinds.form import Select


def select(table: Table, rule: Select) -> Table:
    """The table with averaged = 1 for the aligned rows that the rule lets survive; other rows stay as they are."""
    candidates = table["aligned"] == 1
    cc = table["cc"][candidates]
    n = len(cc)
    survives: dict[str, Callable[[], np.ndarray]] = {
        "all": lambda: np.ones(n, dtype=bool),
        "cc-above": lambda: cc >= rule.value,
        "cc-above-mean-times": lambda: cc >= rule.value * cc.mean(),
        "cc-above-mean-plus-std": lambda: cc >= cc.mean() + rule.value * cc.std(),
        "best-count": lambda: _rank(cc) < rule.value,
        "best-fraction": lambda: _rank(cc) < np.ceil(rule.value * n),
    }
    chosen = np.array(table["averaged"])
    chosen[candidates] = survives[rule.rule]()
    if not chosen.any():
        best = f"the best cc is {cc.max(initial=-1):.3f}"
        raise EngineError(f"select: no particle survives {rule.rule} {rule.value:g}; {best} (loosen the rule)")
    aligned = (
        np.where(candidates & (chosen == 0), 0, table["aligned"]) if rule.reject_from_alignment else table["aligned"]
    )
    return table.with_columns(averaged=chosen, aligned=aligned)


def _rank(cc: np.ndarray) -> np.ndarray:
    """Place of each value from the highest, 0 first; equal values in their order."""
    rank = np.empty(len(cc), dtype=int)
    rank[np.argsort(-cc, kind="stable")] = np.arange(len(cc))
    return rank
