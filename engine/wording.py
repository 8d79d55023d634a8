"""What is wrong with the values of a form, in plain words, with the nearest right thing beside it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from typing import Any, Literal, NamedTuple, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from engine.faults import Fault, Key

Form = type[BaseModel]
_BOUNDS = {
    "greater_than": ("greater than", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("less than", "lt"),
    "less_than_equal": ("at most", "le"),
}
_MEANT = re.compile(r'(?:["\[])(\w+)["\]]')
_DYNAMO = re.compile(r"Dynamo: (?P<name>\w+)(?P<codes>(?: \d+,)* \d+(?: to \d+)?)?$")


def faults_of(form: Form, values: Mapping[str, Any], error: ValidationError) -> list[Fault]:
    """A fault for each thing wrong with the values, not placed yet."""
    found: dict[Key, Fault] = {}
    unknown: list[Fault] = []
    for detail in error.errors(include_url=False):
        key = toml_key(detail["loc"], values, is_missing=detail["type"] == "missing")
        if detail["type"] == "extra_forbidden":
            unknown.append(Fault(key, f'unknown key "{key[-1]}"', _right_key(form, key, values), code="E101"))
        elif not _is_echo(detail):
            fault = _fault(form, key, values, detail)
            found.setdefault(fault.key, fault)
    meant = {(*fault.key[:-1], name) for fault in unknown for name in _MEANT.findall(fault.advice)}
    meant |= {place for fault in unknown for place in _places(form, fault.key)}
    return unknown + [fault for key, fault in found.items() if not (key in meant and "missing" in fault.what)]


def toml_key(loc: tuple[int | str, ...], values: Any, *, is_missing: bool = False) -> Key:
    """The path in the document that a location of pydantic means: names of union branches are left out."""
    return _aligned(loc, values, is_missing)[1]


def form_at(form: Form, key: Key, values: Any) -> Form | None:
    """The form of the table at a path; None where there is no table to be. Shapes are told apart by their values."""
    candidates = [form]
    for part in key:
        if isinstance(part, str):
            fields = [one.model_fields[part] for one in candidates if part in one.model_fields]
            candidates = [inner for field in fields for inner in forms_in(field.annotation)]
        values = _child(values, part)
    fitting = [one for one in candidates if _fits(one, values)] or candidates
    given = values.keys() if isinstance(values, dict) else set()
    return max(fitting, key=lambda one: len(one.model_fields.keys() & given), default=None)


def field_at(form: Form, key: Key, values: Any) -> FieldInfo | None:
    """The field at a path, or the one that holds the list element at a path."""
    while key and isinstance(key[-1], int):
        key = key[:-1]
    parent = form_at(form, key[:-1], values) if key else None
    return parent.model_fields.get(str(key[-1])) if parent else None


def choices_text(words: Iterable[str]) -> str:
    """`"a", "b" and "c"`."""
    quoted = [f'"{word}"' for word in words]
    return " and ".join([", ".join(quoted[:-1]), quoted[-1]]) if len(quoted) > 1 else "".join(quoted)


def nearest(word: str, known: Iterable[str]) -> str:
    """`did you mean "table"?`, or nothing when nothing is near."""
    known = list(known)
    with_unit = [name for name in known if re.fullmatch(rf"{re.escape(word)}_(xyz_)?(px|fpx|A|deg)", name)]
    lower = {name.lower(): name for name in known}
    close = with_unit or [lower[name] for name in difflib.get_close_matches(word.lower(), lower, n=1)]
    return f"did you mean {' or '.join(f'{chr(34)}{name}{chr(34)}' for name in close)}?" if close else ""


def said(value: Any) -> str:
    """A value as one would name it: `the text "1.35"`."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return f'the text "{value if len(value) < 60 else value[:57] + "…"}"'
        case int() | float():
            return str(value)
        case dict():
            return "a table"
        case list():
            return "an empty list" if not value else f"a list of {len(value)}"
        case _:
            return f"the date or time {value}"


def _is_echo(detail: Mapping[str, Any]) -> bool:
    """True for a list called too short only because its elements are wrong."""
    return detail["type"] == "too_short" and len(detail["input"]) >= detail["ctx"]["min_length"]


