"""Addresses: `project:item[:key=value]…`, the one way to name a result in TOML, shell and Python."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from engine.faults import EngineError

LETTERS = {
    "a": "average",
    "as": "average_symmetrized",
    "raw": "average_raw",
    "fw": "fourier_weight",
    "m": "mask",
    "cm": "classification_mask",
    "cmask": "classification_mask",
    "fm": "fourier_mask",
    "fmask": "fourier_mask",
    "sm": "fsc_mask",
    "smask": "fsc_mask",
    "data": "particles",
    "particle": "particles",
    "t": "table",
    "rt": "table",
    "refined_table": "table",
    "st": "starting_table",
    "sr": "starting_reference",
    "r": "starting_reference",
    "eo_fsc": "fsc",
}
"""Dynamo's short item names and the words they stand for."""

Half = Literal["even", "odd"]
_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,78}[A-Za-z0-9_-])?")
_DEVICE = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
_MOST_CHARACTERS = 1000
_WHOLE = r"[0-9]{1,15}"
_RANGE = re.compile(rf"({_WHOLE}):({_WHOLE}|last)")
_LIST = re.compile(rf"\[\s*{_WHOLE}(\s*,\s*{_WHOLE})*\s*\]")
NAME_WORDS = "letters, digits, '_', '-' and '.', at most 80, no '.' at the end, and no device of Windows such as nul"


@dataclass(frozen=True)
class Numbers:
    """Which iterations, references or tomograms are meant: numbers, a range, the last complete one, or all."""

    first: int | None = None
    last: int | None = None
    listed: tuple[int, ...] = ()

    def choose(self, complete: list[int]) -> list[int]:
        """The meant ones among the complete iterations, ascending."""
        if self == LAST:
            return complete[-1:]
        if self.listed:
            return [number for number in complete if number in self.listed]
        low = self.first or 0
        high = complete[-1] if self.last is None and complete else (self.last or 0)
        return [number for number in complete if low <= number <= high]


LAST = Numbers()
ALL = Numbers(first=0)


@dataclass(frozen=True)
class Address:
    """A result by name. project may hold folders (`projects/hiv1/pr_1`) only when a person typed it in a shell.

    Without ref the result of all references is meant where there is one, else that of the first; without tomo that of all
    tomograms.
    """

    project: str
    item: str
    ite: Numbers = field(default=LAST)
    ref: Numbers | None = None
    half: Half | None = None
    tag: int | None = None
    tomo: Numbers | None = None
    text: str = field(default="", compare=False)

    def __str__(self) -> str:
        return self.text or f"{self.project}:{self.item}"


def is_name(text: str) -> bool:
    """True for what may name a project, a step or an item: it can stand in an address, and is a file's name everywhere."""
    return _NAME.fullmatch(text) is not None and _DEVICE.fullmatch(text) is None


def is_address(text: str) -> bool:
    """True for what contains a colon; everything else is a path."""
    return ":" in text


def parse(text: str) -> Address:
    """The address that the text spells; an EngineError says what is wrong and what would be right."""
    refuse_long(text)
    project, _, rest = text.partition(":")
    if not project:
        raise EngineError(f"{text!r}: an address starts with a project name, as in pr_1:average")
    if not is_name(project.rsplit("/", 1)[-1]):
        raise EngineError(f"{text!r}: {project!r} is not a project name ({NAME_WORDS})")
    parts = _split(rest)
    item = parts[0] if parts else ""
    if not item or "=" in item:
        raise EngineError(f"{text!r}: name an item after the project, as in {project}:average")
    values: dict[str, Any] = {"ite": LAST, "ref": None, "half": None, "tag": None, "tomo": None}
    given: set[str] = set()
    for part in parts[1:]:
        key, equals, value = part.partition("=")
        if not equals:
            right = f"ite={part}" if re.fullmatch(_WHOLE, part) else "ite=3, ref=2"
            raise EngineError(f"{text!r}: {part!r} is not key=value (as in {right})")
        if key not in values:
            raise EngineError(f"{text!r}: no key {key!r}{_nearest(key, values)}; the keys are {', '.join(values)}")
        if key in given:
            raise EngineError(f"{text!r}: {key} is given twice (leave one out)")
        given.add(key)
        values[key] = _value(text, key, value)
    return Address(project, LETTERS.get(item, item), text=text, **values)


def no_table(address: Address | str, what: str) -> EngineError:
    """The error where a part of a table is asked for, of what is none."""
    return EngineError(f"{address}: where, columns and sort are for tables; this is a {what}")


def refuse_long(text: str) -> None:
    """EngineError for what is far longer than any address."""
    if len(text) > _MOST_CHARACTERS:
        raise EngineError(
            f"{text[:60]!r} …: an address has at most {_MOST_CHARACTERS} characters (name a range: ite=0:last)"
        )


def _split(rest: str) -> list[str]:
    """The parts between colons, where the colon of a range (ite=0:last) does not count."""
    marked = re.sub(r"(=\d+):(\d+|last)", "\\1\0\\2", rest)
    return [part.replace("\0", ":") for part in marked.split(":") if part]


def _value(text: str, key: str, value: str) -> Numbers | int | str:
    if key in ("ite", "ref", "tomo"):
        return _numbers(text, key, value)
    if key == "half":
        if value not in ("even", "odd"):
            raise EngineError(f"{text!r}: half is even or odd, not {value!r}")
        return value
    if not re.fullmatch(_WHOLE, value):
        raise EngineError(f"{text!r}: {key} is a whole number, not {value!r}")
    return int(value)


def _numbers(text: str, key: str, value: str) -> Numbers:
    if value == "last" and key == "ite":
        return LAST
    if value in ("*", "all"):
        return ALL
    if re.fullmatch(_WHOLE, value):
        return Numbers(listed=(int(value),))
    if match := _RANGE.fullmatch(value):
        first, last = match.groups()
        return Numbers(first=int(first), last=None if last == "last" else int(last))
    if _LIST.fullmatch(value):
        return Numbers(listed=tuple(int(number) for number in re.findall(_WHOLE, value)))
    can = (
        "a number, last, *, a range 0:last or a list [1,3]"
        if key == "ite"
        else "a number, *, a range 1:3 or a list [1,3]"
    )
    raise EngineError(f"{text!r}: {key} is {can}, not {value!r}")


def _nearest(word: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(word, list(known), n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""
