"""The second selection: survivors of the first are scored against their own average, where they lie."""

from __future__ import annotations

import numpy as np

from engine.data import Spectra, Table, Weights
from engine.devices import Work
from engine.geometry import euler
from engine.kernels import correlate, exact
from engine.kinds.alignment.particle import Matter, member, prepared
from engine.kinds.averaging import chunks, named, own_weight, wedges
from engine.kinds.form import Round
from engine.kinds.region import Region


def rescored(
    spectra: Spectra,
    table: Table,
    survivors_average: np.ndarray,
    mask: np.ndarray,
    settings: Round,
    pixel_size_A: float,
    work: Work,
    weights: Weights | None = None,
) -> Table:
    """The table with cc2, the exact cc with the average, of every row aligned and averaged; 0 in the others.

    No pose changes. The average holds the particle itself: cc2 is good for ranking particles, and higher than an outsider's.
    """
    rows = np.flatnonzero((table["aligned"] == 1) & (table["averaged"] == 1))
    cc2 = np.zeros(len(table))
    cc2[rows] = scores(spectra, table, rows, survivors_average, mask, settings, pixel_size_A, work, weights)
    return table.with_columns(cc2=cc2)


def scores(
    spectra: Spectra,
    table: Table,
    rows: np.ndarray,
    reference: np.ndarray,
    mask: np.ndarray,
    settings: Round,
    pixel_size_A: float,
    work: Work,
    weights: Weights | None = None,
) -> np.ndarray:
    """The exact cc of these rows with a reference under a mask, where they lie: (n,)."""
    if not len(rows):
        return np.zeros(0)
    high, low = settings.bandpass.shells(spectra.box_px, pixel_size_A)
    samplings, rotations, d = wedges(table), euler.matrices(table.angles), table.shifts_xyz_px
    occurring = {samplings[row] for row in rows}
    matter = work.once_per_device(
        lambda: prepared(work.array(reference), work.array(mask), occurring, high, low, spectra.reach)
    )

    def scored(job: range) -> np.ndarray:
        here = matter()
        return np.array([[score(row, here)] for row in rows[job.start : job.stop]])

    def score(row: int, here: Matter) -> float:
        tag = int(table.tags[row])
        own = own_weight(weights, tag, spectra.reach)
        region = Region(d[row], rotations[row], settings.shifts, spectra.box_px)
        block = work.array(spectra.block(tag))
        one = member(block, None if own is None else work.array(own), samplings[row], rotations[row], d[row], region)
        selection = one.on(here.bands)
        values = correlate.coefficients(selection, one.block)
        return exact.exact_cc(here.whole, here.small_mask, selection, values, rotations[row], d[row])

    return work.quiet().rows(scored, chunks(len(rows), work.fair_chunk(len(rows))), 1, named(table.tags[rows]))[:, 0]
