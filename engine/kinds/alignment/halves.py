"""What two half-sets may not share."""

from __future__ import annotations

import numpy as np
import scipy

from engine.data import Half, Particles, Table
from engine.faults import EngineError

CORE = 1 / 8
"""Two particles nearer than this share of the box's side are one: each lies in the core of the other's box."""


def refuse_shared(table: Table, box_px: int) -> None:
    """An EngineError where a particle lies in both half-sets; the FSC between them would compare it with itself."""
    n = n_shared(table, box_px)
    if n:
        raise EngineError(
            f"{n} particles lie nearer than {CORE * box_px:g} px to one of the other half-set, which makes them the same "
            'particle twice (remove duplicates, or split with data.halves = "region" or "tomogram-half")'
        )


def refuse_equal(table: Table, particles: Particles, fingerprints: np.ndarray) -> None:
    """An EngineError where boxes with the same voxels, whatever they are called, are averaged in both half-sets.

    fingerprints: of each row's box (see `averaging.fingerprint`); where they agree the boxes are compared.
    """
    takes_part = table["averaged"] == 1
    odd, even = (np.flatnonzero(takes_part & (table["half"] == half)) for half in (Half.ODD, Half.EVEN))
    _, of_odd, of_even = np.intersect1d(fingerprints[odd], fingerprints[even], return_indices=True)
    for one, other in zip(table.tags[odd[of_odd]], table.tags[even[of_even]], strict=True):
        if np.array_equal(particles.read(one), particles.read(other)):
            raise EngineError(
                f"particles {min(one, other)} and {max(one, other)} have the same voxels, and are in different half-sets: the "
                "FSC would compare them with themselves (remove one, or put both into the same half: column half)"
            )


def n_shared(table: Table, box_px: int) -> int:
    """How many particles that are averaged have one of the other half-set within the core of their box.

    Rows at the origin of a tomogram have no position, and are not looked at.
    """
    rows = np.flatnonzero((table["averaged"] == 1) & (table.positions_xyz_px != 0).any(axis=1))
    centres = table.positions_xyz_px + table.shifts_xyz_px
    n = 0
    for tomogram in np.unique(table["tomo"][rows]):
        mine = rows[table["tomo"][rows] == tomogram]
        odd, even = (mine[table["half"][mine] == half] for half in (Half.ODD, Half.EVEN))
        if len(odd) and len(even):
            for some, others in ((odd, even), (even, odd)):
                distance, _ = scipy.spatial.KDTree(centres[others]).query(centres[some])
                n += int((distance < CORE * box_px).sum())
    return n
