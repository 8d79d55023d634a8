"""Project files: TOML to model, and every fault at its line and column."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from engine.address import NAME_WORDS, Address, is_name
from engine.faults import EngineError, Fault, InvalidProject, Key, Place
from engine.kinds import KINDS
from engine.kinds.form import ProjectForm, references
from engine.outline import Outline, dependencies, neighbour_file
from engine.project_files import content_of, project_files, without_links
from engine.step import Named, Step, What
from engine.toml_spans import Spans
from engine.toml_text import Slip
from engine.toml_text import parse as parse_toml
from engine.wording import choices_text, faults_of, form_at, nearest

LIST = ("data", "list")
"""Where a project names a list that completes its form."""


@dataclass(frozen=True)
class Project(Outline[Step]):
    """A project file that has the right form. values are the TOML's own, spans where they stand in text."""

    path: Path
    kind: str
    form: ProjectForm
    text: str = field(default="", repr=False)
    values: Mapping[str, Any] = field(default_factory=dict, repr=False)
    spans: Spans = field(default_factory=Spans, repr=False)

    @property
    def items(self) -> Mapping[str, Named]:
        return KINDS[self.kind].ITEMS

    @property
    def references(self) -> list[tuple[Key, What, str]]:
        return list(references(self.form))

    @property
    def is_for_each(self) -> bool:
        return self.form.each is not None

    @cached_property
    def own_steps(self) -> list[Step]:
        return KINDS[self.kind].unfold(self.whole_form)

    def beside(self, path: Path) -> Project:
        return load(path)

    def neighbour(self, address: Address) -> Project:
        return self.beside(neighbour_file(self.path, address))

    @property
    def listing(self) -> str | None:
        """The list beside the file that completes the form, where the form names one."""
        return getattr(getattr(self.form, LIST[0], None), LIST[1], None)

    @cached_property
    def whole_form(self) -> ProjectForm:
        """The form with what the lists that it names hold; a list that cannot be read is an EngineError."""
        return self.form.completed(self.campaign)

    def _is_completed(self, name: str) -> bool:
        try:
            return getattr(self.form, name, None) != getattr(self.whole_form, name, None)
        except EngineError:
            return False

    def _repr_html_(self) -> str:
        from engine import html

        items = [(f"{self.name}:{item}", named.what, named.meaning) for item, named in self.items.items()]
        text = f"<pre>{html.whole(self.text)}</pre>" if self.text else ""
        return html.titled(f"{self.name}: {self.kind}", text, html.table(items, ("address", "what", "meaning")))

    def place(self, fault: Fault) -> Fault:
        """The fault at its value; at the key when the form has no such key; at its table when the key is not there.

        What a list has completed is at fault where the list is named.
        """
        if fault.key and self._is_completed(str(fault.key[0])):
            fault = replace(fault, key=LIST)
        return _placed(fault, self.path, self.spans, type(self.form), self.values)


def read(path: str | Path) -> tuple[Project | None, list[Fault]]:
    """The project and no faults, or None and everything wrong with the file's form, in the order of its lines."""
    return parsed(Path(path), content_of(Path(path)))


def parsed(path: Path, content: bytes) -> tuple[Project | None, list[Fault]]:
    """The same of a file with that content, which need not be there yet."""
    try:
        values, text, spans = parse_toml(content)
    except Slip as slip:
        return None, [replace(slip.fault, path=path)]
    fault = _fault_of_name(path) or _fault_of_kind(values)
    if fault:
        return None, [_placed(fault, path, spans, None, values)]
    kind = values["kind"]
    form_class = KINDS[kind].Project
    rest = {name: value for name, value in values.items() if name != "kind"}
    try:
        form = form_class.model_validate(rest)
    except ValidationError as error:
        faults = [_placed(fault, path, spans, form_class, values) for fault in faults_of(form_class, rest, error)]
        return None, by_line(faults)
    return Project(path, kind, form, text, values, spans), []


