"""Subboxes: a marked point of an average, and its symmetric copies, become particles of their own in the tomogram."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from engine.data import Table
from engine.geometry import euler, pose


def children(
    angles: ArrayLike, centres_xyz_px: ArrayLike, offset_xyz_px: ArrayLike, operators: ArrayLike
) -> tuple[np.ndarray, np.ndarray]:
    """Centres (n, k, 3) in xyz px of the tomogram and angles (n, k, 3) in degrees of k children of each of n poses.

    offset_xyz_px: the point v from the box centre, in template axes, or one v_j (k, 3) for each operator; operators
    S_j (k, 3, 3) of the template's group. Child j lies at c + R S_j v and is turned by R S_j, so all children see the same:
    around v the template looks as around S_j v, turned. At the offset 0 all children of a pose share its centre.
    """
    turned = euler.matrices(np.asarray(angles, dtype=np.float64))[:, None] @ np.asarray(operators, dtype=np.float64)
    offsets = (turned @ np.asarray(offset_xyz_px, dtype=np.float64)[..., None])[..., 0]
    return np.asarray(centres_xyz_px, dtype=np.float64)[:, None] + offsets, euler.angles(turned)


def tags_of_copies(tags: ArrayLike, k: int) -> np.ndarray:
    """(n k,) tags of k copies of each row, row after row: k (tag - 1) + 1, 2, … k.

    Rows of different tags have copies of different tags: tables that share no tag, as those of two tomograms, do not share
    one afterwards either.
    """
    first = k * (np.asarray(tags, dtype=np.float64) - 1)
    return np.asarray((first[:, None] + np.arange(1, k + 1)).ravel())


def subboxed(table: Table, offset_xyz_px: ArrayLike, operators: ArrayLike) -> Table:
    """The children of every row, row after row: tags as of copies, `otag` the parent's tag, `npar` the copy's number from 1.

    x, y, z are whole voxels, what is left is in the shifts: nothing is lost when boxes are cut there. What was measured of
    the parent's pose (cc, cc2 and the last changes) is 0; all other columns, the half-set too, are the parent's.
    """
    where = pose.centres(table.positions_xyz_px, table.shifts_xyz_px)
    centres, angles = children(table.angles, where, offset_xyz_px, operators)
    k = centres.shape[1]
    made = table.where(np.repeat(np.arange(len(table)), k))
    centres = centres.reshape(-1, 3)
    x, y, z = np.rint(centres).T
    unmeasured = dict.fromkeys(("cc", "cc2", "dshift", "daxis", "dnarot", "dcc"), 0.0)
    numbered = made.with_columns(
        tag=tags_of_copies(table["tag"], k),
        otag=made["tag"],
        npar=np.tile(np.arange(1, k + 1), len(table)),
        x=x,
        y=y,
        z=z,
        **unmeasured,
    )
    return numbered.with_poses(angles.reshape(-1, 3), centres - np.rint(centres))
