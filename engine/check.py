"""Check: everything that can be known to be wrong before anything runs, each fault at its line."""

from __future__ import annotations

import difflib
import re
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from engine.address import Address, is_address, parse
from engine.each import LABEL
from engine.faults import EngineError, Fault, Key
from engine.kinds import KINDS
from engine.kinds.form import references
from engine.kinds.hooks import file_of, hooks_of
from engine.locate import JOINED, locate, one_of, sources_of
from engine.look import FileLook
from engine.outline import dependencies
from engine.outside import Outside, no_place, reads_outside, results_outside
from engine.project import LIST, Project, by_line, in_order, parsed, read
from engine.project_files import content_of, project_files, without_links
from engine.remembered import keep
from engine.step import What
from engine.store import Store

_A = {
    "particles": "particles",
    "weights": "a set of boxes, as particles are",
    "table": "a table",
    "poses": "a table of poses",
    "volume": "a map",
    "maps": "a map",
    "marks": "marked points, as a table and proposals are",
    "tomogram": "a map or a catalogue's tomograms",
    "catalogue": "a catalogue",
    "residues": "an atomic model",
}
PROPOSALS = "proposals"
_MADE_AS = {
    "weights": ("particles",),
    "poses": ("table",),
    "maps": ("volume",),
    "tomogram": ("volume", "catalogue"),
}
"""What an item may be that is read as something else."""


@dataclass(frozen=True)
class Checked:
    """A project file and what is wrong with it. project is None when its form is wrong; notes are no faults.

    outside: what a run would read from outside the campaign folder, told of a project without faults.
    """

    path: Path
    project: Project | None
    faults: list[Fault] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    outside: list[Outside] = field(default_factory=list)


def check(paths: Iterable[str | Path] | str | Path) -> list[Checked]:
    """Every project of the paths (files or campaign folders), in the order they would run. Nothing is computed."""
    paths = [paths] if isinstance(paths, str | Path) else list(paths)
    files_meant = project_files(paths)
    together = {without_links(path) for path in files_meant}
    found = [_checked(path, together) for path in files_meant]
    projects = [one.project for one in found if one.project]
    if any(one.faults for one in found):
        return found
    place = {project.path: number for number, project in enumerate(in_order(projects))}
    return sorted(found, key=lambda one: place[one.path])


def _checked(path: Path, together: set[Path]) -> Checked:
    """together: the files that are checked with this one, and will run before it where it needs them."""
    content = content_of(path)
    checked = _sense(path, *parsed(path, content), together)
    if checked.project and not checked.faults:
        keep(checked.project, content)
    return checked


def check_unwritten(path: Path, content: bytes) -> Checked:
    """A project of that content, whose file need not be there yet."""
    return _sense(path, *parsed(path, content), {without_links(path)})


def _sense(path: Path, project: Project | None, faults: list[Fault], together: set[Path]) -> Checked:
    if project is None:
        return Checked(path, None, faults)
    faults = [project.place(fault) for fault in _faults(project)]
    if problem := no_place(project):
        faults.append(project.place(Fault((), problem, code="E212")))
    if faults:
        return Checked(path, project, by_line(faults))
    return Checked(path, project, [], list(_notes(project, together)), reads_outside(project, together))


def _faults(project: Project) -> Iterator[Fault]:
    """Broken references; with none of them the kind's own sense; with nothing wrong, whether it unfolds."""
    try:
        _ = project.whole_form
    except EngineError as error:
        yield Fault(LIST, str(error), code="E209")
        return
    broken = list(_broken_references(project))
    if broken:
        yield from broken
        return
    try:
        faults = list(KINDS[project.kind].check(project.whole_form, FileLook(project)))
        yield from faults
        if not faults:
            _look_at_steps(project)
    except (EngineError, OSError) as error:
        yield Fault(("each",) if project.is_for_each else (), str(error), code="E209")


def _look_at_steps(project: Project) -> None:
    """An EngineError where the project does not unfold, or its neighbours do not make what its steps read."""
    others: dict[str, Project] = {}
    for source in dict.fromkeys(source for step in project.steps for source in step.inputs.values()):
        if isinstance(source.source, Address):
            name = source.source.project
            others[name] = others.get(name) or project.neighbour(source.source)
            sources_of(others[name], source.source, source.what)


def _broken_references(project: Project) -> Iterator[Fault]:
    for key, what, text in references(project.whole_form):
        try:
            if re.match(r"[A-Za-z]:[\\/]", text):
                yield Fault(
                    key,
                    f"{text} is a path of Windows' own",
                    "paths are relative to the TOML's folder, with /",
                    code="E203",
                )
            elif is_address(text):
                yield from _address_faults(project, key, what, text)
            else:
                yield from _path_faults(project, key, what, text)
        except EngineError as error:
            yield Fault(key, str(error), code="E204" if is_address(text) else "E211")
        except OSError as error:  # a name longer than the disk takes
            yield Fault(key, f"{text[:60]}: {error.strerror}", code="E201")


