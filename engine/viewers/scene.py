"""What is to be seen: a map, points on it, or both, in the frame of viewers: A, origin + pixel size x index."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engine.data import Curve, Marks, Table, Volume
from engine.faults import EngineError
from engine.files import MRC, as_marks, read_volume
from engine.files.mrc import read_mrc_header
from engine.geometry import euler

RADIUS_PX, AXIS_PX = 3.0, 12.0
"""Radius of a point, where nobody tells one, and length of an axis."""


@dataclass(frozen=True, eq=False)
class Map:
    """A map: held, to be written; or lying at path, to be opened as it is. A pixel size that nobody tells counts as 1 A."""

    shape_zyx: tuple[int, int, int]
    pixel_size_A: float
    origin_xyz_A: tuple[float, float, float]
    held: Volume | None = None
    path: Path | None = None


@dataclass(frozen=True, eq=False)
class Points:
    """centres_xyz_px (n, 3), from 0, in px of the scene; axes_xyz (n, 3) unit vectors where they point somewhere; ids (n,)."""

    centres_xyz_px: np.ndarray
    radii_px: np.ndarray
    ids: np.ndarray
    axes_xyz: np.ndarray | None = None

    @property
    def tips_xyz_px(self) -> np.ndarray:
        """Where the axes end; there must be some."""
        if self.axes_xyz is None:
            raise ValueError("these points have no axes")
        return self.centres_xyz_px + AXIS_PX * self.axes_xyz


@dataclass(frozen=True, eq=False)
class Scene:
    """name: of the files. level: of the surface, where the map is an average; None: a tomogram, shown as slices."""

    name: str
    map: Map | None = None
    points: Points | None = None
    level: float | None = None

    @property
    def pixel_size_A(self) -> float:
        return self.map.pixel_size_A if self.map else 1.0

    @property
    def origin_xyz_A(self) -> np.ndarray:
        return np.array(self.map.origin_xyz_A if self.map else (0.0, 0.0, 0.0))

    def in_A(self, points_xyz_px: np.ndarray) -> np.ndarray:
        """Where viewers place such points."""
        return points_xyz_px * self.pixel_size_A + self.origin_xyz_A

    @property
    def centre_xyz_A(self) -> np.ndarray:
        """The centre of the map's box, index n // 2."""
        if self.map is None:
            raise ValueError("a scene without a map has no box")
        return self.in_A(np.array(self.map.shape_zyx[::-1]) // 2)


def scene_of(
    name: str,
    volume: Volume | Path | None,
    points: Table | Curve | Marks | None,
    *,
    fraction: float = 0.01,
    sigma: float | None = None,
    is_inverted: bool = False,
    counted_in_A: float = 0.0,
) -> Scene:
    """The scene of a map, which is held or lies in a file, and of points.

    The surface encloses a fraction of the voxels, the highest, or lies sigma deviations above the mean. is_inverted: densities
    change their sign. counted_in_A: the pixel size that points in px count in, where they do not tell it. Points of several
    tomograms, and none at all, are EngineErrors.
    """
    is_average = isinstance(volume, Volume)
    there = None if volume is None else _seen(volume, is_inverted)
    level = _level(there.held, fraction, sigma) if is_average and there and there.held else None
    return Scene(name, there, None if points is None else _points(points, there, counted_in_A), level)


def _seen(volume: Volume | Path, is_inverted: bool) -> Map:
    if isinstance(volume, Path) and not is_inverted and volume.suffix.lower() in MRC:
        header = read_mrc_header(volume)
        return Map(header.shape_zyx, header.pixel_size_A or 1.0, header.origin_xyz_A, path=volume)
    return _held(read_volume(volume) if isinstance(volume, Path) else volume, is_inverted)


def _held(volume: Volume, is_inverted: bool) -> Map:
    pixel_size_A = volume.pixel_size_A or 1.0
    data = -volume.data if is_inverted else volume.data
    shown = Volume(data, pixel_size_A, volume.origin_xyz_A)
    return Map(volume.shape_zyx, pixel_size_A, volume.origin_xyz_A, held=shown)


def _level(volume: Volume, fraction: float, sigma: float | None) -> float:
    if sigma is not None and not np.isfinite(sigma):
        raise EngineError(f"a surface at {sigma} deviations is none (give --sigma a number such as 3)")
    data = volume.data[np.isfinite(volume.data)]
    if not data.size:
        raise EngineError("the map has no finite voxel (look for the step that made it)")
    return float(np.quantile(data, 1.0 - fraction) if sigma is None else data.mean() + sigma * data.std())


def _points(value: Table | Curve | Marks, there: Map | None, counted_in_A: float) -> Points:
    marks = value if isinstance(value, Marks) else as_marks(value, "points")
    if not len(marks):
        raise EngineError("there is no point to show (ask for other rows: --where)")
    if len(tomograms := sorted(set(marks.tomograms))) > 1:
        names = ", ".join(tomograms[:6])
        raise EngineError(
            f'the points lie in {len(tomograms)} tomograms, {names}; choose one: --where "tomo == {tomograms[0]}"'
        )
    if marks.is_centred:
        raise EngineError(
            "the points count from the middle of their tomogram (pick or extract them, and show that table)"
        )
    placed = _in_px(marks, there, counted_in_A)
    return Points(
        placed.points_xyz,
        np.where(placed.radii > 0, placed.radii, RADIUS_PX),
        value.tags if isinstance(value, Table) else placed.numbers,
        euler.axes(value.angles) if isinstance(value, Table) else None,
    )


def _in_px(marks: Marks, there: Map | None, counted_in_A: float) -> Marks:
    """In px of the map; without one, px are A where a pixel size is known, and 1 A where none is."""
    own_A = marks.pixel_size_A or counted_in_A
    if there:
        return marks.in_px(there.pixel_size_A, there.origin_xyz_A, own_A or None)
    return marks.in_px(1.0, counted_in_A=own_A or None)
