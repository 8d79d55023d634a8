"""The page around the sections: one file, no request, and nothing runs in it but the script that is named by its hash."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from importlib.resources import files
from typing import Any

from engine.outline import dependencies
from engine.project import Project
from engine.report.detail import Detail
from engine.report.markup import Markup, element, joined, table, text
from engine.report.reading import Reader
from engine.report.sections import Section, name_and_unit, newest_numbers, rounded, state
from engine.steering import escaped
from engine.version import engine_version


def page(title: str, readers: Sequence[Reader], detail: Detail) -> str:
    """The whole HTML text."""
    anchors = anchors_of([reader.project for reader in readers])
    surfaces: list[dict[str, Any]] = []
    sections = []
    for reader in readers:
        known = {
            other.project.name: anchors[other.project.store_folder.resolve().as_posix()]
            for other in readers
            if other.project.campaign.resolve() == reader.project.campaign.resolve()
        }
        sections.append(Section(reader, detail, known, surfaces, len(readers) == 1).drawn(known[reader.project.name]))
    body = [
        _header(title, readers, detail),
        *([_chain(readers, anchors)] if len(readers) > 1 else []),
        *sections,
        _footer(),
    ]
    return _document(title, joined(body, "\n"), surfaces)


def anchors_of(projects: Sequence[Project]) -> dict[str, str]:
    """The place of each project's results to the name of its section; projects of one name in two folders are numbered."""
    anchors: dict[str, str] = {}
    for project in projects:
        name, n = f"p-{project.name}", 1
        while name in anchors.values():
            n += 1
            name = f"p-{project.name}-{n}"
        anchors[project.store_folder.resolve().as_posix()] = name
    return anchors


def _header(title: str, readers: Sequence[Reader], detail: Detail) -> Markup:
    done = sum(bool(reader.stored) for reader in readers)
    made = f"Report of {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, engine {engine_version()}."
    if len(readers) > 1:
        parts = [
            element("h1", title),
            element("p", f"{len(readers)} projects, {done} with results. {made}", class_="note"),
        ]
    else:
        parts = [element("p", made, class_="note")]
    if detail.words:
        parts.append(element("p", f"To keep this file small: {detail.words}", class_="note dropped"))
    return element("header", *parts)


def _chain(readers: Sequence[Reader], anchors: Mapping[str, str]) -> Markup:
    """The table of contents: each project after those that it reads."""
    rows = []
    for reader in readers:
        project = reader.project
        folder = project.campaign.resolve()

        def link(name: str, folder: Any = folder) -> Markup:
            anchor = anchors.get((folder / name).as_posix())
            return element("a", name, href=f"#{anchor}") if anchor else text(name)

        read = list(dict.fromkeys(address.project for address in dependencies(project)))
        result = _first_number(reader) if reader.stored else state(reader)
        rows.append([link(project.name), project.kind, project.form.title, joined(map(link, read), ", "), result])
    head = ("project", "kind", "what for", "reads", "result")
    return element(
        "section", element("h2", "The chain"), element("nav", table(rows, head, "chain"), aria_label="Projects")
    )


def _first_number(reader: Reader) -> Markup:
    """What a project came to, in a number."""
    numbers = newest_numbers(reader)
    if not numbers:
        return Markup()
    words, unit = name_and_unit(numbers[0][0])
    return joined([element("strong", f"{rounded(numbers[0][1])} {unit}".rstrip()), f" {words}"])


def _footer() -> Markup:
    return element("footer", element("p", "This file is complete in itself and asks nothing of the network."))


def _document(title: str, body: Markup, surfaces: list[dict[str, Any]]) -> str:
    here = files("engine.report")
    style, script = (here.joinpath(name).read_text("utf-8") for name in ("page.css", "surface.js"))
    policy = (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    head = [
        element("meta", charset="utf-8"),
        Markup(f'<meta http-equiv="Content-Security-Policy" content="{policy}"/>'),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="generator", content=f"engine {engine_version()}"),
        element("title", title),
        Markup(f"<style>{style}</style>"),
    ]
    data = Markup(f'<script type="application/json" id="surfaces">{inert(surfaces)}</script>')
    run = Markup(f"<script>{script}</script>")
    parts = [element("head", *head), element("body", body, *([data, run] if surfaces else []))]
    return f'<!doctype html>\n<html lang="en">{joined(parts, chr(10))}</html>\n'


def inert(value: Any) -> str:
    """JSON that cannot end the element which holds it."""
    text = escaped(json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _hash(content: str) -> str:
    return f"sha256-{b64encode(sha256(content.encode()).digest()).decode()}"
