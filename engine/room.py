"""Whether there is room for a step, asked before it starts: a disk or a memory that is too small costs nobody a night."""

from __future__ import annotations

from engine.faults import EngineError
from engine.forecast import needs
from engine.memory import available_bytes
from engine.project import Project
from engine.step import Step
from engine.store import free_bytes

MEMORY_SLACK = 1.25
"""A forecast of memory may be too high by as much: what it exceeds by more is refused."""


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
        used, fewer = "1 worker", ""
        if workers > 1:
            used, fewer = f"{workers} workers", "give fewer workers (--workers), or "
        raise EngineError(
            f"{project.name}: {step.name} needs about {_told(needed.memory_bytes)} of memory with {used}, and "
            f"{_told(available)} are left ({fewer}end other programs, then run again)"
        )


def _told(n_bytes: int) -> str:
    return f"{n_bytes / 1e9:.1f} GB" if n_bytes >= 1e8 else f"{n_bytes / 1e6:.1f} MB"
