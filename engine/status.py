"""How far a project is, from its files alone: it may be asked while a run is going."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from engine.each import LABEL as TOMO
from engine.faults import EngineError
from engine.outline import AnyOutline
from engine.pace import Progress, label, progress
from engine.plan import PlannedStep, plan
from engine.step import StepOutline, item_of
from engine.store import Store


@dataclass(frozen=True)
class Holder:
    """Who runs the project; is_alive is False for a process that died without a word.

    silent_s: seconds since its last sign of life, by the clocks of both machines. That alone says whether a process of
    another machine is alive.
    """

    host: str
    pid: int
    since: str
    is_alive: bool
    silent_s: float


@dataclass(frozen=True)
class Status:
    """How far a project is. problem says why no plan can be made, or what cannot be read; then n_done counts all stored steps.

    tomo: of which tomogram ite, round and the newest numbers are, where the project is done for each.
    """

    project: str
    n_done: int
    n_steps: int
    n_stale: int
    tomo: int | None
    ite: int | None
    round: int | None
    now: Progress | None
    mean_cc: float | None
    resolution_A: float | None
    summary: Mapping[str, Any]
    holder: Holder | None
    problem: str = ""

    @property
    def is_complete(self) -> bool:
        return self.n_done == self.n_steps

    @property
    def is_running(self) -> bool:
        return self.holder is not None and self.holder.is_alive


def status(project: AnyOutline) -> Status:
    """The project's state. ite, round, mean_cc and resolution_A are of the newest stored steps."""
    store = Store(project.store_folder)
    stored_names = set(store.step_names())
    stored = [step for step in project.steps if step.name in stored_names]
    planned, problem = _planned(project)
    kept = [one for one in planned if one.state == "keep"]
    holder = _holder(store.lock_holder())
    tomo = label(stored[-1], TOMO) if stored else None
    newest = [step for step in stored if label(step, TOMO) == tomo]
    try:
        summary, resolution_A = _newest_numbers(store, newest)
    except EngineError as error:  # a file that is damaged keeps nobody from asking for the rest
        summary, resolution_A, problem = {}, None, problem or str(error)
    return Status(
        project=project.name,
        n_done=len(stored) if problem else len(kept),
        n_steps=len(project.steps),
        n_stale=sum(one.state == "stale" for one in planned),
        tomo=tomo,
        ite=_newest_label(newest, "ite"),
        round=_newest_label(newest, "round"),
        now=_progress(project, store.events(), stored_names) if holder and holder.is_alive else None,
        mean_cc=_number(summary.get("mean cc")),
        resolution_A=resolution_A,
        summary=summary,
        holder=holder,
        problem=problem,
    )


def numbers_of_each(project: AnyOutline) -> dict[int | None, tuple[dict[str, Any], float | None]]:
    """The newest summary and resolution of each tomogram by its number; by None of a project that is not done for each."""
    store = Store(project.store_folder)
    stored_names = set(store.step_names())
    stored = [step for step in project.steps if step.name in stored_names]
    found = sorted({tomo for step in stored if (tomo := label(step, TOMO)) is not None})
    tomos: list[int | None] = [*found] or [None]
    return {tomo: _newest_numbers(store, [step for step in stored if label(step, TOMO) == tomo]) for tomo in tomos}


def _planned(project: AnyOutline) -> tuple[list[PlannedStep[StepOutline]], str]:
    try:
        return plan(project), ""
    except EngineError as error:
        return [], str(error)


def _holder(found: Mapping[str, Any] | None) -> Holder | None:
    if not found:
        return None
    pid = found["pid"] if isinstance(found["pid"], int) else 0
    return Holder(str(found["host"]), pid, str(found["started"]), bool(found["alive"]), found["silent_s"])


def _newest_label(stored: list[StepOutline], name: str) -> int | None:
    """The label of the last step that has it: a step that joins half-sets has no round."""
    return next((value for step in reversed(stored) if (value := label(step, name)) is not None), None)


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _newest_numbers(store: Store, stored: list[StepOutline]) -> tuple[dict[str, Any], float | None]:
    """The newest summary, and the resolution noted on the newest FSC curve, the best where there are several references.

    Both stand in the seals of results, so that no values are read.
    """
    summary: dict[str, Any] = {}
    if with_summary := [step for step in stored if "summary" in step.makes]:
        told = store.items(with_summary[-1].name).get("summary")
        summary = dict(told.notes) if told else {}
    with_fsc = [step for step in stored if any(item_of(path) == "fsc" for path in step.makes)]
    if not with_fsc:
        return summary, None
    curves = [one for path, one in store.items(with_fsc[-1].name).items() if item_of(path) == "fsc"]
    noted = [_number(curve.notes.get("resolution_at_0.143_A")) for curve in curves]
    return summary, min((number for number in noted if number is not None), default=None)


def _progress(project: AnyOutline, events: list[dict[str, Any]], stored_names: set[str]) -> Progress | None:
    """What the last StepStarted began, unless its StepStored followed."""
    last_start = max((at for at, event in enumerate(events) if event.get("event") == "StepStarted"), default=None)
    if last_start is None:
        return None
    start, later = events[last_start], events[last_start + 1 :]
    step = project.by_name.get(str(start.get("step")))
    if step is None or any(event.get("event") in ("StepStored", "ProjectStarted") for event in later):
        return None
    chunks = [event for event in later if event.get("event") == "ChunkDone" and _is_count(event)]
    done, total = (chunks[-1]["done"], chunks[-1]["total"]) if chunks else (0, 0)
    passed_s = _seconds_between(start, chunks[-1]) if chunks else 0.0
    before = sum(int(event["done"]) for event in later if event.get("event") == "Resumed")
    waiting = [other for other in project.steps if other.name not in stored_names and other.name != step.name]
    return progress(step, waiting, done, total, before, passed_s)


def _is_count(event: Mapping[str, Any]) -> bool:
    return all(type(event.get(name)) is int for name in ("done", "total"))


def _seconds_between(first: Mapping[str, Any], second: Mapping[str, Any]) -> float:
    try:
        return (datetime.fromisoformat(second["time"]) - datetime.fromisoformat(first["time"])).total_seconds()
    except (KeyError, ValueError, TypeError):
        return 0.0
