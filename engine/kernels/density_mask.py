"""Masks from densities: the voxels beyond a threshold, extended, with a soft edge around them."""

from __future__ import annotations

from typing import Any

from engine.devices import namespace, ndimage
from engine.kernels.mask import soft_edge


def density_mask(volume: Any, threshold: float, extend_px: float, edge_px: float) -> Any:
    """1 where the volume is at least threshold and up to extend_px around that, falling to 0 over the next edge_px.

    volume: (n, n, n), any device. Returns the same shape and device, float32. Distances are Euclidean, from voxel to voxel.
    """
    xp = namespace(volume)
    inside = volume >= threshold
    if not inside.any():
        return xp.zeros(volume.shape, dtype=xp.float32)
    distance = ndimage(volume).distance_transform_edt(~inside)
    return soft_edge(distance - extend_px - edge_px / 2, edge_px)


def sigma_threshold(volume: Any, sigmas: float) -> float:
    """The value that lies so many deviations above the volume's mean."""
    xp = namespace(volume)
    return float(volume.mean(dtype=xp.float64)) + sigmas * float(volume.std(dtype=xp.float64))
