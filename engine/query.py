"""Looking at results: an address becomes values."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from engine.address import LAST, Address, is_address, no_table, parse, refuse_long
from engine.each import LABEL
from engine.faults import EngineError
from engine.locate import locate
from engine.outline import AnyOutline
from engine.remembered import outline
from engine.step import StepOutline, item_of, reference_of
from engine.store import Store, StoredItem

LOG = "log"
PARTICLES = "particles"
CATALOGUE = "catalogue"
MOST_IN_NOTEBOOK = 4
COLUMN_ITEMS = {"cc": "table"}
"""Items that are a column of another item."""


@dataclass(frozen=True)
class Found:
    """One stored item that an address means; its value is read when it is first asked for.

    step and item_path are empty for particles that the project reads from a file or folder: path_of_file.
    """

    ite: int | None
    half: str | None
    ref: int | None
    tomo: int | None
    step: str
    path_of_file: Path
    item_path: str
    read: Callable[[], Any]

    @cached_property
    def value(self) -> Any:
        return self.read()

    @property
    def pixel_size_A(self) -> float:
        """That of the stored step; 0 when it is not known, or the value was not stored by a step."""
        if not self.step:
            return 0.0
        facts = Store(self.path_of_file.parents[self.step.count("/")]).facts(self.step)
        return facts.pixel_size_A if facts else 0.0


@dataclass(frozen=True)
class Listed:
    """An item that a project has: what it is, its shape in the newest stored step, and the steps that hold it."""

    item: str
    meaning: str
    what: str
    shape: tuple[int, ...]
    steps: tuple[str, ...]


@dataclass(frozen=True)
class Answer:
    """What an address means. address is None for a listing, whose rows are `listing`."""

    project: str
    address: Address | None = None
    found: tuple[Found, ...] = ()
    listing: tuple[Listed, ...] = ()
    events: tuple[dict[str, Any], ...] = ()

    @property
    def value(self) -> Any:
        """The one value; the listing or the events when those were asked for. Several values are a ValueError."""
        if self.address is None:
            return list(self.listing)
        if self.address.item == LOG:
            return list(self.events)
        if len(self.found) != 1:
            raise ValueError(
                f"{self.address} has {len(self.found)} values, one per iteration and reference: use values"
            )
        return self.found[0].value

    @property
    def values(self) -> dict[int | str | None, Any]:
        """Iteration to value; None for what has no iterations, `tomo=3:ite=2:ref=1` where several of them are meant."""
        return {self.key(one): one.value for one in self.found}

    def _repr_html_(self) -> str:
        from engine import html

        if self.address is None:
            rows = [
                (f"{self.project}:{one.item}", one.what, " x ".join(map(str, one.shape)), one.meaning)
                for one in self.listing
            ]
            return html.titled(self.project, html.table(rows, ("address", "what", "shape", "meaning")))
        if not self.found:
            return html.titled(str(self.address), html.table([[event] for event in self.events[-html.MOST_ROWS :]]))
        shown = self.found[:MOST_IN_NOTEBOOK]
        parts = [html.titled(str(self.key(one)) if len(self.found) > 1 else "", html.of(one.value)) for one in shown]
        rest = (
            f"<p>… {len(self.found) - len(shown)} more: values has them all</p>" if len(self.found) > len(shown) else ""
        )
        return html.titled(str(self.address), *parts, rest)

    def key(self, one: Found) -> int | str | None:
        """What tells one of the values from the others."""
        several = [name for name in ("tomo", "ref") if len({getattr(found, name) for found in self.found}) > 1]
        if not several:
            return one.ite
        tomo, ref = (f"{name}={getattr(one, name)}" if name in several else "" for name in ("tomo", "ref"))
        ite = "" if one.ite is None else str(one.ite) if not tomo else f"ite={one.ite}"
        return ":".join(part for part in (tomo, ite, ref) if part)


def query(
    text: str,
    *,
    folder: str | Path | None = None,
    where: str | None = None,
    columns: Sequence[str] | str | None = None,
    sort: str | None = None,
) -> Answer:
    """What the address means; a project's name alone gives the listing of its items.

    The project part is a name in the folder (default: the current one) or a path. where, columns (a list, or names with
    commas) and sort (a column; `-cc` descends) are for tables; with columns the values are Curves of those columns.
    The particles of a project that makes none are those that it reads.
    """
    refuse_long(text)
    name, _, rest = text.partition(":")
    if not name:
        raise EngineError(f"{text!r}: the name of the project is missing, as in pr_1:average")
    project = _project(name, Path(folder) if folder is not None else Path.cwd())
    store = Store(project.store_folder)
    is_cut = bool(where or columns or sort)
    if not rest.strip(": "):
        if is_cut:
            raise no_table(text, f"listing (name a table, as in {project.name}:table)")
        return _listing(project, store)
    address = _full_address(text)
    if address.item == LOG:
        if rest.strip(": ") != LOG:
            raise EngineError(f"{address}: log takes no keys (leave them out)")
        if is_cut:
            raise no_table(address, "log")
        return Answer(project.name, address, events=tuple(store.events()))
    column = COLUMN_ITEMS.get(address.item)
    if column and columns:
        raise EngineError(f"{address}: is one column already (leave out columns, or ask for {project.name}:{column})")

    def shaped(value: Any) -> Any:
        from engine.cut import cut

        return cut(value, address, column is not None, where, columns, sort)

    if address.item == PARTICLES and (source := _particles_read(project)):
        return Answer(project.name, address, (_found_outside(project, address, source, shaped),))
    target = replace(address, item=column) if column else address
    stored = _stored(project, store, target)
    if len(stored) > 1 and project.items[target.item].what == CATALOGUE:
        return Answer(project.name, address, (_found_joined(store, stored, address, shaped),))
    return Answer(project.name, address, tuple(_found(store, step, path, shaped) for step, path in stored))


def _particles_read(project: AnyOutline) -> str | None:
    """The path or address of the particles that a project reads; None when it makes particles itself, or reads none."""
    if PARTICLES in project.items:
        return None
    return next((text for key, _, text in project.references if key == ("data", PARTICLES)), None)


def _found_outside(project: AnyOutline, address: Address, source: str, shaped: Callable[[Any], Any]) -> Found:
    """The particles that the project reads, from the neighbour's store or a path."""
    if address.ite != LAST or address.ref is not None or address.half is not None:
        raise EngineError(f"{address}: all iterations read the same particles, {source} (leave out all keys but tag)")
    if is_address(source):
        named = parse(source)
        other = project.neighbour(named)
        store = Store(other.store_folder)
        if address.tomo is not None:
            named = replace(named, tomo=address.tomo, text="")
        stored = _stored(other, store, named)
        return _found(store, *stored[0], shaped) if len(stored) == 1 else _found_joined(store, stored, named, shaped)
    if address.tomo is not None:
        raise EngineError(f"{address}: {source} is not kept by tomogram (leave out tomo)")
    path = project.campaign / source

    def opened() -> Any:
        from engine.files import open_particles

        return shaped(open_particles(path))

    return Found(None, None, None, None, "", path, "", opened)


