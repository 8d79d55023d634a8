"""What is wrong with a selection."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import takewhile

import numpy as np

from engine.data import Table
from engine.data.expression import rows
from engine.faults import EngineError, Fault
from engine.kinds import sense
from engine.kinds.form import Look
from engine.kinds.selection.form import (
    ByCc,
    ByDistance,
    ByExpression,
    ByLatitude,
    ByLattice,
    ByMixture,
    Filter,
    Project,
)


def check(project: Project, look: Look) -> Iterator[Fault]:
    """What is wrong between fields, and between the filters and the table."""
    if not project.filters and project.halves == "none":
        yield Fault(("filters",), "there is nothing to do", "add [[filters]], or halves", code="E314")
    for number, form in enumerate(project.filters):
        if isinstance(form, ByExpression):
            try:
                rows(form.keep, Table({}))
            except EngineError as problem:
                yield Fault(("filters", number, "keep"), str(problem), code="E315")
    table = look.table(project.data.table)
    if table is None:
        return
    typed_A = project.data.pixel_size_A
    yield from sense.pixel_sizes(
        [
            (("data", "table"), "the table", sense.table_pixel_size(table)),
            (("data", "pixel_size_A"), "data.pixel_size_A", typed_A),
        ]
    )
    sure = takewhile(lambda form: not isinstance(form, ByExpression), project.filters)  # these see all of its rows
    yield from faults_of_table(table, list(sure), typed_A)


def faults_of_table(table: Table, filters: Sequence[Filter], typed_A: float | None) -> Iterator[Fault]:
    """What keeps the filters from judging the table, with advice."""
    key = ("data", "table")
    if not len(table):
        yield Fault(key, "has no rows", "name another one", code="E402")
        return
    is_far = [one for one in filters if isinstance(one, ByDistance | ByLattice)]
    has_A = any(getattr(one, "distance_A", None) or getattr(one, "range_A", None) for one in is_far)
    if has_A and not typed_A and not (table["apix"] > 0).all():
        yield Fault(
            key,
            "has no pixel size in all of its rows (column apix), and distances are asked for in A",
            "give data.pixel_size_A, or distances in px",
            code="E304",
        )
    for name in sorted(columns_read(filters)):
        bad = ~np.isfinite(table[name])
        if bad.any():
            what = (
                f"has no number in the column {name} of {bad.sum()} rows, the first of tag {table.tags[bad.argmax()]}"
            )
            yield Fault(
                key,
                what,
                f'mend them, or filter them out before: by = "expression", keep = "{name} == {name}"',
                code="E401",
            )


def columns_read(filters: Sequence[Filter]) -> set[str]:
    """The columns whose numbers the filters compute with."""
    places, poses = {"x", "y", "z", "dx", "dy", "dz"}, {"tdrot", "tilt", "narot"}
    read: set[str] = {"tomo", "reg"}
    for form in filters:
        match form:
            case ByDistance():
                read |= places | ({"cc"} if form.keep == "highest-cc" else set())
            case ByCc():
                read.add(form.column)
            case ByMixture():
                read.add("cc")
            case ByLatitude():
                read |= {"cc"} | poses
            case ByLattice():
                read |= places | poses
    return read
