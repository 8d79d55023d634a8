"""How stable classes are: the agreement of two assignments of the same particles.

Classes that go on changing are none. The reverse does not hold: each particle is part of its own class average, and stays with
it even where all are noise. Classes are believed when runs that were dealt from different seeds come to the same ones.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np


def adjusted_rand_index(first: np.ndarray, second: np.ndarray) -> float:
    """The agreement of two labellings of n things, freed of chance: 1 the same, about 0 unrelated, down to -1.

    Hubert & Arabie, J. Classif. 2 (1985), eq. 5. Names of the labels do not count. Counted in whole numbers: it is exact.
    Two labellings that leave nothing to chance (all in one class, or each alone, in both) agree: 1.
    """
    if len(first) != len(second):
        raise ValueError(f"two labellings of the same things: {len(first)} and {len(second)} labels")
    together = np.unique(np.column_stack([first, second]), axis=0, return_counts=True)[1]
    both, in_first, in_second = (_pairs(counts) for counts in (together, _sizes(first), _sizes(second)))
    all_pairs = _pairs(np.array([len(first)]))
    expected = Fraction(in_first * in_second, all_pairs) if all_pairs else Fraction(0)
    most = Fraction(in_first + in_second, 2)
    return 1.0 if most == expected else float((both - expected) / (most - expected))


def changed_share(first: np.ndarray, second: np.ndarray) -> float:
    """The share of things whose label is another one; 0 of nothing."""
    return float(np.mean(np.asarray(first) != np.asarray(second))) if len(first) else 0.0


def _sizes(labels: np.ndarray) -> np.ndarray:
    return np.unique(labels, return_counts=True)[1]


def _pairs(counts: np.ndarray) -> int:
    return sum(int(count) * (int(count) - 1) // 2 for count in counts)
