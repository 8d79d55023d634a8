"""Peaks of a map: where it is higher than around, to a part of a voxel."""

from __future__ import annotations

import numpy as np
import scipy


def peaks(volume: np.ndarray, inside: np.ndarray, distance_px: float, most: int) -> np.ndarray:
    """(k, 3) xyz px: the highest voxels among their 26 neighbours that lie inside, the highest first, at most so many.

    volume (z, y, x); inside: of the same shape, true where peaks count. Of two peaks nearer to each other than distance_px the
    higher one stays. Where a map is flat there is no peak. Between voxels the top of the parabola along each axis is taken.
    """
    is_flat = scipy.ndimage.minimum_filter(volume, 3, mode="nearest") == volume
    highest = (scipy.ndimage.maximum_filter(volume, 3, mode="nearest") == volume) & ~is_flat & inside
    places = np.argwhere(highest)
    places = places[np.argsort(-volume[highest], kind="stable")]
    kept: list[np.ndarray] = []
    for place in places:
        if len(kept) == most:
            break
        if all(np.linalg.norm(place - other) >= distance_px for other in kept):
            kept.append(place)
    tops = [place + _beside(volume, place) for place in kept]
    return np.array(tops, dtype=np.float64).reshape(-1, 3)[:, ::-1]


def _beside(volume: np.ndarray, place: np.ndarray) -> np.ndarray:
    """(3,) zyx px from a voxel to the top of the parabola through it and its neighbours; 0 along an axis where it is a face."""
    offset = np.zeros(3)
    for axis, (at, side) in enumerate(zip(place, volume.shape, strict=True)):
        if 0 < at < side - 1:
            line = np.moveaxis(volume, axis, 0)[(slice(at - 1, at + 2), *np.delete(place, axis))].astype(np.float64)
            bend = line[0] - 2 * line[1] + line[2]
            offset[axis] = 0.5 * (line[0] - line[2]) / bend if bend < 0 else 0.0
    return offset
