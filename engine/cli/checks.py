"""What `check` says: the faults, and what a run would cost."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from engine.cli import show
from engine.faults import EngineError

if TYPE_CHECKING:
    from engine.check import Checked
    from engine.forecast import Forecast
    from engine.project import Project


OUTSIDE_SHOWN = 3


def tell(found: list[Checked], gpus: int | None) -> None:
    """Says every fault, and of projects without any what they cost, one by one and in all."""
    costs = []
    for one in found:
        show.faults(one.faults)
        if one.project and not one.faults:
            n_steps = len(one.project.steps)
            show.say(f"{show.short(one.path)}: no faults, {show.counted(n_steps, 'step')}")
            cost = _cost(one.project, gpus)
            for line in [cost] if isinstance(cost, str) else _told(cost, one.project.is_for_each):
                show.say(f"  {line}")
            costs += [] if isinstance(cost, str) else [cost]
        if one.outside:
            show.say(f"  {_outside(one)}")
        for note in one.notes:
            show.say(f"  {note}")
    n_faults = sum(len(one.faults) for one in found)
    if n_faults:
        n_wrong = sum(bool(one.faults) for one in found)
        show.say(f"{show.counted(n_faults, 'fault')} in {n_wrong} of {show.counted(len(found), 'project')}")
    elif len(costs) > 1 and any(cost.steps_to_do for cost in costs):
        n_unknown = sum(bool(cost.unknown) for cost in costs)
        partly = f"; {show.counted(n_unknown, 'project')} not, or not wholly, counted" if n_unknown else ""
        n_steps = sum(cost.steps_to_do for cost in costs)
        show.say(f"in all: {show.counted(n_steps, 'step')} to do, {_room(costs)}{partly}")


def _outside(one: Checked) -> str:
    """How much is read from outside the campaign folder, and the first of it, files of a folder together."""
    folders = Counter(place.path.parent for place in one.outside)
    counts = {
        place.path.parent if folders[place.path.parent] > 1 else place.path: folders[place.path.parent]
        for place in one.outside
    }
    shown = [f"{path} ({count} files)" if count > 1 else str(path) for path, count in counts.items()]
    more = ", …" if len(shown) > OUTSIDE_SHOWN else ""
    number = show.counted(len(one.outside), "path")
    return f"reads from outside the campaign folder, {number}: {', '.join(shown[:OUTSIDE_SHOWN])}{more}"


def _cost(project: Project, gpus: int | None) -> Forecast | str:
    """What running the project would cost, or why it cannot be told."""
    from engine.forecast import forecast

    try:
        return forecast(project, compiling, gpus)
    except EngineError as problem:
        return f"its cost cannot be told yet: {problem}"


def _told(cost: Forecast, is_for_each: bool) -> list[str]:
    """The cost in a line, and a line for each search."""
    if not cost.steps_to_do:
        return ["nothing to do"]
    parts = [f"{show.counted(cost.steps_to_do, 'step')} to do"]
    if cost.particles:
        parts.append(f"{cost.particles:,} particles{' of a tomogram at most' if is_for_each else ''}")
    if cost.rotations:
        parts.append(f"{cost.rotations:,} rotations")
    return [
        "; ".join([", ".join(parts), *([_room([cost])] if cost.seconds else []), *cost.unknown, *cost.remarks]),
        *cost.searches,
    ]


def _room(costs: list[Forecast]) -> str:
    """Time, memory and disk of projects that run one after the other."""
    seconds, disk = sum(cost.seconds for cost in costs), sum(cost.disk_bytes for cost in costs)
    room = f"{show.size(max(cost.memory_bytes for cost in costs))} of memory, "
    if on_gpu := max(cost.gpu_bytes for cost in costs):
        room += f"{show.size(on_gpu)} on each GPU beside its driver's, "
    room += f"{show.size(disk) if disk else 'little'} on disk"
    if scratch := sum(cost.scratch_bytes for cost in costs):
        room += f" ({show.size(scratch)} of it scratch, to be deleted at will)"
    return f"{f'about {show.duration(seconds)}' if seconds >= 0.1 else 'under 0.1 s'}, {room}"


def compiling() -> None:
    """Says that the inner loops are being compiled."""
    show.complain(show.COMPILING)


def as_plain(one: Checked, gpus: int | None) -> dict[str, Any]:
    """The same of one project, for JSON, in the layout of schemas/check.md."""
    faults = [
        {
            "code": fault.code,
            "line": fault.line,
            "column": fault.column,
            "key": list(fault.key),
            "what": fault.what,
            "advice": fault.advice,
            "others": [{"line": at.line, "column": at.column, "key": list(at.key)} for at in fault.others],
        }
        for fault in one.faults
    ]
    n_steps = len(one.project.steps) if one.project and not one.faults else None
    cost = None
    if one.project and not one.faults:
        from engine.forecast import forecast

        with suppress(EngineError):
            cost = forecast(one.project, compiling, gpus)
    return {
        "path": str(one.path),
        "steps": n_steps,
        "faults": faults,
        "notes": one.notes,
        "outside": one.outside,
        "forecast": cost,
    }
