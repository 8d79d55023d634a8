"""Whether there is room for a step, asked before it starts: a disk or a memory that is too small costs nobody a night."""

from __future__ import annotations

from pathlib import Path

from engine.faults import EngineError
from engine.forecast import needs
from engine.project import Project
from engine.step import Step
from engine.store import free_bytes

MEMORY_SLACK = 1.25
"""A forecast of memory may be too high by as much: what it exceeds by more is refused."""

MEMINFO = Path("/proc/meminfo")
OWN_GROUP = Path("/proc/self/cgroup")
GROUPS = Path("/sys/fs/cgroup")


def refuse_without_room(project: Project, step: Step, workers: int) -> None:
    """An EngineError where the step needs more disk, or much more memory, than is left."""
    needed = needs(project, step, workers)
    if needed is None:
        return
    free = free_bytes(project.store_folder)
    if needed.disk_bytes > free:
        raise EngineError(
            f"{project.name}: {step.name} writes {_told(needed.disk_bytes)}, and {_told(free)} are free in "
            f"{project.store_folder.parent} (make room, then run again)"
        )
    available = available_bytes()
    if available is not None and needed.memory_bytes > MEMORY_SLACK * available:
        fewer = "give fewer workers (--workers), or " if workers > 1 else ""
        raise EngineError(
            f"{project.name}: {step.name} needs about {_told(needed.memory_bytes)} of memory with {workers} workers, and "
            f"{_told(available)} are left ({fewer}end other programs, then run again)"
        )


def available_bytes() -> int | None:
    """Memory that this process may still take: what the machine has left, or its control group. None where nobody tells."""
    told = [left for left in (_left_on_machine(), *_left_in_groups()) if left is not None]
    return min(told, default=None)


def _left_on_machine() -> int | None:
    try:
        lines = MEMINFO.read_text("ascii").splitlines()
        return next(int(line.split()[1]) << 10 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, ValueError, LookupError, StopIteration):
        return None


def _left_in_groups() -> list[int]:
    """What the limits of the control group and of those above it leave; files held in memory give way."""
    try:
        own = next(line for line in OWN_GROUP.read_text("utf-8").splitlines() if line.startswith("0::"))
    except (OSError, ValueError, StopIteration):
        return []
    group, found = GROUPS / own[3:].lstrip("/"), []
    for folder in (group, *group.parents):
        if folder == GROUPS.parent:
            break
        try:
            limit, used = ((folder / f"memory.{name}").read_text("ascii").strip() for name in ("max", "current"))
            files = dict(line.split() for line in (folder / "memory.stat").read_text("ascii").splitlines())
            if limit != "max":
                found.append(int(limit) - int(used) + int(files["inactive_file"]) + int(files["active_file"]))
        except (OSError, ValueError, LookupError):
            continue
    return found


def _told(n_bytes: int) -> str:
    return f"{n_bytes / 1e9:.1f} GB" if n_bytes >= 1e8 else f"{n_bytes / 1e6:.1f} MB"
