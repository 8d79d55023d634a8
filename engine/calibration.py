"""Times measured on this machine, kept between commands: a file for each device in the user's cache folder.

Whatever goes wrong with it, what is asked for is measured again.
"""

from __future__ import annotations

import json
import math
import os
import platform
import time
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

from engine import cache
from engine.version import ENGINE, version_of

KEPT_DAYS = 30
"""After so long a time is measured again: drivers, firmware and neighbours change."""

SAME_PACE = 1.5
"""A machine that is by more than this quicker or slower than when a time was measured is measured again: a laptop on its
battery, a virtual machine whose neighbours have woken up. From one second to the next a core's speed may change by a tenth."""

LARGEST_BYTES = 1 << 20

_RESTS_ON = (ENGINE, "numpy", "scipy", "numba")
"""Packages whose code is timed; another version of one is another device."""


def kept(what: str, measure: Callable[[], tuple[float, ...]], pace: Callable[[], float]) -> tuple[float, ...]:
    """The seconds known under a name, measured now where they are not: some finite numbers, none below 0.

    pace: the seconds that a fixed piece of work takes now, above 0.
    """
    known = _read().get(cache.hashed(what.encode()))
    if known is not None and 1 / SAME_PACE < pace() / known["pace"] < SAME_PACE:
        return tuple(map(float, known["seconds"]))
    found = measure()
    _add(cache.hashed(what.encode()), found, pace())
    return found


@lru_cache(maxsize=1)
def device() -> str:
    """The machine in words, as far as it bears on the time that a computation takes: processor, cores, versions."""
    versions = ", ".join(f"{name} {version_of(name)}" for name in _RESTS_ON)
    return f"{cpu_name()}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}, {versions}"


def cpu_name() -> str:
    """The processor as its maker calls it; "unknown" where the system does not tell."""
    lines: list[str] = []
    with suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines()
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, "") or platform.processor() or "unknown"


def path() -> Path:
    """Where the times of this device are kept."""
    return cache.folder() / f"times-{cache.hashed(device().encode())}.json"


def _read() -> dict[str, Any]:
    """The entries that are kept, without those that are too old or are none."""
    oldest = time.time() - KEPT_DAYS * 86400
    return {
        name: entry for name, entry in _content().items() if _is_entry(entry) and oldest < entry["when"] <= time.time()
    }


def _content() -> dict[str, Any]:
    try:
        with path().open("rb") as file:
            content = json.loads(file.read(LARGEST_BYTES))
        return content["times"] if isinstance(content["times"], dict) else {}
    except (OSError, ValueError, LookupError, TypeError, RecursionError, RuntimeError):
        return {}


def _is_entry(entry: Any) -> bool:
    try:
        numbers = [*entry["seconds"], entry["when"], entry["pace"]]
        return len(numbers) > 2 and entry["pace"] > 0 and all(math.isfinite(one) and one >= 0 for one in numbers)
    except (LookupError, TypeError, OverflowError):
        return False


def _add(name: str, seconds: tuple[float, ...], pace: float) -> None:
    """Keeps a time; where nothing can be written, nothing is kept."""
    times = {known: entry for known, entry in _content().items() if _is_entry(entry)}
    times[name] = {"seconds": seconds, "when": time.time(), "pace": pace}
    newest = dict(sorted(times.items(), key=lambda one: one[1]["when"])[-2000:])
    with suppress(RuntimeError):
        cache.write(path(), json.dumps({"device": device(), "times": newest}))
