"""A plan is a value: what is kept, what is missing, what is stale and why; and which steps an address means."""

from __future__ import annotations

import difflib
import fnmatch
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from engine.address import LAST, Address
from engine.each import LABEL
from engine.faults import EngineError
from engine.project import Project, neighbour
from engine.step import Input, Step, StepItem, What, of_reference, reference_of
from engine.store import Store, StoredStep

State = Literal["keep", "do", "stale"]
_WHOLE_FILE_BYTES = 64 << 20
_HEAD_BYTES = 1 << 20
_DIFFERENCES_SHOWN = 3


@dataclass(frozen=True)
class PlannedStep:
    """A step, the key that it would be stored under, and what happens to it: reason is empty for what is kept.

    input_keys are those of the inputs that decide the result: all but scratch.
    """

    step: Step
    key: str
    input_keys: Mapping[str, str]
    state: State
    reason: str = ""


def plan(project: Project, redo: Iterable[str] = ()) -> list[PlannedStep]:
    """The project's steps in order, each with its state.

    redo holds step names, patterns (`ite_*`), "stale" or "all". What follows from a redone step is redone too. A scratch
    step is kept, whether it is there or not, when all that read it are. A missing input file is an EngineError.
    """
    patterns = tuple(redo)
    store = Store(project.store_folder)
    keys = _Keys()
    redone: set[str] = set()
    planned: list[PlannedStep] = []
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
            one = _compared(project, one, store.facts(step.name))
            if one.state == "stale" and "stale" in patterns:
                one = PlannedStep(step, key, input_keys, "do", one.reason)
        if one.state == "do" and one.reason != ABSENT:
            redone.add(step.name)
        planned.append(one)
    return [_scratch(project, one, planned, store, patterns) if one.step.scratch else one for one in planned]


def _scratch(
    project: Project, one: PlannedStep, planned: list[PlannedStep], store: Store, patterns: tuple[str, ...]
) -> PlannedStep:
    """A scratch step is as old as it likes until something that is not kept reads it; it is replaced without asking."""
    if is_asked(one.step.name, patterns):
        return one
    readers = {other.state for other in planned if one.step.name in _own_inputs(other.step)}
    if readers <= {"keep"}:
        return replace(one, state="keep", reason="")
    compared = _compared(project, one, store.facts(one.step.name))
    return replace(compared, state="do") if compared.state == "stale" and "do" in readers else compared


ABSENT = "not there yet"


def is_asked(step_name: str, patterns: Iterable[str]) -> bool:
    """True when `--redo` names the step: by name, by pattern, or by "all"."""
    return any(pattern == "all" or fnmatch.fnmatchcase(step_name, pattern) for pattern in patterns)


def _own_inputs(step: Step) -> list[str]:
    """The steps of the same project that the step reads."""
    return [source.source.step for source in step.inputs.values() if isinstance(source.source, StepItem)]


def _compared(project: Project, one: PlannedStep, stored: StoredStep | None) -> PlannedStep:
    if stored is None:
        return PlannedStep(one.step, one.key, one.input_keys, "do", ABSENT)
    if stored.key == one.key:
        return PlannedStep(one.step, one.key, one.input_keys, "keep")
    return PlannedStep(one.step, one.key, one.input_keys, "stale", _difference(one, stored))


def _difference(one: PlannedStep, stored: StoredStep) -> str:
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


def locate(project: Project, address: Address, complete: Iterable[str] | None = None) -> list[tuple[Step, str]]:
    """The steps that the address means and the path of its item in each, in the order of tomograms, iterations, references.

    complete: names of the steps that count, all planned ones when None; without `ite` the last of them is meant. It may
    leave the list empty. What the project can never have is an EngineError that says what there is.
    """
    makers = _makers(project, address)
    found = [_of_one_tomogram(address, part, complete) for part in _by_tomogram(address, makers)]
    return [pair for part in found for pair in part]


def _of_one_tomogram(
    address: Address, makers: list[tuple[Step, str]], complete: Iterable[str] | None
) -> list[tuple[Step, str]]:
    makers = _of_half(address, makers)
    chosen = _of_reference(address, makers)
    numbers = sorted({int(step.labels["ite"]) for step, _ in chosen if "ite" in step.labels})
    _check_iterations(address, numbers)
    counting = chosen if complete is None else [pair for pair in chosen if pair[0].name in set(complete)]
    if address.ite == LAST or not numbers:
        return [pair for pair in counting if pair[0] is counting[-1][0]]
    by_number: dict[int, list[tuple[Step, str]]] = {}
    for pair in counting:
        if "ite" in pair[0].labels:
            by_number.setdefault(int(pair[0].labels["ite"]), []).append(pair)
    return [pair for number in address.ite.choose(sorted(by_number)) for pair in by_number[number]]


def _makers(project: Project, address: Address) -> list[tuple[Step, str]]:
    lasting = [step for step in project.steps if not step.scratch]
    found = [(step, path) for step in lasting for path in step.makes if path.rsplit("/", 1)[-1] == address.item]
    if found:
        return found
    if address.item in project.items:
        made = sorted({path.rsplit("/", 1)[-1] for step in lasting for path in step.makes})
        raise EngineError(
            f"{address}: {project.name}, as it is set, makes no {address.item}; it makes {', '.join(made)}"
        )
    close = difflib.get_close_matches(address.item, list(project.items), n=1)
    nearest = f" (did you mean {close[0]!r}?)" if close else ""
    have = ", ".join(project.items)
    raise EngineError(f"{address}: {project.name} has no item {address.item!r}{nearest}; it has {have}")


