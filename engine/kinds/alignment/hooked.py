"""An iteration with a hook: what came out goes through a function of the user's own before anything reads it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from engine.data import Source, Table, Volume
from engine.devices import Work
from engine.faults import EngineError
from engine.kinds import sense
from engine.kinds.alignment.iterate import Iterate, iterate, summary
from engine.kinds.form import Form
from engine.kinds.hooks import called, source_of
from engine.kinds.imposing import imposed
from engine.outputs import Outputs
from engine.step import Step

_AVERAGE = re.compile(r"refs/(\d+)/average")
_MOST_COLUMNS = 6


class Hooked(Form):
    """An iteration, and the hook after it with what it is told of the place."""

    iteration: Iterate
    hook: str
    ite: int
    round_number: int
    half: str


@dataclass(frozen=True)
class At:
    """Where a hook is called: iteration, round and reference counted from 1, half "odd", "even" or "none"."""

    ite: int
    round: int
    ref: int
    half: str
    symmetry: str
    pixel_size_A: float


def with_hook(step: Step, hook: str | None) -> Step:
    """The iteration's step, through the hook if there is one: its name and its source file become part of the key."""
    if hook is None:
        return step
    if step.function is not iterate or not isinstance(step.settings, Iterate):
        raise ValueError(f"{step.name} is made by {step.function_name}, which no hook follows")
    ite, number = int(step.labels["ite"]), int(step.labels["round"])
    half = str(step.labels.get("half", "none"))
    settings = Hooked(iteration=step.settings, hook=hook, ite=ite, round_number=number, half=half)
    inputs = {**step.inputs, "hook": source_of(hook)}
    return replace(step, function=iterate_with_hook, settings=settings, inputs=inputs)


def iterate_with_hook(settings: Hooked, inputs: Mapping[str, Any], work: Work) -> Outputs:
    """What the iteration makes, with the averages and the table that the hook returns.

    For each reference the hook is called with its average (n, n, n) float32, zyx, and the table, both read-only, and with
    where it is (`At`). It returns (average, table), None for what stays; of None alone everything stays. The symmetrised
    average follows the average; FSC, plain mean and Fourier weight stay those of the particles.
    """
    made: dict[str, Any] = dict(iterate(settings.iteration, inputs, work))
    source: Source = inputs["hook"]
    round_ = settings.iteration.round
    changes: list[str] = []
    for name in sorted(name for name in made if _AVERAGE.fullmatch(name)):
        ref, before, table = int(name.split("/")[1]), made[name], made["table"]
        at = At(settings.ite, settings.round_number, ref, settings.half, round_.symmetry, before.pixel_size_A)
        average, made["table"] = _returned(settings.hook, source, before.data, table, at)
        if average is not before.data:
            made[name] = replace(before, data=average)
            symmetric = imposed(average, round_.symmetry, round_.helix, before.pixel_size_A)
            made[f"{name}_symmetrized"] = Volume(symmetric, before.pixel_size_A)
        changes += _changes(name, before.data, average, table, made["table"])
    told = "; ".join(changes) or "nothing"
    work.note(f"hook {settings.hook} ({source.digest}) changed {told}")
    hook = {"hook": settings.hook, "hook's source": source.digest, "hook changed": told}
    return {**made, "summary": {**made["summary"], **summary(made["table"]), **hook}}


def _returned(hook: str, source: Source, average: np.ndarray, table: Table, at: At) -> tuple[np.ndarray, Table]:
    """The hook's average and table, once they can take the place of what it was given."""

    def refused(what: str, advice: str) -> EngineError:
        return EngineError(f"{source.path}: the hook {hook.partition(':')[2]} returned {what} ({advice})")

    shown = average.view()
    shown.flags.writeable = False
    found = called(hook, source, shown, table, at)
    if found is None:
        return average, table
    if not isinstance(found, tuple) or len(found) != 2:
        raise refused(f"a {type(found).__name__}", "return average, table, or None for what stays as it is")
    new_average, new_table = found
    if new_table is None:
        new_table = table
    is_same = new_average is None or new_average is shown
    new_average = average if is_same else _checked(new_average, average, refused)
    if not isinstance(new_table, Table):
        raise refused(f"a {type(new_table).__name__} as the table", "return table.with_columns(…)")
    if not np.array_equal(new_table["tag"], table["tag"]):
        raise refused("a table with other rows", "keep all rows; aligned = 0 and averaged = 0 take a particle out")
    for fault in sense.table_and_particles(new_table, None, ()):
        raise refused(f"a table that cannot be used: {fault.what}", fault.advice or "mend the hook")
    return new_average, new_table


def _checked(new: Any, old: np.ndarray, refused: Any) -> np.ndarray:
    values = new.data if isinstance(new, Volume) else new
    try:
        made = np.array(values, dtype=np.float32)
    except (TypeError, ValueError):
        raise refused(f"a {type(new).__name__} as the average", "an array of the same shape") from None
    if made.shape != old.shape:
        raise refused(f"an average of shape {made.shape}, it was given {old.shape}", "keep the box")
    if not np.isfinite(made).all() or made.std() == 0:
        raise refused("an average that is constant or holds voxels that are no numbers", "mend the hook")
    return made


def _changes(name: str, old: np.ndarray, new: np.ndarray, old_table: Table, new_table: Table) -> list[str]:
    """What differs, in words."""
    told = []
    differ = old != new
    if differ.any():
        most = float(np.abs(new - old).max()) / float(old.std() or 1)
        told.append(f"{name}: {differ.sum()} of {differ.size} voxels, at most by {most:.3g} deviations")
    columns = [column for column in old_table if not np.array_equal(old_table[column], new_table[column])]
    if columns:
        rows = np.any([old_table[column] != new_table[column] for column in columns], axis=0)
        more = " …" if len(columns) > _MOST_COLUMNS else ""
        told.append(f"table: {', '.join(columns[:_MOST_COLUMNS])}{more} in {rows.sum()} of {len(rows)} rows")
    return told
