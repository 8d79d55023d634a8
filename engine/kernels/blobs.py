"""Densities made of Gaussian blobs: exact at any pose, no interpolation."""

from __future__ import annotations

import numpy as np


def render(centres_xyz_px: np.ndarray, sigma_px: float, box_px: int) -> np.ndarray:
    """The sum of unit-height Gaussians, (n, n, n) float32; centres (b, 3) in px from the box centre n // 2."""
    axis = np.arange(box_px) - box_px // 2
    x, y, z = (
        np.exp(-0.5 * ((axis - centres_xyz_px[:, column, None]) / sigma_px) ** 2).astype(np.float32)
        for column in range(3)
    )
    planes = (z[:, :, None] * y[:, None, :]).reshape(len(centres_xyz_px), -1)
    return (planes.T @ x).reshape((box_px,) * 3)


def chiral_chain(n_blobs: int, radius_px: float, generator: np.random.Generator) -> np.ndarray:
    """Centres (n, 3) of a compact random chain that is not its own mirror image, inside a ball of the given radius.

    The chain winds as a right-handed helix whose axis wanders, so every stretch of it has a hand.
    """
    phase = np.arange(n_blobs) * np.radians(100.0)
    along = np.linspace(-1, 1, n_blobs)
    helix = np.column_stack([0.35 * np.cos(phase), 0.35 * np.sin(phase), along])
    bends = generator.normal(size=(4, 2)) * 0.35
    wander = sum(
        np.sin((order + 1) * np.pi * (along[:, None] + generator.uniform())) * bend for order, bend in enumerate(bends)
    )
    helix[:, :2] += wander
    helix += generator.normal(scale=0.05, size=helix.shape)
    helix -= helix.mean(axis=0)
    return helix * (radius_px / np.linalg.norm(helix, axis=1).max())
