"""Half-sets: who belongs to which, set once, and what two halves may not share."""

from __future__ import annotations

import numpy as np
from scipy.spatial import KDTree

from engine.data import Half, Table
from engine.faults import EngineError
from engine.kinds.alignment.form import Halves

CORE = 1 / 8
"""Two particles nearer than this share of the box's side are one: each lies in the core of the other's box."""


def halves_text(table: Table) -> str:
    """How many particles belong to each half-set, in words."""
    odd, even = (int((table["half"] == half).sum()) for half in (Half.ODD, Half.EVEN))
    return f"{odd} odd, {even} even" if odd or even else "none"


def with_halves(table: Table, halves: Halves) -> Table:
    """The table with its column `half` filled; one that is filled already is kept: halves are set once."""
    has_half = table["half"] != Half.NONE
    if halves == "none" or (len(table) and has_half.all()):
        return table
    if has_half.any():
        raise EngineError(
            f"{has_half.sum()} of {len(table)} particles belong to a half-set already, the others do not: "
            "halves are set once (fill or empty the column half of all)"
        )
    if halves == "parity":
        return table.with_columns(half=np.where(table.tags % 2 == 1, Half.ODD, Half.EVEN))
    half = _by_region(table) if halves == "region" else _by_side(table)
    if len(set(half)) < 2:
        raise EngineError(f'halves = "{halves}": all {len(table)} particles fall into one half (use "parity")')
    return table.with_columns(half=half)


def _by_side(table: Table) -> np.ndarray:
    """Below or above the median y of the particles of each tomogram."""
    y = table["y"] + table["dy"]
    half = np.empty(len(table))
    for tomogram in np.unique(table["tomo"]):
        mine = table["tomo"] == tomogram
        half[mine] = np.where(y[mine] <= np.median(y[mine]), Half.ODD, Half.EVEN)
    return half


def _by_region(table: Table) -> np.ndarray:
    """Whole regions, the largest first, each to the half-set that has fewer particles so far."""
    half = np.empty(len(table))
    members = {Half.ODD: 0, Half.EVEN: 0}
    _, region_of, sizes = np.unique(
        np.column_stack([table["tomo"], table["reg"]]), axis=0, return_inverse=True, return_counts=True
    )
    for region in np.argsort(-sizes, kind="stable"):
        smaller = min(members, key=lambda name: members[name])
        half[region_of.ravel() == region] = smaller
        members[smaller] += int(sizes[region])
    return half


def refuse_shared(table: Table, box_px: int) -> None:
    """An EngineError where a particle lies in both half-sets; the FSC between them would compare it with itself."""
    n = n_shared(table, box_px)
    if n:
        raise EngineError(
            f"{n} particles lie nearer than {CORE * box_px:g} px to one of the other half-set, which makes them the same "
            'particle twice (remove duplicates, or split with data.halves = "region" or "tomogram-half")'
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
                distance, _ = KDTree(centres[others]).query(centres[some])
                n += int((distance < CORE * box_px).sum())
    return n
