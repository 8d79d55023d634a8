"""The inputs of a step, opened: stored items of this project or of a neighbour, and files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from engine.address import Address, is_address, parse
from engine.data import Catalogue, Maps, Particles, Table, Tomogram, Volume, Weights, joined
from engine.each import LABEL
from engine.faults import EngineError
from engine.plan import planned_sources
from engine.project import Project
from engine.step import Input, Step, StepItem, What
from engine.store import Store

_TYPES: dict[str, Any] = {
    "particles": Particles,
    "weights": Particles,
    "table": Table,
    "poses": Table,
    "volume": Volume,
    "maps": Volume,
    "tomogram": Tomogram,
    "catalogue": Catalogue,
}


def check_neighbours(project: Project, step: Step) -> None:
    """An EngineError where a step of another project that this one reads is not there, or not up to date."""
    for source in step.inputs.values():
        if isinstance(source.source, Address):
            _stored_sources(project, source)


def opened(project: Project, source: Input) -> Any:
    """The value of an input; particles, spectra and tomograms stay on disk and are read part by part."""
    if isinstance(source.source, StepItem):
        return Store(project.store_folder).read(source.source.step, source.source.item)
    if isinstance(source.source, Address):
        places = _stored_sources(project, source)
        found = [_read(project, source.what, *place) for place in places]
        for value in found:
            if not isinstance(value, _TYPES.get(source.what, object)):
                raise EngineError(f"{source.source}: this is no {source.what} (give an address of one)")
        if source.what == "maps":
            return Maps(tuple(found), tuple(_tomogram_of(store, step_name) for store, step_name, _ in places))
        if source.what == "marks":
            from engine.files import as_marks

            found = [as_marks(value, str(source.source)) for value in found]
        value = found[0] if len(found) == 1 else joined(found, source.source)
        value = _as_weights(value, source.source) if source.what == "weights" else value
    else:
        value = _file(source.what, project.campaign / source.source)
    return _rows_of(value, source) if source.tomo is not None else value


def _read(project: Project, what: What, store: Store, step_name: str, item_path: str) -> Any:
    """A stored item; a tomogram is opened only, where it is stored or where the catalogue says."""
    if what == "facts":
        return store.volume_facts(step_name, item_path)
    if what != "tomogram":
        return store.read(step_name, item_path)
    if store.what(step_name, item_path) == "volume":
        return store.tomogram(step_name, item_path)
    value = store.read(step_name, item_path)
    if isinstance(value, Catalogue) and len(value) == 1:
        path = value.tomograms[0].path
        is_made = is_address(path)
        return (
            opened(project, Input("tomogram", parse(path)))
            if is_made
            else _file("tomogram", store.folder.parent / path)
        )
    return value


def _stored_sources(project: Project, source: Input) -> list[tuple[Store, str, str]]:
    """Store, step and item path of what an address means, once the stored steps are those that are planned."""
    other, planned = planned_sources(project, source)
    store = Store(other.store_folder)
    for step, _, key in planned:
        facts = store.facts(step.name)
        if facts is None or facts.key != key:
            state = "has not been run" if facts is None else "is not up to date"
            first = f"run {other.name} first: engine run {other.path}"
            raise EngineError(f"{source.source}: {step.name} of {other.name} {state} ({first})")
    return [(store, step.name, item_path) for step, item_path, _ in planned]


def _tomogram_of(store: Store, step_name: str) -> int:
    """The number of the tomogram that a stored step is of; 0 where it is of none."""
    facts = store.facts(step_name)
    return int(facts.labels.get(LABEL, 0)) if facts else 0


def _file(what: What, path: Path) -> Any:
    """The value of an input file; particles are read box by box."""
    from engine.files import (
        open_particles,
        open_tomogram,
        open_weights,
        read_marks,
        read_residues,
        read_source,
        read_table,
        read_volume,
        volume_facts,
    )

    if what == "tomogram":
        return open_tomogram(path)
    if what == "particles":
        return open_particles(path)
    if what == "weights":
        return open_weights(path)
    if what == "source":
        return read_source(path)
    if what == "residues":
        return read_residues(path)
    if what == "facts":
        return volume_facts(path)
    if what == "marks":
        return read_marks(path)
    if what == "maps":
        return Maps((read_volume(path),), (0,))
    return read_table(path) if what in ("table", "poses") else read_volume(path)


def _as_weights(boxes: Particles, address: Address) -> Weights:
    """The weights that a project's boxes are."""
    from engine.files import WeightBoxes

    return WeightBoxes(boxes, str(address))


def _rows_of(table: Table, source: Input) -> Table:
    """The rows of the tomogram that is meant; a table that has none is an EngineError."""
    mine = table["tomo"] == source.tomo
    if not mine.any():
        there = ", ".join(f"{number:g}" for number in np.unique(table["tomo"]))
        raise EngineError(
            f"{source.source}: no row is of tomogram {source.tomo} (column tomo), those of {there} are there "
            "(name the tomograms that are meant with tomo=[1,3] where the catalogue is read)"
        )
    return table.where(mine)
