"""The rounds of a card become the rounds of a project, and what does not fit is named."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import ValidationError

from engine.dynamo.card import MAX_ROUNDS, Card, Entry, Value
from engine.dynamo.helix import helix_of
from engine.dynamo.left import Left
from engine.dynamo.names import absent, keys
from engine.kinds.alignment.checking import round_faults
from engine.kinds.form import Round
from engine.new import in_toml
from engine.wording import faults_of, literals

Given = dict[str, Entry]
"""Short name to what the card gives for it."""
LOWPASS_FPX = 32
"""Dynamo's own, where a card has none."""
_NOT_TOLD = {"low": LOWPASS_FPX, "high": 2}
"""What a round gets where the form's default is none."""
REJECTING = 10
"""thrm 11 to 51 are 1 to 5, with the rejected not aligned any more."""


ROUND_KEYS = {
    told.dynamo.name: told.path[1:]
    for told in reversed(list(keys("alignment")))
    if told.dynamo and told.path[0] == "rounds" and not absent(told.dynamo.name)
}
"""Short name to the key inside a round; of two keys with one name the first."""
_FIELDS = {told.path[1:]: told.field for told in keys("alignment") if told.path[0] == "rounds"}
WHOLE_DEG = 360
POLYHEDRA = {"ico": "I1, I2, I3 or I4", "cbo": "O"}
"""Dynamo's names of groups, and which ones here may be meant."""
_SEARCHES = {"cs": "cr", "is": "ir"}
_AGAIN = ("thr2", "thr2m")


def spread(card: Card) -> tuple[dict[int, Given], Given, list[Left]]:
    """What each round gives, what the project gives, and the fields that say something a second time.

    A name without a round is of round 1; a list of it is of rounds 1, 2, 3 …, but three numbers of lim are one limit.
    """
    rounds: dict[int, Given] = {number: {} for number in range(1, MAX_ROUNDS + 1)}
    general: Given = {}
    left = []
    for entry in sorted(card.entries, key=lambda entry: entry.round_number is None):
        if entry.name not in (*ROUND_KEYS, "dim") and entry.round_number is None:
            places = [(general, entry)]
        else:
            places = [(rounds[number], one) for number, one in _of_rounds(entry)]
        for place, one in places:
            first = place.setdefault(one.name, one)
            if first is not one and first.value != one.value:
                left.append(Left(one.field, one.value, f"{first.field} says {first.value}, which was taken"))
    return rounds, general, left


def _of_rounds(entry: Entry) -> list[tuple[int, Entry]]:
    if entry.round_number is not None:
        return [(entry.round_number, entry)]
    value = entry.value
    if isinstance(value, str) and "|" in value:
        value = tuple(_number_or_text(part.strip()) for part in value.split("|"))
    is_one = entry.name == "lim" and isinstance(value, tuple) and not any(isinstance(part, tuple) for part in value)
    if not isinstance(value, tuple) or not value or is_one:
        return [(1, entry)]
    listed = enumerate(value[:MAX_ROUNDS], start=1)
    return [(number, Entry(f"{entry.field} no. {number}", entry.name, number, part)) for number, part in listed]


def round_of(given: Given, box_px: int | None, left: list[Left]) -> dict[str, Any]:
    """One round as TOML has it; what could not be carried is added to left."""
    values: dict[str, Any] = {}
    sources: dict[tuple[str, ...], Entry] = {}
    for name, entry in given.items():
        if name == "sym" and (helix := helix_of(entry, left)):
            values |= helix
            continue
        if name not in ROUND_KEYS:
            continue
        search = given.get(_SEARCHES.get(name, ""))
        if search and search.value == 0:
            continue  # the step of a search that is left out
        if name in _AGAIN and not selects_again(given):
            left.append(Left(entry.field, entry.value, "there is no second selection", matters=False))
            continue
        for path, value in _carried(name, entry, left):
            _put(values, path, value)
            sources[path] = entry
    if "rule" not in values.get("select_again", {"rule": None}):
        values.pop("select_again")  # its rule was none that the engine has
    if ROUND_KEYS["low"] not in sources:
        _put(values, ROUND_KEYS["low"], LOWPASS_FPX)
    for name in [name for name in ROUND_KEYS if name not in given and name not in _AGAIN]:
        left.append(
            Left(f"{name}_r{_number(given)}", None, f"is not in the card: {_default_text(name)}", matters=name != "stm")
        )
    _mend(values, sources, left)
    _limit_band(values, given, left)
    _make_sense(values, sources, box_px, left)
    return values


def selects_again(given: Given) -> bool:
    """Whether a round has a second selection; its number alone is none."""
    return "thr2m" in given and given["thr2m"].value not in (0, (), "", "0")


def _number_or_text(text: str) -> Value:
    try:
        return float(text)
    except ValueError:
        return text


def _number(given: Given) -> int:
    return given["ite"].round_number or 1


