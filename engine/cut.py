"""A result, cut down as a query asks: rows, columns and order of a table, one particle of many."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Any

import numpy as np

from engine.address import Address, no_table
from engine.data import Curve, Particles, Table, Volume
from engine.data.expression import rows
from engine.faults import EngineError


def cut(
    value: Any,
    address: Address,
    is_column: bool,
    where: str | None,
    columns: Sequence[str] | str | None,
    sort: str | None,
) -> Any:
    """The value, of which no more than what is asked for. is_column: the address itself names a column of the table."""
    if not isinstance(value, Table):
        if where or columns or sort:
            raise no_table(address, _name(value))
        return _of_tag(value, address)
    if where:
        value = value.where(rows(where, value))
    if address.tag is not None:
        value = value.where(value.tags == address.tag)
        if not len(value):
            raise EngineError(f"{address}: no row has the tag {address.tag}")
    if sort:
        value = value.sorted_by(_column(value, sort.removeprefix("-")), descending=sort.startswith("-"))
    if is_column:
        return np.array(value[address.item])
    names = columns.split(",") if isinstance(columns, str) else list(columns or ())
    return Curve({name: value[name] for name in (_column(value, name.strip()) for name in names)}) if names else value


def _of_tag(value: Any, address: Address) -> Any:
    if address.tag is None:
        return value
    if not isinstance(value, Particles):
        raise EngineError(f"{address}: a {_name(value)} has no tags (leave out tag)")
    try:
        return Volume(value.read(address.tag), value.pixel_size_A)
    except KeyError:
        tags = value.tags
        raise EngineError(
            f"{address}: no particle {address.tag}; there are {len(tags)}, the first is {tags[0]}"
        ) from None


def _name(value: Any) -> str:
    return "set of particles" if isinstance(value, Particles) else type(value).__name__.lower()


def _column(table: Table, name: str) -> str:
    names = list(table)
    if name in names:
        return name
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    raise EngineError(f"a table has no column {name!r}{f' (did you mean {close[0]!r}?)' if close else ''}")