def _by_tomogram(address: Address, makers: list[tuple[Step, str]]) -> list[list[tuple[Step, str]]]:
    """The makers of each tomogram that is meant; all of them together where results are not kept by tomogram."""
    there = sorted({int(step.labels[LABEL]) for step, _ in makers if LABEL in step.labels})
    if not there:
        if address.tomo is not None:
            raise EngineError(f"{address}: {address.project} is not kept by tomogram (leave out tomo)")
        return [makers]
    wanted = there if address.tomo is None else address.tomo.choose(there)
    absent = [number for number in address.tomo.listed if number not in there] if address.tomo else []
    if absent or not wanted:
        missing = f"tomogram {absent[0]}" if absent else "such tomogram"
        raise EngineError(f"{address}: no {missing}; there are {', '.join(map(str, there))}")
    return [[pair for pair in makers if pair[0].labels.get(LABEL) == number] for number in wanted]


def _of_half(address: Address, makers: list[tuple[Step, str]]) -> list[tuple[Step, str]]:
    chosen = [(step, path) for step, path in makers if step.labels.get("half") == address.half]
    if chosen:
        return chosen
    halves = sorted({str(step.labels["half"]) for step, _ in makers if "half" in step.labels})
    if address.half is None:
        raise EngineError(f"{address}: say which half: {' or '.join(f'half={half}' for half in halves)}")
    there = f"only {' and '.join(halves)}" if halves else "no halves"
    raise EngineError(f"{address}: {address.item} has {there} here")


def _of_reference(address: Address, makers: list[tuple[Step, str]]) -> list[tuple[Step, str]]:
    """Those of the references meant; where none is named the one of all references, else that of the first."""
    there = sorted({number for _, path in makers if (number := reference_of(path)) is not None})
    if address.ref is None:
        first = f"{of_reference(there[0])}/{address.item}" if there else ""
        return [
            (step, path) for step, path in makers if path == (address.item if address.item in step.makes else first)
        ]
    if not there:
        raise EngineError(f"{address}: {address.item} is not kept by reference (leave out ref)")
    wanted = address.ref.choose(there)
    absent = [number for number in address.ref.listed if number not in there]
    if absent or not wanted:
        missing = f"reference {absent[0]}" if absent else "such reference"
        raise EngineError(f"{address}: no {missing}; there are {', '.join(map(str, there))}")
    return [(step, path) for step, path in makers if reference_of(path) in wanted]


def _check_iterations(address: Address, numbers: list[int]) -> None:
    if not numbers:
        if address.ite.listed or address.ite.last is not None:
            raise EngineError(f"{address}: {address.item} has no iterations here (leave out ite)")
        return
    absent = [number for number in address.ite.listed if number not in numbers]
    if absent or not address.ite.choose(numbers):
        there = f"{numbers[0]} to {numbers[-1]}" if len(numbers) > 1 else str(numbers[0])
        raise EngineError(
            f"{address}: {address.item} is made in ite {there}, not in {absent[0] if absent else 'that range'}"
        )


class _Keys:
    """Keys of the steps of a project and of its neighbours, each worked out once."""

    def __init__(self) -> None:
        self._known: dict[tuple[Path, str], tuple[dict[str, str], str]] = {}
        self._projects: dict[tuple[Path, str], Project] = {}
        self._files: dict[Path, str] = {}
        self._open: list[tuple[Path, str]] = []

    def of(self, project: Project, step: Step) -> tuple[dict[str, str], str]:
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
            self._known[here] = input_keys, step.key(input_keys)
        return self._known[here]

    def _input(self, project: Project, source: Input) -> str:
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

    def sources(self, project: Project, source: Input) -> tuple[Project, list[tuple[Step, str]]]:
        address = source.source
        assert isinstance(address, Address)
        place = (project.campaign, address.project)
        if place not in self._projects:
            self._projects[place] = neighbour(project, address)
        return self._projects[place], sources_of(self._projects[place], address, source.what)


def planned_sources(project: Project, source: Input) -> tuple[Project, list[tuple[Step, str, str]]]:
    """The neighbour that an address in the project's TOML names; its steps, paths of the item and the steps' planned keys.

    They are several where the results of several tomograms are read as one.
    """
    keys = _Keys()
    other, found = keys.sources(project, source)
    return other, [(step, path, keys.of(other, step)[1]) for step, path in found]


def _is_scratch(project: Project, source: Input) -> bool:
    return isinstance(source.source, StepItem) and step_named(project, source.source.step).scratch


def step_named(project: Project, name: str) -> Step:
    """The project's step of that name; asking for another is a slip of the kind, a ValueError."""
    for step in project.steps:
        if step.name == name:
            return step
    raise ValueError(f"{project.name} has no step {name!r}; it has {[step.name for step in project.steps]}")


JOINED = ("particles", "weights", "table", "marks", "catalogue", "maps")
"""What is read as one thing where an address names several tomograms."""


def sources_of(other: Project, address: Address, what: What) -> list[tuple[Step, str]]:
    """The step of the neighbour that an address in a TOML means, and its item's path; of each tomogram, of what is joined."""
    found = locate(other, address)
    n_parts = len({step.labels.get(LABEL) for step, _ in found}) if what in JOINED else 1
    if len(found) != n_parts:
        more = " and one tomo" if what not in JOINED and any(LABEL in step.labels for step, _ in found) else ""
        raise EngineError(f"{address}: an input is one item, this names {len(found)} (give {one_of(address)}{more})")
    return found


def one_of(address: Address) -> str:
    """What makes one result of an address that names several."""
    return "one ite" if address.ref is None else "one ite and one ref"


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
