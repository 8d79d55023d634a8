"""Timing in turns: every contestant once, then every contestant again, so that a slow minute slows them all."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.calibration import cpu_name
from engine.version import ENGINE, version_of


@dataclass(frozen=True, eq=False)
class Contestant:
    """Something that is timed: what to call, and how many units (orientations, particles, operations) a call does.

    flops: additions and multiplications of a unit, 0 where nobody counted them.
    """

    name: str
    run: Callable[[], Any]
    units: float = 1.0
    flops: float = 0.0


def in_turns(
    contestants: Sequence[Contestant], n_rounds: int, clock: Callable[[], float] = time.process_time
) -> dict[str, np.ndarray]:
    """Seconds a unit takes each contestant in each round, (rounds,); a first round, which compiles, is not counted.

    The clock is the processor's time spent by this process: what others do on the machine costs none of it.
    """
    seconds: dict[str, list[float]] = {one.name: [] for one in contestants}
    for number in range(n_rounds + 1):
        for one in contestants:
            start = clock()
            one.run()
            spent = clock() - start
            if number > 0:
                seconds[one.name].append(spent / one.units)
    return {name: np.array(values) for name, values in seconds.items()}


def ratio(slower: np.ndarray, faster: np.ndarray) -> float:
    """How many times longer: the median over rounds, each round compared with itself."""
    return float(np.median(slower / faster))


@dataclass(frozen=True)
class Machine:
    """Where it was measured."""

    cpu: str
    cores: int
    system: str
    versions: dict[str, str]


def machine() -> Machine:
    """This machine and the versions of what computes."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    names = ("numpy", "scipy", "numba", ENGINE)
    return Machine(cpu_name(), cores, f"{platform.system()} {platform.machine()}", {n: version_of(n) for n in names})


def load() -> float | None:
    """How many processes wanted to compute in the last minute, on average; None where the system does not tell."""
    try:
        return os.getloadavg()[0]
    except (AttributeError, OSError):
        return None


def peak_bytes() -> int | None:
    """The most memory that this process has held so far; None where the system does not tell."""
    try:
        import resource
    except ImportError:
        return None
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(most if platform.system() == "Darwin" else most * 1024)
