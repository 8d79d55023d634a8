"""What planning and finding need of a project: its name, what it reads, its items and its steps, without its form."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Generic, TypeVar

from engine.address import Address, is_address, parse
from engine.each import LABEL, Kept, for_each, is_fixed, numbers_in
from engine.faults import EngineError, Key
from engine.project_files import named_like
from engine.step import Named, StepOutline, What, item_of

S_co = TypeVar("S_co", bound=StepOutline, covariant=True)


class Outline(ABC, Generic[S_co]):
    """A project as others see it: of a form, or as it was kept."""

    path: Path

    @property
    @abstractmethod
    def items(self) -> Mapping[str, Named]:
        """What the project's addresses can name, each with what it is."""

    @property
    @abstractmethod
    def references(self) -> Sequence[tuple[Key, What, str]]:
        """Every (TOML key, what it names, text) that the project reads, in the order of its form."""

    @property
    @abstractmethod
    def is_for_each(self) -> bool:
        """Whether it is done for each tomogram that it reads."""

    @property
    @abstractmethod
    def own_steps(self) -> Sequence[S_co]:
        """Its steps; of one tomogram where it is done for each."""

    @abstractmethod
    def beside(self, path: Path) -> AnyOutline:
        """The project of a file in the same folder."""

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

    @cached_property
    def steps(self) -> Sequence[S_co]:
        """The project's steps in order, of all its tomograms."""
        if not self.is_for_each:
            return self.own_steps
        read = [
            one.source for step in self.own_steps for one in step.inputs.values() if isinstance(one.source, Address)
        ]
        kept = tomograms_read(self, read)
        return for_each(self.own_steps, chosen_tomograms(self, kept), kept)

    @cached_property
    def makers(self) -> Mapping[str, Mapping[int | None, Sequence[tuple[S_co, str]]]]:
        """What its lasting steps make: the steps, with the item's path, by the item's name and the tomogram (None: of none)."""
        found: dict[str, dict[int | None, list[tuple[S_co, str]]]] = {}
        for step in self.steps:
            number = int(step.labels[LABEL]) if LABEL in step.labels else None
            for path in () if step.scratch else step.makes:
                of_item = found.setdefault(item_of(path), {})
                of_item.setdefault(number, []).append((step, path))
        return found

    @cached_property
    def by_name(self) -> Mapping[str, S_co]:
        """The steps by their names."""
        return {step.name: step for step in self.steps}

    def neighbour(self, address: Address) -> AnyOutline:
        """The project that an address names, from the same folder."""
        return self.beside(neighbour_file(self.path, address))


AnyOutline = Outline[StepOutline]


def neighbour_file(path: Path, address: Address) -> Path:
    """The file of the project that an address in a project's file names."""
    if "/" in address.project:
        raise EngineError(f"{address}: an address never leaves its folder; name a project of {path.parent}")
    other = path.parent / f"{address.project}.toml"
    if address.project.endswith(".toml") and not other.is_file():
        right = str(address).replace(".toml:", ":", 1)
        raise EngineError(f'{address}: an address names the project without its .toml (write "{right}")')
    if not other.is_file():
        raise EngineError(f"{address}: there is no {other.name} beside {path.name}{named_like(other)}")
    return other


def dependencies(project: AnyOutline) -> list[Address]:
    """The addresses that the project reads, in the order of its form."""
    return [parse(text) for _, _, text in project.references if is_address(text)]


def tomograms_read(project: AnyOutline, more: Sequence[Address] = (), way: tuple[str, ...] = ()) -> Kept:
    """What the project reads of its neighbours that is kept by tomogram: project and item to numbers.

    more: what its steps read and its form does not name, such as the binned tomograms of a catalogue. Projects that read from
    each other are an EngineError.
    """
    found: dict[tuple[str, str], tuple[int, ...]] = {}
    of_each: dict[str, tuple[int, ...]] = {}
    for address in [*dependencies(project), *more]:
        if address.project in (*way, project.name):
            raise EngineError(f"{project.name} and {address.project} read from each other (take one address out)")
        if address.project in of_each:
            found[address.project, address.item] = of_each[address.project]
        elif (address.project, address.item) not in found:
            other = project.neighbour(address)
            if other.is_for_each:
                numbers = chosen_tomograms(other, tomograms_read(other, way=(*way, project.name)))
                of_each[address.project] = numbers
            else:
                makers = other.makers.get(address.item)
                numbers = (
                    numbers_in(other.steps) if makers is None else tuple(sorted(n for n in makers if n is not None))
                )
            found[address.project, address.item] = numbers
    return {read: numbers for read, numbers in found.items() if numbers}


def chosen_tomograms(project: AnyOutline, kept: Kept) -> tuple[int, ...]:
    """The numbers for which a project of each tomogram is done: those that all its inputs kept by tomogram have, and name."""
    chosen: set[int] | None = None
    for _, what, text in project.references:
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
