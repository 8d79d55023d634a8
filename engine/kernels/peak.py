"""The top of the correlation: the best of many rotations, and its shift between the samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.kernels import quick
from engine.kernels.correlate import Band, Window, offset_px
from engine.kernels.reference import SpectrumTable


@dataclass(frozen=True)
class Peak:
    """The best of many rotations: which one, its CC, and the shift from the window's centre, refined below a sample."""

    rotation: int
    cc: float
    shift_xyz_px: np.ndarray


def best_pose(
    table: SpectrumTable, selection: Band, particle: Any, energy: float, rotations: np.ndarray, where: Window
) -> Peak:
    """The rotation and shift of the highest CC; among equals the first.

    particle: W p with the window's centre as origin (see `correlate.shifted`); rotations (k, 3, 3) template to particle.
    """
    highest, places = quick.search(table, selection, particle, energy, rotations, where)
    winner = int(highest.argmax())
    shift = offset_px(where, int(places[winner]))
    moved = quick.shifted(selection, particle, shift)
    derivatives = quick.slopes(table, selection, moved, energy, rotations[winner : winner + 1])
    move, gain = uphill(derivatives, where.step_px / 2)
    return Peak(winner, float(derivatives[0, 0] + gain[0]), shift + move[0])


def uphill(derivatives: np.ndarray, furthest_px: float) -> tuple[np.ndarray, np.ndarray]:
    """The move of the shift to the top near by, (k, 3) px, and what the CC gains there (k,), from `correlate.slopes`.

    One step of Newton's method; along the gradient where there is no top. No component moves more than furthest_px.
    """
    gradient, second = derivatives[:, 1:4], derivatives[:, 4:]
    curvature = second[:, [0, 3, 4, 3, 1, 5, 4, 5, 2]].reshape(-1, 3, 3)
    values, axes = np.linalg.eigh(curvature)
    along = np.einsum("kij,ki->kj", axes, gradient)
    steepest = np.linalg.norm(gradient, axis=1, keepdims=True)
    newton = np.where(
        values < 0, along / np.where(values < 0, -values, 1), furthest_px * along / np.maximum(steepest, 1e-30)
    )
    move = np.einsum("kij,kj->ki", axes, newton)
    move *= np.minimum(1, furthest_px / np.maximum(np.abs(move).max(axis=1, keepdims=True), 1e-30))
    return move, gained(derivatives, move)


def gained(derivatives: np.ndarray, move: np.ndarray) -> np.ndarray:
    """What the CC gains by moves of the shift (k, 3) px, to second order; nothing is promised where it curves upwards."""
    x, y, z = move.T
    second = derivatives[:, 4:]
    quadratic = 0.5 * (second[:, 0] * x * x + second[:, 1] * y * y + second[:, 2] * z * z)
    quadratic += second[:, 3] * x * y + second[:, 4] * x * z + second[:, 5] * y * z
    return (derivatives[:, 1:4] * move).sum(axis=1) + np.minimum(quadratic, 0)
