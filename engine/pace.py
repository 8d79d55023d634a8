"""How fast a step is, and how long it and all that is missing will take."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from engine.step import StepOutline


@dataclass(frozen=True)
class Progress:
    """The step that is being done. eta_s is for this step, run_eta_s for all that is missing; None: not known yet.

    orientations_per_second is 0 for a step that tries none.
    """

    step: str
    ite: int | None
    round: int | None
    done: int
    total: int
    per_second: float
    eta_s: float | None
    run_eta_s: float | None
    orientations_per_second: float = 0.0


def progress(
    step: StepOutline, waiting: Iterable[StepOutline], done: int, total: int, before: int, passed_s: float
) -> Progress:
    """done of total particles are finished, before of them by an earlier run; waiting are the other steps to be done."""
    per_second = max(0, done - before) / passed_s if passed_s > 0 else 0.0
    eta_s = (total - done) / per_second if per_second > 0 else None
    others = list(waiting)
    # The other steps take as long as their rotations say; a step that tries none says nothing of them.
    is_told = _weight(step) > 0 or not others
    share = sum(map(_weight, others)) / max(_weight(step), 1.0)
    run_eta_s = eta_s + share * total / per_second if eta_s is not None and is_told else None
    rotations = step.rotations or 0
    ite, round_number = label(step, "ite"), label(step, "round")
    return Progress(step.name, ite, round_number, done, total, per_second, eta_s, run_eta_s, rotations * per_second)


def label(step: StepOutline, name: str) -> int | None:
    value = step.labels.get(name)
    return value if isinstance(value, int) else None


def _weight(step: StepOutline) -> float:
    return 1.0 if step.rotations is None else float(step.rotations)
