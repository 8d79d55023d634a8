"""A plan is a value: what is kept, what is missing, what is stale and why."""

from __future__ import annotations

import fnmatch
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

from engine.address import Address
from engine.each import LABEL
from engine.faults import EngineError
from engine.locate import sources_of
from engine.outline import AnyOutline, Outline, S_co
from engine.step import Input, StepItem, StepOutline, key_of
from engine.store import Store, StoredStep

S = TypeVar("S", bound=StepOutline)
State = Literal["keep", "do", "stale"]
_WHOLE_FILE_BYTES = 64 << 20
_HEAD_BYTES = 1 << 20
_DIFFERENCES_SHOWN = 3


@dataclass(frozen=True)
class PlannedStep(Generic[S_co]):
    """A step, the key that it would be stored under, and what happens to it: reason is empty for what is kept.

    input_keys are those of the inputs that decide the result: all but scratch.
    """

    step: S_co
    key: str
    input_keys: Mapping[str, str]
    state: State
    reason: str = ""


def plan(project: Outline[S], redo: Iterable[str] = ()) -> list[PlannedStep[S]]:
    """The project's steps in order, each with its state.

    redo holds step names, patterns (`ite_*`), "stale" or "all". What follows from a redone step is redone too. A scratch
    step is kept, whether it is there or not, when all that read it are. A missing input file is an EngineError.
    """
    patterns = tuple(redo)
    store = Store(project.store_folder)
    keys = _Keys()
    redone: set[str] = set()
    planned: list[PlannedStep[S]] = []
    for step in project.steps:
        input_keys, key = keys.of(project, step)
        one = PlannedStep(step, key, input_keys, "do", "asked for")
        if step.scratch:
            planned.append(one)
            continue
        follows = [name for name in _own_inputs(step) if name in redone]
        if follows:
            one = PlannedStep(step, key, input_keys, "do", f"follows from {follows[0]}")
        elif not is_asked(step.name, patterns):
            one = _compared(one, store.facts(step.name))
            if one.state == "stale" and "stale" in patterns:
                one = PlannedStep(step, key, input_keys, "do", one.reason)
        if one.state == "do" and one.reason != ABSENT:
            redone.add(step.name)
        planned.append(one)
    readers: dict[str, set[State]] = {}
    for one in planned:
        for name in _own_inputs(one.step):
            readers.setdefault(name, set()).add(one.state)
    return [
        _scratch(one, readers.get(one.step.name, set()), store, patterns) if one.step.scratch else one
        for one in planned
    ]


def _scratch(one: PlannedStep[S], readers: Set[State], store: Store, patterns: tuple[str, ...]) -> PlannedStep[S]:
    """A scratch step is as old as it likes until something that is not kept reads it; it is replaced without asking.

    readers: the states of the steps that read it.
    """
    if is_asked(one.step.name, patterns):
        return one
    if readers <= {"keep"}:
        return replace(one, state="keep", reason="")
    compared = _compared(one, store.facts(one.step.name))
    return replace(compared, state="do") if compared.state == "stale" and "do" in readers else compared


ABSENT = "not there yet"


def is_asked(step_name: str, patterns: Iterable[str]) -> bool:
    """True when `--redo` names the step: by name, by pattern, or by "all"."""
    return any(pattern == "all" or fnmatch.fnmatchcase(step_name, pattern) for pattern in patterns)


def _own_inputs(step: StepOutline) -> list[str]:
    """The steps of the same project that the step reads."""
    return [source.source.step for source in step.inputs.values() if isinstance(source.source, StepItem)]


def _compared(one: PlannedStep[S], stored: StoredStep | None) -> PlannedStep[S]:
    if stored is None:
        return PlannedStep(one.step, one.key, one.input_keys, "do", ABSENT)
    if stored.key == one.key:
        return PlannedStep(one.step, one.key, one.input_keys, "keep")
    return PlannedStep(one.step, one.key, one.input_keys, "stale", _difference(one, stored))


def _difference(one: PlannedStep[StepOutline], stored: StoredStep) -> str:
    """Why a stored step is not what the project now asks for, in a user's words."""
    step = one.step
    reasons = []
    if stored.function != step.function_name:
        reasons.append("made by another function")
    elif stored.version != step.version:
        reasons.append(f"made by another version of the step ({stored.version}, now {step.version})")
    reasons += settings_changes(stored.settings, json.loads(step.settings_json))
    for name in sorted({*stored.inputs, *one.input_keys}):
        if stored.inputs.get(name) != one.input_keys.get(name):
            reasons.append(_input_change(name, step.inputs.get(name), name in stored.inputs))
    reasons = list(dict.fromkeys(reasons))
    shown = "; ".join(reasons[:_DIFFERENCES_SHOWN])
    more = len(reasons) - _DIFFERENCES_SHOWN
    return f"{shown}; and {more} more" if more > 0 else shown or "made by another version of the engine"


def _input_change(name: str, source: Input | None, was_there: bool) -> str:
    if source is None:
        return f"input {name} is no longer used"
    if not was_there:
        return f"input {name} is new"
    if isinstance(source.source, StepItem):
        return f"its input {source.source.step} changed"
    return f"input {name} ({source.source}) changed"


