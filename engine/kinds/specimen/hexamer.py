"""The unit cell of the lattice as beads: own coordinates, the domains of CA-SP1 at about their places, or a model."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy

from engine.data import Residues
from engine.geometry import symmetry
from engine.kernels import blobs
from engine.kinds.specimen.form import Hexamer, Model

SEED = 1642
"""Of the winding of the two domains: the hexamer is the same for everybody."""

NTD, CTD = (18, 17.0, (37.0, 0.0, 24.0)), (10, 13.0, (31.0, 15.0, -10.0))
"""Beads of a domain, its radius in A, and where its middle lies: distance from the axis in A, azimuth in deg, height in A."""

BUNDLE = (8, 9.0, 100.0, -22.0, -58.0)
"""Of one subunit in the bundle: beads, distance from the axis in A, turn from end to end in deg, first and last height in A."""


ELECTRONS_OF_A_BEAD = 350.0
"""Of a model: what weighs as much as a bead of the built-in hexamer, some six or seven residues."""


class Beads(NamedTuple):
    """points_A (n, 3): the symmetry axis is z, outward, and the lattice's sphere passes through the origin; masses (n,)."""

    points_A: np.ndarray
    masses: np.ndarray


def unit_cell_beads(form: Hexamer, residues: Residues | None) -> Beads:
    """The built-in hexamer, or what the model's residues amount to; mirrored if asked."""
    if form.model is None or residues is None:
        points_A = hexamer_A()
        cell = Beads(points_A, np.ones(len(points_A)))
    else:
        cell = beads_of(form.model, residues)
    return Beads(cell.points_A * [1, -1, 1], cell.masses) if form.is_mirrored else cell


def beads_of(model: Model, residues: Residues) -> Beads:
    """The chosen chains about their axis, turned over where z points inward, with their symmetric copies."""
    chosen = residues.of(model.chains)
    points = chosen.points_xyz_A - np.array(model.origin_xyz_A)
    if model.is_upside_down:
        points = points * [1, -1, -1]
    copies = symmetry.operators(model.symmetry)
    turned = np.einsum("kij,bj->kbi", copies, points).reshape(-1, 3)
    return Beads(turned, np.tile(chosen.electrons / ELECTRONS_OF_A_BEAD, len(copies)))


def hexamer_A() -> np.ndarray:
    """The beads (n, 3) of the built-in hexamer in A."""
    generator = np.random.default_rng(SEED)
    parts = []
    for count, radius, (distance, azimuth_deg, height) in (NTD, CTD):
        chain = blobs.chiral_chain(count, radius, generator)
        parts.append(_about_z(chain + [distance, 0, height], azimuth_deg))
    count, distance, turn_deg, first, last = BUNDLE
    angle = np.radians(24 + np.linspace(0, turn_deg, count))
    parts.append(np.column_stack([distance * np.cos(angle), distance * np.sin(angle), np.linspace(first, last, count)]))
    subunit = np.concatenate(parts)
    return np.concatenate([_about_z(subunit, 60.0 * number) for number in range(6)])


def _about_z(points: np.ndarray, angle_deg: float) -> np.ndarray:
    return np.asarray(scipy.spatial.transform.Rotation.from_euler("z", angle_deg, degrees=True).apply(points))
