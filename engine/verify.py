"""Whether results are still what was written: every byte is read, and every key compared with what stands behind it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from engine.faults import EngineError
from engine.outside import no_place
from engine.plan import PlannedStep, plan
from engine.project import Project, campaign
from engine.step import Step
from engine.store import Store, Unjudged

NO_STEP = "no step of the project as it now stands"

Manner = Literal["damaged", "unread", "stale", "foreign"]


@dataclass(frozen=True)
class Finding:
    """A stored step that is not what it should be.

    manner: damaged is not as it was written; unread may be whole, and cannot be read to its end by this user or this engine,
    so it is never set aside; stale is whole, and not what the project asks for by now; foreign is no step of
    the project as it now stands. set_aside: its file's new name, where it was mended.
    """

    step: str
    manner: Manner
    what: str
    path: Path
    set_aside: Path | None = None


@dataclass(frozen=True)
class Verified:
    """What was read of a project, and what is wrong with it. problem: why it cannot be told what is stale."""

    project: str
    path: Path
    n_steps: int
    n_bytes: int
    findings: tuple[Finding, ...]
    problem: str = ""

    @property
    def is_whole(self) -> bool:
        return not any(one.manner in ("damaged", "unread") and one.set_aside is None for one in self.findings)

    @property
    def is_damaged(self) -> bool:
        return any(one.manner == "damaged" and one.set_aside is None for one in self.findings)


def verify(paths: Iterable[str | Path], *, mend: bool = False) -> Iterator[Verified]:
    """Each project once its results are read, neighbours first. mend: damaged files get another name, so that a run makes
    their steps anew; what was made from them stays, since a step made again has the same bits."""
    for project in campaign(Path(path) for path in paths):
        store = Store(project.store_folder)
        if mend:
            with store.lock():
                store.sweep()
                yield _verified(project, store, mend)
        else:
            yield _verified(project, store, mend)


def _verified(project: Project, store: Store, mend: bool) -> Verified:
    names, planned = store.step_names(), project.by_name
    n_bytes, findings = 0, []
    for name in names:
        path = store.path(name)
        n_bytes += path.stat().st_size
        try:
            what = store.damage(name)
        except Unjudged as error:
            findings.append(Finding(name, "unread", str(error).removeprefix(f"{path}: "), path))
            continue
        if what:
            what = what if name in planned else f"{what}; {NO_STEP}"
            findings.append(Finding(name, "damaged", what, path, store.set_aside(name) if mend else None))
        elif name not in planned:
            findings.append(Finding(name, "foreign", NO_STEP, path))
    damaged = [one.step for one in findings if one.manner == "damaged"]
    problem = no_place(project)
    try:
        findings += [_stale(store, one) for one in plan(project, damaged) if one.state == "stale"]
    except EngineError as error:
        problem = str(error)
    return Verified(project.name, project.path, len(names), n_bytes, tuple(findings), problem)


def _stale(store: Store, one: PlannedStep[Step]) -> Finding:
    return Finding(one.step.name, "stale", one.reason, store.path(one.step.name))
