"""Kinds of project: each offers Project (the form), ITEMS, check and unfold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol, cast

from engine.faults import Fault
from engine.kinds import (
    alignment,
    average,
    catalogue,
    collection,
    comparison,
    extraction,
    mask,
    phantom,
    picking,
    postprocess,
    registration,
    selection,
    specimen,
    transform,
)
from engine.kinds.form import Look, ProjectForm
from engine.step import Named, Step


class Kind(Protocol):
    """What a kind's module offers, and all that is looked for."""

    Project: type[ProjectForm]
    ITEMS: Mapping[str, Named]

    def check(self, project: Any, look: Look) -> Iterator[Fault]:
        """The sense that one field alone cannot show."""

    def unfold(self, project: Any) -> list[Step]:
        """The project's steps in order: pure, no files, no clock, no device."""


KINDS: dict[str, Kind] = {
    "alignment": cast(Kind, alignment),
    "average": cast(Kind, average),
    "catalogue": cast(Kind, catalogue),
    "collection": cast(Kind, collection),
    "comparison": cast(Kind, comparison),
    "extraction": cast(Kind, extraction),
    "mask": cast(Kind, mask),
    "phantom": cast(Kind, phantom),
    "picking": cast(Kind, picking),
    "postprocess": cast(Kind, postprocess),
    "registration": cast(Kind, registration),
    "selection": cast(Kind, selection),
    "specimen": cast(Kind, specimen),
    "transform": cast(Kind, transform),
}
