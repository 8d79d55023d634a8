"""The pages docs/kinds/*.md, one for each kind of project, made from its form: `python docs/kind_pages.py` writes them anew.

A test holds the committed pages to what this gives.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from engine.dynamo.explain import UNITS, allowed, default_text
from engine.dynamo.names import Told, keys
from engine.kinds import KINDS
from engine.new import template

FOLDER = Path(__file__).with_name("kinds")
GUIDES = {
    "catalogue": ("many tomograms", "tomograms"),
    "collection": ("moving, merging and subboxing", "moving"),
    "extraction": ("many tomograms", "tomograms"),
    "mask": ("masks", "masks"),
    "picking": ("picking", "picking"),
    "registration": ("moving, merging and subboxing", "moving"),
    "selection": ("selecting particles", "selecting"),
    "transform": ("moving, merging and subboxing", "moving"),
}


def pages() -> dict[str, str]:
    """File name to text."""
    return {f"{kind}.md": "\n".join(_lines(kind)) + "\n" for kind in KINDS} | {"index.md": _index()}


def _index() -> str:
    lines = [
        "# Kinds of project",
        "",
        "Made from the forms by `docs/kind_pages.py`.",
        "",
        "| kind | does |",
        "|---|---|",
    ]
    lines += [f"| [`{kind}`]({kind}.md) | {_plain(_summary(kind))} |" for kind in KINDS]
    return "\n".join([*lines, "", "```{toctree}", ":hidden:", "", *KINDS, "```"]) + "\n"


def _lines(kind: str) -> Iterator[str]:
    yield from (f"# `{kind}`", "", _plain(_summary(kind)), "")
    yield f"A new file with every key: `engine new {kind} NAME`. What one of them means: `engine explain KEY`."
    if kind in GUIDES:
        yield from ("", f"How it is used: [{GUIDES[kind][0]}](../{GUIDES[kind][1]}.md).")
    yield from ("", "## What it makes", "", "| address | what | meaning |", "|---|---|---|")
    for item, named in KINDS[kind].ITEMS.items():
        if not item.startswith("binned_"):
            yield f"| `NAME:{item}` | {named.what} | {_plain(named.meaning)} |"
    if "binned_4" in KINDS[kind].ITEMS:
        meaning = KINDS[kind].ITEMS["binned_4"].meaning
        yield f"| `NAME:binned_4` | volume | {_plain(meaning)}; so for every factor |"
    yield from ("", "## Keys", "", "| key | unit | default | meaning |", "|---|---|---|---|")
    yield from _rows(kind)
    yield from ("", "## An example", "", "```toml", template(kind, depth=0).rstrip("\n"), "```")


def _rows(kind: str) -> Iterator[str]:
    """A row for each key. One that several shapes or operations have tells its meanings in turn."""
    told: dict[str, list[Told]] = {}
    for one in keys(kind):
        told.setdefault(one.key, []).append(one)
    masks = [key.removesuffix(".combine") for key in told if key.endswith(".combine")] if kind != "mask" else []
    for key, ones in told.items():
        if not any(key.startswith(f"{mask}.") for mask in masks):
            yield _row(ones, "; [a mask](mask.md): a file, an address, a part or several" if key in masks else "")


def _row(ones: list[Told], more: str) -> str:
    first = ones[0]
    unit = UNITS.get(first.path[-1].rpartition("_")[2], "") if "_" in first.path[-1] else ""
    default = default_text(first.field)
    is_value = default and default not in ("left out", "none, it must be given")
    shown = f"`{default}`" if is_value else default.replace("none, it must be given", "must be given")
    meaning = _choices(ones) if len({allowed(one) for one in ones} - {""}) > 1 else _meaning(ones)
    return f"| `{first.key}` | {unit} | {shown.replace('|', chr(92) + '|')} | {meaning}{more} |"


def _meaning(ones: list[Told]) -> str:
    meanings = dict.fromkeys((one.field.description or "").rstrip(".") for one in ones)
    can = next((text for one in ones if (text := allowed(one))), "")
    told = "; or: ".join(text for text in meanings if text) or "Which one it is"
    return _plain(f"{told}. Allowed: {can}" if can else told)


def _choices(ones: list[Told]) -> str:
    """What each of the values means that tell shapes, models or operations apart."""
    lines = [f"{allowed(one)}: {one.field.description}" if one.field.description else allowed(one) for one in ones]
    return "<br>".join(map(_plain, dict.fromkeys(lines)))


def _summary(kind: str) -> str:
    """The first sentence of the form."""
    return " ".join((KINDS[kind].Project.__doc__ or "").strip().split("\n\n")[0].split())


def _plain(text: str) -> str:
    """Text that stays text in a cell of a table."""
    for letter in "\\|*<>[]`":
        text = text.replace(letter, f"\\{letter}")
    return " ".join(text.split())


def write() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text, "utf-8")


if __name__ == "__main__":
    write()
