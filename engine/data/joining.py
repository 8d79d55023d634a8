"""What several tomograms have, as one thing."""

from __future__ import annotations

from typing import Any

from engine.address import Address
from engine.data.catalogue import Catalogue
from engine.data.marks import Marks
from engine.data.particles import JoinedParticles
from engine.data.table import Table
from engine.faults import EngineError


def joined(parts: list[Any], address: Address) -> Any:
    """The tables, particles, marks or catalogues of several tomograms as one."""
    if isinstance(parts[0], Table):
        table = parts[0]
        for part in parts[1:]:
            table = table.joined(part)
        return table
    try:
        if isinstance(parts[0], Marks):
            return Marks.joined(parts)
        return Catalogue.joined(parts) if isinstance(parts[0], Catalogue) else JoinedParticles(parts)
    except ValueError as error:
        raise EngineError(f"{address}: these tomograms cannot be read as one: {error} (name one with tomo=)") from None
