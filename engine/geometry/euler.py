"""Rotations as Dynamo triplets (tdrot, tilt, narot) in degrees and as matrices R, template to particle.

R = Rz(-tdrot) Rx(-tilt) Rz(-narot) acts on (x, y, z) columns; its transpose is SciPy's
`Rotation.from_euler("zxz", [tdrot, tilt, narot], degrees=True)`.
Rotations are never combined by adding angles: multiply the matrices.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

SIN_TILT_OF_GIMBAL = 1e-10
"""Below this sine of tilt only one angle about z is left to give. It costs 6e-9 deg."""


def matrices(angles: ArrayLike) -> np.ndarray:
    """(..., 3, 3) rotations R, template to particle, of the triplets (..., 3) in degrees."""
    tdrot, tilt, narot = np.moveaxis(np.radians(_triplets(angles)), -1, 0)
    rotation: np.ndarray = about_z(-tdrot) @ about_x(-tilt) @ about_z(-narot)
    return rotation


def angles(matrices: ArrayLike) -> np.ndarray:
    """(..., 3) triplets in degrees of the rotations R (..., 3, 3): tdrot, narot in (-180, 180], tilt in [0, 180].

    Where tilt is 0 or 180 only one angle is defined: narot is 0 and tdrot carries all of it.
    """
    rotation = np.asarray(matrices, dtype=np.float64)
    if rotation.shape[-2:] != (3, 3):
        raise ValueError(f"rotations have shape (..., 3, 3), got {rotation.shape}")
    sin_tilt = np.hypot(rotation[..., 0, 2], rotation[..., 1, 2])
    gimbal = sin_tilt < SIN_TILT_OF_GIMBAL
    tilt = np.arctan2(np.where(gimbal, 0.0, sin_tilt), rotation[..., 2, 2])
    tdrot = np.where(
        gimbal,
        np.arctan2(-rotation[..., 1, 0], rotation[..., 0, 0]),
        np.arctan2(rotation[..., 0, 2], rotation[..., 1, 2]),
    )
    # The first row of Rz(tdrot) R is (cos narot, sin narot, 0): exact even where sin_tilt is small and tdrot is not.
    unturned = np.cos(tdrot)[..., None] * rotation[..., 0, :] - np.sin(tdrot)[..., None] * rotation[..., 1, :]
    narot = np.where(gimbal, 0.0, np.arctan2(unturned[..., 1], unturned[..., 0]))
    tdrot, tilt, narot = np.degrees(tdrot), np.degrees(tilt), np.degrees(narot)
    return np.stack([wrapped(tdrot), tilt, wrapped(narot)], axis=-1)


def about_x(radians: ArrayLike) -> np.ndarray:
    """(..., 3, 3) right-handed rotations about x by angles in radians, on xyz columns."""
    cos, sin, zero, one = _parts(radians)
    return _assembled([one, zero, zero, zero, cos, -sin, zero, sin, cos])


def about_z(radians: ArrayLike) -> np.ndarray:
    """(..., 3, 3) right-handed rotations about z by angles in radians, on xyz columns."""
    cos, sin, zero, one = _parts(radians)
    return _assembled([cos, -sin, zero, sin, cos, zero, zero, zero, one])


def wrapped(degrees: ArrayLike) -> np.ndarray:
    """The same angles in (-180, 180]; those already there keep their bits."""
    degrees = np.asarray(degrees, dtype=np.float64)
    turned = 180.0 - np.mod(180.0 - degrees, 360.0)
    turned = np.where(turned <= -180.0, 180.0, turned)
    return np.where((degrees > -180.0) & (degrees <= 180.0), degrees, turned)


def normalised(angles: ArrayLike) -> np.ndarray:
    """(..., 3) the same rotations with tilt in [0, 180], tdrot and narot in (-180, 180].

    Rx(-tilt) = Rz(180) Rx(tilt) Rz(180): a negative tilt becomes half a turn on both sides.
    """
    tdrot, tilt, narot = np.moveaxis(_triplets(angles), -1, 0)
    tilt = wrapped(tilt)
    half_turn = np.where(tilt < 0, 180.0, 0.0)
    return np.stack([wrapped(tdrot + half_turn), np.abs(tilt), wrapped(narot + half_turn)], axis=-1)


def inverse(angles: ArrayLike) -> np.ndarray:
    """(..., 3) triplets (-narot, -tilt, -tdrot) of the inverse rotations, not normalised."""
    return -_triplets(angles)[..., ::-1]


def to_relion(angles: ArrayLike) -> np.ndarray:
    """(..., 3) RELION's (rot, tilt, psi) in degrees: narot - 90, tilt, tdrot + 90 of the normalised triplets.

    RELION's A = Rz(-psi) Ry(-tilt) Rz(-rot) then equals R.
    """
    tdrot, tilt, narot = np.moveaxis(normalised(angles), -1, 0)
    return np.stack([wrapped(narot - 90.0), tilt, wrapped(tdrot + 90.0)], axis=-1)


def from_relion(angles: ArrayLike) -> np.ndarray:
    """(..., 3) normalised Dynamo triplets of RELION's (rot, tilt, psi): psi - 90, tilt, rot + 90."""
    rot, tilt, psi = np.moveaxis(_triplets(angles), -1, 0)
    return normalised(np.stack([psi - 90.0, tilt, rot + 90.0], axis=-1))


