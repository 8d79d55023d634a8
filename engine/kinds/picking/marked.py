"""Marks in the pixels of their tomograms: whatever file, unit or binning they come from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.data import Marks, VolumeFacts
from engine.faults import EngineError
from engine.kinds.picking.form import Gold, Model, Tomogram


@dataclass(frozen=True)
class Place:
    """A tomogram: its number, what files call it, its pixel size in A, and its size in px where it is known."""

    number: int
    name: str
    pixel_size_A: float
    size_xyz_px: tuple[int, int, int] | None


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


def groups_of(
    form: Model | Gold,
    typed: Sequence[np.ndarray],
    radii_px: Sequence[float],
    marks: Marks | None,
    places: Sequence[Place],
) -> list[Group]:
    """The regions of a model: first each typed one, a region of its own, then those of its file.

    typed: (n, 3) points in px, and a radius for each region, 0 for none. Marks of tomograms that are not listed are left out
    where others are there; where none is, that is an EngineError.
    """
    groups = []
    if typed:
        place = _meant(form.tomo, places)
        for number, (points, radius) in enumerate(zip(typed, radii_px, strict=True), start=1):
            points = np.asarray(points, dtype=np.float64).reshape(-1, 3)
            groups.append(Group(place, number, points, np.full(len(points), radius)))
    if marks is None:
        return groups
    n_typed, unknown = len(groups), set[str]()
    for number, name, rows in marks.together():
        found = _named(name, places) if name and form.tomo is None else _meant(form.tomo, places)
        if found is None:
            unknown.add(name)
            continue
        here = marks.in_px(found.pixel_size_A, form.file_origin_xyz_A, form.file_pixel_size_A)
        groups.append(Group(found, n_typed + number, here.points_xyz[rows], here.radii[rows]))
    if unknown and len(groups) == n_typed:
        shown = ", ".join(sorted(unknown)[:4])
        raise EngineError(f"its points lie in {shown}; give a [[tomograms]] with that name, or tomo")
    return groups


def named_marks(values: Mapping[str, Any], name: str) -> Marks | None:
    """The opened marks of an input, if there are any."""
    found = values.get(name)
    return found if isinstance(found, Marks) else None


def _named(name: str, places: Sequence[Place]) -> Place | None:
    return next((one for one in places if name in (one.name, str(one.number))), None)


def _meant(tomo: int | None, places: Sequence[Place]) -> Place:
    """The tomogram of that number, or the only one."""
    if tomo is None:
        if len(places) > 1:
            raise EngineError(f"which of the {len(places)} tomograms are its points in? (give tomo)")
        return places[0]
    found = next((one for one in places if one.number == tomo), None)
    if found is None:
        have = ", ".join(str(one.number) for one in places)
        raise EngineError(f"there is no tomogram {tomo} in [[tomograms]], only {have}")
    return found
