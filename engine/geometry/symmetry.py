"""Symmetry groups of a template, by their Schoenflies names: Cn about z, Dn with a two-fold axis along x."""

from __future__ import annotations

import re

import numpy as np

from engine.faults import EngineError
from engine.geometry import euler

LARGEST_N = 100

_NAME = re.compile(r"([CD])([1-9][0-9]*)", re.ASCII | re.IGNORECASE)


def operators(name: str) -> np.ndarray:
    """(order, 3, 3) float64 rotations S that leave the template as it is, about the box centre, the identity first.

    Cn is n turns about z; Dn adds the same after half a turn about x.
    """
    family, n = _parsed(name)
    turns = euler.about_z(2.0 * np.pi * np.arange(n) / n)
    if family == "C":
        return turns
    return np.concatenate([turns, turns @ np.diag([1.0, -1.0, -1.0])])


def order(name: str) -> int:
    """The number of operators of the group: n of Cn, 2 n of Dn."""
    family, n = _parsed(name)
    return n if family == "C" else 2 * n


def n_fold(name: str) -> int:
    """The number of equal turns about z: n of Cn and of Dn."""
    return _parsed(name)[1]


def _parsed(name: str) -> tuple[str, int]:
    match = _NAME.fullmatch(name.strip())
    if match is None or int(match[2]) > LARGEST_N:
        raise EngineError(
            f"symmetry {name!r} is not known; write Cn (n-fold about z: C1, C6) or Dn (Cn with a two-fold along x: D3), "
            f"n up to {LARGEST_N}"
        )
    return match[1].upper(), int(match[2])
