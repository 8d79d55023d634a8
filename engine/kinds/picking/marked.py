"""Marks in the pixels of their tomograms: whatever file, unit or binning they come from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.data import Marks, TomogramFacts, VolumeFacts
from engine.faults import EngineError
from engine.kinds.picking.form import Gold, Model, Tomogram


@dataclass(frozen=True)
class Place:
    """A tomogram: its number, what files call it, its pixel size in A, and its size in px where it is known."""

    number: int
    name: str
    pixel_size_A: float
    size_xyz_px: tuple[int, int, int] | None


@dataclass(frozen=True)
class Places:
    """The tomograms that points may lie in. is_one_of_several: there are others, whose points are not meant here."""

    listed: tuple[Place, ...]
    is_one_of_several: bool = False

    def meant(self, tomo: int | None, name: str = "") -> Place | None:
        """The tomogram of that number, else of that name, else the only one; None for one that is not listed.

        Where nothing tells it and there are several, that is an EngineError; so is a number that is not listed.
        """
        if tomo is None and name:
            return next((one for one in self.listed if name in (one.name, str(one.number))), None)
        if tomo is None and (self.is_one_of_several or len(self.listed) > 1):
            n = "" if self.is_one_of_several else f"{len(self.listed)} "
            raise EngineError(f"which of the {n}tomograms are its points in? (give tomo)")
        found = next((one for one in self.listed if tomo in (None, one.number)), None)
        if found is None and not self.is_one_of_several:
            have = ", ".join(str(one.number) for one in self.listed)
            raise EngineError(f"there is no tomogram {tomo}, only {have}")
        return found


@dataclass(frozen=True, eq=False)
class Group:
    """Marks of one region: points (n, 3) and radii (n,) in px of the tomogram, 0 where none is told."""

    place: Place
    number: int
    points_px: np.ndarray
    radii_px: np.ndarray


def place_of(tomogram: Tomogram, facts: VolumeFacts | None) -> Place:
    """The tomogram as its keys and its map's header tell it; without a pixel size an EngineError."""
    pixel_size_A = tomogram.pixel_size_A or (facts.pixel_size_A if facts else 0.0)
    if not pixel_size_A:
        raise EngineError(f"tomogram {tomogram.number}: its pixel size is not known; give pixel_size_A")
    size = tomogram.size_xyz_px
    if size is None and facts:
        z, y, x = facts.shape_zyx
        size = x, y, z
    return Place(tomogram.number, tomogram.name or str(tomogram.number), pixel_size_A, size)


def place_listed(facts: TomogramFacts) -> Place:
    """The tomogram as a catalogue tells it."""
    if not facts.pixel_size_A:
        raise EngineError(
            f"tomogram {facts.number}: the catalogue does not tell its pixel size; run the catalogue anew"
        )
    size = None
    if facts.shape_zyx:
        z, y, x = facts.shape_zyx
        size = x, y, z
    return Place(facts.number, facts.name or str(facts.number), facts.pixel_size_A, size)


def groups_of(
    form: Model | Gold,
    typed: Sequence[np.ndarray],
    radii_px: Sequence[float],
    marks: Marks | None,
    places: Places,
) -> list[Group]:
    """The regions of a model: first each typed one, a region of its own, then those of its file.

    typed: (n, 3) points in px, and a radius for each region, 0 for none. Marks of tomograms that are not listed are left out
    where others are there; where none is, that is an EngineError.
    """
    groups = []
    if typed and (place := places.meant(form.tomo)):
        for number, (points, radius) in enumerate(zip(typed, radii_px, strict=True), start=1):
            points = np.asarray(points, dtype=np.float64).reshape(-1, 3)
            groups.append(Group(place, number, points, np.full(len(points), radius)))
    if marks is None:
        return groups
    of_file, unknown = [], set[str]()
    for number, name, rows in marks.together():
        found = places.meant(form.tomo, name)
        if found is None:
            unknown.add(name)
            continue
        here = marks.in_px(found.pixel_size_A, form.file_origin_xyz_A, form.file_pixel_size_A)
        points = here.points_xyz[rows] + (_middle(found) if marks.is_centred else 0.0)
        of_file.append(Group(found, len(typed) + number, points, here.radii[rows]))
    if unknown and not of_file and not places.is_one_of_several:
        shown = ", ".join(sorted(unknown)[:4])
        raise EngineError(
            f"its points lie in {shown}, and no tomogram has that name or number; name one so, or give tomo"
        )
    return groups + of_file


def _middle(place: Place) -> np.ndarray:
    if place.size_xyz_px is None:
        raise EngineError(
            f"points count from the middle of tomogram {place.number}, whose size is not known; give its map or size_xyz_px"
        )
    return np.array(place.size_xyz_px) / 2


def named_marks(values: Mapping[str, Any], name: str) -> Marks | None:
    """The opened marks of an input, if there are any."""
    found = values.get(name)
    return found if isinstance(found, Marks) else None
