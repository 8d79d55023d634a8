"""Soft masks: balls, cylinders and ellipsoids with raised-cosine edges."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from engine.devices import namespace, ndimage, to_host


def inscribed_ball(box_px: int, edge_px: float = 3.0, xp: Any = np) -> Any:
    """A soft ball that fills the box, (n, n, n) float32: what every rotation keeps inside."""
    return ball(box_px, box_px / 2 - 1 - edge_px / 2, (box_px // 2,) * 3, edge_px, xp)


def ball(box_px: int, radius_px: float, centre_xyz_px: Sequence[float], edge_px: float, xp: Any = np) -> Any:
    """A ball with a raised-cosine edge: 1 inside, 0 outside, one half at radius_px. (n, n, n) float32."""
    x, y, z = _offsets(box_px, centre_xyz_px, xp)
    return soft_edge(xp.sqrt(x**2 + y**2 + z**2) - radius_px, edge_px)


def cylinder(
    box_px: int, radius_px: float, height_px: float, centre_xyz_px: Sequence[float], edge_px: float, xp: Any = np
) -> Any:
    """A cylinder along z with raised-cosine edges; height_px is its full height. (n, n, n) float32."""
    x, y, z = _offsets(box_px, centre_xyz_px, xp)
    side = soft_edge(xp.sqrt(x**2 + y**2) - radius_px, edge_px)
    return side * soft_edge(xp.abs(z) - height_px / 2, edge_px)


def ellipsoid(
    box_px: int, semi_axes_xyz_px: Sequence[float], centre_xyz_px: Sequence[float], edge_px: float, xp: Any = np
) -> Any:
    """An ellipsoid with a soft edge (exactly edge_px wide along the axes). (n, n, n) float32."""
    x, y, z = _offsets(box_px, centre_xyz_px, xp)
    a, b, c = semi_axes_xyz_px
    length = xp.sqrt((x / a) ** 2 + (y / b) ** 2 + (z / c) ** 2)
    distance = xp.sqrt(x**2 + y**2 + z**2)
    return soft_edge(distance - distance / xp.maximum(length, 1e-6), edge_px)


def around(volume: Any, threshold: float, extend_px: float, edge_px: float) -> Any:
    """A soft mask around what is at least as dense as the threshold, of the volume's shape, float32.

    It is 1 nearer than extend_px to such a voxel, and falls as a raised cosine over the next edge_px (RELION's way).
    """
    xp, ndi = namespace(volume), ndimage(volume)
    core = volume >= threshold
    if not core.any():
        return xp.zeros(volume.shape, dtype=xp.float32)
    if extend_px > 0:
        core = core | (ndi.distance_transform_edt(~core) < extend_px)
    if edge_px == 0 or core.all():
        return core.astype(xp.float32)
    ramp = xp.clip(ndi.distance_transform_edt(~core) / edge_px, 0, 1)
    return (0.5 * (1 + xp.cos(np.pi * ramp))).astype(xp.float32)


def otsu_threshold(values: Any, bins: int = 256) -> float:
    """The value that best parts the values in two classes: the greatest variance between them (Otsu 1979)."""
    xp = namespace(values)
    if values.min() == values.max():
        return float(values.min())
    counts, edges = (to_host(part) for part in xp.histogram(values, bins))
    middle = 0.5 * (edges[1:] + edges[:-1])
    below = np.cumsum(counts)[:-1].astype(np.float64)
    sum_below = np.cumsum(counts * middle)[:-1]
    total, total_sum = counts.sum(), (counts * middle).sum()
    above = total - below
    between = below * above * (sum_below / below - (total_sum - sum_below) / above) ** 2
    best = np.flatnonzero(between >= between.max() * (1 - 1e-12))  # several where bins between the classes are empty
    return float(edges[1 + int(best.mean())])


def soft_edge(distance_px: Any, edge_px: float) -> Any:
    """1 well inside (negative distance), 0 well outside, a raised cosine of full width edge_px between. float32."""
    xp = namespace(distance_px)
    if edge_px == 0:
        return (distance_px <= 0).astype(xp.float32)
    ramp = xp.clip(distance_px / edge_px + 0.5, 0, 1)
    return (0.5 * (1 + xp.cos(np.pi * ramp))).astype(xp.float32)


def _offsets(box_px: int, centre_xyz_px: Sequence[float], xp: Any) -> tuple[Any, Any, Any]:
    """Distances from the centre along x, y, z, shaped to broadcast over (z, y, x)."""
    axis = xp.arange(box_px, dtype=xp.float32)
    cx, cy, cz = centre_xyz_px
    return (axis - cx)[None, None, :], (axis - cy)[None, :, None], (axis - cz)[:, None, None]


def support_px(mask: Any) -> float:
    """How far from the centre n // 2 the mask reaches when it is turned with linear interpolation: 0 beyond this distance."""
    xp = namespace(mask)
    n = mask.shape[-1]
    square = xp.arange(n) - n // 2
    square = square * square
    farthest = (square[:, None, None] + square[None, :, None] + square)[mask > 0]
    return float(xp.sqrt(farthest.max()) + np.sqrt(3)) if farthest.size else 0.0