def axes(angles: ArrayLike) -> np.ndarray:
    """(..., 3) particle axes n = R z, unit vectors in xyz."""
    tdrot, tilt, _ = np.moveaxis(np.radians(_triplets(angles)), -1, 0)
    return np.stack([np.sin(tdrot) * np.sin(tilt), np.cos(tdrot) * np.sin(tilt), np.cos(tilt)], axis=-1)


def from_axes(normals_xyz: ArrayLike, narot: ArrayLike = 0.0) -> np.ndarray:
    """(..., 3) triplets whose particle axis points along normals_xyz (..., 3), vectors of any length above 0.

    narot, in degrees, is free: one number or one per normal.
    """
    normals = np.asarray(normals_xyz, dtype=np.float64)
    largest = np.max(np.abs(normals), axis=-1, keepdims=True)
    bad = ~((largest > 0) & np.isfinite(largest))[..., 0]
    if np.any(bad):
        raise ValueError(f"an axis needs a finite vector longer than 0, got {normals[bad]}")
    x, y, z = np.moveaxis(normals / largest, -1, 0)  # scaled, so that tiny vectors do not underflow
    tilt = np.degrees(np.arctan2(np.hypot(x, y), z))
    tdrot = wrapped(np.degrees(np.arctan2(x, y)))
    return np.stack(np.broadcast_arrays(tdrot, tilt, np.asarray(narot, dtype=np.float64)), axis=-1)


def angular_distance_deg(R_a: ArrayLike, R_b: ArrayLike, operators: ArrayLike | None = None) -> np.ndarray:
    """(...) degrees in [0, 180]: the angle of the smallest rotation that takes R_a to R_b.

    R_a, R_b: (..., 3, 3), broadcast together. operators: (n, 3, 3) of the template's symmetry group, see
    `symmetry.operators`; a template unchanged by S does not tell R from R S, so the nearest R_b S counts.
    """
    relative = np.swapaxes(np.asarray(R_a, dtype=np.float64), -1, -2) @ np.asarray(R_b, dtype=np.float64)
    if operators is None:
        return rotation_angles_deg(relative)
    group = np.asarray(operators, dtype=np.float64).reshape(-1, 3, 3)
    nearest = rotation_angles_deg(relative @ group[0])
    for operator in group[1:]:
        nearest = np.minimum(nearest, rotation_angles_deg(relative @ operator))
    return nearest


def rotation_angles_deg(matrices: ArrayLike) -> np.ndarray:
    """(...) degrees in [0, 180] by which the rotations (..., 3, 3) turn."""
    rotation = np.asarray(matrices, dtype=np.float64)
    twice_sin = np.sqrt(
        (rotation[..., 2, 1] - rotation[..., 1, 2]) ** 2
        + (rotation[..., 0, 2] - rotation[..., 2, 0]) ** 2
        + (rotation[..., 1, 0] - rotation[..., 0, 1]) ** 2
    )
    # The arc cosine of the trace alone would lose half of the digits near 0.
    twice_cos = np.trace(rotation, axis1=-2, axis2=-1) - 1.0
    return np.asarray(np.degrees(np.arctan2(twice_sin, twice_cos)))


def axis_change_deg(angles_old: ArrayLike, angles_new: ArrayLike) -> np.ndarray:
    """(...) degrees in [0, 180] between the particle axes of two sets of triplets: Dynamo's column daxis."""
    old, new = axes(angles_old), axes(angles_new)
    sin, cos = np.linalg.norm(np.cross(old, new), axis=-1), np.sum(old * new, axis=-1)
    return np.asarray(np.degrees(np.arctan2(sin, cos)))


def azimuth_change_deg(angles_old: ArrayLike, angles_new: ArrayLike) -> np.ndarray:
    """(...) degrees in (-180, 180]: growth of narot once the old axis was carried to the new one: Dynamo's dnarot.

    The axis is carried without twist, along the great circle. Where it was turned over, by 180 deg, there is no one
    such circle, and the value says nothing.
    """
    relative = np.swapaxes(matrices(angles_old), -1, -2) @ matrices(angles_new)
    tdrot, _, narot = np.moveaxis(angles(relative), -1, 0)
    # Rz(-t) Rx(-tilt) Rz(-n) = [Rz(-t) Rx(-tilt) Rz(t)] Rz(-t - n): a turn without twist after one about z.
    return wrapped(tdrot + narot)


def random(n: int, generator: np.random.Generator) -> np.ndarray:
    """(n, 3) triplets of rotations spread evenly over all rotations."""
    tilt = np.degrees(np.arccos(generator.uniform(-1.0, 1.0, n)))
    return np.stack([generator.uniform(-180.0, 180.0, n), tilt, generator.uniform(-180.0, 180.0, n)], axis=-1)


def _triplets(angles: ArrayLike) -> np.ndarray:
    triplets = np.asarray(angles, dtype=np.float64)
    if triplets.shape[-1:] != (3,):
        raise ValueError(f"Euler angles have shape (..., 3), got {triplets.shape}")
    return triplets


def _parts(radians: ArrayLike) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    radians = np.asarray(radians, dtype=np.float64)
    return np.cos(radians), np.sin(radians), np.zeros_like(radians), np.ones_like(radians)


def _assembled(entries: list[np.ndarray]) -> np.ndarray:
    return np.stack(entries, axis=-1).reshape(*entries[0].shape, 3, 3)
