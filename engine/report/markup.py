"""Text becomes HTML here and nowhere else: what is not Markup is escaped, so nothing of a file can become an element."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import Any

from engine.steering import made_visible

_VOID = {"br", "img", "input", "meta", "circle", "line", "path", "polyline", "rect"}


class Markup(str):
    """HTML that is finished."""

    __slots__ = ()


def text(value: Any) -> Markup:
    """The value as text: escaped, with a mark for each letter that would turn a line."""
    return value if isinstance(value, Markup) else Markup(escape(made_visible(str(value).replace("\n", " "))))


def joined(parts: Iterable[Any], between: str = "") -> Markup:
    return Markup(between.join(text(part) for part in parts))


def element(name: str, /, *parts: Any, **attributes: Any) -> Markup:
    """An element around the parts. class_ is class, stroke_width stroke-width; an attribute that is None is left out."""
    named = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_attribute(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in _VOID:
        return Markup(f"<{name}{named}/>")
    return Markup(f"<{name}{named}>{joined(parts)}</{name}>")


def preformatted(value: str) -> Markup:
    """Text whose line breaks stand."""
    lines = value.replace("\r\n", "\n").replace("\t", "    ").split("\n")
    return element("pre", Markup("\n".join(text(line) for line in lines)))


def _attribute(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else text(value)


def table(rows: Iterable[Iterable[Any]], head: Iterable[Any] = (), class_: str = "") -> Markup:
    """Rows whose first cell names the row; numbers stand on the right."""
    titles = list(head)
    top = element("thead", element("tr", *(element("th", title, scope="col") for title in titles))) if titles else ""
    lines = []
    for first, *rest in rows:
        lines.append(element("tr", element("th", first, scope="row"), *(_cell(value) for value in rest)))
    return element(
        "div", element("table", top, element("tbody", *lines), class_=class_ or None), class_="wide", tabindex="0"
    )


def _cell(value: Any) -> Markup:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return element("td", number(value) if is_number else value, class_="number" if is_number else None)


def number(value: Any) -> str:
    """A plain value as people read it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) < 1e15 and (value.is_integer() or abs(value) >= 1e3) else f"{value:.4g}"
    if isinstance(value, list | tuple):
        return ", ".join(map(number, value))
    return "–" if value is None else str(value)


def duration(seconds: float) -> str:
    """`43 s`, `5 min 10 s`, `3 h 20 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{whole} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