def load(path: str | Path) -> Project:
    """The project of a file; an InvalidProject tells all its faults of form."""
    project, faults = read(path)
    if project is None:
        raise InvalidProject(faults)
    return project


def campaign(paths: Iterable[str | Path]) -> list[Project]:
    """The projects of the paths, each after those of them that it reads. A circle is an EngineError that names it."""
    read_all = [read(path) for path in project_files(paths)]
    if faults := [fault for _, found in read_all for fault in found]:
        raise InvalidProject(faults)
    return in_order([project for project, _ in read_all if project])


def in_order(projects: list[Project]) -> list[Project]:
    """The projects, each after those of them that it reads, else in the order given."""
    known = {without_links(project.campaign) / project.name: project for project in projects}
    sorter: TopologicalSorter[Path] = TopologicalSorter()
    for folder, project in known.items():
        needed = [(folder.parent / address.project) for address in _readable(project)]
        sorter.add(folder, *(other for other in needed if other in known and other != folder))
    try:
        sorter.prepare()
    except CycleError as error:
        loop = " → ".join(known[folder].name for folder in reversed(error.args[1]))
        raise EngineError(f"these projects wait for each other: {loop} (take one address out)") from None
    ordered: list[Project] = []
    while sorter.is_active():
        ready = sorted(sorter.get_ready(), key=list(known).index)
        ordered += [known[folder] for folder in ready]
        sorter.done(*ready)
    return ordered


def by_line(faults: Iterable[Fault]) -> list[Fault]:
    return sorted(faults, key=lambda fault: (fault.line, fault.column))


def _readable(project: Project) -> list[Address]:
    """The dependencies whose address can be read at all."""
    try:
        return dependencies(project)
    except EngineError:
        return []


def _fault_of_name(path: Path) -> Fault | None:
    if path.suffix != ".toml":
        return Fault((), f"a project's file ends with .toml, not {path.suffix or 'without an ending'}", code="E117")
    return fault_of_stem(path.stem)


def fault_of_stem(name: str) -> Fault | None:
    """What is wrong with a project's name."""
    if is_name(name):
        return None
    return Fault((), f'"{name}" cannot stand in an address', f"rename it: {NAME_WORDS}", code="E117")


def _fault_of_kind(values: Mapping[str, Any]) -> Fault | None:
    kind = values.get("kind")
    if kind is None:
        for name, table in values.items():
            if isinstance(table, dict) and "kind" in table:
                what = f"stands in [{name}]"
                return Fault((name, "kind"), what, "write it as the first line, above the first [table]", code="E104")
        other = next((name for name in values if name.lower() in ("kind", "kinds", "type", "project")), None)
        if other and isinstance(values[other], str):
            return Fault((other,), f'unknown key "{other}"', f'write kind = "{values[other]}"', code="E104")
        return Fault(("kind",), "is missing", f'write kind = "…" as the first line: {choices_text(KINDS)}', code="E104")
    if not isinstance(kind, str):
        return Fault(("kind",), f"must be one of {choices_text(KINDS)}", code="E104")
    if kind not in KINDS:
        return Fault(
            ("kind",),
            f'there is no kind "{kind}"; the kinds are {choices_text(KINDS)}',
            nearest(kind, KINDS),
            code="E104",
        )
    return None


def _placed(fault: Fault, path: Path, spans: Spans, form: type[ProjectForm] | None, values: Mapping[str, Any]) -> Fault:
    table = form_at(form, fault.key[:-1], values) if form and fault.key else None
    is_unknown = table is not None and isinstance(fault.key[-1], str) and fault.key[-1] not in table.model_fields
    span = spans.place(fault.key, of_key=is_unknown or (form is None and fault.key != ("kind",)))
    others = {key: spans.values[key] for key in fault.also if key in spans.values}
    return fault.placed(
        path, span.line, span.column, tuple(Place(key, one.line, one.column) for key, one in others.items())
    )
