"""Outlines of projects kept between commands, so that looking at results need not build a form and its steps again.

An outline is kept under the name and the bytes of the project's file, and under the files of the engine and of pydantic: what
is found is what would be worked out anew. A project that takes a list from beside its file is not kept.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cached_property, lru_cache
from importlib.util import find_spec
from pathlib import Path, PurePath, PurePosixPath
from typing import TYPE_CHECKING, Any

from engine import cache
from engine.address import Address, parse
from engine.faults import EngineError, InvalidProject, Key
from engine.outline import AnyOutline, Outline
from engine.project_files import content_of
from engine.step import Input, Named, StepItem, StepOutline, What, refuse_bad_names

if TYPE_CHECKING:
    from engine.project import Project

MOST_KEPT = 1000
_LARGEST_BYTES = 64 << 20


@dataclass(frozen=True)
class KeptStep:
    """A step as it was kept: it can be planned and found, not done."""

    name: str
    function_name: str
    version: int
    settings_json: str
    makes: tuple[str, ...]
    inputs: Mapping[str, Input]
    labels: Mapping[str, int | str]
    rotations: int | None
    scratch: bool

    def __post_init__(self) -> None:
        refuse_bad_names(self)


class KeptOutline(Outline[KeptStep]):
    """A project as it was kept, from the plain values that `_as_plain` made."""

    def __init__(self, path: Path, plain: Mapping[str, Any]) -> None:
        self.path = path
        self._plain = plain

    @cached_property
    def items(self) -> Mapping[str, Named]:
        return {name: Named(*told) for name, told in self._plain["items"].items()}

    @cached_property
    def references(self) -> Sequence[tuple[Key, What, str]]:
        return [(tuple(key), what, text) for key, what, text in self._plain["references"]]

    @property
    def is_for_each(self) -> bool:
        return bool(self._plain["is_for_each"])

    @cached_property
    def own_steps(self) -> Sequence[KeptStep]:
        return [_step(one) for one in self._plain["steps"]]

    def beside(self, path: Path) -> AnyOutline:
        return outline(path)

    def is_whole(self) -> bool:
        """Whether all of it can be read."""
        parts = (self.items, self.references, self.own_steps)
        return all(isinstance(part, Mapping | Sequence) for part in parts) and len(self.own_steps) > 0


def outline(path: str | Path) -> AnyOutline:
    """The project of a file, as it was kept or anew; an InvalidProject tells all the faults of its form."""
    path = Path(path)
    content = content_of(path)
    kept = _kept(path, content)
    if kept is not None:
        return kept
    from engine.project import parsed

    project, faults = parsed(path, content)
    if project is None:
        raise InvalidProject(faults)
    keep(project, content)
    return project


def keep(project: Project, content: bytes) -> None:
    """Keeps the outline of the project of a file with that content, where nothing else decides it."""
    if project.listing is not None or _kept(project.path, content) is not None:
        return
    with suppress(EngineError, ValueError, OSError, RuntimeError):
        text = json.dumps(_as_plain(project))
        path = _place(project.path, content)
        cache.write(path, f"{cache.hashed(text.encode())}\n{text}")
        _forget_oldest(path.parent)


def _kept(path: Path, content: bytes) -> KeptOutline | None:
    """What was kept of a file with that content; None where nothing was, or what was cannot be trusted."""
    try:
        with _place(path, content).open("rb") as file:
            digest, _, text = file.read(_LARGEST_BYTES).partition(b"\n")
        if digest.decode("ascii") != cache.hashed(text):
            return None
        found = KeptOutline(path, json.loads(text))
        return found if found.is_whole() else None
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError, RuntimeError, EngineError):
        return None


def _place(path: Path, content: bytes) -> Path:
    named = f"{path.name}\0{_engine()}\0".encode("utf-8", "surrogateescape")
    return cache.folder() / "outlines" / f"{cache.hashed(named + content)}.json"


@lru_cache(maxsize=1)
def _engine() -> str:
    """The files that decide what a form and its steps are, by their sizes and times."""
    package = Path(__file__).parent
    lines = sorted(_sources(str(package)))
    if (found := find_spec("pydantic")) and found.origin:
        lines.append(_identity(found.origin))
    return cache.hashed("\n".join(lines).encode())


def _sources(folder: str) -> Iterator[str]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir():
                yield from _sources(entry.path)
            elif entry.name.endswith(".py"):
                yield _identity(entry.path)


def _identity(path: str) -> str:
    facts = os.stat(path)
    return f"{path} {facts.st_size} {facts.st_mtime_ns}"


def _forget_oldest(folder: Path) -> None:
    """Half of what is kept goes once there is too much of it."""
    with suppress(OSError):
        files = list(folder.glob("*"))  # what a kill left half-written too
        if len(files) > MOST_KEPT:
            for file in sorted(files, key=lambda file: file.stat().st_mtime)[: MOST_KEPT // 2]:
                file.unlink(missing_ok=True)


def _as_plain(project: AnyOutline) -> dict[str, Any]:
    """What JSON can hold of an outline."""
    return {
        "items": project.items,
        "references": [list(one) for one in project.references],
        "is_for_each": project.is_for_each,
        "steps": [_plain_step(step) for step in project.own_steps],
    }


def _plain_step(step: StepOutline) -> dict[str, Any]:
    names = ("name", "function_name", "version", "settings_json", "makes", "labels", "rotations", "scratch")
    inputs = {name: [one.what, *_plain_source(one.source), one.tomo] for name, one in step.inputs.items()}
    return {**{name: getattr(step, name) for name in names}, "inputs": inputs}


def _plain_source(source: StepItem | Address | PurePath) -> tuple[str, Any]:
    if isinstance(source, StepItem):
        return "step", asdict(source)
    if isinstance(source, Address):
        if parse(str(source)) != source:
            raise ValueError(f"{source} is not all that this address means")
        return "address", str(source)
    return "path", source.as_posix()


def _step(plain: Mapping[str, Any]) -> KeptStep:
    inputs = {name: Input(what, _source(of, value), tomo) for name, (what, of, value, tomo) in plain["inputs"].items()}
    return KeptStep(**{**plain, "makes": tuple(plain["makes"]), "inputs": inputs})


def _source(of: str, value: Any) -> StepItem | Address | PurePath:
    if of == "step":
        return StepItem(**value)
    return parse(value) if of == "address" else PurePosixPath(value)


with suppress(OSError):
    _engine()  # at once: what a process has in memory is not what an update of the engine puts into the files later
