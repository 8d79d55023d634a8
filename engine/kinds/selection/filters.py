"""The filters: each says which rows it rejects, and what it found."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import singledispatch
from typing import Any

import numpy as np

from engine.data import Curve, Table
from engine.data.expression import rows
from engine.geometry import lattice, neighbours
from engine.kinds.rules import survivors
from engine.kinds.selection.form import ByCc, ByDistance, ByExpression, ByLatitude, ByLattice, ByMixture, Per
from engine.kinds.selection.latitude import latitude
from engine.kinds.selection.mixture import mixture


@dataclass(frozen=True, eq=False)
class Verdict:
    """rejected: (n,) bool. told: facts for people, by what they are about. curve: what was fitted."""

    rejected: np.ndarray
    told: dict[str, Any] = field(default_factory=dict)
    curve: Curve | None = None


@singledispatch
def judged(form: Any, table: Table, pixel_A: np.ndarray) -> Verdict:
    """What the filter says of the table's rows. pixel_A: (n,) A, 0 where it is not known."""
    raise ValueError(f"{form!r} is no filter")


@judged.register
def _(form: ByDistance, table: Table, pixel_A: np.ndarray) -> Verdict:
    centres = _centres(table, pixel_A if form.distance_A else None)
    rank = -table["cc"] if form.keep == "highest-cc" else np.zeros(len(table))
    distance = form.distance_A or form.distance_px or 0.0
    return Verdict(neighbours.crowded(centres, rank, group_numbers(table, form.per), distance))


@judged.register
def _(form: ByCc, table: Table, pixel_A: np.ndarray) -> Verdict:
    rejected = np.zeros(len(table), dtype=bool)
    for _, mine in groups(table, form.per):
        rejected[mine] = ~survivors(table[form.column][mine], form.rule, form.value)
    return Verdict(rejected)


@judged.register
def _(form: ByMixture, table: Table, pixel_A: np.ndarray) -> Verdict:
    rejected, told, curve = mixture(form, table["cc"], dict(groups(table, form.per)))
    return Verdict(rejected, told, curve)


@judged.register
def _(form: ByLatitude, table: Table, pixel_A: np.ndarray) -> Verdict:
    rejected, told, curve = latitude(form, table, dict(groups(table, form.per)))
    return Verdict(rejected, told, curve)


@judged.register
def _(form: ByLattice, table: Table, pixel_A: np.ndarray) -> Verdict:
    centres = _centres(table, pixel_A if form.range_A else None)
    number = lattice.neighbours_on_surface(
        centres,
        table.angles,
        group_numbers(table, form.per),
        form.range_A or form.range_px or (0.0, 0.0),
        form.axis_deg,
        form.surface_deg,
        form.fold,
        form.fold_deg,
    )
    told = {"neighbours, median": float(np.median(number))} if len(number) else {}
    return Verdict(number < form.neighbours, told)


@judged.register
def _(form: ByExpression, table: Table, pixel_A: np.ndarray) -> Verdict:
    return Verdict(~rows(form.keep, table))


def groups(table: Table, per: Per) -> Iterator[tuple[str, np.ndarray]]:
    """What each group is called, and its rows; one group without rows of an empty table."""
    numbers = group_numbers(table, per)
    for mine in neighbours.of_groups(numbers):
        tomogram, region = (f"{table[name][mine[0]]:g}" for name in ("tomo", "reg"))
        names = {"table": "all", "tomogram": f"tomogram {tomogram}", "region": f"tomogram {tomogram} region {region}"}
        yield names[per], mine


def group_numbers(table: Table, per: Per) -> np.ndarray:
    """(n,) the number of each row's group, in the order of tomograms and of regions inside them."""
    if per == "table":
        return np.zeros(len(table))
    if per == "tomogram":
        return table["tomo"]
    keys = np.column_stack([table["tomo"], table["reg"]])
    return np.unique(keys, axis=0, return_inverse=True)[1].ravel().astype(float)


def _centres(table: Table, pixel_A: np.ndarray | None) -> np.ndarray:
    """(n, 3) refined centres, in A where pixel sizes are given, else in px."""
    centres = table.positions_xyz_px + table.shifts_xyz_px
    return centres if pixel_A is None else centres * pixel_A[:, None]