def _found_joined(
    store: Store, stored: list[tuple[StepOutline, str]], address: Address, shaped: Callable[[Any], Any]
) -> Found:
    """What several tomograms have, as one thing."""

    def read() -> Any:
        from engine.data import joined

        return shaped(joined([store.read(step.name, item_path) for step, item_path in stored], address))

    return Found(None, None, None, None, "", store.folder, "", read)


def _project(name: str, folder: Path) -> AnyOutline:
    path = folder / (name if name.endswith(".toml") else f"{name}.toml")
    try:
        if name and path.is_file():
            return outline(path)
    except OSError as error:
        raise EngineError(f"{path}: cannot be looked for: {error.strerror} (check the name)") from None
    if Path(name).suffix not in ("", ".toml") and (folder / name).is_file():
        raise EngineError(
            f"{folder / name}: is a file, no project: results of projects are asked for (a catalogue, an extraction or an "
            "average reads files: engine new KIND NAME)"
        )
    there = sorted(file.stem for file in path.parent.glob("*.toml"))
    close = difflib.get_close_matches(path.stem, there, n=1)
    nearest = f" (did you mean {close[0]!r}?)" if close else f"; there are {', '.join(there)}" if there else ""
    raise EngineError(f"no project {path.stem!r} in {path.parent}{nearest}")


def _full_address(text: str) -> Address:
    name, _, rest = text.partition(":")
    return parse(f"{name.removesuffix('.toml')}:{rest}")


def _stored(project: AnyOutline, store: Store, address: Address) -> list[tuple[StepOutline, str]]:
    complete = set(store.step_names())
    found = locate(project, address, complete)
    missing = sorted(set(address.ite.listed) - {int(step.labels["ite"]) for step, _ in found if "ite" in step.labels})
    if not found:
        raise EngineError(f"{address}: {_not_run(project, store, complete)}")
    if missing:
        raise EngineError(f"{address}: ite {missing[0]} is not there yet (go on: engine run {project.path})")
    return found


def _not_run(project: AnyOutline, store: Store, complete: set[str]) -> str:
    if complete & set(project.by_name):
        return f"that is not there yet (go on: engine run {project.path})"
    return f"{project.name} has not been run: engine run {project.path}"


def _found(store: Store, step: StepOutline, item_path: str, shaped: Callable[[Any], Any]) -> Found:
    ite, half = step.labels.get("ite"), step.labels.get("half")
    return Found(
        ite=None if ite is None else int(ite),
        half=None if half is None else str(half),
        tomo=None if (tomo := step.labels.get(LABEL)) is None else int(tomo),
        ref=reference_of(item_path),
        step=step.name,
        path_of_file=store.path(step.name),
        item_path=item_path,
        read=lambda: shaped(store.read(step.name, item_path)),
    )


def _listing(project: AnyOutline, store: Store) -> Answer:
    """Every item that the project's stored steps hold, in the order of the kind's list."""
    stored = set(store.step_names())
    complete = [step for step in project.steps if step.name in stored]
    if not complete:
        raise EngineError(_not_run(project, store, stored))
    listed = []
    for item, (_, meaning) in project.items.items():
        holders = [step.name for step in complete if any(item_of(path) == item for path in step.makes)]
        if newest := _newest_entry(store, holders, item):
            listed.append(Listed(item, meaning, newest.what, newest.shape, tuple(holders)))
    return Answer(project.name, listing=tuple(listed))


def _newest_entry(store: Store, holders: Sequence[str], item: str) -> StoredItem | None:
    """The item of the newest step that holds it, plain rather than of a reference; an older project's step may lack it."""
    for name in reversed(holders):
        meant = [entry for path, entry in store.items(name).items() if item_of(path) == item]
        if meant:
            return next((entry for entry in meant if entry.path == item), meant[0])
    return None
