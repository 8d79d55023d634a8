"""Polish: from a grid point to the top of the correlation, by Newton's method on rotation and shift together."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import scipy

from engine.kernels import correlate, peak, quick
from engine.kernels.peak import gained, uphill
from engine.kernels.reference import SpectrumTable
from engine.kinds.region import Region

STENCIL = 11
"""Poses scored in one round of the polish of all three angles."""

SETTLING, SETTLED_PX = 4, 0.005
"""The last shift: so many steps of Newton's method at most, and the move below which no other follows."""


@dataclass(frozen=True, eq=False)
class Pose:
    """Where a particle was found, and how well it correlates there."""

    rotation: np.ndarray
    shift_xyz_px: np.ndarray
    cc: float


@dataclass(frozen=True, eq=False)
class Slope:
    """What is climbed: a particle's coefficients against the template, inside a region of shifts."""

    template: SpectrumTable
    selection: correlate.Band
    weighted: Any
    energy: float
    region: Region
    step_px: float

    def heights(self, rotations: np.ndarray, shift: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The CC of each rotation at its own best shift near the given one (k,), and these shifts (k, 3).

        One step of Newton's method; no shift moves further than step_px along an axis, or out of the region.
        """
        particle = quick.shifted(self.selection, self.weighted, shift)
        derivatives = quick.slopes(self.template, self.selection, particle, self.energy, rotations)
        move, _ = uphill(derivatives, self.step_px)
        shifts = self.region.clipped(shift + move)
        return derivatives[:, 0] + gained(derivatives, shifts - shift), shifts


def best_of(slope: Slope, rotations: np.ndarray, near: np.ndarray) -> Pose:
    """The best of the rotations (k, 3, 3), over all shifts of the region."""
    middle, window = slope.region.window(slope.selection, near, correlate.shift_step_px(slope.selection))
    particle = quick.shifted(slope.selection, slope.weighted, middle)
    found = peak.best_pose(slope.template, slope.selection, particle, slope.energy, rotations, window)
    return Pose(rotations[found.rotation], slope.region.clipped(middle + found.shift_xyz_px), found.cc)


def settled(slope: Slope, pose: Pose) -> Pose:
    """The pose with its shift brought to the top of the CC, the rotation left alone."""
    for _ in range(SETTLING):
        height, shifts = slope.heights(pose.rotation[None], pose.shift_xyz_px)
        moved_px = float(np.abs(shifts[0] - pose.shift_xyz_px).max())
        pose = Pose(pose.rotation, shifts[0], float(height[0]))
        if moved_px < SETTLED_PX:
            break
    return pose


def polished(slope: Slope, start: Pose, spacing_deg: np.ndarray, n_rounds: int, furthest: float) -> Pose:
    """The top near a pose. spacing_deg: first spacing of the stencil about x, y, z of the template; 0 leaves an axis alone.

    Each round fits a quadratic to the stencil, goes to its maximum (at most `furthest` spacings away), keeps the best pose
    seen, and halves the spacing.
    """
    axes = np.flatnonzero(spacing_deg > 0)
    top = start
    spacing = np.array(spacing_deg, dtype=np.float64)
    for _ in range(n_rounds):
        top = _climbed(slope, top, axes, spacing, furthest)
        spacing = spacing / 2
    return top


def _climbed(slope: Slope, top: Pose, axes: np.ndarray, spacing_deg: np.ndarray, furthest: float) -> Pose:
    """One round of the polish."""
    unit = np.eye(3)[axes]
    pairs = list(combinations(range(len(axes)), 2))
    stencil = np.array([np.zeros(3), *unit, *-unit, *(unit[a] + unit[b] for a, b in pairs)])
    height, shifts = slope.heights(_turned(top.rotation, stencil, spacing_deg), top.shift_xyz_px)
    step = _newton_step(height, len(axes), pairs, furthest)
    if step is not None:
        stencil = np.vstack([stencil, step @ unit])
        nearest = shifts[0]
        last_height, last_shift = slope.heights(_turned(top.rotation, stencil[-1:], spacing_deg), nearest)
        height, shifts = np.append(height, last_height), np.vstack([shifts, last_shift])
    best = int(height.argmax())
    return Pose(_turned(top.rotation, stencil[best : best + 1], spacing_deg)[0], shifts[best], float(height[best]))


def _turned(rotation: np.ndarray, steps: np.ndarray, spacing_deg: np.ndarray) -> np.ndarray:
    """The rotation followed, in the template's frame, by rotation vectors of steps * spacing (k, 3)."""
    return np.asarray(
        rotation @ scipy.spatial.transform.Rotation.from_rotvec(np.radians(steps * spacing_deg)).as_matrix()
    )


def _newton_step(height: np.ndarray, n: int, pairs: list[tuple[int, int]], furthest: float) -> np.ndarray | None:
    """The step to the maximum of the quadratic through the stencil, in spacings (n,); None where it has no maximum."""
    if n == 0:
        return None
    centre, plus, minus = height[0], height[1 : n + 1], height[n + 1 : 2 * n + 1]
    gradient = (plus - minus) / 2
    curvature = np.diag(plus + minus - 2 * centre)
    for (a, b), corner in zip(pairs, height[2 * n + 1 :], strict=True):
        curvature[a, b] = curvature[b, a] = corner - plus[a] - plus[b] + centre
    if np.linalg.eigvalsh(curvature).max() >= 0:
        return None
    step = -np.linalg.solve(curvature, gradient)
    return np.asarray(step * min(1.0, furthest / max(float(np.linalg.norm(step)), 1e-12)))
