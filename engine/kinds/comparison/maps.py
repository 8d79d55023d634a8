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

HAND_MARGIN = 0.1
"""The hand is told where the better image explains more than the other by this part of what even the better one leaves."""


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
        "hand": hand(cc, mirrored_cc),
        "cc with the object": cc,
        "cc with its mirror image": mirrored_cc,
        "average turned by (deg)": move.angle_deg,
        "average shifted by (px)": move.shift_px,
    }
    return Laid(move, Volume(placed, pixel_size_A), told)


def hand_of_template(template: Volume, true: Volume, mask: np.ndarray, search: Search) -> str:
    """What tells the hand of a map of the object's box or a larger one, of which the middle is taken."""
    usable(template, "template")
    box_px = true.data.shape[-1]
    if min(template.shape_zyx) < box_px:
        raise EngineError(
            f"the template has shape {template.shape_zyx}, the object {true.shape_zyx} "
            "(give a box that is not smaller than the object's)"
        )
    middle = tuple(slice(n // 2 - box_px // 2, n // 2 - box_px // 2 + box_px) for n in template.shape_zyx)
    return str(laid(Volume(template.data[middle], template.pixel_size_A), true, mask, search).told["hand"])


def hand(cc: float, mirrored_cc: float) -> str:
    """What the likeness to the object and to its mirror image tells of the hand."""
    if not abs(cc - mirrored_cc) > HAND_MARGIN * (1 - max(cc, mirrored_cc)):
        return "not told: it is as near to the object as to its mirror image"
    return "right" if cc > mirrored_cc else "wrong: it is nearer to the mirror image"


def mirrored(volume: np.ndarray) -> np.ndarray:
    """The map (z, y, x) with x turned over about the box centre n // 2; what has no counterpart in an even box stays out."""
    turned = np.flip(volume, axis=-1)
    return turned if volume.shape[-1] % 2 else np.roll(turned, 1, axis=-1)


def map_fsc(average: Volume, true: Volume, mask: np.ndarray) -> Curve:
    """FSC of an average against the true map."""
    box_px, pixel_size_A = true.data.shape[-1], true.pixel_size_A or average.pixel_size_A
    return fsc_curve(fsc(average.data, true.data, mask), box_px, pixel_size_A, "average and object", True)


def comparable(average: Volume, true: Volume) -> None:
    """An EngineError where the boxes differ, or a map holds what is no number."""
    if average.shape_zyx != true.shape_zyx:
        raise EngineError(
            f"the average has shape {average.shape_zyx}, the object {true.shape_zyx} (compare equal boxes)"
        )
    usable(average, "average")
    usable(true, "object")


def usable(volume: Volume, name: str) -> None:
    """An EngineError where the map holds what is no number."""
    if not np.isfinite(volume.data).all():
        raise EngineError(f"the {name} holds values that are no numbers (mend or replace it)")


def _onto(
    moving: np.ndarray, fixed: np.ndarray, mask: np.ndarray, search: Search, shells: tuple[float, float]
) -> tuple[Move, np.ndarray, float]:
    move = found(moving, fixed, mask, search, shells)
    placed = np.asarray(moved(moving, move.rotation, move.translation_xyz_px))
    return move, placed, likeness(placed, fixed, mask, shells)
