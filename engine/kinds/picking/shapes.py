"""Models with their marks become shapes: what can be put points on. Quick, so that `check` can do it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from engine.data import Marks
from engine.faults import EngineError
from engine.geometry import euler
from engine.geometry.ellipsoids import FEWEST_POINTS, Ellipsoid, ellipsoid_through
from engine.geometry.paths import Path
from engine.geometry.sheets import Closed, Sheet, closed_through, sheet_through
from engine.geometry.spheres import sphere_through
from engine.kinds.picking.form import (
    AnyModel,
    EllipsoidsModel,
    FilamentsModel,
    LatticeModel,
    PeaksModel,
    PointsModel,
    SpheresModel,
    SurfacesModel,
)
from engine.kinds.picking.marked import Group, Place, Places, groups_of


@dataclass(frozen=True, eq=False)
class Ball:
    """A sphere in px; pole (3,) is where its spiral begins."""

    centre: np.ndarray
    radius: float
    pole: np.ndarray


@dataclass(frozen=True, eq=False)
class Shape:
    """A region of a model: its number, its tomogram, what its points lie on (px), and how far its marks are from that (px)."""

    place: Place
    number: int
    body: Ball | Ellipsoid | Sheet | Closed | Path | np.ndarray | None
    misfit: float = 0.0


def shapes_of(model: AnyModel, marks: Marks | None, places: Places) -> list[Shape]:
    """The shapes of a model, in the order of its regions. Marks that tell none are EngineErrors.

    A lattice has no body; peaks have none until their map is read.
    """
    if isinstance(model, LatticeModel | PeaksModel):
        return [Shape(place, 1, None) for place in places.listed if model.tomo in (None, place.number)]
    if model.file is None and not _typed(model):
        raise EngineError(f"a model of {model.model} needs points: give file, or type them")
    typed, radii = _typed(model), _typed_radii(model)
    groups = groups_of(model, typed, radii, marks, places)
    found = []
    for group in groups:
        try:
            found += list(_shapes(model, group))
        except ValueError as error:
            raise EngineError(f"region {group.number} of tomogram {group.place.number}: {error}") from None
    return _numbered(found, groups)


def _typed(model: AnyModel) -> list[np.ndarray]:
    match model:
        case SpheresModel():
            return [np.array(one[:3]) for one in model.spheres_xyzr_px] + [
                np.array(one) for one in model.dipoles_xyz_px
            ]
        case EllipsoidsModel():
            return [] if model.centre_xyz_px is None else [np.array(model.centre_xyz_px)]
        case SurfacesModel() | FilamentsModel() | PointsModel():
            return [np.array(model.points_xyz_px)] if model.points_xyz_px else []
        case _:
            return []


def _typed_radii(model: AnyModel) -> list[float]:
    if isinstance(model, SpheresModel):
        return [one[3] for one in model.spheres_xyzr_px] + [0.0] * len(model.dipoles_xyz_px)
    return [0.0] * len(_typed(model))


def _shapes(model: AnyModel, group: Group) -> Iterator[Shape]:
    place, points, pixel = group.place, group.points_px, group.place.pixel_size_A
    match model:
        case SpheresModel():
            yield from _balls(model, group)
        case EllipsoidsModel(semi_axes_xyz_A=semi_axes) if semi_axes is not None and len(points) == 1:
            rotation = euler.matrices(np.array(model.angles_deg))
            yield Shape(place, group.number, Ellipsoid(points[0], np.array(semi_axes) / pixel, rotation))
        case EllipsoidsModel():
            if len(points) < FEWEST_POINTS:
                raise ValueError(f"{len(points)} marks; an ellipsoid takes {FEWEST_POINTS} or more")
            yield Shape(place, group.number, *ellipsoid_through(points))
        case SurfacesModel():
            inside = None if model.inside_xyz_px is None else np.array(model.inside_xyz_px)
            through = closed_through if model.closed else sheet_through
            body = through(points, model.smoothing_A / pixel, inside)
            misfit = np.linalg.norm(points - body.projected(points), axis=1)
            yield Shape(place, group.number, body, float(np.sqrt(np.mean(misfit**2))))
        case FilamentsModel():
            yield Shape(place, group.number, Path(points))
        case _:
            yield Shape(place, group.number, points)


def _balls(model: SpheresModel, group: Group) -> Iterator[Shape]:
    """Each mark that has a radius is a sphere; two without are centre and surface; four or more lie on one."""
    up = np.array([0.0, 0.0, 1.0])
    radii = group.radii_px
    if model.radius_A is not None:
        radii = np.where(radii > 0, radii, model.radius_A / group.place.pixel_size_A)
    if (radii > 0).all():
        for centre, radius in zip(group.points_px, radii, strict=True):
            yield Shape(group.place, group.number, Ball(centre, float(radius), up))
    elif (radii > 0).any():
        raise ValueError("some marks have a radius and some have none; give radius_A")
    elif len(radii) == 2:
        centre, end = group.points_px
        radius = float(np.linalg.norm(end - centre))
        if radius == 0:
            raise ValueError("centre and surface are the same point")
        yield Shape(group.place, group.number, Ball(centre, radius, end - centre))
    elif len(radii) < 4:
        raise ValueError(f"{len(radii)} mark without a radius; give radius_A, a dipole, or four marks on the surface")
    else:
        centre, radius, misfit = sphere_through(group.points_px)
        yield Shape(group.place, group.number, Ball(centre, radius, up), misfit)


def _numbered(shapes: list[Shape], groups: list[Group]) -> list[Shape]:
    """In each tomogram the numbers of the groups where each became one shape, else 1, 2, 3 …"""
    n_shapes, n_groups = (Counter(one.place.number for one in many) for many in (shapes, groups))
    counted = Counter[int]()
    numbered = []
    for shape in shapes:
        tomo = shape.place.number
        counted[tomo] += 1
        is_told = n_shapes[tomo] == n_groups[tomo]
        numbered.append(shape if is_told else replace(shape, number=counted[tomo]))
    return numbered