def settings_changes(old: Any, new: Any, key: str = "") -> list[str]:
    """`round.cone.step_deg: 5 → 4` for each setting that differs."""
    if isinstance(old, dict) and isinstance(new, dict):
        names = [*old, *(name for name in new if name not in old)]
        return [
            change
            for name in names
            for change in settings_changes(old.get(name), new.get(name), f"{key}.{name}" if key else str(name))
        ]
    if (
        isinstance(old, list)
        and isinstance(new, list)
        and len(old) == len(new)
        and any(isinstance(o, dict) for o in old)
    ):
        pairs = enumerate(zip(old, new, strict=True), start=1)
        return [change for number, (o, n) in pairs for change in settings_changes(o, n, f"{key} no. {number}")]
    return [] if old == new else [f"{key}: {_shown(old)} → {_shown(new)}"]


def _shown(value: Any) -> str:
    text = "not set" if value is None else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}…"


class _Keys:
    """Keys of the steps of a project and of its neighbours, each worked out once."""

    def __init__(self) -> None:
        self._known: dict[tuple[Path, str], tuple[dict[str, str], str]] = {}
        self._projects: dict[tuple[Path, str], AnyOutline] = {}
        self._files: dict[Path, str] = {}
        self._open: list[tuple[Path, str]] = []

    def of(self, project: AnyOutline, step: StepOutline) -> tuple[dict[str, str], str]:
        """(key of each input, key of the step)"""
        here = (project.path, step.name)
        if here not in self._known:
            if here in self._open:
                raise EngineError(
                    f"{project.name} and {self._open[-1][0].stem} read from each other (take one address out)"
                )
            self._open.append(here)
            input_keys = {
                name: self._input(project, source)
                for name, source in step.inputs.items()
                if not _is_scratch(project, source)
            }
            self._open.pop()
            key = key_of(step.function_name, step.version, step.settings_json, input_keys)
            self._known[here] = input_keys, key
        return self._known[here]

    def _input(self, project: AnyOutline, source: Input) -> str:
        if isinstance(source.source, StepItem):
            return f"{self.of(project, step_named(project, source.source.step))[1]}/{source.source.item}"
        rows = "" if source.tomo is None else f":{LABEL}={source.tomo}"
        if isinstance(source.source, Address):
            other, found = self.sources(project, source)
            keys = [f"{self.of(other, step)[1]}/{path}" for step, path in found]
            return (keys[0] if len(keys) == 1 else f"joined:{_digest(' '.join(keys).encode())}") + rows
        file = project.campaign / source.source
        if file not in self._files:
            self._files[file] = identity(file)
        return self._files[file] + rows

    def sources(self, project: AnyOutline, source: Input) -> tuple[AnyOutline, list[tuple[StepOutline, str]]]:
        address = source.source
        assert isinstance(address, Address)
        place = (project.campaign, address.project)
        if place not in self._projects:
            self._projects[place] = project.neighbour(address)
        return self._projects[place], sources_of(self._projects[place], address, source.what)


def planned_sources(project: AnyOutline, source: Input) -> tuple[AnyOutline, list[tuple[StepOutline, str, str]]]:
    """The neighbour that an address in the project's TOML names; its steps, paths of the item and the steps' planned keys.

    They are several where the results of several tomograms are read as one.
    """
    keys = _Keys()
    other, found = keys.sources(project, source)
    return other, [(step, path, keys.of(other, step)[1]) for step, path in found]


def _is_scratch(project: AnyOutline, source: Input) -> bool:
    return isinstance(source.source, StepItem) and step_named(project, source.source.step).scratch


def step_named(project: Outline[S], name: str) -> S:
    """The project's step of that name; asking for another is a slip of the kind, a ValueError."""
    if name not in project.by_name:
        raise ValueError(f"{project.name} has no step {name!r}; it has {list(project.by_name)}")
    return project.by_name[name]


def identity(path: Path) -> str:
    """What decides whether an input file is still the same: its bytes up to 64 MB, else size, time and its first MB.

    For a folder: names, sizes and times of all the files in it.
    """
    try:
        if path.is_dir():
            lines = [f"{name} {size} {time}" for name, size, time in sorted(_files_below(path))]
            return f"folder:{_digest(chr(10).join(lines).encode())}"
        facts = path.stat()
        if not path.is_file():
            raise EngineError(f"{path}: is a device or a pipe (it is an input of this project: name a file)")
        return _file_identity(path, facts.st_size, facts.st_mtime_ns)
    except FileNotFoundError:
        raise EngineError(f"{path}: no such file (it is an input of this project)") from None
    except OSError as error:
        raise EngineError(f"{path}: cannot be read: {error.strerror}") from error


def _files_below(folder: Path) -> Iterator[tuple[str, int, int]]:
    for path in folder.rglob("*"):
        if path.is_file() and not path.name.startswith("."):
            facts = path.stat()
            yield path.relative_to(folder).as_posix(), facts.st_size, facts.st_mtime_ns


@lru_cache(maxsize=4096)
def _file_identity(path: Path, size: int, time_ns: int) -> str:
    with path.open("rb") as file:
        if size <= _WHOLE_FILE_BYTES:
            return f"file:{hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()}"
        return f"large:{size}:{time_ns}:{_digest(file.read(_HEAD_BYTES))}"


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()
