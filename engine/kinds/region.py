"""Where the centre of a particle may lie."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.geometry import shifts
from engine.kernels import correlate
from engine.kinds.form import Shifts


@dataclass(frozen=True, eq=False)
class Region:
    """Where the centre of one particle may lie: an ellipsoid around a shift, or the whole box."""

    centre: np.ndarray
    rotation: np.ndarray
    form: Shifts
    box_px: int

    @property
    def axes(self) -> np.ndarray:
        return self.rotation if self.form.frame == "particle" else np.eye(3)

    @property
    def limits(self) -> np.ndarray:
        if self.form.origin == "unlimited":
            return np.full(3, self.box_px * np.sqrt(3) / 2)
        return np.array(self.form.limits_xyz_px)

    def extent_px(self) -> np.ndarray:
        """How far the region reaches from its centre along x, y, z of the box."""
        if self.form.origin == "unlimited":
            return np.full(3, self.box_px / 2 - 1)
        return shifts.ellipsoid_extent_px(self.limits, self.axes)

    def window(
        self, selection: correlate.Band, best: np.ndarray, step_px: float
    ) -> tuple[np.ndarray, correlate.Window]:
        """The window over the whole region on the lattice of samples that `best` lies on, and its centre."""
        steps = np.rint((best - self.centre) / step_px)
        middle = best - steps * step_px
        reach = np.floor(self.extent_px() / step_px).astype(int) + (middle != self.centre)
        x, y, z = (step_px * np.arange(-n, n + 1) for n in reach)
        offsets = np.stack(np.broadcast_arrays(x[None, None, :], y[None, :, None], z[:, None, None]), axis=-1)
        allowed = shifts.inside_ellipsoid(offsets + (middle - self.centre), self.limits, self.axes)
        return middle, correlate.window(selection, step_px, allowed)

    def turned_window(
        self, selection: correlate.Band, near: np.ndarray, step_px: float, rotation: np.ndarray
    ) -> correlate.Window:
        """The window over the whole region, around a shift, on a lattice along the axes of a pose R: s = near + R offset."""
        extent = np.full(3, self.box_px / 2 - 1)
        if self.form.origin != "unlimited":
            extent = shifts.ellipsoid_extent_px(self.limits, rotation.T @ self.axes)
        reach = np.floor((extent + np.abs(rotation.T @ (self.centre - near))) / step_px).astype(int)
        x, y, z = (step_px * np.arange(-n, n + 1) for n in reach)
        offsets = np.stack(np.broadcast_arrays(x[None, None, :], y[None, :, None], z[:, None, None]), axis=-1)
        from_centre = offsets @ rotation.T + (near - self.centre)
        allowed = shifts.inside_ellipsoid(from_centre, self.limits, self.axes)
        allowed[tuple(n // 2 for n in allowed.shape)] = True  # the present shift, whatever rounding says
        return correlate.window(selection, step_px, allowed)

    def clipped(self, shift: np.ndarray) -> np.ndarray:
        """The shift (..., 3), pulled back into the region where it lies outside."""
        inside = shifts.clip_to_ellipsoid(shift - self.centre, self.limits, self.axes, tolerance_px=0)
        return self.centre + inside
