"""Filaments: a smooth path through marked points, and particles on it, on rings around it or on a helix."""

from __future__ import annotations

import math

import numpy as np
import scipy

from engine.geometry import euler

SAMPLES_A_SEGMENT = 200


class Path:
    """A cubic spline through points (n, 3), n >= 2, walked by its arc length; two points give a straight line.

    Its parameter is the chord length, so that unevenly marked points give no loops. Points that stand in the same place one
    after the other are a ValueError.
    """

    def __init__(self, points: np.ndarray) -> None:
        points = np.asarray(points, dtype=np.float64)
        if len(points) < 2:
            raise ValueError("a filament is told by two or more points in their order")
        chords = np.linalg.norm(np.diff(points, axis=0), axis=1)
        if not (chords > 0).all():
            where = int(np.argmin(chords)) + 1
            raise ValueError(f"marked points {where} and {where + 1} stand in the same place; remove one")
        knots = np.concatenate([[0.0], np.cumsum(chords)])
        self._spline = scipy.interpolate.CubicSpline(knots, points, bc_type="natural")
        within = np.arange(SAMPLES_A_SEGMENT) / SAMPLES_A_SEGMENT
        self._parameter = np.append((knots[:-1, None] + within * chords[:, None]).ravel(), knots[-1])
        speed = np.linalg.norm(self._spline(self._parameter, 1), axis=1)
        self._arc = scipy.integrate.cumulative_simpson(speed, x=self._parameter, initial=0.0)

    @property
    def length(self) -> float:
        return float(self._arc[-1])

    def at(self, arc: np.ndarray) -> np.ndarray:
        """(n, 3) points at arc lengths (n,) from the first marked point."""
        return np.asarray(self._spline(self._parameter_at(arc)))

    def tangents(self, arc: np.ndarray) -> np.ndarray:
        """(n, 3) unit vectors along the path, in the order of the marked points."""
        along = self._spline(self._parameter_at(arc), 1)
        return np.asarray(along / np.linalg.norm(along, axis=1, keepdims=True))

    def frames(self, arc: np.ndarray) -> np.ndarray:
        """(n, 3, 3) rotations at ascending arc lengths: z along the path; x and y are carried along it without twist.

        At the first one x points as a particle's with narot 0 would. Between, the frame is carried in small steps by two
        reflections each (Wang et al., ACM Trans. Graph. 27 (2008), Table I), with an error of the fourth power of the step.
        """
        step = self.length / (len(self._parameter) - 1)
        places = np.unique(np.concatenate([arc, np.arange(arc[0], arc[-1], step)])) if len(arc) else arc
        points, tangents = self.at(places), self.tangents(places)
        frames = np.empty((len(places), 3, 3))
        for number in range(len(places)):
            if number == 0:
                x = _across(tangents[0])
            else:
                x = _carried(x, points[number - 1 : number + 1], tangents[number - 1 : number + 1])
            frames[number] = np.column_stack([x, np.cross(tangents[number], x), tangents[number]])
        return frames[np.searchsorted(places, arc)]

    def _parameter_at(self, arc: np.ndarray) -> np.ndarray:
        return np.interp(np.asarray(arc, dtype=np.float64), self._arc, self._parameter)


def places(length: float, spacing: float) -> np.ndarray:
    """Arc lengths spacing apart, with what is left over halved between the two ends; a shorter path has its middle."""
    if not spacing > 0:
        raise ValueError(f"a spacing is above 0, got {spacing}")
    n_steps = math.floor(length / spacing + 1e-9)
    return (length - n_steps * spacing) / 2.0 + np.arange(n_steps + 1) * spacing


def along(path: Path, spacing: float, turn_deg: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """(n, 3) points on the path spacing apart, and rotations (n, 3, 3): z along the path, each turned about it by turn_deg
    more than the one before, right-handed."""
    arc = places(path.length, spacing)
    turns = np.radians(turn_deg) * np.arange(len(arc))
    return path.at(arc), path.frames(arc) @ euler.about_z(turns)


def around(
    path: Path, spacing: float, radius: float, subunits: int = 1, turn_deg: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """(n subunits, 3) points at a radius around the path, and rotations (…, 3, 3): z outward, x along the path.

    Every spacing along the path there is a ring of subunits, turned by turn_deg against the ring before. One subunit a
    ring makes a helix.
    """
    arc = places(path.length, spacing)
    centres, frames = path.at(arc), path.frames(arc)
    turns = np.radians(turn_deg) * np.arange(len(arc))[:, None] + 2 * np.pi * np.arange(subunits) / subunits
    turned = frames[:, None] @ euler.about_z(turns)
    outward, ahead = turned[..., :, 0], turned[..., :, 2]
    points = centres[:, None] + radius * outward
    rotations = np.stack([ahead, np.cross(outward, ahead), outward], axis=-1)
    return points.reshape(-1, 3), rotations.reshape(-1, 3, 3)


def _across(tangent: np.ndarray) -> np.ndarray:
    """A unit vector at a right angle to the tangent: where narot 0 leaves a particle's x."""
    return np.asarray(euler.matrices(euler.from_axes(tangent))[:, 0])


def _carried(x: np.ndarray, points: np.ndarray, tangents: np.ndarray) -> np.ndarray:
    """x at the first of two places, carried to the second by two reflections."""
    chord = points[1] - points[0]
    square = float(chord @ chord)
    if square == 0:
        return x
    mirrored_x = x - 2 / square * float(chord @ x) * chord
    mirrored_tangent = tangents[0] - 2 / square * float(chord @ tangents[0]) * chord
    between = tangents[1] - mirrored_tangent
    square = float(between @ between)
    carried = mirrored_x if square == 0 else mirrored_x - 2 / square * float(between @ mirrored_x) * between
    carried = carried - float(carried @ tangents[1]) * tangents[1]
    return np.asarray(carried / np.linalg.norm(carried))
