"""Look: what files and neighbours tell without being read: kinds.form.Look."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

import numpy as np

from engine import files
from engine.address import Address, is_address, parse
from engine.data import (
    Catalogue,
    Marks,
    ParticleFacts,
    Particles,
    Residues,
    Source,
    Table,
    VolumeFacts,
    WeightFacts,
    joined,
)
from engine.each import LABEL, numbers_in
from engine.faults import EngineError
from engine.files.raw import ending
from engine.locate import JOINED, locate
from engine.outline import chosen_tomograms, tomograms_read
from engine.project import Project
from engine.step import Step, What
from engine.store import Store

Known = Catalogue | ParticleFacts | Table | VolumeFacts | WeightFacts | Marks | Residues


class FileLook:
    """Answers about files from their headers, about neighbours from their stores; each question is asked once."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._known: dict[tuple[str, str], Known | None] = {}

    def particles(self, text: str) -> ParticleFacts | None:
        found = self.ask("particles", text)
        return found if isinstance(found, ParticleFacts) else None

    def table(self, text: str) -> Table | None:
        found = self.whole_table(text)
        if found is None or self._chosen is None:
            return found
        return found.where(np.isin(found["tomo"], self._chosen))

    def whole_table(self, text: str) -> Table | None:
        found = self.ask("table", text)
        return found if isinstance(found, Table) else None

    def poses(self, text: str) -> Table | None:
        found = self.ask("poses", text)
        return found if isinstance(found, Table) else None

    def tomograms(self, text: str) -> tuple[int, ...]:
        if not is_address(text):
            return ()
        address = parse(text)
        return numbers_in(
            [step for step, _ in locate(self._project.neighbour(address), address) if self._is_read(step)]
        )

    def tomogram_names(self, text: str) -> Mapping[int, str]:
        is_list = not is_address(text) and ending(Path(text)) == ".star"
        return files.read_star(self._project.campaign / text).tomogram_names if is_list else {}

    @cached_property
    def _chosen(self) -> tuple[int, ...] | None:
        """The tomograms that the project is done for, where it is done for each."""
        if not self._project.is_for_each:
            return None
        return chosen_tomograms(self._project, tomograms_read(self._project))

    def volume(self, text: str) -> VolumeFacts | None:
        """Of a map, or of a tomogram."""
        found = self.ask("tomogram", text)
        return found if isinstance(found, VolumeFacts) else None

    def weights(self, text: str) -> WeightFacts | None:
        found = self.ask("weights", text)
        return found if isinstance(found, WeightFacts) else None

    def marks(self, text: str) -> Marks | None:
        found = self.ask("marks", text)
        return found if isinstance(found, Marks) else None

    def catalogue(self, text: str) -> Catalogue | None:
        found = self.ask("catalogue", text)
        return found if isinstance(found, Catalogue) else None

    def residues(self, text: str) -> Residues | None:
        found = self.ask("residues", text)
        return found if isinstance(found, Residues) else None

    def source(self, name: str) -> Source:
        return files.read_source(self._project.campaign / name)

    def ask(self, what: What, text: str) -> Known | None:
        """What is known of the named thing; None when its project has not run yet."""
        if (what, text) not in self._known:
            known = self._stored(what, parse(text)) if is_address(text) else self._file(what, text)
            self._known[what, text] = known
        return self._known[what, text]

    def _file(self, what: What, text: str) -> Known:
        path = self._project.campaign / text
        if what in ("table", "poses"):
            return files.read_table(path)
        if what in ("volume", "maps", "tomogram"):
            return files.volume_facts(path)
        if what == "marks":
            return files.read_marks(path)
        if what == "catalogue":
            raise EngineError(
                f"{text}: a catalogue is a project's result, as in tomos:tomograms (engine new catalogue tomos)"
            )
        if what == "residues":
            return files.read_residues(path)
        if what == "weights":
            return files.weight_facts(path)
        return files.particle_facts(path)

    def _stored(self, what: What, address: Address) -> Known | None:
        other = self._project.neighbour(address)
        store = Store(other.store_folder)
        names_one = address.tomo is not None and len(address.tomo.listed) == 1
        is_read = (lambda step: True) if names_one else self._is_read
        found = [pair for pair in locate(other, address, store.step_names()) if is_read(pair[0])]
        n_tomograms = len({step.labels.get(LABEL) for step, _ in locate(other, address) if is_read(step)})
        if not found or len({step.labels.get(LABEL) for step, _ in found}) < n_tomograms:
            return None
        if what not in JOINED or n_tomograms == 1:
            found = found[-1:]
        if what == "marks":
            values = [files.as_marks(store.read(step.name, item), str(address)) for step, item in found]
            return joined(values, address) if len(values) > 1 else values[0]
        known = [one for step, item in found if (one := _of_item(what, store, step.name, item)) is not None]
        return _together(known) if known else None

    def _is_read(self, step: Step) -> bool:
        return self._chosen is None or step.labels.get(LABEL, self._chosen[0]) in self._chosen


def _of_item(what: What, store: Store, step_name: str, item: str) -> Known | None:
    if what in ("volume", "maps", "tomogram"):
        return _of_map(store, step_name, item)
    if what == "particles":
        return store.particle_facts(step_name, item)
    value = store.read(step_name, item)
    if what == "weights" and isinstance(value, Particles):
        return WeightFacts(value.tags, value.box_px)
    return value if isinstance(value, Table | Catalogue) else None


def _of_map(store: Store, step_name: str, item: str) -> VolumeFacts | None:
    """Of a stored map, or of the tomogram that a catalogue names."""
    if store.what(step_name, item) == "volume":
        return store.volume_facts(step_name, item)
    value = store.read(step_name, item)
    one = value.tomograms[0] if isinstance(value, Catalogue) and len(value) == 1 else None
    return VolumeFacts(one.shape_zyx, one.pixel_size_A or 0.0) if one and one.shape_zyx else None


def _together(known: list[Known]) -> Known:
    """What is known of several tomograms as one."""
    first = known[0]
    for other in known[1:]:
        if isinstance(first, Table) and isinstance(other, Table):
            first = first.joined(other)
        elif isinstance(first, ParticleFacts) and isinstance(other, ParticleFacts):
            first = first._replace(n_particles=first.n_particles + other.n_particles)
        elif isinstance(first, WeightFacts) and isinstance(other, WeightFacts):
            first = WeightFacts(np.concatenate([first.tags, other.tags]), first.box_px)
        elif isinstance(first, Catalogue) and isinstance(other, Catalogue):
            first = Catalogue.joined([first, other])
    return first
