"""Where a point of the average lies: markers and typed places become offsets from the box centre."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from engine.data import Marks
from engine.faults import EngineError
from engine.kinds.transform.form import Marked, Recentre, Subbox


class Box(NamedTuple):
    """The box that points are counted in. pixel_size_A is 0 when unknown; origin as in `engine.data.Volume`."""

    side_px: int
    pixel_size_A: float
    origin_xyz_A: tuple[float, float, float] = (0.0, 0.0, 0.0)


def offsets_px(form: Marked, markers: Marks | None, box: Box | None, pixel_size_A: float) -> np.ndarray:
    """(k, 3) xyz px from the box centre n // 2 to the points, in the average's axes.

    box: of the map that was marked, whose px count for places in it, else the typed side; pixel_size_A: of the poses, whose px
    come back. An EngineError says what is lacking.
    """
    in_box: object
    from_centre_px: object
    from_centre_A: object
    if isinstance(form, Recentre):
        in_box, from_centre_px, from_centre_A = form.point_xyz_px, form.offset_xyz_px, form.offset_xyz_A
    elif isinstance(form, Subbox):
        in_box, from_centre_px, from_centre_A = form.points_xyz_px, form.offsets_xyz_px, form.offsets_xyz_A
    else:
        raise ValueError(f"a {type(form).__name__} marks nothing")
    if from_centre_px is not None:
        return _rows(from_centre_px)
    if from_centre_A is not None:
        if not pixel_size_A:
            raise EngineError("an offset in A needs a pixel size, and there is none (set data.pixel_size_A)")
        return _rows(from_centre_A) / pixel_size_A
    if box is None:
        raise EngineError(
            "a place in the box needs the box (give the map that was marked, data.map or box_px, or an offset from the centre)"
        )
    places = _of_markers(form, markers, box) if markers is not None else _rows(in_box)
    outside = ((places < -0.5) | (places > box.side_px - 0.5)).any(axis=1)
    if outside.any():
        x, y, z = places[outside.argmax()]
        unit = form.markers_in or (markers.unit if markers is not None else "")
        hint = f" (they are read in {unit}: markers_in says otherwise)" if unit else ""
        raise EngineError(f"({x:.4g}, {y:.4g}, {z:.4g}) px lies outside the box of {box.side_px} px{hint}")
    scale = box.pixel_size_A / pixel_size_A if box.pixel_size_A and pixel_size_A else 1.0
    return np.asarray(scale * (places - box.side_px // 2))


def chosen(form: Marked, markers: Marks) -> np.ndarray:
    """(n,) which of the markers are meant: all of them, or the one that is the centre; an EngineError where no one is."""
    found = np.ones(len(markers), dtype=bool)
    if not isinstance(form, Recentre):
        return found
    if form.marker is not None:
        found = markers.numbers == form.marker
    if found.sum() != 1:
        there = ", ".join(map(str, markers.numbers[:8].tolist()))
        lack = (
            f"no marker {form.marker}" if form.marker is not None else f"{found.sum()} markers, and one is the centre"
        )
        raise EngineError(f"{form.markers} holds {lack} (marker = one of {there})")
    return found


def _of_markers(form: Marked, markers: Marks, box: Box) -> np.ndarray:
    """Places in px of the box, from 0."""
    told = replace(markers, unit=form.markers_in or markers.unit)
    if told.unit == "A" and not box.pixel_size_A:
        raise EngineError('markers in A need the pixel size of their map (set data.pixel_size_A, or markers_in = "px")')
    return told.in_px(box.pixel_size_A, box.origin_xyz_A).points_xyz[chosen(form, markers)]


def _rows(values: object) -> np.ndarray:
    return np.asarray(values, dtype=np.float64).reshape(-1, 3)
