"""The first use: everything compiled once, on a problem of no size, before anybody waits for it."""

from __future__ import annotations

import numpy as np

from engine.kernels import compiled, correlate
from engine.kernels.reference import spectrum_table
from engine.kernels.wedge import Wedge


def warm_up() -> None:
    """Compiles all loops, or loads them from numba's cache; some ten seconds the first time on a machine."""
    n, centre, identity = 8, np.zeros(3), np.eye(3)
    box = np.ones((n, n, n), dtype=np.float32)
    selection = correlate.band(n, 0, 2, Wedge(0))
    table = spectrum_table(box, selection.reach)
    window = correlate.window(selection, 1.0, np.ones((3, 3, 3), dtype=bool))
    particle = compiled.shifted(selection, np.ones(len(selection.weight), dtype=np.complex64), centre)
    compiled.best_of_each(table, selection, particle, 1.0, identity[None], window)
    compiled.slopes(table, selection, particle, 1.0, identity[None])
    compiled.mean_and_deviation(box, box, identity, centre, float(n))
    compiled.correlation_under(box, identity, box, box)
    compiled.mean_over(box, identity[None])
    sums = compiled.empty(2)
    row = np.array([[0, 0, 0, 2]], dtype=np.int32)
    compiled.insert(sums, row, np.ones((5, 5, 3), dtype=np.complex64), n, identity, centre)
    compiled.folded(sums, n)
