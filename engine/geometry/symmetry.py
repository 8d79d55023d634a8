"""Symmetry of a template: point groups by their Schoenflies names, and helices along z.

Axes are RELION's: Cn about z; Dn with a two-fold along x; T with a three-fold along z and a two-fold along
(0, 0.816, 0.577); O with its four-folds along x, y, z; I, the same as I2, with two-folds along x, y, z and five-folds in the
xz plane 31.7 deg from z; I1 is I2 turned by 90 deg about z; I3 and I4 have a five-fold along z, and in the xz plane a two-fold
31.7 deg from it, at -x and at +x.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import scipy

from engine.faults import EngineError
from engine.geometry import euler

LARGEST_N = 100

OFF_ALL_AXES = np.array([0.920, -0.332, 0.208]) / np.linalg.norm([0.920, -0.332, 0.208])
"""A direction (3,) far from its images under each of T, O and I, in all their settings."""

_NAME = re.compile(r"([CD])([1-9][0-9]*)|T|O|I[1-4]?", re.ASCII | re.IGNORECASE)

_GOLDEN = (1 + math.sqrt(5)) / 2

_GENERATORS: dict[str, Sequence[tuple[int, tuple[float, float, float]]]] = {
    "T": ((3, (0, 0, 1)), (2, (0, math.sqrt(2), 1))),
    "O": ((4, (0, 0, 1)), (3, (1, 1, 1))),
    "I1": ((2, (0, 0, 1)), (5, (_GOLDEN, 0, -1))),
    "I2": ((2, (0, 0, 1)), (5, (1, 0, _GOLDEN))),
    "I3": ((5, (0, 0, 1)), (2, (-1, 0, _GOLDEN))),
    "I4": ((5, (0, 0, 1)), (2, (1, 0, _GOLDEN))),
}
"""Axes whose turns make the group: how many-fold, and along which direction; the first is about z."""

_ORDER = {"T": 12, "O": 24, "I": 60}


def operators(name: str) -> np.ndarray:
    """(order, 3, 3) float64 rotations S that leave the template as it is, about the box centre, the identity first.

    Cn is n turns about z; Dn adds the same after half a turn about x.
    """
    family, n = _parsed(name)
    if family in _GENERATORS:
        return _polyhedral(family).copy()
    turns = euler.about_z(2.0 * np.pi * np.arange(n) / n)
    if family == "C":
        return turns
    return np.concatenate([turns, turns @ np.diag([1.0, -1.0, -1.0])])


def order(name: str) -> int:
    """The number of operators of the group: n of Cn, 2 n of Dn, 12 of T, 24 of O, 60 of I."""
    family, n = _parsed(name)
    if is_polyhedral(name):
        return _ORDER[family[0]]
    return n if family == "C" else 2 * n


def n_fold(name: str) -> int:
    """The number of equal turns about z: n of Cn and of Dn, 3 of T, 4 of O, 2 of I, I1 and I2, 5 of I3 and I4."""
    return _parsed(name)[1]


def is_polyhedral(name: str) -> bool:
    """Whether the group has several main axes: T, O or I."""
    return _parsed(name)[0] in _GENERATORS


def helical(name: str, turn_deg: float, rise_px: float, furthest_px: float) -> tuple[np.ndarray, np.ndarray]:
    """Rotations (k, 3, 3) and shifts (k, 3) xyz px of the operators of a helix along z and a point group Cn or Dn.

    They take x, from the box centre, to Rz(m turn) S x + m rise z: from one subunit to the next a turn of turn_deg,
    right-handed, and rise_px up. m goes as far as m rise reaches furthest_px, on both sides; the identity comes first.
    """
    if is_polyhedral(name) or not rise_px > 0:
        raise ValueError(f"a helix goes with Cn or Dn and a rise above 0, got {name} and {rise_px:g} px")
    group = operators(name)
    upwards = np.arange(1, math.floor(furthest_px / rise_px + 1e-9) + 1)
    steps = np.concatenate([[0], np.stack([upwards, -upwards], axis=1).ravel()])
    rotations = (euler.about_z(np.radians(turn_deg) * steps)[:, None] @ group[None]).reshape(-1, 3, 3)
    shifts = np.zeros((len(rotations), 3))
    shifts[:, 2] = np.repeat(steps * rise_px, len(group))
    return rotations, shifts


@lru_cache(maxsize=len(_GENERATORS))
def _polyhedral(family: str) -> np.ndarray:
    """All products of the group's generators."""
    generators = []
    for fold, axis in _GENERATORS[family]:
        unit = np.array(axis, dtype=np.float64) / np.linalg.norm(axis)
        generators.append(scipy.spatial.transform.Rotation.from_rotvec(2.0 * np.pi / fold * unit).as_matrix())
    found = [np.eye(3)]
    for operator in found:  # grows while it is read
        for generator in generators:
            product = operator @ generator
            if min(float(np.abs(product - known).max()) for known in found) > 1e-6:
                found.append(product)
    return np.array(found)


def _parsed(name: str) -> tuple[str, int]:
    """The family, I as I2, and the equal turns about z."""
    match = _NAME.fullmatch(name.strip())
    if match is None or int(match[2] or 1) > LARGEST_N:
        raise EngineError(
            f"symmetry {name!r} is not known; write Cn (n-fold about z: C1, C6) or Dn (Cn with a two-fold along x: D3), "
            f"n up to {LARGEST_N}, T, O or I (RELION's axes; I is I2; also I1, I3, I4); a helix has a table of its own, helix"
        )
    if match[1]:
        return match[1].upper(), int(match[2])
    family = match[0].upper()
    family = "I2" if family == "I" else family
    return family, _GENERATORS[family][0][0]
