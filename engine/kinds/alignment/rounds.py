"""The iterations of an alignment project: the rounds, unrolled."""

from __future__ import annotations

from dataclasses import dataclass

from engine.kinds.alignment.form import Project
from engine.kinds.form import Round


@dataclass(frozen=True)
class Iteration:
    """One iteration of the plan: its number from 1, its round, and the round's place from 1 and first iteration."""

    number: int
    settings: Round
    round_number: int
    first_of_round: int

    @property
    def is_last_of_round(self) -> bool:
        return self.number == self.first_of_round + self.settings.iterations - 1


def planned(project: Project) -> list[Iteration]:
    """The iterations of all rounds, in order."""
    found: list[Iteration] = []
    for place, settings in enumerate(project.rounds, start=1):
        first = len(found) + 1
        found += [Iteration(first + i, settings, place, first) for i in range(settings.iterations)]
    return found


def has_cache(project: Project) -> bool:
    """A single iteration of one reference reads every particle once: nothing to keep."""
    return len(planned(project)) > 1 or project.data.n_references > 1


def is_classified(project: Project, ite: int) -> bool:
    """Whether after this iteration no particle belongs to two references: dealt at the start, or swapped since."""
    return project.data.is_dealt or any(
        iteration.settings.swap_references for iteration in planned(project) if iteration.number <= ite
    )
