"""A rigid move of a template's frame, and what it does to the poses of its particles."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.data import Table
from engine.geometry import euler, pose


@dataclass(frozen=True, eq=False)
class Move:
    """x -> Q (x - c) + c + t about the box centre c: rotation Q (3, 3), translation t (3,) xyz px."""

    rotation: np.ndarray
    translation_xyz_px: np.ndarray

    @classmethod
    def of_pose(cls, angles: np.ndarray, shift_xyz_px: np.ndarray) -> Move:
        """The move that a pose is: what brings the template into the box, turned by R of a triplet (3,), then shifted."""
        return cls(euler.matrices(angles), np.asarray(shift_xyz_px, dtype=np.float64))

    @property
    def angles(self) -> np.ndarray:
        """(3,): the rotation as a triplet in degrees; no turn is 0, never -0."""
        return np.asarray(euler.angles(self.rotation) + 0.0)

    @property
    def angle_deg(self) -> float:
        return float(np.degrees(np.arccos(np.clip((np.trace(self.rotation) - 1) / 2, -1, 1))))

    @property
    def shift_px(self) -> float:
        return float(np.linalg.norm(self.translation_xyz_px))

    @property
    def inverse(self) -> Move:
        """The way back: x -> Q^T (x - c) + c - Q^T t."""
        return Move(self.rotation.T, -self.rotation.T @ self.translation_xyz_px)

    def then(self, rotation: np.ndarray, translation_xyz_px: np.ndarray) -> Move:
        """This move, and another after it."""
        return Move(rotation @ self.rotation, rotation @ self.translation_xyz_px + translation_xyz_px)

    def furthest_px(self, radius_px: float) -> float:
        """How far a point within a radius of the centre goes, at most."""
        return self.shift_px + float(np.radians(self.angle_deg)) * radius_px

    def of_poses(self, table: Table) -> Table:
        """The table whose average is the average moved: every particle lies where it lay, seen from the new frame.

        x, y, z stay, and so do dshift, daxis and dnarot, which tell what a search did.
        """
        poses = pose.transformed(table.angles, table.shifts_xyz_px, self.rotation, self.translation_xyz_px)
        return table.with_poses(*poses)


NOWHERE = Move(np.eye(3), np.zeros(3))