def _fault(form: Form, key: Key, values: Any, detail: Mapping[str, Any]) -> Fault:
    """The fault of one of pydantic's errors."""
    kind, value, context = detail["type"], detail["input"], detail.get("ctx", {})
    field = field_at(form, key, values)
    if kind == "missing" and isinstance(key[-1], int):
        return _wrong_length(form, key[:-1], values)
    if kind in ("too_short", "too_long"):
        return _wrong_length(form, key, values)
    if kind == "missing":
        return _missing(key, field)
    if kind in _BOUNDS:
        words, name = _BOUNDS[kind]
        return Fault(key, f"must be {words} {context[name]:.10g}, got {said(value)}", code="E112")
    if kind == "value_error":
        what, _, advice = str(context["error"]).partition(" (")
        return _conflict(Fault(key, what, advice.removesuffix(")"), code="E116"), values)
    if kind == "literal_error":
        return _wrong_choice(key, value, literals(field), others=_takes_list(field))
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        return _wrong_tag(key, values, context["discriminator"].strip("'"), form)
    if kind == "finite_number":
        return Fault(key, f"must be a finite number, got {said(value)}", code="E112")
    if kind == "string_too_short":
        return Fault(key, "is an empty text", "name a file or an address, or leave the key out", code="E114")
    return _wrong_type(key, kind, value, field)


def _conflict(fault: Fault, values: Any) -> Fault:
    """What the form says of a table, at the last of the keys that it names and that are there, and the others beside it."""
    table = _value_at(values, fault.key)
    named = set(re.findall(r"\w+", f"{fault.what} {fault.advice}"))
    keys = [(*fault.key, name) for name in table if name in named] if isinstance(table, dict) else []
    return replace(fault, key=keys[-1], also=tuple(keys[:-1])) if len(keys) > 1 else fault


def _missing(key: Key, field: FieldInfo | None) -> Fault:
    described = (field.description or "") if field else ""
    inner = forms_in(field.annotation) if field else []
    if inner and len(key) == 1:
        brackets = f"[[{key[0]}]]" if _is_array_of_tables(field) else f"[{key[0]}]"
        return Fault(
            key, f"{brackets} is missing", f"write it, with {choices_text(_needed(inner[0]))} below", code="E103"
        )
    return Fault(key, "is missing", described, code="E102")


def _wrong_length(form: Form, key: Key, values: Any) -> Fault:
    field, value = field_at(form, key, values), _value_at(values, key)
    if field and forms_in(field.annotation):
        return Fault(key, f"needs at least one [[{'.'.join(map(str, key))}]]", code="E103")
    n_right = _length(field.annotation if field else None)
    names = _named(key, n_right)
    return Fault(
        key, f"must have {n_right} numbers, got {len(value)}", f"write [{names}]" if names else "", code="E113"
    )


def _named(key: Key, count: int) -> str:
    """What the numbers of a list are, as far as its name or their count tells: `x, y, z`."""
    name = next((part for part in reversed(key) if isinstance(part, str)), "")
    return "x, y, z" if "_xyz_" in name else "lowest, highest" if count == 2 else ""


def _wrong_choice(key: Key, value: Any, choices: list[str], others: bool = False) -> Fault:
    listed = choices_text(choices) + (" or a list such as [0]" if others else "")
    near = nearest(value, choices) if isinstance(value, str) else ""
    got = f'"{value}"' if isinstance(value, str) else said(value)
    if len(choices) == 1:
        return Fault(key, f"{got} is not possible here, only {listed}", near, code="E111")
    return Fault(key, f"{got} is not one of the choices: {listed}", near, code="E111")


def _wrong_tag(key: Key, values: Any, name: str, form: Form) -> Fault:
    """A table whose shape is missing or unknown."""
    if key and key[-1] == name:
        key = key[:-1]
    field = field_at(form, key, values)
    shapes = forms_in(field.annotation if field else None)
    choices = [word for shape in shapes for word in literals(shape.model_fields.get(name))]
    value = _value_at(values, (*key, name))
    if value is None:
        others = "".join(f", or give {_first_needed(shape)}" for shape in shapes if name not in shape.model_fields)
        return Fault((*key, name), "is missing", f"one of {choices_text(choices)}{others}", code="E102")
    return _wrong_choice((*key, name), value, choices)


