"""Rules that keep particles by their cc, as Dynamo's thresholds do."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from engine.kinds.form import Rule


def survivors(cc: np.ndarray, rule: Rule, value: float) -> np.ndarray:
    """(n,) bool: who survives the rule; mean and deviation are those of these cc.

    The deviation is that of a sample, over n - 1, as MATLAB's std and so Dynamo's.
    """
    n = len(cc)
    survives: dict[Rule, Callable[[], np.ndarray]] = {
        "all": lambda: np.ones(n, dtype=bool),
        "cc-above": lambda: cc >= value,
        "cc-above-mean-times": lambda: cc >= value * cc.mean(),
        "cc-above-mean-plus-std": lambda: cc >= cc.mean() + value * deviation(cc),
        "best-count": lambda: _rank(cc) < value,
        "best-fraction": lambda: _rank(cc) < np.ceil(value * n - 1e-9),
    }
    return survives[rule]()


def deviation(values: np.ndarray) -> float:
    """The deviation of a sample, over n - 1; 0 for a single value."""
    return float(values.std(ddof=1)) if len(values) > 1 else 0.0


def _rank(cc: np.ndarray) -> np.ndarray:
    """Place of each value from the highest, 0 first; equal values in their order."""
    rank = np.empty(len(cc), dtype=int)
    rank[np.argsort(-cc, kind="stable")] = np.arange(len(cc))
    return rank
