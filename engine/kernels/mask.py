"""Soft masks: shapes by their signed distance in px, raised-cosine edges, sets of masks, what a mask measures.

Every shape is 1 inside, 0 outside and one half on its surface. Centres are voxels x, y, z counted from 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from engine.devices import namespace, ndimage, to_host


def inscribed_ball(box_px: int, edge_px: float = 3.0, xp: Any = np) -> Any:
    """A soft ball that fills the box, (n, n, n) float32: what every rotation keeps inside."""
    return ball(box_px, box_px / 2 - 1 - edge_px / 2, (box_px // 2,) * 3, edge_px, xp)


def ball(box_px: int, radius_px: float, centre_xyz_px: Sequence[float], edge_px: float, xp: Any = np) -> Any:
    """A ball, (n, n, n) float32."""
    return soft_edge(_length(*_offsets(box_px, centre_xyz_px, xp)) - radius_px, edge_px)


def shell(
    box_px: int, radius_px: float, thickness_px: float, centre_xyz_px: Sequence[float], edge_px: float, xp: Any = np
) -> Any:
    """A spherical shell whose middle lies at radius_px, (n, n, n) float32."""
    distance = _length(*_offsets(box_px, centre_xyz_px, xp))
    return soft_edge(xp.abs(distance - radius_px) - thickness_px / 2, edge_px)


def ellipsoid(
    box_px: int, semi_axes_xyz_px: Sequence[float], centre_xyz_px: Sequence[float], edge_px: float, xp: Any = np
) -> Any:
    """An ellipsoid, (n, n, n) float32. Its edge is edge_px wide to first order of the distance (f / |grad f|)."""
    offsets = _offsets(box_px, centre_xyz_px, xp)
    length = _length(*(x / axis for x, axis in zip(offsets, semi_axes_xyz_px, strict=True)))
    slope = _length(*(x / axis**2 for x, axis in zip(offsets, semi_axes_xyz_px, strict=True)))
    at_centre = slope == 0
    distance = length * (length - 1) / xp.where(at_centre, 1, slope)
    return soft_edge(xp.where(at_centre, -min(semi_axes_xyz_px), distance), edge_px)


def cuboid(
    box_px: int, sides_xyz_px: Sequence[float], centre_xyz_px: Sequence[float], edge_px: float, xp: Any = np
) -> Any:
    """A box of full sides along x, y, z, (n, n, n) float32."""
    offsets = _offsets(box_px, centre_xyz_px, xp)
    beyond = [xp.abs(x) - side / 2 for x, side in zip(offsets, sides_xyz_px, strict=True)]
    return soft_edge(_beyond_all(*beyond), edge_px)


def cylinder(
    box_px: int, radius_px: float, height_px: float, centre_xyz_px: Sequence[float], edge_px: float, xp: Any = np
) -> Any:
    """A cylinder along z of full height height_px, (n, n, n) float32."""
    x, y, z = _offsets(box_px, centre_xyz_px, xp)
    return soft_edge(_beyond_all(_length(x, y) - radius_px, xp.abs(z) - height_px / 2), edge_px)


def tube(
    box_px: int,
    radius_px: float,
    thickness_px: float,
    height_px: float,
    centre_xyz_px: Sequence[float],
    edge_px: float,
    xp: Any = np,
) -> Any:
    """A hollow cylinder along z whose wall's middle lies at radius_px, of full height height_px, (n, n, n) float32."""
    x, y, z = _offsets(box_px, centre_xyz_px, xp)
    wall = xp.abs(_length(x, y) - radius_px) - thickness_px / 2
    return soft_edge(_beyond_all(wall, xp.abs(z) - height_px / 2), edge_px)


