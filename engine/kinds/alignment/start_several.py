"""The first step of several references: their tables, dealt at random or given, and what each starts from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from engine.data import Particles, Table, Volume
from engine.devices import Work
from engine.kinds import sense
from engine.kinds.alignment.classes import dealt, joined, members
from engine.kinds.alignment.form import Masks
from engine.kinds.alignment.start import drawn_masks, starting_reference, template_read
from engine.kinds.averaging import bad_tags, without
from engine.kinds.form import Form
from engine.outputs import Outputs
from engine.step import of_reference


class StartSeveral(Form):
    """What the first step of several references needs to know. seed: of the deal; None where nothing is dealt."""

    pixel_size_A: float | None
    masks: Masks
    n_references: int
    seed: int | None


def start_several(settings: StartSeveral, inputs: Mapping[str, Any], work: Work) -> Outputs:
    """For each reference its starting table and its starting reference; the masks.

    A table for all is every reference's own, or dealt to them at random; a reference without a template starts from the
    average of its particles.
    """
    particles: Particles = inputs["particles"]
    numbers = range(1, settings.n_references + 1)
    given = tables_read(inputs)
    for table in given:
        sense.usable(table, particles)
        sense.missing_tags(table, particles.tags)
        sense.usable_weights(table, inputs.get("weights"), particles.box_px)
    pixel_size_A = sense.chosen_pixel_size(settings.pixel_size_A, particles.pixel_size_A, given[0])
    bad = bad_tags(particles, np.unique(np.concatenate([table.tags for table in given])).tolist(), work)
    given = [without(table, bad).with_columns(apix=pixel_size_A) for table in given]
    each = given if len(given) > 1 else given * settings.n_references
    if settings.seed is None:
        tables = [table.with_columns(ref=number) for number, table in zip(numbers, each, strict=True)]
    else:
        tables = [dealt(given[0], settings.n_references, settings.seed)] * settings.n_references
    drawn = drawn_masks(settings.masks, inputs, particles.box_px, pixel_size_A)
    made: dict[str, Any] = dict(drawn)
    for number, table in zip(numbers, tables, strict=True):
        mine = members(table, number)
        template = template_read(settings.masks, inputs, f"template_{number}")
        reference = starting_reference(particles, mine, drawn["mask"].data, template, work, inputs.get("weights"))
        volume = Volume(reference, pixel_size_A)
        of_it = {"table": mine, "starting_table": mine, "average": volume, "starting_reference": volume}
        if settings.seed is not None:
            of_it["poses"] = _only_members(table, number)
        made |= {of_reference(number, item): value for item, value in of_it.items()}
    whole = joined(tables)
    if settings.seed is not None:
        made |= {"table": whole, "starting_table": whole}
    return {
        **made,
        "summary": {
            "references": settings.n_references,
            "particles": len(np.unique(whole.tags)),
            **{
                f"particles of reference {n}": int(members(t, n)["averaged"].sum())
                for n, t in zip(numbers, tables, strict=True)
            },
            "dealt at random": settings.seed is not None,
            "excluded: no numbers or constant": ", ".join(map(str, bad)) or "none",
            "pixel size (A)": pixel_size_A,
            "box (px)": particles.box_px,
        },
    }


def tables_read(inputs: Mapping[str, Any]) -> list[Table]:
    """The starting tables among the inputs of a step: one for all references, or one for each."""
    if "table" in inputs:
        return [inputs["table"]]
    return [inputs[f"table_{number}"] for number in range(1, sum(name.startswith("table_") for name in inputs) + 1)]


def _only_members(table: Table, number: int) -> Table:
    """All rows of the table, averaged where they belong to the reference."""
    return table.with_columns(averaged=np.where(table["ref"] == number, table["averaged"], 0))
