"""What a run tells while it goes: to whoever listens, and to the log of each project."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ProjectStarted:
    """A run has the lock; missing counts the steps to be done. leftovers: half-written files, swept away."""

    project: str
    steps: int
    missing: int
    leftovers: tuple[str, ...] = ()


@dataclass(frozen=True)
class LockWaited:
    """Another run may be going on, or be dead: text says who, and how long it takes at most to find out."""

    project: str
    text: str


@dataclass(frozen=True)
class StepKept:
    """The step is there already, under the key that is asked for."""

    project: str
    step: str


@dataclass(frozen=True)
class StepStarted:
    """The step begins; number counts from 1 to the number of steps of the project."""

    project: str
    step: str
    number: int
    reason: str


@dataclass(frozen=True)
class Resumed:
    """done of total particles had been finished by a run that did not come to store the step."""

    project: str
    step: str
    done: int
    total: int


@dataclass(frozen=True)
class ChunkDone:
    """done of total particles (or whatever the step counts) are finished."""

    project: str
    step: str
    done: int
    total: int


@dataclass(frozen=True)
class StepStored:
    """The step is on disk."""

    project: str
    step: str
    seconds: float


@dataclass(frozen=True)
class ProjectDone:
    """All the steps of the project are on disk."""

    project: str
    stored: int
    kept: int
    seconds: float


@dataclass(frozen=True)
class StopAsked:
    """Ctrl-C, a signal or `engine stop` came: the run ends when the particles in hand are done."""


@dataclass(frozen=True)
class Compiling:
    """The inner loops are being compiled, which happens once on a machine."""


@dataclass(frozen=True)
class Noted:
    """A step has something to tell, which stays in the log."""

    project: str
    step: str
    text: str


Event = (
    Noted
    | LockWaited
    | ProjectStarted
    | StepKept
    | StepStarted
    | Resumed
    | ChunkDone
    | StepStored
    | ProjectDone
    | StopAsked
    | Compiling
)