def membrane(
    box_px: int,
    thickness_px: float,
    curvature_radius_px: float | None,
    reach_px: float,
    centre_xyz_px: Sequence[float],
    edge_px: float,
    xp: Any = np,
) -> Any:
    """A membrane whose middle passes through the centre with its normal along z, (n, n, n) float32.

    curvature_radius_px: of the middle; positive where the centre of curvature lies below (at lower z), negative where it
    lies above, None: flat. The membrane ends at the distance reach_px from the z axis, and a curved one at its equator.
    """
    x, y, z = _offsets(box_px, centre_xyz_px, xp)
    side = _length(x, y) - reach_px
    if curvature_radius_px is None:
        return soft_edge(_beyond_all(xp.abs(z) - thickness_px / 2, side), edge_px)
    # |p| - R as (p^2 - R^2) / (|p| + R): float32 would lose the height over a wide and nearly flat membrane
    radius, height = abs(curvature_radius_px), z + curvature_radius_px
    above = (x**2 + y**2 + z**2 + 2 * curvature_radius_px * z) / (_length(x, y, height) + radius)
    far_half = -height if curvature_radius_px > 0 else height
    return soft_edge(xp.maximum(_beyond_all(xp.abs(above) - thickness_px / 2, side), far_half), edge_px)


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


def union(first: Any, second: Any) -> Any:
    """What lies in either mask: the larger value."""
    return namespace(first).maximum(first, second)


def intersection(first: Any, second: Any) -> Any:
    """What lies in both masks: the smaller value."""
    return namespace(first).minimum(first, second)


def subtraction(first: Any, second: Any) -> Any:
    """What of the first mask lies outside the second: the first less their intersection, so nothing of a mask less itself."""
    return first - intersection(first, second)


def support_px(mask: Any) -> float:
    """How far from the centre n // 2 the mask reaches when it is turned with linear interpolation: 0 beyond this distance."""
    xp = namespace(mask)
    n = mask.shape[-1]
    square = xp.arange(n) - n // 2
    square = square * square
    farthest = (square[:, None, None] + square[None, :, None] + square)[mask > 0]
    return float(xp.sqrt(farthest.max()) + np.sqrt(3)) if farthest.size else 0.0


def extent_xyz_px(mask: Any) -> tuple[int, int, int]:
    """How many voxels lie between the first and the last of at least one half, along x, y and z; 0 when there is none."""
    inside = mask >= 0.5
    along = [namespace(mask).flatnonzero(inside.any(axis=axes)) for axes in ((0, 1), (0, 2), (1, 2))]
    x, y, z = (int(places[-1] - places[0]) + 1 if places.size else 0 for places in along)
    return x, y, z


def centre_of_mass_xyz_px(mask: Any) -> tuple[float, float, float]:
    """The mean place of the mask's voxels, weighted, counted from 0. An empty mask has none: ValueError."""
    total = float(mask.sum(dtype=np.float64))
    if total == 0:
        raise ValueError("an empty mask has no centre of mass")
    axis = namespace(mask).arange(mask.shape[-1])
    along = [mask.sum(axis=axes, dtype=np.float64) for axes in ((0, 1), (0, 2), (1, 2))]
    x, y, z = (float((profile * axis).sum()) / total for profile in along)
    return x, y, z


def _offsets(box_px: int, centre_xyz_px: Sequence[float], xp: Any) -> tuple[Any, Any, Any]:
    """Distances from the centre along x, y, z, shaped to broadcast over (z, y, x)."""
    axis = xp.arange(box_px, dtype=xp.float32)
    cx, cy, cz = centre_xyz_px
    return (axis - cx)[None, None, :], (axis - cy)[None, :, None], (axis - cz)[:, None, None]


def _length(*along: Any) -> Any:
    """The length of the vectors with these components, which broadcast."""
    square = sum(one * one for one in along)
    return namespace(square).sqrt(square)


def _beyond_all(*beyond: Any) -> Any:
    """The signed distance from what is common to perpendicular slabs, of the signed distances from each."""
    first, *others = beyond
    xp = namespace(first)
    outside, nearest = xp.maximum(first, 0) ** 2, first
    for other in others:
        outside, nearest = outside + xp.maximum(other, 0) ** 2, xp.maximum(nearest, other)
    return xp.sqrt(outside) + xp.minimum(nearest, 0)
