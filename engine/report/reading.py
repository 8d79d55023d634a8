"""What a report asks of a project: its stored items by tomogram, reference and iteration, each read once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple, TypeVar

import numpy as np

from engine.data import Curve, Table, Volume
from engine.each import LABEL
from engine.project import Project
from engine.report.maps import Density, Slices, density_of, planes_of, slices_of
from engine.status import Status, status
from engine.step import Step, item_of, reference_of
from engine.store import Store, StoredStep

SLICES_PX, TOMOGRAM_PX, SURFACE_PX = 96, 320, 64
"""The most that is kept of a map; a report that grows too large shows less."""
_LARGEST_BOX_PX = 512

T = TypeVar("T")


class Group(NamedTuple):
    """One of the things that a project makes side by side."""

    tomo: int | None
    ref: int | None

    @property
    def title(self) -> str:
        parts = [f"tomogram {self.tomo}" if self.tomo is not None else "", f"reference {self.ref}" if self.ref else ""]
        return ", ".join(part for part in parts if part)


class Place(NamedTuple):
    """Where an item lies."""

    step: Step
    path: str

    @property
    def ite(self) -> int | None:
        value = self.step.labels.get("ite")
        return value if isinstance(value, int) else None


@dataclass(frozen=True)
class Reader:
    """The results of one project."""

    project: Project
    known: dict[Any, Any] = field(default_factory=dict, repr=False)

    @cached_property
    def store(self) -> Store:
        return Store(self.project.store_folder)

    @cached_property
    def stored(self) -> list[Step]:
        """The steps of the project that are stored, in its order, but scratch."""
        names = set(self.store.step_names())
        return [step for step in self.project.steps if step.name in names and not step.scratch]

    @cached_property
    def status(self) -> Status:
        return status(self.project)

    @cached_property
    def facts(self) -> list[tuple[Step, StoredStep]]:
        found = [(step, self.store.facts(step.name)) for step in self.stored]
        return [(step, facts) for step, facts in found if facts is not None]

    def places(self, item: str) -> dict[Group, list[Place]]:
        """Where the item lies, by tomogram and reference, in the order of iterations. Of half-sets only what joins them."""
        found: dict[Group, list[Place]] = {}
        for step in self.stored:
            if "half" in step.labels:
                continue
            for path in step.makes:
                if item_of(path) == item:
                    tomo = step.labels.get(LABEL)
                    group = Group(int(tomo) if tomo is not None else None, reference_of(path))
                    found.setdefault(group, []).append(Place(step, path))
        refs = {group.ref for group in found if group.ref is not None}
        if len(refs) == 1:  # the only reference is the project
            merged: dict[Group, list[Place]] = {}
            for group, places in found.items():
                merged.setdefault(Group(group.tomo, None), []).extend(places)
            return merged
        return found

    def last(self, item: str) -> list[tuple[Group, Place]]:
        """The newest of each group."""
        return [(group, places[-1]) for group, places in self.places(item).items()]

    def value(self, place: Place) -> Any:
        return self.store.read(place.step.name, place.path)

    def curve(self, place: Place) -> Curve | None:
        value = self._once(("curve", place.step.name, place.path), lambda: self.value(place))
        return value if isinstance(value, Curve) and len(value) else None

    def table(self, place: Place) -> Table:
        value = self._once(("table", place.step.name, place.path), lambda: self.value(place))
        return value if isinstance(value, Table) else Table({}, 0)

    def summary(self, place: Place) -> dict[str, Any]:
        value = self._once(("summary", place.step.name, place.path), lambda: self.value(place))
        return value if isinstance(value, dict) else {}

    def slices(self, place: Place) -> Slices | None:
        return self._once(("slices", place.step.name, place.path), lambda: self._slices(place))

    def density(self, place: Place) -> Density | None:
        return self._once(("density", place.step.name, place.path), lambda: self._density(place))

    def _slices(self, place: Place) -> Slices | None:
        facts = self.store.volume_facts(place.step.name, place.path)
        if len(set(facts.shape_zyx)) == 1 and facts.shape_zyx[0] <= _LARGEST_BOX_PX:
            return slices_of(planes_of(self._box(place).data), facts.pixel_size_A, SLICES_PX)
        if 0 in facts.shape_zyx:
            return None
        n_z, n_y, n_x = facts.shape_zyx
        plane = self.store.tomogram(place.step.name, place.path).read((n_z // 2, 0, 0), (n_z // 2 + 1, n_y, n_x))[0]
        return slices_of({"xy": plane}, facts.pixel_size_A, TOMOGRAM_PX)

    def _density(self, place: Place) -> Density | None:
        shape = self.store.volume_facts(place.step.name, place.path).shape_zyx
        is_box = len(set(shape)) == 1 and shape[0] <= _LARGEST_BOX_PX
        return density_of(self._box(place), SURFACE_PX) if is_box else None

    def _box(self, place: Place) -> Volume:
        value = self.value(place)
        assert isinstance(value, Volume)
        return Volume(np.asarray(value.data, dtype=np.float32), value.pixel_size_A)

    def _once(self, key: Any, read: Callable[[], T]) -> T:
        if key not in self.known:
            self.known[key] = read()
        return self.known[key]
