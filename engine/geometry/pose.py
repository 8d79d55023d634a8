"""Poses: angles and shifts that bring the template onto each particle.

particle(x) = template(M (x - c - d) + c): the template is turned about the box centre c by R, then moved by d along the
box axes. Angles (..., 3) are Dynamo triplets in degrees, shifts (..., 3) are d in xyz px.
"""

from __future__ import annotations

import numpy as np
import scipy
from numpy.typing import ArrayLike

from engine.geometry import euler


def centres(positions_xyz_px: ArrayLike, shifts_xyz_px: ArrayLike) -> np.ndarray:
    """(..., 3) xyz px: the particles' own centres in the tomogram, box position plus shift."""
    return np.asarray(np.add(positions_xyz_px, shifts_xyz_px, dtype=np.float64))


def move_origin(angles: ArrayLike, shifts_xyz_px: ArrayLike, offset_xyz_px: ArrayLike) -> np.ndarray:
    """(..., 3) shifts d + R v that put the template's point c + v, v = offset_xyz_px in template axes, at its centre.

    The angles stay as they are.
    """
    return np.asarray(np.add(shifts_xyz_px, _turned(euler.matrices(angles), offset_xyz_px), dtype=np.float64))


def transformed(
    angles: ArrayLike, shifts_xyz_px: ArrayLike, rotation: ArrayLike, translation_xyz_px: ArrayLike
) -> tuple[np.ndarray, np.ndarray]:
    """Angles and shifts whose average is the old average moved by x -> Q (x - c) + c + t.

    rotation: Q, (3, 3) or one per pose; translation_xyz_px: t, (3,) or one per pose, both in template axes.
    From new(Q (x - c) + c + t) = old(x) follow M' = Q M, so R' = R Q^T, and d' = d - R' t.
    """
    turned = euler.matrices(angles) @ np.swapaxes(np.asarray(rotation, dtype=np.float64), -1, -2)
    return euler.angles(turned), np.asarray(shifts_xyz_px, dtype=np.float64) - _turned(turned, translation_xyz_px)


def perturbed(
    angles: ArrayLike,
    shifts_xyz_px: ArrayLike,
    max_angle_deg: float,
    max_shift_px: float,
    generator: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Angles and shifts (n, 3), each pose turned about an axis of its own and moved along a direction of its own.

    Axes and directions are spread evenly over the sphere; angles and lengths evenly over 0 to their maximum.
    """
    rotations = euler.matrices(angles)
    if rotations.ndim != 3:
        raise ValueError(f"poses to perturb have angles (n, 3), got {np.shape(angles)}")
    count = len(rotations)
    turns = _directions(count, generator) * np.radians(generator.uniform(0.0, max_angle_deg, count))[:, None]
    moves = _directions(count, generator) * generator.uniform(0.0, max_shift_px, count)[:, None]
    turned = scipy.spatial.transform.Rotation.from_rotvec(turns).as_matrix() @ rotations if count else rotations
    return euler.angles(turned), np.asarray(shifts_xyz_px, dtype=np.float64) + moves


def _turned(rotations: np.ndarray, vectors_xyz: ArrayLike) -> np.ndarray:
    return np.asarray((rotations @ np.asarray(vectors_xyz, dtype=np.float64)[..., None])[..., 0])


def _directions(count: int, generator: np.random.Generator) -> np.ndarray:
    return euler.axes(euler.random(count, generator))
