"""The allowed region of shifts: an ellipsoid about the origin of the search, along the particle's or the box's axes.

rotation is R of the particle, whose columns are the semi-axes in box axes, or the identity for the frame "box".
Offsets are d - d0 in box axes, xyz px. A limit below tolerance_px counts as tolerance_px: shifts are sampled on voxels,
and in a turned frame an axis frozen exactly would leave hardly a voxel. With tolerance_px = 0, a limit of 0 is exact.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

FROZEN_PX = 1e-6
"""What rounding may leave along an axis whose limit is exactly 0."""
_ROUNDING = 1e-9


def ellipsoid_extent_px(limits_xyz_px: ArrayLike, rotation: ArrayLike, tolerance_px: float = 0.5) -> np.ndarray:
    """(..., 3) half extents along the box axes, xyz px, of the smallest upright box that holds the ellipsoid.

    limits_xyz_px: (3,) semi-axes; rotation: (..., 3, 3). Extent i is the length of row i of R diag(limits).
    """
    limits = _limits(limits_xyz_px, tolerance_px)
    return np.asarray(np.linalg.norm(np.asarray(rotation, dtype=np.float64) * limits, axis=-1))


def inside_ellipsoid(
    offsets_xyz_px: ArrayLike, limits_xyz_px: ArrayLike, rotation: ArrayLike, tolerance_px: float = 0.5
) -> np.ndarray:
    """(...) bool: which offsets (..., 3) lie in the ellipsoid or on it.

    limits_xyz_px: (3,) semi-axes; rotation: (3, 3), or (..., 3, 3) to go with the offsets.
    """
    limits = np.maximum(_limits(limits_xyz_px, tolerance_px), FROZEN_PX)
    return np.asarray(_radius(_in_ellipsoid_axes(offsets_xyz_px, rotation), limits) <= 1.0 + _ROUNDING)


def clip_to_ellipsoid(
    offsets_xyz_px: ArrayLike, limits_xyz_px: ArrayLike, rotation: ArrayLike, tolerance_px: float = 0.5
) -> np.ndarray:
    """(..., 3) the offsets, those outside pulled straight towards the origin until they lie on the ellipsoid.

    An axis frozen exactly (limit 0 and tolerance_px 0) loses its component first. Shapes as in `inside_ellipsoid`.
    """
    limits = _limits(limits_xyz_px, tolerance_px)
    turned = np.asarray(rotation, dtype=np.float64)
    within = np.where(limits > 0, _in_ellipsoid_axes(offsets_xyz_px, turned), 0.0)
    radius = _radius(within, np.where(limits > 0, limits, 1.0))
    return np.asarray(np.einsum("...ij,...j->...i", turned, within / np.maximum(radius, 1.0)[..., None]))


def _limits(limits_xyz_px: ArrayLike, tolerance_px: float) -> np.ndarray:
    limits = np.asarray(limits_xyz_px, dtype=np.float64)
    if limits.shape != (3,) or not np.all(limits >= 0):
        raise ValueError(f"shift limits are three numbers >= 0, got {limits_xyz_px!r}")
    return np.maximum(limits, tolerance_px)


def _in_ellipsoid_axes(offsets_xyz_px: ArrayLike, rotation: ArrayLike) -> np.ndarray:
    """u = R^T offset."""
    offsets, turned = np.asarray(offsets_xyz_px, dtype=np.float64), np.asarray(rotation, dtype=np.float64)
    return np.asarray(np.einsum("...ji,...j->...i", turned, offsets))


def _radius(within: np.ndarray, limits: np.ndarray) -> np.ndarray:
    """1 on the ellipsoid, below it inside."""
    return np.asarray(np.linalg.norm(within / limits, axis=-1))
