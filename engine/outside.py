"""Outside: where a project leaves its campaign folder, by absolute paths, by `..` or by links."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from engine import files
from engine.address import Address, is_address
from engine.data import Catalogue
from engine.faults import EngineError, key_text
from engine.kinds.form import references
from engine.kinds.hooks import file_of, hooks_of
from engine.locate import locate
from engine.outline import dependencies
from engine.project import LIST, Project
from engine.project_files import without_links
from engine.step import What
from engine.store import Store


class Unsafe(EngineError):
    """A run would write outside its campaign folder."""


@dataclass(frozen=True)
class Outside:
    """A file or folder outside the campaign that is read: where it really lies, and what names it."""

    path: Path
    named_in: str


def reads_outside(project: Project, together: Iterable[Path] = ()) -> list[Outside]:
    """What a run of the project reads from outside its campaign folder, each once. The project must have no faults.

    Its neighbours are told with it, and theirs, since their inputs are read to see whether they changed; but those of the
    files together, which are looked at by themselves. Files inside a folder that is told are not told again.
    """
    home, folders = os.path.realpath(project.campaign), dict[str, str]()
    found: dict[str, str] = {}
    for named_in, path in _read_by_all(project, set(together)):
        real = _real(str(path), folders)
        if not _is_below(real, home) and os.path.dirname(real) not in found:
            found.setdefault(real, named_in)
    return [Outside(Path(real), named_in) for real, named_in in found.items()]


def results_outside(project: Project) -> Path | None:
    """Where the results go, if a link leads them out of the campaign folder."""
    real = os.path.realpath(project.store_folder)
    return None if _is_below(real, os.path.realpath(project.campaign)) else Path(real)


def no_place(project: Project) -> str:
    """Why no results can lie where they belong: a file stands there, or a link that leads nowhere or to another project."""
    folder = str(project.store_folder)
    if os.path.isfile(folder):
        return f"{folder}: is a file where the folder of the results belongs (move it away)"
    if not os.path.islink(folder):
        return ""
    real = os.path.realpath(folder)
    if not os.path.isdir(real):
        return f"{folder}: is a link to {real}, where no folder is (mount that disk, or remove the link)"
    if os.path.isfile(f"{real}.toml") and not os.path.samefile(f"{real}.toml", project.path):
        return f"{folder}: is a link to the results of {real}.toml (remove it: each project has results of its own)"
    return ""


def refuse_outside(projects: Iterable[Project], follow_links: bool) -> None:
    """An Unsafe if results would be written through a link: that of their folder, unless followed, or any inside it.

    Two projects that would write into one folder are one too.
    """
    writers: dict[str, Project] = {}
    for project in projects:
        if problem := no_place(project):
            raise Unsafe(problem)
        other = writers.setdefault(os.path.realpath(project.store_folder), project)
        if other is not project:
            raise Unsafe(
                f"{project.store_folder} and {other.store_folder}: are one folder, by links (remove one of them: each "
                "project has results of its own)"
            )
        if (place := results_outside(project)) and not follow_links:
            raise Unsafe(
                f"{project.store_folder}: is a link, results would be written outside the campaign folder, to {place} "
                "(if you made that link: engine run --follow-links; if not, remove it)"
            )
        for path in _not_of_a_run(project.store_folder):
            raise Unsafe(f"{path}: is a link or no file, and a run may write there: remove it")


def _not_of_a_run(folder: Path) -> Iterator[Path]:
    """Links, pipes and devices among the results. The file of a step may be a link: it is replaced, not written to."""
    for place, folders, names in os.walk(folder):
        for name in sorted([*folders, *names]):
            path = Path(place, name)
            is_step = path.suffix == ".h5" and path.is_file()
            if not is_step and (path.is_symlink() or not (path.is_file() or path.is_dir())):
                yield path


def _read_by_all(project: Project, together: set[Path]) -> Iterator[tuple[str, Path]]:
    """What names each file that is read, and the file: by the project, then by its neighbours."""
    yield from _read(project)
    waiting, seen = [project], {project.name}
    while waiting:
        one = waiting.pop()
        for address in dependencies(one):
            if address.project in seen:
                continue
            seen.add(address.project)
            other = one.neighbour(address)
            waiting.append(other)
            yield str(address), other.path
            yield str(address), other.store_folder
            yield from _stored(other)
            if without_links(other.path) not in together:
                yield from ((f"{other.name}: {named_in}", path) for named_in, path in _read(other))


def _read(project: Project) -> Iterator[tuple[str, Path]]:
    """What the project reads itself, in the order of its form."""
    campaign, form = project.campaign, project.whole_form
    yield project.path.name, project.path
    if results_outside(project) is None:
        yield from _stored(project)
    listing = project.listing
    if listing:
        yield key_text(LIST), campaign / listing
        yield from ((listing, file) for file in files.tilt_lists(campaign / listing))
    typed = {text for _, _, text in references(project.form)}
    for key, what, text in references(form):
        if not is_address(text):
            yield key_text(key) if text in typed else str(listing), campaign / text
            yield from ((text, file) for file in _followed(what, campaign / text))
    for hook in hooks_of(form):
        yield f"hooks: {hook}", campaign / file_of(hook)
    yield from _tomograms(project)


def _stored(project: Project) -> Iterator[tuple[str, Path]]:
    store = Store(project.store_folder)
    return ((f"results of {project.name}", store.path(name)) for name in store.step_names())


def _followed(what: What, path: Path) -> list[Path]:
    """The files that a list or a folder of boxes names."""
    if what not in ("particles", "weights"):
        return []
    opened = files.open_particles(path) if what == "particles" else files.open_weights(path)
    return opened.files if isinstance(opened, files.ParticleFiles | files.WeightFiles) else []


def _tomograms(project: Project) -> Iterator[tuple[str, Path]]:
    """The tomograms that are read because a stored catalogue names them; what is planned to be stored stands in its form."""
    sources = [one.source for step in project.steps for one in step.inputs.values() if one.what == "tomogram"]
    for address in dict.fromkeys(source for source in sources if isinstance(source, Address)):
        other = project.neighbour(address)
        store = Store(other.store_folder)
        for step, item in locate(other, address, store.step_names()):
            if store.what(step.name, item) == "catalogue":
                named = store.read(step.name, item)
                paths = [one.path for one in named] if isinstance(named, Catalogue) else []
                yield from ((str(address), project.campaign / path) for path in paths if not is_address(path))


def _real(path: str, folders: dict[str, str]) -> str:
    """The path without links and `..`. Of the many files of one folder only those that are links are followed one by one."""
    folder, name = os.path.split(path)
    if name in ("", ".", ".."):
        return os.path.realpath(path)
    if folder not in folders:
        folders[folder] = os.path.realpath(folder)
    joined = os.path.join(folders[folder], name)
    return os.path.realpath(joined) if os.path.islink(joined) else joined


def _is_below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")
