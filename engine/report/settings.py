"""The settings of a project as they are in force: what was typed first, then every default."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from pydantic import BaseModel

from engine.project import Project
from engine.report.markup import Markup, element, joined, number, table

_MOST_COLUMNS, _MOST_VALUES = 12, 12


class Setting(NamedTuple):
    """A value of the form. listed: (table, number from 1) where it stands in a list of tables."""

    key: str
    value: Any
    is_typed: bool
    listed: tuple[str, int] | None


def settings_of(project: Project) -> Iterator[Setting]:
    yield from _settings(project.form, project.values, "", None)


def _settings(form: BaseModel, typed: Any, before: str, listed: tuple[str, int] | None) -> Iterator[Setting]:
    values = typed if isinstance(typed, Mapping) else {}
    for name in type(form).model_fields:
        value, key = getattr(form, name), f"{before}{name}"
        if isinstance(value, BaseModel):
            yield from _settings(value, values.get(name), f"{key}.", listed)
        elif isinstance(value, tuple) and value and all(isinstance(one, BaseModel) for one in value):
            there = values.get(name)
            for at, one in enumerate(value):
                of_one = there[at] if isinstance(there, Sequence) and at < len(there) else None
                if listed is None:
                    yield from _settings(one, of_one, "", (key, at + 1))
                else:
                    yield from _settings(one, of_one, f"{key} {at + 1}.", listed)
        else:
            yield Setting(key, value, name in values, listed)


def shown(project: Project, links: Mapping[str, Markup]) -> Markup:
    """Tables of what was typed, those of a list side by side; the defaults are folded away.

    links: texts that name what is read, and how they stand in the page.
    """
    found = list(settings_of(project))
    plain = [one for one in found if one.listed is None and one.key != "title"]
    parts = [_pairs([one for one in plain if one.is_typed], links)]
    for name in dict.fromkeys(one.listed[0] for one in found if one.listed):
        parts.append(_side_by_side(name, [one for one in found if one.listed and one.listed[0] == name], links))
    defaults = _pairs([one for one in plain if not one.is_typed], links)
    if defaults:
        parts.append(element("details", element("summary", "At their defaults"), defaults))
    return joined(parts)


def _pairs(some: list[Setting], links: Mapping[str, Markup]) -> Markup:
    return (
        table(((element("code", one.key), _text(one.value, links)) for one in some), class_="pairs")
        if some
        else Markup()
    )


def _side_by_side(name: str, some: list[Setting], links: Mapping[str, Markup]) -> Markup:
    """A column for each table of the list: rows that were typed in one of them, then the others, folded away."""
    numbers = list(dict.fromkeys(one.listed[1] for one in some if one.listed))
    shown_numbers = numbers[:_MOST_COLUMNS]
    by_key: dict[str, dict[int, Setting]] = {}
    for one in some:
        if one.listed:
            by_key.setdefault(one.key, {})[one.listed[1]] = one

    def rows(are_typed: bool) -> list[list[Any]]:
        return [
            [element("code", key), *(_text(of[at].value, links) if at in of else "" for at in shown_numbers)]
            for key, of in by_key.items()
            if any(one.is_typed for one in of.values()) == are_typed
        ]

    head = [element("code", name), *map(str, shown_numbers)]
    more = f"The first {len(shown_numbers)} of {len(numbers)}." if len(numbers) > len(shown_numbers) else ""
    parts = [table(rows(True), head, "settings"), element("p", more, class_="note") if more else ""]
    if others := rows(False):
        parts.append(
            element("details", element("summary", f"{name}: at their defaults"), table(others, head, "settings"))
        )
    return joined(parts)


def _text(value: Any, links: Mapping[str, Markup]) -> Any:
    if isinstance(value, str):
        return links.get(value, value or "–")
    if isinstance(value, tuple | list):
        more = f" … {len(value) - _MOST_VALUES} more" if len(value) > _MOST_VALUES else ""
        return joined([joined((_text(one, links) for one in value[:_MOST_VALUES]), ", "), more])
    return str(value).lower() if isinstance(value, bool) else number(value)
