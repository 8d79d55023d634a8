"""One step: the filters in their order, then the half-sets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from engine.data import Curve, Table
from engine.devices import Work
from engine.faults import EngineError
from engine.kinds.form import Form, reads
from engine.kinds.halving import Split, halves_text, with_halves
from engine.kinds.selection.checking import faults_of_table
from engine.kinds.selection.filters import groups, judged
from engine.kinds.selection.form import Filter, Project
from engine.outputs import Item, Outputs
from engine.step import Named, Step

ITEMS = {
    "table": Named("table", "the rows that every filter kept"),
    "rejected": Named("table", "the other rows; column rejected_by is the number of the filter, counted from 1"),
    "mixture": Named("curve", "particles for each cc, and the two Gaussians fitted to them"),
    "latitude": Named("curve", "cc over the angle to the beam: mean, fit and threshold"),
    "summary": Named("summary", "how many each filter rejected, in each tomogram, and where it cut"),
}


def unfold(project: Project) -> list[Step]:
    """One step."""
    settings = Selected(
        pixel_size_A=project.data.pixel_size_A,
        filters=project.filters,
        halves=project.halves,
        seed=project.compute.seed if project.halves == "random" else 0,
    )
    curves = [one.by for one in project.filters if one.by in ITEMS]
    makes = ("table", "rejected", *curves, "summary")
    return [Step("selection", select, 1, settings, makes, {"table": reads("table", project.data.table)})]


class Selected(Form):
    """All that decides what is kept."""

    pixel_size_A: float | None
    filters: tuple[Filter, ...]
    halves: Split
    seed: int


def select(settings: Selected, inputs: Mapping[str, Any], work: Work) -> Outputs:
    """The rows that are kept and those that are not, the curves that were fitted, and the counts."""
    table: Table = inputs["table"]
    rejected_by = np.zeros(len(table))
    summary: dict[str, Any] = {"rows": len(table)}
    curves: dict[str, Curve] = {}
    for number, form in enumerate(settings.filters, start=1):
        left = np.flatnonzero(rejected_by == 0)
        rest = table.where(left)
        for fault in faults_of_table(rest, [form], settings.pixel_size_A):
            raise EngineError(f"filters no. {number}, by {form.by}: the table {fault.what} ({fault.advice})")
        verdict = judged(form, rest, _pixel_sizes(rest, settings.pixel_size_A))
        name = f"{number} {form.by}"
        if verdict.rejected.all():
            raise EngineError(f"filters no. {number}, by {form.by}: none of the {len(rest)} rows is kept (loosen it)")
        rejected_by[left[verdict.rejected]] = number
        summary[f"{name}: rejected"] = int(verdict.rejected.sum())
        for group, rows in groups(rest, "tomogram"):
            summary[f"{name}: rejected, {group}"] = f"{verdict.rejected[rows].sum()} of {len(rows)}"
        summary |= {f"{name}: {fact}": value for fact, value in verdict.told.items()}
        if verdict.curve is not None:
            curves[form.by] = verdict.curve
        work.progress(number, len(settings.filters))
    table = table.with_columns(rejected_by=rejected_by)
    kept = with_halves(table.where(rejected_by == 0), settings.halves, settings.seed)
    made: dict[str, Item] = {"table": kept, "rejected": table.where(rejected_by > 0), **curves}
    return made | {"summary": {**summary, "kept": len(kept), "half-sets": halves_text(kept)}}


def _pixel_sizes(table: Table, typed_A: float | None) -> np.ndarray:
    """(n,) A: the typed one, else the column apix, 0 where that is empty."""
    return np.full(len(table), typed_A) if typed_A else table["apix"]
