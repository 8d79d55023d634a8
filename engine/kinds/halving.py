"""Half-sets: who belongs to which, set once."""

from __future__ import annotations

from typing import Literal

import numpy as np

from engine.data import Half, Table
from engine.faults import EngineError

Split = Literal["none", "parity", "random", "region", "tomogram-half"]
"""Ways to split particles into halves; "region" and "tomogram-half" keep neighbours together."""


def halves_text(table: Table) -> str:
    """How many particles belong to each half-set, in words."""
    odd, even = (int((table["half"] == half).sum()) for half in (Half.ODD, Half.EVEN))
    return f"{odd} odd, {even} even" if odd or even else "none"


def with_halves(table: Table, halves: Split, seed: int = 0) -> Table:
    """The table with its column `half` filled; one that is filled already is kept: halves are set once.

    seed decides who falls where when halves are "random".
    """
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
    if halves == "random":
        place = np.random.default_rng(seed).permutation(len(table))
        return table.with_columns(half=np.where(place % 2 == 1, Half.ODD, Half.EVEN))
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