def _carried(name: str, entry: Entry, left: list[Left]) -> list[tuple[tuple[str, ...], Any]]:
    """The keys of a round that a field sets, each with its value."""
    path, value = ROUND_KEYS[name], entry.value
    is_rejecting = name in ("thrm", "thr2m") and isinstance(value, int) and value > REJECTING and value % 10 == 1
    converted = _converted(path, value // 10 if is_rejecting and isinstance(value, int) else value)
    if converted is None:
        left.append(Left(entry.field, value, f"is nothing that {'.'.join(path)} can be: {_default_text(name)}"))
        return []
    if name in _SEARCHES.values() and converted > WHOLE_DEG:
        left.append(Left(entry.field, value, f"goes all around: {WHOLE_DEG} is written", matters=False))
        converted = WHOLE_DEG
    rejected = [((*path[:-1], "reject_from_alignment"), True)] if is_rejecting else []
    return [(path, converted), *rejected]


def _converted(path: tuple[str, ...], value: Value) -> Any:
    """The value in the form's type; None when it has no meaning there."""
    field = _FIELDS[path]
    if isinstance(value, tuple) and len(value) == 1:
        value = value[0]
    if choices := literals(field):
        return choices[value] if isinstance(value, int) and 0 <= value < len(choices) else None
    if path[-1] == "limits_xyz_px":
        parts = value if isinstance(value, tuple) else (value,) * 3
        return list(parts) if len(parts) == 3 and all(isinstance(part, int | float) for part in parts) else None
    if field.annotation is str:
        return value.upper() if isinstance(value, str) else None
    return value if isinstance(value, int | float) else None


def _mend(values: dict[str, Any], sources: Mapping[tuple[str, ...], Entry], left: list[Left]) -> None:
    """Takes out what the form does not take."""
    for _ in sources:
        try:
            Round.model_validate(values)
            return
        except ValidationError as error:
            for fault in faults_of(Round, values, error):
                path = tuple(str(part) for part in fault.key if isinstance(part, str))
                if _take(values, path) is not None and (entry := sources.get(path)):
                    reason = f"{fault.what}: {_default_text(entry.name)}"
                    left.append(Left(entry.field, entry.value, reason))
                if path == ROUND_KEYS["low"]:
                    _put(values, path, LOWPASS_FPX)


def _limit_band(values: dict[str, Any], given: Given, left: list[Left]) -> None:
    """A box that was binned on the fly holds no more than half its size."""
    dim, path = given.get("dim"), ROUND_KEYS["low"]
    if dim is None or not isinstance(dim.value, int | float) or dim.value <= 0:
        return
    low = values[path[0]][path[1]]
    if low > dim.value / 2:
        _put(values, path, dim.value / 2)
        left.append(
            Left(
                given["low"].field if "low" in given else "low",
                low,
                f"{dim.field} = {dim.value} holds no more than {dim.value / 2:g} Fourier px, which is written",
                matters=False,
            )
        )


def _make_sense(
    values: dict[str, Any], sources: Mapping[tuple[str, ...], Entry], box_px: int | None, left: list[Left]
) -> None:
    """Puts right what `engine check` would find wrong with the round, where there is one way to do it."""
    checked = Round.model_validate(values)
    mends: dict[tuple[str, ...], Callable[[Any], Any]] = {
        ("cone", "step_deg"): lambda _: checked.cone.range_deg / 2,
        ("azimuth", "step_deg"): lambda _: checked.azimuth.range_deg / 2,
        ("symmetry",): lambda _: None,
        ("select", "value"): lambda _: None,
        ("select_again", "value"): lambda _: None,
        ("shifts", "limits_xyz_px"): lambda _: [
            min(limit, (box_px or 0) / 2 - 1) for limit in checked.shifts.limits_xyz_px
        ],
        ("bandpass", "lowpass_fpx"): lambda low: (box_px or 0) // 2 if box_px and low > box_px / 2 else low,
    }
    for fault in round_faults(checked, box_px, None):
        path = tuple(str(part) for part in fault.key)
        old = _take(values, path)
        new = mends[path](old) if path in mends else old
        if new is not None:
            _put(values, path, new)
        entry = sources.get(path)
        if path[1:] == ("value",):
            values.pop(path[0])
            told = f"{path[0]} is left out, all are averaged"
        elif path == ("symmetry",) and entry is not None and entry.value in POLYHEDRA:
            told = (
                f'its axes are not published, symmetry is "C1"; write {POLYHEDRA[str(entry.value)]} where the axes fit'
            )
        else:
            told = f"{new} is written" if new is not None or entry is None else _default_text(entry.name)
        if entry is not None and new != old:
            left.append(Left(entry.field, entry.value, f"{fault.what.partition('; write')[0]}: {told}"))


def unknown(given: Given, left: list[Left]) -> None:
    """Names the fields of a round, or of the project, that have no key here."""
    for name, entry in given.items():
        if name in ROUND_KEYS:
            continue
        known = absent(name)
        off = (0, "", (), "0", *(known.off if known else ()))
        reason = known.reason if known else "the engine knows no such parameter"
        left.append(Left(entry.field, entry.value, reason, matters=not ("*" in off or entry.value in off)))


def _default_text(name: str) -> str:
    path = ROUND_KEYS[name]
    default = _NOT_TOLD.get(name, _FIELDS[path].default)
    return f"{'.'.join(path)} is {in_toml(default)}"


def _put(values: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    for part in path[:-1]:
        values = values.setdefault(part, {})
    values[path[-1]] = value


def _take(values: dict[str, Any], path: tuple[str, ...]) -> Any:
    for part in path[:-1]:
        values = values.get(part, {})
    return values.pop(path[-1], None)
