"""Classes: which of several references each particle belongs to, and the tables that say so.

Every reference has a table of candidates: the pose and the cc against this reference of each particle that may belong
to it. The column ref of a candidate names the reference that the particle belongs to. Particles may belong to several
references only as long as these have not competed; from then on every table says the same of a particle.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engine.data import Table
from engine.faults import EngineError


def dealt(table: Table, n_references: int, seed: int) -> Table:
    """The table with column ref 1 … n at random, as evenly as can be among the particles that take part."""
    takes_part = (table["aligned"] == 1) | (table["averaged"] == 1)
    if takes_part.sum() < n_references:
        raise EngineError(f"{takes_part.sum()} particles cannot be dealt to {n_references} references (ask for fewer)")
    by_tag = np.argsort(table.tags, kind="stable")
    lot = np.empty(len(table))
    lot[by_tag] = np.random.default_rng([seed, n_references]).permutation(len(table))
    ref = np.empty(len(table))
    ref[np.lexsort((lot, ~takes_part))] = np.arange(len(table)) % n_references + 1
    return table.with_columns(ref=ref)


def members(candidates: Table, number: int) -> Table:
    """The rows of a reference's candidates that belong to it."""
    return candidates.where(candidates["ref"] == number)


def with_members(candidates: Table, number: int, rows: Table) -> Table:
    """The candidates with the rows of its members replaced."""
    mine = candidates["ref"] == number
    columns = {name: np.array(candidates[name]) for name in candidates}
    for name, values in columns.items():
        values[mine] = rows[name]
    return Table(columns)


def surviving(tables: Sequence[Table]) -> list[int]:
    """The numbers of the references that have particles in their average."""
    return [number for number, table in _numbered(tables) if (members(table, number)["averaged"] == 1).any()]


def joined(tables: Sequence[Table]) -> Table:
    """The members of all references in one table, in the order of the tags."""
    whole, *others = (members(table, number) for number, table in _numbered(tables))
    for table in others:
        whole = whole.joined(table)
    return whole.sorted_by("tag")


def are_strangers(tables: Sequence[Table]) -> bool:
    """Whether there are several tables, and no particle stands in two of them: none has a choice."""
    tags = np.concatenate([np.unique(table.tags) for table in tables])
    return len(tables) > 1 and len(np.unique(tags)) == len(tags)


def have_competed(tables: Sequence[Table]) -> bool:
    """Whether no particle belongs to two references."""
    tags = joined(tables).tags
    return len(np.unique(tags)) == len(tags)


def assigned(tables: Sequence[Table], scores: Sequence[np.ndarray]) -> list[Table]:
    """The candidates of each reference with ref: the one where the particle scores highest, the first among equals.

    scores: for each reference one number a row, -inf where the particle was not compared. A particle that was compared nowhere
    stays where it was, in the first of its references.
    """
    tags = np.unique(np.concatenate([table.tags for table in tables]))
    best = np.full(len(tags), -np.inf)
    owner = np.zeros(len(tags))
    for number, table in reversed(_numbered(tables)):
        owner[np.searchsorted(tags, members(table, number).tags)] = number
    for (number, table), values in zip(_numbered(tables), scores, strict=True):
        places = np.searchsorted(tags, table.tags)
        wins = values > best[places]
        owner[places[wins]] = number
        best[places[wins]] = values[wins]
    return [table.with_columns(ref=owner[np.searchsorted(tags, table.tags)]) for table in tables]


def agreed(tables: Sequence[Table]) -> list[Table]:
    """The candidates, averaged nowhere but in their own reference; who is not aligned there any more is aligned nowhere."""
    owned = joined(tables)
    out = owned.tags[owned["aligned"] == 0]
    made = []
    for number, table in _numbered(tables):
        averaged = np.where(table["ref"] == number, table["averaged"], 0)
        aligned = np.where(np.isin(table.tags, out), 0, table["aligned"])
        made.append(table.with_columns(averaged=averaged, aligned=aligned))
    return made


def _numbered(tables: Sequence[Table]) -> list[tuple[int, Table]]:
    return list(enumerate(tables, start=1))