def _wrong_type(key: Key, kind: str, value: Any, field: FieldInfo | None) -> Fault:
    """A value of another type than the form asks for."""
    annotation = field.annotation if field else None
    got = said(value)
    if kind == "string_type":
        advice = f'write "{value}"' if isinstance(value, int | float) and not isinstance(value, bool) else ""
        return Fault(key, f"must be a text, got {got}", advice, code="E105")
    if kind in ("float_type", "int_type", "int_from_float"):
        whole = "a whole number" if kind.startswith("int") else "a number"
        return Fault(key, f"must be {whole}, got {got}", _number_advice(value, kind), code="E106")
    if kind == "bool_type":
        is_word = isinstance(value, str) and value.lower() in ("true", "false")
        return Fault(key, f"must be true or false, got {got}", "remove the quotes" if is_word else "", code="E107")
    if kind == "tuple_type":
        if forms_in(annotation):
            return Fault(
                key, f"can be there several times, got {got}", f"write [[{key[-1]}]] with two brackets", code="E110"
            )
        n_right = max(1, _length(annotation))
        if isinstance(key[-1], int) and isinstance(value, int | float):  # the list of lists is told, and told once
            one = f"[{_named(key, n_right) or '…'}]"
            what = f"must hold lists of {n_right} numbers, got {got} by itself"
            return Fault(key[:-1], what, f"write [{one}, {one}]", code="E108")
        inside = ", ".join([str(value)] * n_right) if isinstance(value, int | float) else _named(key, n_right)
        advice = f"write [{inside}]" if inside else ""
        return Fault(key, f"must be a list, got {got}", advice, code="E108")
    if kind in ("model_type", "model_attributes_type", "dict_type"):
        is_file_too = str in _parts_of(annotation)
        what = "must be a table or the name of a file" if is_file_too else "must be a table"
        inner = next(iter(forms_in(annotation)), None)
        example = _first_needed(inner) if inner else "key"
        return Fault(key, f"{what}, got {got}", f"write {{ {example} = … }}", code="E109")
    return Fault(key, f"{kind.replace('_', ' ')}, got {got}", code="E118")


def _needed(form: Form) -> list[str]:
    """The keys that a table of the form must have."""
    return [name for name, field in form.model_fields.items() if field.is_required()]


def _first_needed(form: Form) -> str:
    """The first key that a table of the form must have, else its first."""
    return next(iter([*_needed(form), *form.model_fields]), "key")


def _number_advice(value: Any, kind: str) -> str:
    if isinstance(value, str):
        if re.fullmatch(r"\s*[-+]?[\d.]+(e[-+]?\d+)?\s*", value):
            return "remove the quotes"
        if number := re.match(r"\s*[-+]?\d+(\.\d+)?", value):
            return f"write {number[0].strip()}; the unit is in the key's name"
    if isinstance(value, float) and kind.startswith("int") and value == value and value.is_integer():
        return f"write {value:.0f}"
    if isinstance(value, list) and len(value) == 1:
        return "remove the brackets"
    return ""


class DynamoName(NamedTuple):
    """A short name of Dynamo's, and its numbers for the choices of the field in their order, where it has numbers."""

    name: str
    codes: tuple[int, ...]


def dynamo_name(field: FieldInfo) -> DynamoName | None:
    """What the end of a field's description tells: `… Dynamo: cf 0, 1, 2`."""
    told = _DYNAMO.search(field.description or "")
    if told is None:
        return None
    codes = told["codes"] or ""
    return DynamoName(told["name"], () if "to" in codes else tuple(int(code) for code in re.findall(r"\d+", codes)))


def _right_key(form: Form, key: Key, values: Any) -> str:
    """Where the user may have wanted to go with an unknown key."""
    name, parent = str(key[-1]), form_at(form, key[:-1], values)
    if parent is None:
        return ""
    known = parent.model_fields
    if path := _dynamo_names(form).get(dynamo := re.sub(r"_r\d+$", "", name)):
        return f"Dynamo's {dynamo} is {'.'.join(_seen_from(key, path))} here"
    if near := nearest(name, known):
        for right, field in known.items():
            if f'"{right}"' in near and len(key) == 1 and _is_array_of_tables(field):
                return f"did you mean [[{right}]]?"
        return near + _other_unit(name, near)
    for path in _places(form, key):
        above = ".".join(_seen_from(key, path)[:-1])
        return f"it belongs in {above}" if above else "it belongs above the first [table]"
    return f"known here: {', '.join(known)}"


def _places(form: Form, key: Key) -> list[tuple[str, ...]]:
    """Where the form has a key of that name; nowhere else where it is one of another shape of its table."""
    found = [path for path, _ in everywhere(form) if path[-1] == key[-1]]
    return [] if tuple(part for part in key if isinstance(part, str)) in found else found


_UNIT = re.compile(r"_(px|fpx|A|nm|um|deg|rad|[aA]ngstroms?|pixels?|degrees?|radians?)$")


