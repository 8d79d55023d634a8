"""Moving densities in real space: a box turned about its centre and shifted."""

from __future__ import annotations

from typing import Any

import numpy as np

from engine.devices import namespace, ndimage


def moved(volume: Any, rotation: Any, shift_xyz_px: Any = (0.0, 0.0, 0.0), order: int = 3) -> Any:
    """The cubic box turned by rotation about its centre n // 2, then shifted: out(x) = in(R^-1 (x - c - d) + c).

    rotation: (3, 3) acting on xyz columns. order: of the interpolating spline. What comes from outside the box is 0.
    """
    xp = namespace(volume)
    centre = volume.shape[-1] // 2
    back_zyx = np.asarray(rotation, dtype=np.float64).T[::-1, ::-1]
    shift_zyx = np.asarray(shift_xyz_px, dtype=np.float64)[::-1]
    offset = centre - back_zyx @ (centre + shift_zyx)
    return (
        ndimage(volume)
        .affine_transform(volume, xp.asarray(back_zyx), offset=xp.asarray(offset), order=order, mode="constant")
        .astype(xp.float32, copy=False)
    )


def symmetrized(volume: Any, operators: np.ndarray) -> Any:
    """The mean of the box turned by every operator (k, 3, 3), cubic spline; the identity alone gives the box as it is."""
    return (sum_of_moved(volume, operators, np.zeros((len(operators), 3))) / len(operators)).astype(np.float32)


def sum_of_moved(volume: Any, rotations: np.ndarray, shifts_xyz_px: np.ndarray) -> Any:
    """The sum (n, n, n) float64 of the box moved by every rotation (k, 3, 3) and shift (k, 3), cubic spline."""
    total = namespace(volume).zeros_like(volume, dtype=np.float64)
    for rotation, shift in zip(rotations, shifts_xyz_px, strict=True):
        stays = np.allclose(rotation, np.eye(3), atol=1e-9) and not shift.any()
        total += volume if stays else moved(volume, rotation, shift)
    return total


def correlation_under(mask: Any, rotation: np.ndarray, a: Any, b: Any) -> float:
    """Pearson's correlation of two boxes under a turned mask; 0 where one of them is constant."""
    weight = moved(mask, rotation, np.zeros(3), order=1)
    total = weight.sum(dtype=np.float64)
    a = a - (weight * a).sum(dtype=np.float64) / total
    b = b - (weight * b).sum(dtype=np.float64) / total
    covariance = float((weight * a * b).sum(dtype=np.float64))
    variances = float((weight * a * a).sum(dtype=np.float64)) * float((weight * b * b).sum(dtype=np.float64))
    return covariance / np.sqrt(variances) if variances > 0 else 0.0


def mean_and_deviation(box: Any, mask: Any, rotation: np.ndarray, shift_xyz_px: np.ndarray) -> tuple[float, float]:
    """Mean and deviation of a box under a mask that is turned and shifted; (0, 0) under an empty one."""
    weight = moved(mask, rotation, shift_xyz_px, order=1)
    total = float(weight.sum(dtype=np.float64))
    if total <= 0:
        return 0.0, 0.0
    mean = float((weight * box).sum(dtype=np.float64)) / total
    return mean, float(np.sqrt(float((weight * (box - mean) ** 2).sum(dtype=np.float64)) / total))
