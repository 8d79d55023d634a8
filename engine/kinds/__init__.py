"""Kinds of project: each offers Project (the form), ITEMS, check and unfold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any, Protocol, cast

from engine.faults import Fault
from engine.kinds.form import Look, ProjectForm
from engine.step import Named, Step

NAMES = (
    "alignment",
    "average",
    "catalogue",
    "collection",
    "comparison",
    "extraction",
    "mask",
    "phantom",
    "picking",
    "postprocess",
    "registration",
    "selection",
    "specimen",
    "transform",
)


class Kind(Protocol):
    """What a kind's module offers, and all that is looked for."""

    Project: type[ProjectForm]
    ITEMS: Mapping[str, Named]

    def check(self, project: Any, look: Look) -> Iterator[Fault]:
        """The sense that one field alone cannot show."""

    def unfold(self, project: Any) -> list[Step]:
        """The project's steps in order: pure, no files, no clock, no device."""


class _Kinds(Mapping[str, Kind]):
    """The kinds by their names; a kind's module is imported when it is asked for, so that one costs nothing to another."""

    def __getitem__(self, name: str) -> Kind:
        if name not in NAMES:
            raise KeyError(name)
        return cast(Kind, import_module(f"engine.kinds.{name}"))

    def __iter__(self) -> Iterator[str]:
        return iter(NAMES)

    def __len__(self) -> int:
        return len(NAMES)


KINDS: Mapping[str, Kind] = _Kinds()
