"""Maps of several tomograms, with the number of each."""

from __future__ import annotations

from dataclasses import dataclass

from engine.data.volume import Volume


@dataclass(frozen=True, eq=False)
class Maps:
    """Maps in the order of their tomograms, whose numbers are 0 where a map is of none."""

    volumes: tuple[Volume, ...]
    tomograms: tuple[int, ...]
