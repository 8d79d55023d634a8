"""The unit cell of the lattice as beads: own coordinates, with the domains of immature CA-SP1 at about their places."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from engine.kernels import blobs

SEED = 1642
"""Of the winding of the two domains: the hexamer is the same for everybody."""

NTD, CTD = (18, 17.0, (37.0, 0.0, 24.0)), (10, 13.0, (31.0, 15.0, -10.0))
"""Beads of a domain, its radius in A, and where its middle lies: distance from the axis in A, azimuth in deg, height in A."""

BUNDLE = (8, 9.0, 100.0, -22.0, -58.0)
"""Of one subunit in the bundle: beads, distance from the axis in A, turn from end to end in deg, first and last height in A."""


def hexamer_A(is_mirrored: bool = False) -> np.ndarray:
    """The beads (n, 3) in A; the six-fold axis is z, outward, and the lattice's sphere passes through the origin."""
    generator = np.random.default_rng(SEED)
    parts = []
    for count, radius, (distance, azimuth_deg, height) in (NTD, CTD):
        chain = blobs.chiral_chain(count, radius, generator)
        parts.append(_about_z(chain + [distance, 0, height], azimuth_deg))
    count, distance, turn_deg, first, last = BUNDLE
    angle = np.radians(24 + np.linspace(0, turn_deg, count))
    parts.append(np.column_stack([distance * np.cos(angle), distance * np.sin(angle), np.linspace(first, last, count)]))
    subunit = np.concatenate(parts)
    beads = np.concatenate([_about_z(subunit, 60.0 * number) for number in range(6)])
    return beads * [1, -1, 1] if is_mirrored else beads


def _about_z(points: np.ndarray, angle_deg: float) -> np.ndarray:
    return np.asarray(Rotation.from_euler("z", angle_deg, degrees=True).apply(points))