def _address_faults(project: Project, key: Key, what: What, text: str) -> Iterator[Fault]:
    address = parse(text)
    if address.project == project.name:
        yield Fault(key, f"{text} is a result of this very project", "name another project of this folder", code="E207")
        return
    path = project.campaign / f"{address.project}.toml"
    if path.is_file() and (found := read(path)[1]):
        more = f" and {len(found) - 1} more" if len(found) > 1 else ""
        yield Fault(
            key,
            f"{path.name} has faults: line {found[0].line}: {found[0].what}{more}",
            f"engine check {shlex.quote(str(path))}",
            code="E208",
        )
        return
    other = project.neighbour(address)
    if loop := _way_back(other, project, set()):
        way = " → ".join([project.name, *loop])
        yield Fault(key, f"the projects read from each other: {way}", "take one address out", code="E207")
        return
    meant = locate(other, address)
    numbers = {step.labels.get(LABEL) for step, _ in meant}
    if len(meant) > len(numbers):
        yield Fault(key, f"{text} names {len(meant)} results, one is needed", f"give {one_of(address)}", code="E205")
    elif len(numbers) > 1 and not project.is_for_each and what not in JOINED:
        yield Fault(
            key,
            f"{text} names {len(numbers)} results, one of each tomogram",
            "give one tomo, as in tomo=3",
            code="E205",
        )
    needed = _MADE_AS.get(what, (what,))
    if what == "marks":
        needed = ("curve",) if address.item == PROPOSALS else ("table",)
    if other.items[address.item].what not in needed:
        have = [item for item, made in other.items.items() if made.what in needed]
        advice = f"{other.name} has {', '.join(have)}" if have else f"{other.name}, of kind {other.kind}, makes none"
        yield Fault(key, f"{text} is not {_A[what]}", advice, code="E206")


def _way_back(start: Project, goal: Project, seen: set[str]) -> list[str]:
    """The names along the addresses from start to goal; empty when there is no way. seen: names from which there is none."""
    seen.add(start.name)
    for address in dependencies(start):
        if address.project == goal.name:
            return [start.name, goal.name]
        if address.project not in seen and (start.campaign / f"{address.project}.toml").is_file():
            other, _ = read(start.campaign / f"{address.project}.toml")
            if other and (found := _way_back(other, goal, seen)):
                return [start.name, *found]
    return []


def _path_faults(project: Project, key: Key, what: What, text: str) -> Iterator[Fault]:
    path = project.campaign / text
    try:
        is_there = path.exists()
    except OSError as error:
        yield Fault(key, f'"{text}" can be the name of no file: {error.strerror}', code="E201")
        return
    if not is_there:
        yield Fault(key, f'there is no file "{text}"', _nearest_file(project.campaign, what, text), code="E201")
    elif not path.is_file() and not path.is_dir():
        yield Fault(key, f'"{text}" is a device or a pipe', "name a file", code="E202")
    elif path.is_dir() and what not in ("particles", "weights"):
        yield Fault(key, f'"{text}" is a folder, not {_A[what]}', _files_in(path), code="E202")
    else:
        FileLook(project).ask(what, text)


def _nearest_file(campaign: Path, what: What, text: str) -> str:
    """The address that was meant, a name like it in its folder, or what is in the folder."""
    name = PurePosixPath(text).name
    if (campaign / f"{name.removesuffix('.toml')}.toml").is_file():
        item = {"volume": "average", "maps": "average", "poses": "table", "weights": "particles"}.get(what, what)
        return f'for a result of a project write its address, as in "{name}:{item}"'
    project, _, item = text.partition(".")
    if (beside := campaign / f"{project}.toml").is_file() and (other := read(beside)[0]) and item in other.items:
        return f'for a result of a project write its address, "{project}:{item}"'
    folder = campaign / PurePosixPath(text).parent
    if not folder.is_dir():
        return f"there is no folder {folder}"
    close = difflib.get_close_matches(name, [path.name for path in folder.iterdir()], n=1)
    if close:
        return f'did you mean "{PurePosixPath(text).with_name(close[0])}"?'
    return f"looked in {folder}; {_files_in(folder)}"


def _files_in(folder: Path) -> str:
    names = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
    shown = ", ".join(names[:6]) + (" …" if len(names) > 6 else "")
    return f"it holds {shown}" if names else "it is empty"


def _notes(project: Project, together: set[Path]) -> Iterator[str]:
    """What is not wrong and yet good to know."""
    for hook in hooks_of(project.form):
        yield f"runs {file_of(hook)}, function {hook.partition(':')[2]}, after each iteration (engine run --no-hooks refuses)"
    if place := results_outside(project):
        yield f"its results go to {place}, outside the campaign folder: {project.name} is a link (engine run --follow-links)"
    missing = [address.project for address in dependencies(project) if _missing_steps(project, address)]
    for name in dict.fromkeys(missing):
        path = project.campaign / f"{name}.toml"
        if without_links(path) not in together:
            yield f"{name} has not run yet: engine run {shlex.quote(str(path))}"


def _missing_steps(project: Project, address: Address) -> bool:
    other = project.neighbour(address)
    stored = Store(other.store_folder).step_names()
    return any(step.name not in stored for step, _ in locate(other, address))
