"""Points on shapes, evenly and oriented."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from engine.faults import EngineError
from engine.geometry import azimuths, ellipsoids, euler, even, lattices, paths, sheets, spheres
from engine.geometry.ellipsoids import Ellipsoid
from engine.geometry.paths import Path
from engine.kinds.picking.form import AnyModel, FilamentsModel, LatticeModel, PointsModel, SpheresModel, Surface
from engine.kinds.picking.shapes import Ball, Shape

MOST_POINTS, MOST_BY_CELLS = 1_000_000, 10_000
"""More points of a region are taken for a slip of the spacing; fewer of ellipsoids and membranes: their time is quadratic."""


@dataclass(frozen=True, eq=False)
class Picked:
    """positions (n, 3) in px, angles (n, 3) in deg; extent: area in A^2 of a surface, length in A of a path, else 0.

    distances (n,): to the nearest neighbour of the region, in A.
    """

    positions: np.ndarray
    angles: np.ndarray
    extent: float
    distances_A: np.ndarray
    centre: np.ndarray
    radius_A: float = 0.0


def picked(model: AnyModel, shape: Shape, generator: np.random.Generator) -> Picked:
    """The points of one shape; randomness comes from the generator alone."""
    pixel = shape.place.pixel_size_A
    radius_A = 0.0
    if isinstance(model, Surface):
        positions, normals, axis, extent = _on_surface(model, shape, pixel)
        angles = _turned(model.azimuth, normals, axis, generator)
        radius_A = shape.body.radius * pixel if isinstance(shape.body, Ball) else 0.0
    elif isinstance(model, FilamentsModel):
        positions, angles, extent = _on_path(model, shape, pixel, generator)
    else:
        positions = _lattice(model, shape) if isinstance(model, LatticeModel) else np.asarray(shape.body)
        origin = model.from_xyz_px if isinstance(model, PointsModel) else None
        up = np.tile([0.0, 0.0, 1.0], (len(positions), 1))
        normals = up if origin is None else positions - np.array(origin)
        if not np.linalg.norm(normals, axis=1).all():
            raise EngineError("from_xyz_px is one of the points, which then has no direction; move it")
        angles, extent = _turned(model.azimuth, normals, np.array([1.0, 0.0, 0.0]), generator), 0.0
    distances = even.nearest_distances(positions) * pixel
    centre = shape.body.centre if isinstance(shape.body, Ball | Ellipsoid) else positions.mean(axis=0)
    return Picked(positions, angles, extent, distances, centre, radius_A)


def _on_surface(model: Surface, shape: Shape, pixel: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Positions (px), outward normals, the axis that azimuths are told from, and the area in A^2."""
    body, spacing = shape.body, model.spacing_A / pixel
    if isinstance(body, Ball):
        area = 4 * math.pi * body.radius**2
        _refuse_too_many(area / spacing**2)
        on = (
            spheres.rings_on_sphere
            if isinstance(model, SpheresModel) and model.pattern == "rings"
            else spheres.on_sphere
        )
        outward = on(body.radius, spacing, body.pole)
        positions, axis = body.centre + outward, body.pole
        normals = outward / body.radius
    elif isinstance(body, Ellipsoid):
        area = ellipsoids.area(body)
        _refuse_too_many(area / spacing**2, MOST_BY_CELLS)
        positions = ellipsoids.on_ellipsoid(body, spacing)
        normals, axis = body.normals(positions), body.rotation[:, int(np.argmax(body.semi_axes))]
    else:
        assert isinstance(body, sheets.Sheet | sheets.Closed)
        _refuse_too_many(body.extent() / spacing**2, MOST_BY_CELLS)
        positions, area = sheets.on_surface(body, spacing)
        normals = body.normals(positions)
        axis = body.axes[0] if isinstance(body, sheets.Sheet) else np.array([0.0, 0.0, 1.0])
    return positions + model.offset_A / pixel * normals, normals, axis, area * pixel**2


def _on_path(
    model: FilamentsModel, shape: Shape, pixel: float, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, float]:
    path, spacing = shape.body, model.spacing_A / pixel
    assert isinstance(path, Path)
    _refuse_too_many(path.length / spacing * model.subunits)
    if model.radius_A > 0:
        positions, rotations = paths.around(path, spacing, model.radius_A / pixel, model.subunits, model.turn_deg)
    else:
        positions, rotations = paths.along(path, spacing, model.turn_deg)
    angles = euler.angles(rotations)
    if model.azimuth != "axis":
        angles = _turned(model.azimuth, rotations[..., 2], np.array([1.0, 0.0, 0.0]), generator)
    return positions, angles, path.length * pixel


def _lattice(model: LatticeModel, shape: Shape) -> np.ndarray:
    size, pixel = shape.place.size_xyz_px, shape.place.pixel_size_A
    if size is None and (model.first_xyz_px is None or model.last_xyz_px is None):
        raise EngineError("how large is the tomogram? (give its map or size_xyz_px, or first_xyz_px and last_xyz_px)")
    low = np.array(model.first_xyz_px or (0.0, 0.0, 0.0))
    high = np.array(model.last_xyz_px or [n - 1.0 for n in size or ()])
    if not (low <= high).all():
        raise EngineError("first_xyz_px lies beyond last_xyz_px")
    cell = np.eye(3) * model.spacing_A if model.spacing_A else np.array(model.cell_xyz_A)
    sides = np.linalg.norm(cell, axis=1) / pixel
    if not abs(np.linalg.det(cell)) > 1e-6 * np.linalg.norm(cell, axis=1).prod():
        raise EngineError("cell_xyz_A: the three vectors lie in a plane")
    _refuse_too_many(float(np.prod(high - low + 1)) / float(abs(np.linalg.det(cell / pixel))))
    if model.origin_xyz_px is not None:
        origin = np.array(model.origin_xyz_px)
    else:
        origin = lattices.centred(low, high, float(sides[0])) if model.spacing_A else (low + high) / 2
    return lattices.in_box(cell / pixel, origin, low, high)


def _turned(azimuth: str, normals: np.ndarray, axis: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    if azimuth == "random":
        return azimuths.at_random(normals, generator)
    return azimuths.along(normals, axis) if azimuth == "axis" else euler.from_axes(normals)


def _refuse_too_many(number: float, most: int = MOST_POINTS) -> None:
    if number > most:
        raise EngineError(f"a region would have {number:.3g} points, the most is {most}; widen the spacing")
