"""Which particle is which of the truth, and how far its pose is off."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.data import Curve, Table
from engine.faults import EngineError
from engine.geometry import euler, neighbours, symmetry


@dataclass(frozen=True, eq=False)
class Pairs:
    """Rows of the table and rows of the truth that are one particle, (n,) each, and how far apart they lie in px."""

    mine: np.ndarray
    true: np.ndarray
    apart_px: np.ndarray


def wrong_rows(table: Table) -> str:
    """What is wrong with poses that cannot be compared; empty when nothing is."""
    if not len(table):
        return "there is not one row"
    numbers = np.column_stack([table.angles, table.shifts_xyz_px, table.positions_xyz_px])
    lost = ~np.isfinite(numbers).all(axis=1)
    return f"{lost.sum()} rows hold values that are no numbers, first row {lost.argmax() + 1}" if lost.any() else ""


def by_tag(table: Table, truth: Table) -> Pairs:
    """Equal tags are one particle; its distance is that of the shifts in one box."""
    common, mine, true = np.intersect1d(table.tags, truth.tags, return_indices=True)
    if not len(common):
        raise EngineError("the table and the truth have no tag in common (compare tables of the same particles)")
    return Pairs(mine, true, np.linalg.norm(table.shifts_xyz_px[mine] - truth.shifts_xyz_px[true], axis=1))


def by_place(table: Table, truth: Table, within_A: float) -> Pairs:
    """Of a tomogram's particles and true places those are one that are nearest to each other, and within a distance."""
    found_A, true_A = centres_A(table), centres_A(truth)
    mine, true = neighbours.partners(found_A, table["tomo"], true_A, truth["tomo"], within_A)
    if not len(mine):
        raise EngineError(
            f"no particle lies within {within_A:g} A of a true place of its tomogram (do column tomo and apix agree?)"
        )
    apart_A = np.linalg.norm(found_A[mine] - true_A[true], axis=1)
    return Pairs(mine, true, apart_A / table["apix"][mine])


def centres_A(table: Table) -> np.ndarray:
    """(n, 3) where the particles are in their tomograms, in A."""
    if not (table["apix"] > 0).all():
        raise EngineError("places are compared in A, and a table lacks pixel sizes (fill its column apix)")
    return np.asarray((table.positions_xyz_px + table.shifts_xyz_px) * table["apix"][:, None])


def errors(table: Table, truth: Table, pairs: Pairs, symmetry_name: str) -> Curve:
    """Angle (deg, symmetry allowed for) and distance (px) of every pair."""
    angle_deg = euler.angular_distance_deg(
        euler.matrices(table.angles[pairs.mine]),
        euler.matrices(truth.angles[pairs.true]),
        symmetry.operators(symmetry_name),
    )
    tags = table["tag"][pairs.mine]
    return Curve({"tag": tags, "angle_deg": angle_deg, "shift_px": pairs.apart_px})


def told_by_place(table: Table, truth: Table, pairs: Pairs) -> dict[str, Any]:
    """How much of the truth was found, and how much of what was found is none."""
    return {
        "true particles": len(truth),
        "found (%)": 100 * len(pairs.true) / len(truth),
        "false, of those in the table (%)": 100 * (1 - len(pairs.mine) / len(table)),
    }


def others(table: Table, rows: np.ndarray) -> Table:
    """The table without some rows."""
    return table.where(np.setdiff1d(np.arange(len(table)), rows))
