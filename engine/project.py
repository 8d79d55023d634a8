"""Project files: TOML to model, and every fault at its line and column."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from engine.address import NAME_WORDS, Address, is_address, is_name, parse
from engine.each import Kept, for_each, is_fixed, makers_of, numbers_in
from engine.faults import EngineError, Fault, Place
from engine.kinds import KINDS
from engine.kinds.form import ProjectForm, references
from engine.step import Named, Step
from engine.toml_spans import Spans
from engine.toml_text import LARGEST_BYTES, Slip
from engine.toml_text import parse as parse_toml
from engine.wording import choices_text, faults_of, form_at, nearest

LIST = ("data", "list")
"""Where a project names a list that completes its form."""
_HAS_KIND = re.compile(r"^\s*[\"']?kind[\"']?\s*[=:]", re.MULTILINE)


class InvalidProject(EngineError):
    """A project file with faults; its text has one fault per line."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = list(faults)
        super().__init__("\n".join(map(str, self.faults)))


@dataclass(frozen=True)
class Project:
    """A project file that has the right form. values are the TOML's own, spans where they stand in text."""

    path: Path
    kind: str
    form: ProjectForm
    text: str = field(default="", repr=False)
    values: Mapping[str, Any] = field(default_factory=dict, repr=False)
    spans: Spans = field(default_factory=Spans, repr=False)

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def campaign(self) -> Path:
        """The folder that holds the project and its neighbours."""
        return self.path.parent

    @property
    def store_folder(self) -> Path:
        return self.campaign / self.name

    @property
    def items(self) -> Mapping[str, Named]:
        """What the project's addresses can name, each with what it is."""
        return KINDS[self.kind].ITEMS

    @cached_property
    def whole_form(self) -> ProjectForm:
        """The form with what the lists that it names hold; a list that cannot be read is an EngineError."""
        return self.form.completed(self.campaign)

    def _is_completed(self, name: str) -> bool:
        try:
            return getattr(self.form, name, None) != getattr(self.whole_form, name, None)
        except EngineError:
            return False

    @cached_property
    def steps(self) -> list[Step]:
        steps = KINDS[self.kind].unfold(self.whole_form)
        if self.form.each is None:
            return steps
        read = [one.source for step in steps for one in step.inputs.values() if isinstance(one.source, Address)]
        kept = tomograms_read(self, read)
        return for_each(steps, chosen_tomograms(self, kept), kept)

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
    return parsed(Path(path), _bytes(Path(path)))


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


def neighbour(project: Project, address: Address) -> Project:
    """The project that an address names, from the same folder."""
    if "/" in address.project:
        raise EngineError(f"{address}: an address never leaves its folder; name a project of {project.campaign}")
    path = project.campaign / f"{address.project}.toml"
    if address.project.endswith(".toml") and not path.is_file():
        right = str(address).replace(".toml:", ":", 1)
        raise EngineError(f'{address}: an address names the project without its .toml (write "{right}")')
    if not path.is_file():
        raise EngineError(f"{address}: there is no {path.name} beside {project.path.name}{_like(path)}")
    return load(path)


def dependencies(project: Project) -> list[Address]:
    """The addresses that the project reads, in the order of its form."""
    return [parse(text) for _, _, text in references(project.form) if is_address(text)]


def tomograms_read(project: Project, more: Sequence[Address] = (), way: tuple[str, ...] = ()) -> Kept:
    """What the project reads of its neighbours that is kept by tomogram: project and item to numbers.

    more: what its steps read and its form does not name, such as the binned tomograms of a catalogue. Projects that read from
    each other are an EngineError.
    """
    found: dict[tuple[str, str], tuple[int, ...]] = {}
    for address in [*dependencies(project), *more]:
        if address.project in (*way, project.name):
            raise EngineError(f"{project.name} and {address.project} read from each other (take one address out)")
        if (address.project, address.item) not in found:
            other = neighbour(project, address)
            if other.form.each is None:
                numbers = numbers_in(makers_of(address.item, other.steps) or other.steps)
            else:
                numbers = chosen_tomograms(other, tomograms_read(other, way=(*way, project.name)))
            found[address.project, address.item] = numbers
    return {read: numbers for read, numbers in found.items() if numbers}


def chosen_tomograms(project: Project, kept: Kept) -> tuple[int, ...]:
    """The numbers for which a project of each tomogram is done: those that all its inputs kept by tomogram have, and name."""
    chosen: set[int] | None = None
    for _, what, text in references(project.form):
        address = parse(text) if is_address(text) else None
        if address and (address.project, address.item) in kept and not is_fixed(what, address):
            there = list(kept[address.project, address.item])
            meant = set(there if address.tomo is None else address.tomo.choose(there))
            if address.tomo and (lost := set(address.tomo.listed) - meant):
                raise EngineError(f"{text}: no tomogram {min(lost)}; there are {', '.join(map(str, there))}")
            chosen = meant if chosen is None else chosen & meant
    if chosen is None:
        raise EngineError('each = "tomogram": nothing that the project reads is kept by tomogram (read a catalogue)')
    if not chosen:
        raise EngineError('each = "tomogram": no tomogram is in all that the project reads')
    return tuple(sorted(chosen))


def project_files(paths: Iterable[str | Path]) -> list[Path]:
    """The project files meant: files as given, of folders every .toml with a kind, each once, by name in a folder."""
    found: dict[Path, Path] = {}
    for path in map(Path, paths):
        for file in _files(path):
            found.setdefault(without_links(file), file)
    return list(found.values())


def without_links(path: Path) -> Path:
    """The path without links; where they lead in a circle, which pathlib's own raises for, what is left of it."""
    return Path(os.path.realpath(path))


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


def _bytes(path: Path) -> bytes:
    try:
        if path.exists() and not path.is_file():
            raise EngineError(f"{path}: is no file (name a project's .toml, or a folder of them)")
        with path.open("rb") as file:
            return file.read(LARGEST_BYTES + 1)
    except FileNotFoundError:
        raise EngineError(f"{path}: there is no such file{_like(path)}") from None
    except OSError as error:
        raise EngineError(f"{path}: cannot be read: {error.strerror}") from None


def _files(path: Path) -> list[Path]:
    named = path if path.name not in ("", "..") else path.resolve()
    beside = named.parent / f"{named.name}.toml"
    if path.is_dir():
        files = sorted(file for file in path.glob("*.toml") if file.is_file() and _has_kind(file))
        if not files and not beside.is_file():
            raise EngineError(f"{path}: no project in this folder (engine new KIND {path}/NAME makes one)")
        return files or [beside]
    return [beside] if not path.exists() and beside.is_file() else [path]


def _has_kind(path: Path) -> bool:
    return _HAS_KIND.search(_bytes(path).decode("utf-8", "replace")) is not None


def _like(path: Path) -> str:
    """` (did you mean pr_1.toml?)`, or the projects there are."""
    stems = sorted(file.stem for file in path.parent.glob("*.toml"))
    close = difflib.get_close_matches(path.stem, stems, n=1)
    if close:
        return f" (did you mean {close[0]}?)"
    return f" (there are {', '.join(stems[:12])})" if stems else ""


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
