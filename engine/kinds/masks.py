"""Masks of a form become volumes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from engine.data import Volume
from engine.faults import EngineError, Fault, Key
from engine.kernels import mask as kernel
from engine.kinds import sense
from engine.kinds.form import Cylinder, Look, MaskShape, Sphere, reads
from engine.step import Input

SMALLEST_MASK = 27
"""Voxels under which a correlation inside a mask says nothing."""


def inputs(masks: Mapping[str, MaskShape | str | None]) -> dict[str, Input]:
    """The inputs of the masks that are files or addresses, by the masks' names."""
    return {name: reads("volume", mask) for name, mask in masks.items() if isinstance(mask, str)}


def build(mask: MaskShape | str | None, box_px: int, pixel_size_A: float, loaded: Volume | None) -> np.ndarray:
    """The mask (n, n, n) float32, 0 to 1: made from its shape, or the loaded one; without any a ball that fills the box."""
    if mask is None:
        return np.asarray(kernel.inscribed_ball(box_px))
    made = checked(loaded, mask, box_px) if isinstance(mask, str) else _shape(mask, box_px, pixel_size_A)
    if made.sum() < SMALLEST_MASK:
        inside = "is empty" if not made.any() else f"holds only {made.sum():.3g} voxels"
        raise EngineError(f"the mask {mask!s} {inside} in the box of {box_px} px (move or enlarge it)")
    return made


def checked(volume: Volume | None, name: str, box_px: int) -> np.ndarray:
    """The loaded mask's voxels; an EngineError when size or values are not a mask's."""
    assert volume is not None
    if volume.shape_zyx != (box_px,) * 3:
        raise EngineError(
            f"the mask {name} has shape {volume.shape_zyx} (zyx), the particles have {box_px} px (make it anew)"
        )
    if not np.isfinite(volume.data).all() or volume.data.min() < -1e-3 or volume.data.max() > 1 + 1e-3:
        raise EngineError(f"the mask {name} has values outside 0 … 1 (scale it, or make it anew)")
    return np.clip(volume.data, 0, 1).astype(np.float32)


def _shape(mask: Any, box_px: int, pixel_size_A: float) -> np.ndarray:
    if pixel_size_A <= 0:
        raise EngineError("a mask's lengths in A need a pixel size, and the data have none (set data.pixel_size_A)")
    centre = mask.centre_xyz_px or (box_px // 2,) * 3
    if isinstance(mask, Sphere):
        return np.asarray(kernel.ball(box_px, mask.radius_A / pixel_size_A, centre, mask.edge_px))
    if isinstance(mask, Cylinder):
        return np.asarray(
            kernel.cylinder(box_px, mask.radius_A / pixel_size_A, mask.height_A / pixel_size_A, centre, mask.edge_px)
        )
    semi_axes = [length / pixel_size_A for length in mask.semi_axes_xyz_A]
    return np.asarray(kernel.ellipsoid(box_px, semi_axes, centre, mask.edge_px))


def faults(
    mask: MaskShape | str | None, key: Key, look: Look, box_px: int | None, pixel_size_A: float | None
) -> Iterator[Fault]:
    """What is wrong with a mask, as far as the box and the pixel size are known."""
    if isinstance(mask, str):
        yield from sense.same_box(look.volume(mask), box_px, key)
        return
    if mask is None:
        return
    if pixel_size_A == 0:
        yield Fault(key, "lengths in A need a pixel size, and the data have none", "set data.pixel_size_A")
    if box_px and mask.centre_xyz_px and not all(0 <= x <= box_px - 1 for x in mask.centre_xyz_px):
        yield Fault((*key, "centre_xyz_px"), f"lies outside the box of {box_px} px", f"0 to {box_px - 1} on each axis")
