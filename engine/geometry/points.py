"""Points at which particles are cropped: along a line, or on a grid that fills a tomogram."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from engine.geometry import euler

_ROUNDING = 1e-9


def along_line(start_xyz: ArrayLike, end_xyz: ArrayLike, spacing: float) -> np.ndarray:
    """(n, 3) points from start towards end, exactly spacing apart, with what is left over halved between the two ends.

    spacing is in the unit of the points. A line shorter than spacing has its middle.
    """
    start, end = np.asarray(start_xyz, dtype=np.float64), np.asarray(end_xyz, dtype=np.float64)
    length = float(np.linalg.norm(end - start))
    along = _centred(length, spacing)
    direction = (end - start) / length if length > 0 else np.zeros(3)
    return start + along[:, None] * direction


def angles_along_line(start_xyz: ArrayLike, end_xyz: ArrayLike, narot: ArrayLike = 0.0) -> np.ndarray:
    """(..., 3) triplets in degrees of particles whose axis points from start to end.

    narot: degrees, one number or one per particle. Start and end must differ.
    """
    direction = np.asarray(end_xyz, dtype=np.float64) - np.asarray(start_xyz, dtype=np.float64)
    return euler.from_axes(direction, narot)


def on_grid(shape_xyz: ArrayLike, spacing: float, margin: float) -> np.ndarray:
    """(n, 3) points in xyz, from 0, of a cubic grid centred in a volume of shape_xyz voxels; x runs fastest.

    No point is nearer than margin to the outermost voxel centres; where that leaves no room there are no points.
    """
    ends = np.asarray(shape_xyz, dtype=np.float64) - 1.0 - margin
    x, y, z = (margin + _centred(float(end) - margin, spacing) for end in ends)
    grid = np.meshgrid(z, y, x, indexing="ij")
    return np.stack([part.ravel() for part in reversed(grid)], axis=-1)


def _centred(length: float, spacing: float) -> np.ndarray:
    """Positions spacing apart, centred on 0 to length; none where length is negative."""
    if not spacing > 0:
        raise ValueError(f"a spacing is above 0, got {spacing}")
    if length < 0:
        return np.empty(0)
    n_steps = math.floor(length / spacing + _ROUNDING)
    return (length - n_steps * spacing) / 2.0 + np.arange(n_steps + 1) * spacing
