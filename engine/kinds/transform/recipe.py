"""From a transform project to its step, and from the tables to what the operations leave of them."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

import numpy as np

from engine.data import Table, Volume
from engine.devices import Work
from engine.faults import EngineError
from engine.geometry import symmetry
from engine.geometry.move import NOWHERE
from engine.kernels import quick
from engine.kinds import sense, shares
from engine.kinds.form import Form, reads
from engine.kinds.transform import operate
from engine.kinds.transform.form import (
    AnyOperation,
    Compose,
    Expand,
    Marked,
    Operation,
    Project,
    Rigid,
    Subbox,
    is_random,
)
from engine.outputs import Outputs
from engine.step import Cost, Input, Named, Share, Step

ITEMS = {
    "table": Named("table", "the poses after the last operation"),
    "map": Named("volume", "data.map, moved as the average of the table is"),
    "summary": Named("summary", "what was done"),
}


TAG_TWICE = "has a tag in several rows"


class Transformed(Form):
    """All that decides the table. seed is None where nothing is random."""

    tomogram_numbers: tuple[int, ...] | None
    pixel_size_A: float | None
    operations: tuple[AnyOperation, ...]
    seed: int | None


def texts(project: Project) -> tuple[str, ...]:
    """The tables that are read."""
    table = project.data.table
    return (table,) if isinstance(table, str) else table


def unfold(project: Project) -> list[Step]:
    """One step."""
    data, operations = project.data, project.operations
    inputs: dict[str, Input] = {f"table_{n}": reads("table", text) for n, text in enumerate(texts(project), start=1)}
    if data.map:
        inputs["map"] = reads("volume", data.map)
    for number, form in enumerate(operations, start=1):
        inputs |= {f"{name}_of_{number}": read for name, read in read_by(form).items()}
    settings = Transformed(
        tomogram_numbers=data.tomogram_numbers,
        pixel_size_A=data.pixel_size_A,
        operations=operations,
        seed=project.compute.seed if is_random(operations) else None,
    )
    makes = tuple(item for item in ITEMS if item != "map" or data.map)
    cost = Cost(whole=lambda box_px, _: moving(box_px, operations), box="map") if data.map else None
    return [Step("transform", transform, 2, settings, makes, inputs, cost=cost)]


def moving(box_px: int, operations: tuple[Operation, ...]) -> Share:
    """What the map costs: it is moved as often as a particle has copies."""
    return shares.moved(box_px, prod(copies(form) for form in operations))


def read_by(form: Operation) -> dict[str, Input]:
    """What an operation reads, by the names under which it looks for it."""
    found: dict[str, Input] = {}
    if isinstance(form, Marked) and form.markers:
        found["markers"] = reads("marks", form.markers)
    if isinstance(form, Marked) and form.map:
        found["map"] = reads("volume", form.map)
    if isinstance(form, Rigid) and form.transform:
        found["transform"] = reads("poses", form.transform)
    if isinstance(form, Compose):
        found["poses"] = reads("poses", form.poses)
    return found


def copies(form: Operation) -> int:
    """How many rows become of one, for each marked point."""
    return symmetry.order(form.symmetry) if isinstance(form, Expand | Subbox) else 1


def transform(settings: Transformed, inputs: Mapping[str, Any], work: Work) -> Outputs:
    """The table, the map where there is one, and what was done.

    Random numbers also come from the first tag, so that each tomogram has its own.
    """
    tables: list[Table] = [inputs[name] for name in sorted_tables(inputs)]
    for number, one in enumerate(tables, start=1):
        for what in wrong_rows(one):
            raise EngineError(f"table no. {number} {what}")
    volume: Volume | None = inputs.get("map")
    table, source = operate.start(
        tables, settings.tomogram_numbers, any(isinstance(form, Expand | Subbox) for form in settings.operations)
    )
    pixel_size_A = sense.chosen_pixel_size(settings.pixel_size_A, volume.pixel_size_A if volume else 0.0, table)
    if table["apix"].any() and not sense.table_pixel_size(table.where(table["apix"] > 0)):
        sizes = ", ".join(f"{size:g}" for size in np.unique(table["apix"][table["apix"] > 0]))
        raise EngineError(f"the tables mix pixel sizes (column apix): {sizes} A (rescale each to one before)")
    table = table.with_columns(apix=np.where(table["apix"] > 0, table["apix"], pixel_size_A))
    state = operate.State(table, source, (NOWHERE,), pixel_size_A)
    told: dict[str, Any] = {"tables": len(tables), "rows read": len(table)}
    for number, form in enumerate(settings.operations, start=1):
        tail = f"_of_{number}"
        read = {name.removesuffix(tail): value for name, value in inputs.items() if name.endswith(tail)}
        generator = np.random.default_rng([settings.seed or 0, number, int(state.table["tag"][0])])
        try:
            state = operate.done(form, state, operate.Given(read, volume, generator))
        except EngineError as error:
            raise EngineError(f"operations no. {number} ({form.do}): {error}") from None
        told[f"after {number}, {form.do}"] = f"{len(state.table)} rows"
    told |= {"rows": len(state.table), "pixel size (A)": state.pixel_size_A or "unknown"}
    outputs: dict[str, Any] = {"table": state.table, "summary": told}
    if volume is not None:
        outputs["map"] = Volume(mean_of_moves(volume.data, state), state.pixel_size_A)
    return outputs


def sorted_tables(inputs: Mapping[str, Any]) -> list[str]:
    """The names of the tables among the inputs, in the order in which the project names them."""
    names = [name for name in inputs if name.removeprefix("table_").isdigit()]
    return sorted(names, key=lambda name: int(name.removeprefix("table_")))


def wrong_rows(table: Table) -> list[str]:
    """What makes a table unusable: no rows, poses that are no numbers, tags that are none or stand there twice."""
    if not len(table):
        return ["is empty"]
    tag = table["tag"]
    numbers = np.column_stack([table.angles, table.shifts_xyz_px, table.positions_xyz_px])
    found = []
    if (bad := ~np.isfinite(numbers).all(axis=1)).any():
        found.append(f"has {bad.sum()} rows with poses or positions that are no numbers, first row {bad.argmax() + 1}")
    if not ((tag >= 1) & (tag < sense.LARGEST_TAG) & (tag == np.rint(tag))).all():
        found.append("has tags that are not whole numbers of 1 or more")
    elif len(np.unique(tag)) < len(tag):
        found.append(TAG_TWICE)
    return found


def mean_of_moves(volume: np.ndarray, state: operate.State) -> np.ndarray:
    """The map (n, n, n) as the average of the table now is: the mean over the moves, by cubic splines."""
    rotations = np.stack([move.rotation for move in state.moves])
    shifts = np.stack([move.translation_xyz_px for move in state.moves])
    total = quick.sum_of_moved(np.asarray(volume, dtype=np.float32), rotations, shifts)
    return np.asarray(total / len(state.moves), dtype=np.float32)
