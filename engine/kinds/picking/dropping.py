"""Which points lie too near to a border or to gold."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum

import numpy as np
import scipy

from engine.kinds.picking.form import Borders
from engine.kinds.picking.marked import Group, Place


class Reason(IntEnum):
    """Why a point was dropped: column annotation of the item `dropped`."""

    KEPT = 0
    BORDER = 1
    GOLD = 2


WORDS = {Reason.BORDER: "dropped, near the border of the tomogram or outside", Reason.GOLD: "dropped, near gold"}


def is_near_border(positions: np.ndarray, place: Place, borders: Borders | None) -> np.ndarray:
    """(n,) True where a point lies outside its tomogram, or its box does, or it is nearer to a face than it may be.

    Boxes are centred on the voxel nearest to the point, as extraction cuts them. All is well where the size is not known.
    """
    if place.size_xyz_px is None:
        return np.zeros(len(positions), dtype=bool)
    size = np.array(place.size_xyz_px)
    if borders is not None and borders.box_px is not None:
        first = np.rint(positions) - borders.box_px // 2
        return np.asarray(np.any((first < 0) | (first + borders.box_px > size), axis=1))
    margin = (borders.distance_A or 0.0) / place.pixel_size_A if borders else 0.0
    return np.asarray(np.any((positions < margin) | (positions > size - 1 - margin), axis=1))


def is_near_gold(positions: np.ndarray, place: Place, beads: Sequence[Group], distance_A: float) -> np.ndarray:
    """(n,) True where a bead of the same tomogram is nearer than the distance and its own radius."""
    mine = [bead for bead in beads if bead.place.number == place.number]
    near = np.zeros(len(positions), dtype=bool)
    if not mine or not len(positions):
        return near
    points = np.concatenate([bead.points_px for bead in mine])
    reach = np.concatenate([bead.radii_px for bead in mine]) + distance_A / place.pixel_size_A
    for rows in scipy.spatial.cKDTree(positions).query_ball_point(points, reach):
        near[rows] = True
    return near
