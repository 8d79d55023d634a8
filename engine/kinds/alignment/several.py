"""One iteration of several references: each aligns its particles, or they compete for them, and each makes its average."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from engine.data import Curve, Table, Volume
from engine.devices import Work
from engine.faults import EngineError
from engine.kinds.alignment.choosing import first_halves, with_other_half, with_whole
from engine.kinds.alignment.classes import (
    agreed,
    are_strangers,
    assigned,
    have_competed,
    joined,
    members,
    surviving,
    with_members,
)
from engine.kinds.alignment.iterate import Given, Iterate, given, summary
from engine.kinds.alignment.select import crowded, select_uncrowded
from engine.kinds.averaging import fsc_curve
from engine.kinds.stability import adjusted_rand_index, changed_share
from engine.outputs import Outputs
from engine.step import of_reference


class IterateSeveral(Iterate):
    """What an iteration of several references needs to know.

    is_classified: from here on no particle belongs to two of them. others_half: particles choose by half averages that they
    are no part of.
    """

    n_references: int
    is_classified: bool
    others_half: bool


def iterate_several(settings: IterateSeveral, inputs: Mapping[str, Any], work: Work) -> Outputs:
    """For each reference its table, averages and FSC; once particles are classified, also all candidates and one table of all.

    Where references swap, each particle is aligned to every reference that is left and goes to the one with the highest
    cc: under the classification mask where there is one. A reference without particles is out: it keeps its last average,
    and nothing is aligned to it any more.
    """
    numbers = range(1, settings.n_references + 1)
    before = [inputs[f"table_{number}"] for number in numbers]
    references: list[Volume] = [inputs[f"reference_{number}"] for number in numbers]
    here = given(settings, inputs, before, references[0].pixel_size_A, work)
    contest = Contest(here, before, [inputs.get(f"origin_{n}", before[n - 1]) for n in numbers], references)
    if settings.round.swap_references:
        tables = contest.swapped(inputs.get("classification_mask"), settings.others_half)
    else:
        tables = contest.apart()
    tables = selected(here, tables, settings.is_classified)
    if not surviving(tables):
        raise EngineError("no reference has a particle left to average (loosen the rule of select)")
    made: dict[str, Any] = {}
    for number, (table, reference) in enumerate(zip(tables, references, strict=True), start=1):
        if number in surviving(tables):
            mine, sums = here.averaged(members(table, number))
            of_it = here.maps(sums)
            tables[number - 1] = with_members(table, number, mine)
        else:
            of_it = left_empty(here, reference)
        made |= {of_reference(number, item): value for item, value in of_it.items()}
    if settings.is_classified:
        tables = agreed(tables)
        made["table"] = joined(tables)
        made |= {of_reference(number, "poses"): table for number, table in enumerate(tables, start=1)}
    made |= {of_reference(number, "table"): members(table, number) for number, table in enumerate(tables, start=1)}
    return {**made, "summary": {**summary(joined(tables)), **told(before, tables, settings.is_classified)}}


@dataclass(frozen=True, eq=False)
class Contest:
    """The candidates of all references before an iteration, what their shifts are counted from, and the references."""

    here: Given
    tables: Sequence[Table]
    origins: Sequence[Table]
    references: Sequence[Volume]

    def apart(self) -> list[Table]:
        """The candidates after each reference has aligned its own particles."""
        found = []
        alone = [members(table, number) for number, table in enumerate(self.tables, start=1)]
        for number, (table, mine) in enumerate(zip(self.tables, alone, strict=True), start=1):
            is_out = number not in surviving(self.tables)
            found.append(table if is_out else with_members(table, number, self._aligned(number, mine, alone)))
        return found

    def swapped(self, mask: Volume | None, others_half: bool) -> list[Table]:
        """The candidates after all references have aligned all of them, and each particle has chosen.

        mask: that of the classification; others_half: by the half averages that the particle is no part of. Whatever is not
        the cc of the alignment stands in cc2.
        """
        if are_strangers(self.tables):
            raise EngineError(
                "swap_references: no particle stands in two of the tables (give one table for all references)"
            )
        first = first_halves(self.tables) if others_half else np.zeros(0)
        found, heights = list(self.tables), [np.full(len(table), -np.inf) for table in self.tables]
        for number in surviving(self.tables):
            table = self._aligned(number, self.tables[number - 1], self.tables)
            rows = np.flatnonzero(table["aligned"] == 1)
            height = table["cc"][rows]
            if mask is not None or others_half:
                under = self.here.mask if mask is None else mask.data
                mine, reference = members(self.tables[number - 1], number), self.references[number - 1].data
                if others_half:
                    height = with_other_half(self.here, table, rows, mine, first, under)
                else:
                    height = with_whole(self.here, table, rows, reference, under)
                cc2 = np.zeros(len(table))
                cc2[rows] = height
                table = table.with_columns(cc2=cc2)
            found[number - 1] = table
            heights[number - 1][rows] = height
        return assigned(found, heights)

    def _aligned(self, number: int, table: Table, together: Sequence[Table]) -> Table:
        """The table aligned to a reference; progress counts on through all tables that are aligned together."""
        to_do = [int((one["aligned"] == 1).sum()) for one in together]
        done, total, work = sum(to_do[: number - 1]), sum(to_do), self.here.work
        counted = replace(work, progress=lambda further, _: work.progress(done + further, total))
        reference = self.references[number - 1].data
        return replace(self.here, work=counted).aligned(table, self.origins[number - 1], reference)


def selected(here: Given, tables: Sequence[Table], is_classified: bool) -> list[Table]:
    """The candidates with averaged for the members of each reference that survive the round's rule, applied to each alone.

    Particles are told apart from their neighbours in all references together, once none belongs to two of them.
    """
    settings = here.settings.round
    whole = joined(tables)
    out = whole.tags[crowded(whole, settings.separation_px)] if is_classified else np.zeros(0)
    made = []
    for number, table in enumerate(tables, start=1):
        mine = members(table, number)
        is_out = np.isin(mine.tags, out) if is_classified else crowded(mine, settings.separation_px)
        is_aligned = mine["aligned"] == 1
        if (is_aligned & ~is_out).any():
            try:
                mine = select_uncrowded(mine, settings.select, is_out)
            except EngineError as error:
                error.add_note(f"of reference {number}, which has {len(mine)} particles")
                raise
        else:
            mine = mine.with_columns(averaged=np.where(is_aligned, 0, mine["averaged"]))
        made.append(with_members(table, number, mine))
    return made


def left_empty(here: Given, reference: Volume) -> dict[str, Any]:
    """What a reference without particles has: its last average, and nothing that anything was measured of."""
    n, pixel_size_A = reference.data.shape[-1], reference.pixel_size_A
    nothing = fsc_curve(np.zeros(n // 2 + 1), n, pixel_size_A, "no particles", gold_standard=False)
    return {
        "average": reference,
        "average_symmetrized": Volume(here.symmetric(reference.data), pixel_size_A),
        "average_raw": Volume(np.zeros_like(reference.data), pixel_size_A),
        "fourier_weight": np.zeros((n, n, n // 2 + 1), np.float32),
        "fsc": Curve(nothing.columns, {"between": "no particles", "gold_standard": False}),
    }


def told(before: Sequence[Table], tables: Sequence[Table], is_classified: bool) -> dict[str, Any]:
    """How many particles each reference has, and how much of the classes of the iteration before is left in these."""
    made: dict[str, Any] = {"particles": len(np.unique(joined(tables).tags))}
    made |= {
        f"particles of reference {number}": int((members(table, number)["averaged"] == 1).sum())
        for number, table in enumerate(tables, start=1)
    }
    made["surviving references"] = ", ".join(map(str, surviving(tables)))
    if is_classified and have_competed(before):
        then, now = (joined(some) for some in (before, tables))
        rows = np.isin(now.tags, then.tags[then["aligned"] == 1]) & (now["aligned"] == 1)
        was = then["ref"][np.searchsorted(then.tags, now.tags[rows])]
        made["changed reference"] = changed_share(was, now["ref"][rows])
        made["adjusted Rand index"] = adjusted_rand_index(was, now["ref"][rows])
    return made
