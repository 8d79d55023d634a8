"""Sweeps: a project once for every combination of some settings, as projects of their own beside it."""

from __future__ import annotations

import itertools
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError

from engine.check import Checked, check_unwritten
from engine.faults import EngineError
from engine.project import fault_of_stem, load
from engine.status import numbers_of_each, status
from engine.store.atomic import aside
from engine.store.disk import disk

MOST = 999
ALL = "*"


@dataclass(frozen=True)
class Variant:
    """One combination: the project it is in, and its text. is_new: there is no such file yet."""

    path: Path
    settings: Mapping[str, Any]
    text: str = field(repr=False)
    is_new: bool

    @property
    def name(self) -> str:
        return self.path.stem


@dataclass(frozen=True)
class Outcome:
    """What a variant came to, as far as it has run; tomo: in which tomogram, where the project is done for each."""

    project: str
    settings: Mapping[str, Any]
    n_done: int
    n_steps: int
    mean_cc: float | None
    resolution_A: float | None
    averaged: int | None
    tomo: int | None = None


def variants(path: str | Path, sets: Iterable[str]) -> list[Variant]:
    """Every combination of the settings, each `key=value,value…`; the last varies fastest. Nothing is written.

    A key is of the file, tables of a list counted from 1 or all of them by `*`: `rounds.*.bandpass.lowpass_A`. A combination
    whose file is there keeps its number; another, or one of an edited project, gets the next, so that nothing is replaced.
    """
    base = load(path)
    axes = [_axis(text) for text in sets]
    if not axes:
        raise EngineError("--set is missing: it says what varies, as in --set 'rounds.*.bandpass.lowpass_A=20,24,28'")
    count = 1
    for _, values in axes:
        count *= len(values)
    if count > MOST:
        raise EngineError(f"{count} combinations: a sweep has at most {MOST} (give fewer values)")
    there = {file.read_text("utf-8", "replace"): file for file in _files(base.path)}
    numbers = _free(base.path, there.values())
    found, seen = [], set[str]()
    for chosen in itertools.product(*(values for _, values in axes)):
        settings = dict(zip((key for key, _ in axes), chosen, strict=True))
        text = _edited(base.text, settings)
        if text in seen:
            continue
        seen.add(text)
        known = there.get(text)
        found.append(Variant(known or next(numbers), settings, text, known is None))
    return found


def check_all(found: Sequence[Variant]) -> list[Checked]:
    """The faults of the variants, written or not."""
    return [check_unwritten(one.path, one.text.encode()) for one in found]


def write(found: Sequence[Variant]) -> None:
    """The files of the new variants."""
    for one in found:
        if one.is_new:
            with aside(one.path) as handle:
                disk().write(handle, one.text.encode(), 0)


def outcomes(found: Sequence[Variant]) -> list[Outcome]:
    """How far each variant is, and its newest numbers, of each tomogram by itself."""
    told = []
    for one in found:
        project = load(one.path)
        now = status(project)
        for tomo, (summary, resolution_A) in numbers_of_each(project).items():
            mean_cc, averaged = summary.get("mean cc"), summary.get("averaged")
            told.append(
                Outcome(
                    one.name,
                    one.settings,
                    now.n_done,
                    now.n_steps,
                    float(mean_cc) if isinstance(mean_cc, int | float) else None,
                    resolution_A,
                    averaged if isinstance(averaged, int) else None,
                    tomo,
                )
            )
    return told


def _axis(text: str) -> tuple[str, list[Any]]:
    """The key and its values; what is no TOML is a text, so that quotes may be left out."""
    key, equals, listed = text.partition("=")
    key = key.strip()
    if not equals or not key or not listed.strip():
        raise EngineError(f"--set {text!r}: write KEY=VALUE,VALUE, as in symmetry=C1,C6")
    try:
        values = tomllib.loads(f"v = [{listed}]")["v"]
    except tomllib.TOMLDecodeError:
        values = [_value(part.strip()) for part in listed.split(",")]
    return key, values


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"v = {text}")["v"]
    except tomllib.TOMLDecodeError:
        return text


def _files(base: Path) -> list[Path]:
    return sorted(base.parent.glob(f"{base.stem}_sweep_[0-9][0-9][0-9].toml"))


def _free(base: Path, taken: Iterable[Path]) -> Iterator[Path]:
    """Names above all that are taken, by a file or by results."""
    results = (place for place in base.parent.glob(f"{base.stem}_sweep_[0-9][0-9][0-9]") if place.is_dir())
    last = max((int(place.stem[-3:]) for place in [*taken, *results]), default=0)
    for number in range(last + 1, MOST + 1):
        path = base.with_name(f"{base.stem}_sweep_{number:03d}.toml")
        if fault := fault_of_stem(path.stem):
            raise EngineError(str(fault))
        yield path
    raise EngineError(f"{base.stem}_sweep_{MOST:03d} is taken (remove sweeps that are no longer needed)")


def _edited(text: str, settings: Mapping[str, Any]) -> str:
    """The text with the settings in their places; comments and all else stay."""
    try:
        document = tomlkit.parse(text)
        for key, value in settings.items():
            _set(document, key.split("."), value, key)
        return tomlkit.dumps(document)
    except TOMLKitError as error:
        raise EngineError(f"the project cannot be edited: {error} (write it in simpler TOML)") from None


def _set(place: Any, parts: list[str], value: Any, key: str) -> None:
    name, rest = parts[0], parts[1:]
    if isinstance(place, list):
        for at in _chosen(name, len(place), key):
            if rest:
                _set(place[at], rest, value, key)
            else:
                place[at] = value
        return
    if not isinstance(place, dict):
        raise EngineError(f"--set {key}: {name} would stand in a value that is no table (look at the key)")
    if not rest:
        place[name] = value
        return
    if name not in place:
        if ALL in rest or rest[0].isdigit():
            raise EngineError(f"--set {key}: the project has no {name} (write them into its file first)")
        place[name] = tomlkit.inline_table() if isinstance(place, tomlkit.items.InlineTable) else tomlkit.table()
    _set(place[name], rest, value, key)


def _chosen(name: str, count: int, key: str) -> list[int]:
    if name == ALL:
        return list(range(count))
    if name.isascii() and name.isdigit() and 1 <= int(name) <= count:
        return [int(name) - 1]
    raise EngineError(f"--set {key}: {name!r} is none of {count} (give 1 to {count}, or * for all)")