def _other_unit(name: str, near: str) -> str:
    """` it counts in px`, where the name that is known ends in another unit than the one that was typed."""
    typed = _UNIT.search(name)
    right = {unit[1] for word in _MEANT.findall(near) if (unit := _UNIT.search(word))}
    if typed is None or len(right) != 1:
        return ""
    (meant,) = right
    is_same = typed[1][0].lower() == meant[0].lower()  # A and angstrom, deg and degrees
    return "" if is_same else f" it counts in {meant.replace('fpx', 'Fourier px')}"


def _seen_from(key: Key, path: tuple[str, ...]) -> tuple[str, ...]:
    """The path as one says it inside the table that holds the key."""
    table = tuple(part for part in key[:-1] if isinstance(part, str))
    return path[len(table) :] if path[: len(table)] == table and len(path) > len(table) + 1 else path


@cache
def _dynamo_names(form: Form) -> Mapping[str, tuple[str, ...]]:
    """Dynamo's short names, each with the first place that has it."""
    told = [(dynamo.name, path) for path, field in everywhere(form) if (dynamo := dynamo_name(field))]
    return dict(reversed(told))


@cache
def everywhere(form: Form) -> tuple[tuple[tuple[str, ...], FieldInfo], ...]:
    """Every field of the form and of the tables inside it, with its path."""
    found: list[tuple[tuple[str, ...], FieldInfo]] = []
    for name, field in form.model_fields.items():
        found.append(((name,), field))
        for inner in forms_in(field.annotation):
            found += [((name, *path), of_inner) for path, of_inner in everywhere(inner)]
    return tuple(found)


def _parts_of(annotation: Any) -> Iterator[Any]:
    """The annotation and all that it is made of."""
    yield annotation
    if get_origin(annotation) is not Literal:
        for part in get_args(annotation):
            yield from _parts_of(part)


def forms_in(annotation: Any) -> list[Form]:
    """The forms of the tables that an annotation allows."""
    forms = (part for part in _parts_of(annotation) if isinstance(part, type) and issubclass(part, BaseModel))
    return list(dict.fromkeys(forms))


def literals(field: FieldInfo | None) -> list[str]:
    """The choices of a field; empty when it is free."""
    parts = _parts_of(field.annotation) if field else ()
    return [str(word) for part in parts if get_origin(part) is Literal for word in get_args(part)]


def _length(annotation: Any) -> int:
    """How many elements a list must have; 0 when any number will do."""
    tuples = [get_args(part) for part in _parts_of(annotation) if get_origin(part) is tuple]
    return max((len(parts) for parts in tuples if Ellipsis not in parts), default=0)


def _takes_list(field: FieldInfo | None) -> bool:
    return field is not None and any(get_origin(part) is tuple for part in _parts_of(field.annotation))


def _is_array_of_tables(field: FieldInfo | None) -> bool:
    """True for what can only be [[tables]], not for what may also be a file or one table."""
    return field is not None and _takes_list(field) and get_origin(field.annotation) is tuple


def _fits(form: Form, values: Any) -> bool:
    """True when the values have one of the keys that the form needs, and contradict none of its choices."""
    if not isinstance(values, dict) or not any(name in values for name in _needed(form) or values):
        return False
    fixed = {name: literals(field) for name, field in form.model_fields.items() if field.is_required()}
    return all(values.get(name, words[0]) in words for name, words in fixed.items() if words)


def _child(values: Any, part: str | int) -> Any:
    if isinstance(values, dict):
        return values.get(str(part)) if isinstance(part, str) else None
    if isinstance(values, list) and isinstance(part, int) and part < len(values):
        return values[part]
    return None


def _value_at(values: Any, key: Key) -> Any:
    for part in key:
        values = _child(values, part)
    return values


def _aligned(loc: tuple[int | str, ...], values: Any, is_missing: bool) -> tuple[bool, Key]:
    """The longest path of the document along the location, and whether it reaches the location's end."""
    if not loc:
        return True, ()
    part, rest = loc[0], loc[1:]
    options: list[tuple[bool, Key]] = []
    in_table = isinstance(values, dict) and part in values
    if in_table or (isinstance(values, list) and isinstance(part, int) and part < len(values)):
        complete, path = _aligned(rest, _child(values, part), is_missing)
        options.append((complete, (part, *path)))
    elif is_missing and not rest:
        return True, (part,)
    if isinstance(part, str):
        complete, path = _aligned(rest, values, is_missing)
        options.append((complete and bool(rest), path))
    return max(options, key=lambda option: (option[0], len(option[1])), default=(False, ()))
