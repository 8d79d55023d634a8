"""What a word of Dynamo's, or a key of a project file, means here."""

from __future__ import annotations

import difflib
import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from engine.dynamo.names import ABSENT, DIFFERENCES, LONG, Told, absent, keys, short
from engine.faults import EngineError
from engine.kinds import KINDS
from engine.new import in_toml
from engine.wording import choices_text, dynamo_name, literals

UNITS = {"deg": "deg", "fpx": "Fourier pixels of the stored box", "px": "px of the stored box", "A": "A"}
"""The last word of a key is its unit."""
_BOUNDS = {"ge": "at least", "gt": "greater than", "le": "at most", "lt": "less than"}
_ROUND = re.compile(r"_r[1-8]$")
_NEAR = 3


@dataclass(frozen=True)
class Explained:
    """One meaning of a word. key is empty for what only Dynamo has; dynamo for what only the engine has."""

    key: str
    kinds: tuple[str, ...]
    meaning: str
    unit: str = ""
    default: str = ""
    allowed: str = ""
    dynamo: str = ""
    differs: str = ""


def explain(word: str) -> list[Explained]:
    """All that the word means, as Dynamo's name or as a key (with or without its tables); an unknown one is an EngineError."""
    asked = _ROUND.sub("", word.strip("[] "))
    name = short(asked)
    found: dict[tuple[str, str], list[Told]] = {}
    for told in _all_keys():
        if _means(told, asked, name):
            found.setdefault((told.key, told.field.description or ""), []).append(told)
    explained = [_explained(together) for together in found.values()]
    if not any(one.dynamo for one in explained) and (known := absent(name)):
        names = ", ".join((name, *LONG.get(name, ())))
        explained.append(Explained("", (), f"not in the engine: {known.reason}", dynamo=names))
    if asked in KINDS:
        explained.insert(0, _kind(asked))
    if not explained:
        explained = _with_choice(asked)
    if not explained:
        raise EngineError(
            f'"{word}" is neither a name of Dynamo\'s nor a kind, a key or a choice of a project file{_nearest(asked)}'
        )
    return explained


def _kind(name: str) -> Explained:
    """What a kind of project is for."""
    meaning = (inspect.getdoc(KINDS[name].Project) or "").partition("\n")[0]
    return Explained(name, ("kind of project",), f"{meaning} A file with all its keys: engine new {name} NAME")


def _with_choice(word: str) -> list[Explained]:
    """The keys that have the word among their choices."""
    found: dict[str, list[Told]] = {}
    for told in _all_keys():
        if word in literals(told.field):
            found.setdefault(told.key, []).append(told)
    return [_explained(together) for together in found.values()]


def _all_keys() -> Iterator[Told]:
    return (told for kind in KINDS for told in keys(kind))


def _means(told: Told, asked: str, name: str) -> bool:
    if told.dynamo and told.dynamo.name == name:
        return True
    return f".{told.key.lower()}".endswith(f".{asked.lower()}")


def _explained(together: list[Told]) -> Explained:
    told = together[0]
    field, name = told.field, told.dynamo.name if told.dynamo else ""
    meaning = (field.description or "").rpartition(" Dynamo: ")[0] if name else field.description or ""
    return Explained(
        key=told.key,
        kinds=tuple(dict.fromkeys(one.kind for one in together)),
        meaning=meaning or "Which one it is, and so which keys stand beside it",
        unit=UNITS.get(told.path[-1].rpartition("_")[2], "") if "_" in told.path[-1] else "",
        default=default_text(field),
        allowed=allowed(told) or _keys_below(told),
        dynamo=_names(told),
        differs=DIFFERENCES.get(name, ""),
    )


def _keys_below(told: Told) -> str:
    """`the keys range_deg, step_deg` of a table; empty for a value."""
    names = dict.fromkeys(
        other.path[len(told.path)]
        for other in keys(told.kind)
        if len(other.path) > len(told.path) and other.path[: len(told.path)] == told.path
    )
    return f"the keys {', '.join(names)}" if names else ""


def _names(told: Told) -> str:
    if told.dynamo is None:
        return ""
    names = ", ".join((told.dynamo.name, *LONG.get(told.dynamo.name, ())))
    written = dynamo_name(told.field) or told.dynamo
    is_part = (told.field.description or "").rpartition("Dynamo: ")[2].removeprefix(written.name).strip()
    return f"{names} ({is_part})" if is_part and not told.dynamo.codes else names


def default_text(field: Any) -> str:
    """The default as TOML has it; empty for a table, whose keys have their own."""
    if field.is_required():
        return "none, it must be given"
    value = field.default
    if isinstance(value, BaseModel):
        return ""
    return "left out" if value is None else in_toml(value)


def allowed(told: Told) -> str:
    """The choices, each with Dynamo's number; or the bounds."""
    choices = literals(told.field)
    if choices and told.dynamo and told.dynamo.codes:
        return ", ".join(f'"{word}" ({code})' for word, code in zip(choices, told.dynamo.codes, strict=True))
    if choices:
        return choices_text(choices)
    bounds = [
        f"{words} {getattr(mark, name):g}"
        for mark in told.field.metadata
        for name, words in _BOUNDS.items()
        if getattr(mark, name, None) is not None
    ]
    return ", ".join(bounds)


def _nearest(word: str) -> str:
    """` (did you mean …?)`."""
    known = {long.lower(): name for name, others in LONG.items() for long in others}
    known |= {name.lower(): name for name in [*LONG, *ABSENT] if "*" not in name}
    for told in _all_keys():
        known |= {text.lower(): text for text in (told.path[-1], told.key.removeprefix("rounds."))}
        known |= {told.dynamo.name: told.dynamo.name} if told.dynamo else {}
    close = difflib.get_close_matches(word.lower(), known, n=_NEAR, cutoff=0.5)
    words = choices_text(dict.fromkeys(known[one] for one in close)).replace(" and ", " or ")
    return f" (did you mean {words}?)" if words else " (engine new KIND NAME writes all keys of a kind)"
