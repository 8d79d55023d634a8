"""An average against the true map: laid onto it, its hand told, and their FSC."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.data import Curve, Volume
from engine.faults import EngineError
from engine.geometry.move import Move
from engine.kernels.fsc import fsc
from engine.kernels.rotate import moved
from engine.kinds.averaging import fsc_curve
from engine.kinds.move_search import Search, found, likeness


@dataclass(frozen=True, eq=False)
class Laid:
    """An average on the object: the move, the map after it, and what tells the hand."""

    move: Move
    map: Volume
    told: dict[str, Any]


def laid(average: Volume, true: Volume, mask: np.ndarray, search: Search) -> Laid:
    """The average laid onto the object, and, to tell the hand, onto the object's mirror image."""
    box_px, pixel_size_A = true.data.shape[-1], true.pixel_size_A or average.pixel_size_A
    shells = search.bandpass.shells(box_px, pixel_size_A)
    moving, fixed = (np.asarray(one.data, dtype=np.float32) for one in (average, true))
    move, placed, cc = _onto(moving, fixed, mask, search, shells)
    _, _, mirrored_cc = _onto(moving, mirrored(fixed), mirrored(mask), search, shells)
    told = {
        "hand": "right" if cc > mirrored_cc else "wrong: the average is nearer to the mirror image",
        "cc with the object": cc,
        "cc with its mirror image": mirrored_cc,
        "average turned by (deg)": move.angle_deg,
        "average shifted by (px)": move.shift_px,
    }
    return Laid(move, Volume(placed, pixel_size_A), told)


def mirrored(volume: np.ndarray) -> np.ndarray:
    """The map (z, y, x) with x turned over about the box centre n // 2; what has no counterpart in an even box stays out."""
    turned = np.flip(volume, axis=-1)
    return turned if volume.shape[-1] % 2 else np.roll(turned, 1, axis=-1)


def map_fsc(average: Volume, true: Volume, mask: np.ndarray) -> Curve:
    """FSC of an average against the true map."""
    box_px, pixel_size_A = true.data.shape[-1], true.pixel_size_A or average.pixel_size_A
    return fsc_curve(fsc(average.data, true.data, mask), box_px, pixel_size_A, "average and object", True)


def comparable(average: Volume, true: Volume) -> None:
    """An EngineError where the boxes differ."""
    if average.shape_zyx != true.shape_zyx:
        raise EngineError(
            f"the average has shape {average.shape_zyx}, the object {true.shape_zyx} (compare equal boxes)"
        )


def _onto(
    moving: np.ndarray, fixed: np.ndarray, mask: np.ndarray, search: Search, shells: tuple[float, float]
) -> tuple[Move, np.ndarray, float]:
    move = found(moving, fixed, mask, search, shells)
    placed = np.asarray(moved(moving, move.rotation, move.translation_xyz_px))
    return move, placed, likeness(placed, fixed, mask, shells)
