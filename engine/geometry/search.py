"""The angular search: which rotations are tried around a pose, level after level.

Ranges are full apertures, as in Dynamo: a cone of 60 deg reaches 30 deg from the present axis, 360 is the whole sphere,
and 0 is no search. A tried rotation is R_old G with G = direction azimuth: turn the template about its own z, then lean
that axis over without further twist.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import scipy

from engine.geometry import euler, symmetry

Flip = Literal["none", "first-level", "every-level"]

SAME_ROTATION = 1e-6
"""Rotations are one when their matrices differ by less than this (Frobenius norm)."""
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Search:
    """Ranges and steps of one level, in degrees, and on which levels the turned-over poses are tried as well.

    fold: equal turns about z of the template; azimuths are tried within one of them.
    """

    cone_range_deg: float
    cone_step_deg: float
    azimuth_range_deg: float
    azimuth_step_deg: float
    cone_flip: Flip = "none"
    azimuth_flip: Flip = "none"
    fold: int = 1


def cone_directions(range_deg: float, step_deg: float) -> np.ndarray:
    """(n, 3, 3) rotations without twist that lean z towards each direction of the cone; the identity first.

    Rings lie step_deg apart up to half of range_deg. On a ring neighbours are at most step_deg apart over the sphere:
    cos(interval) = (cos(step) - cos^2(ring)) / sin^2(ring), rounded up to whole sectors. A ring narrower than
    one step, and the far pole, have one direction.
    """
    _check_step(range_deg, step_deg)
    if range_deg <= 0:
        return np.eye(3)[None]
    n_rings = math.floor(min(range_deg, 360.0) / 2.0 / step_deg + _ROUNDING)
    rings = [_ring(number * step_deg, step_deg) for number in range(n_rings + 1)]
    return euler.matrices(np.concatenate(rings))


def azimuths(range_deg: float, step_deg: float, fold: int = 1) -> np.ndarray:
    """(n, 3, 3) rotations about z by 0, +step, -step, ... up to half of range_deg; the identity first.

    A template with fold equal turns has no more than 360 / fold; there the two ends are the same and one is dropped.
    """
    _check_step(range_deg, step_deg)
    if range_deg <= 0:
        return np.eye(3)[None]
    full = 360.0 / fold
    n_steps = math.floor(min(range_deg, full) / 2.0 / step_deg + _ROUNDING)
    degrees = [0.0]
    for number in range(1, n_steps + 1):
        degrees += [number * step_deg, -number * step_deg]
    if n_steps and degrees[-1] <= -full / 2.0 + _ROUNDING:
        degrees.pop()
    return euler.about_z(np.radians(degrees))


def rotations(search: Search, level: int = 0) -> np.ndarray:
    """(K, 3, 3) different rotations G to be tried as R_old G, the identity first.

    level, from 0, decides only about the flips: cone_flip adds the antipodal cone (G Rx(180)), azimuth_flip adds
    azimuths half a turn away. A full sphere or a full circle has them already, and gets none; half a turn that leaves the
    template as it is adds nothing.
    """
    directions = cone_directions(search.cone_range_deg, search.cone_step_deg)
    turns = azimuths(search.azimuth_range_deg, search.azimuth_step_deg, search.fold)
    cone_flips = _flips(search.cone_flip, level) and search.cone_range_deg < 360
    azimuth_flips = _flips(search.azimuth_flip, level) and search.azimuth_range_deg < 360 / search.fold
    azimuth_flips = azimuth_flips and search.fold % 2 == 1
    if azimuth_flips:
        turns = np.concatenate([turns, turns @ np.diag([-1.0, -1.0, 1.0])])
    if cone_flips:
        directions = np.concatenate([directions, directions @ np.diag([1.0, -1.0, -1.0])])
    found = (directions[:, None] @ turns[None]).reshape(-1, 3, 3)
    return _different(found) if cone_flips or azimuth_flips else found


def everywhere(step_deg: float, group: str) -> np.ndarray:
    """(K, 3, 3) orientations R all over the asymmetric unit of a symmetry, about step_deg apart.

    Azimuths share 360 / n evenly; Dn turns every axis over, and half the sphere suffices. Of T, O and I, see `_from_a_domain`.
    """
    if symmetry.is_polyhedral(group):
        return _from_a_domain(step_deg, symmetry.operators(group))
    directions = cone_directions(360.0, step_deg)
    fold = symmetry.n_fold(group)
    if symmetry.order(group) > fold:
        x, y, z = np.where(np.abs(directions[:, :, 2]) < SAME_ROTATION, 0.0, directions[:, :, 2]).T
        directions = directions[(z > 0) | ((z == 0) & ((y > 0) | ((y == 0) & (x > 0))))]
    n_turns = math.ceil(360.0 / fold / step_deg - _ROUNDING)
    turns = euler.about_z(2.0 * np.pi / fold / n_turns * np.arange(n_turns))
    return np.asarray((directions[:, None] @ turns[None]).reshape(-1, 3, 3))


def _from_a_domain(step_deg: float, operators: np.ndarray) -> np.ndarray:
    """(K, 3, 3) orientations that view the template along the directions of one domain of its group, turned all round.

    A domain holds the directions nearer to one point than to its images. Those up to step / sqrt(2) outside it, the reach of
    a direction, are kept too: the grid does not have the group's symmetry, so what lies across the border may be served by
    none within. Orientations that the group takes to an earlier one are dropped.
    """
    views = cone_directions(360.0, step_deg)
    images = operators[1:] @ symmetry.OFF_ALL_AXES
    borders = images - symmetry.OFF_ALL_AXES
    outside = views[:, :, 2] @ (borders / np.linalg.norm(borders, axis=1, keepdims=True)).T
    views = views[(outside <= math.sin(math.radians(step_deg) / math.sqrt(2.0)) + _ROUNDING).all(axis=1)]
    n_turns = math.ceil(360.0 / step_deg - _ROUNDING)
    turns = euler.about_z(2.0 * np.pi / n_turns * np.arange(n_turns))
    return _different((turns[None] @ np.swapaxes(views, 1, 2)[:, None]).reshape(-1, 3, 3), operators)


def levels(search: Search, n_further: int, factor: float) -> list[Search]:
    """The search itself, then n_further finer ones: range = factor times the step before, step halved.

    Each is centred on the best pose of the one before. A range of 0 stays 0.
    """
    found = [search]
    for _ in range(n_further):
        found.append(_finer(found[-1], factor))
    return found


def n_rotations(search: Search, n_further: int, factor: float) -> int:
    """The number of rotations tried for one particle, all levels together."""
    return sum(len(rotations(part, level)) for level, part in enumerate(levels(search, n_further, factor)))


def _ring(ring_deg: float, step_deg: float) -> np.ndarray:
    """(n, 3) triplets (t, ring, -t) of the rotations Rz(-t) Rx(-ring) Rz(t), which do not twist."""
    if ring_deg < _ROUNDING:
        return np.zeros((1, 3))
    sectors = _n_sectors(ring_deg, step_deg)
    around = np.arange(sectors) * 360.0 / sectors
    return np.stack([around, np.full(sectors, ring_deg), -around], axis=-1)


def _n_sectors(ring_deg: float, step_deg: float) -> int:
    from_far_pole_deg = 180.0 - ring_deg
    if min(ring_deg, from_far_pole_deg) * 2.0 < min(step_deg, 180.0) - _ROUNDING:
        return 1
    cos_ring, sin_ring = math.cos(math.radians(ring_deg)), math.sin(math.radians(ring_deg))
    cos_interval = (math.cos(math.radians(step_deg)) - cos_ring**2) / sin_ring**2
    interval_deg = math.degrees(math.acos(max(-1.0, min(1.0, cos_interval))))
    return math.ceil(360.0 / interval_deg - _ROUNDING)


def _finer(search: Search, factor: float) -> Search:
    return replace(
        search,
        cone_range_deg=factor * search.cone_step_deg if search.cone_range_deg > 0 else 0.0,
        cone_step_deg=search.cone_step_deg / 2.0,
        azimuth_range_deg=factor * search.azimuth_step_deg if search.azimuth_range_deg > 0 else 0.0,
        azimuth_step_deg=search.azimuth_step_deg / 2.0,
    )


def _flips(flip: Flip, level: int) -> bool:
    return flip == "every-level" or (flip == "first-level" and level == 0)


def _different(matrices: np.ndarray, operators: np.ndarray | None = None) -> np.ndarray:
    """The matrices in their order, without those equal to an earlier one, or to an earlier one times an operator."""
    kept = np.ones(len(matrices), dtype=bool)
    tree = scipy.spatial.cKDTree(matrices.reshape(-1, 9))
    for operator in np.eye(3)[None] if operators is None else operators:
        found = scipy.spatial.cKDTree((matrices @ operator).reshape(-1, 9)).sparse_distance_matrix(
            tree, SAME_ROTATION, output_type="ndarray"
        )
        kept[found["j"][found["i"] < found["j"]]] = False
    return matrices[kept]


def _check_step(range_deg: float, step_deg: float) -> None:
    if range_deg > 0 and not step_deg > 0:
        raise ValueError(f"a range of {range_deg} deg needs a step above 0, got {step_deg}")
