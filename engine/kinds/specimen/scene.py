"""Where everything lies in a tomogram: particles, their unit cells, gold, clumps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy

from engine.faults import EngineError
from engine.geometry import hexagons
from engine.kinds.specimen.form import MEMBRANE_A, Others, Particles, Tomograms

JUNK_A = 40.0
"""Radius of a clump."""

GAP_A, MARGIN_PX = 60.0, 4
"""Least distance of two particles' membranes in A, and of a membrane from the tomogram's faces in px."""

TRIES = 2000
"""Places that are tried for one thing before a tomogram counts as full."""

CRACK = 0.7
"""Half of a crack's width, in distances of neighbours."""


@dataclass(frozen=True, eq=False)
class Vesicle:
    """One particle: centre (x, y, z) in A from the middle of voxel 0, radius of its lattice, and its unit cells.

    centres (n, 3) A and frames (n, 3, 3), z outward, are those of the hexamers that are there.
    """

    centre_A: np.ndarray
    radius_A: float
    centres_A: np.ndarray
    frames: np.ndarray


@dataclass(frozen=True, eq=False)
class Scene:
    """All that lies in one tomogram; gold and clumps (n, 3) in A."""

    vesicles: tuple[Vesicle, ...]
    gold_A: np.ndarray
    junk_A: np.ndarray


def scene(tomograms: Tomograms, form: Particles, others: Others, generator: np.random.Generator) -> Scene:
    """A tomogram's content; an EngineError when it does not fit in."""
    size_A = np.array(tomograms.size_xyz_px) * tomograms.pixel_size_A
    placed: list[tuple[np.ndarray, float]] = []
    for _ in range(form.per_tomogram):
        radius_A = generator.uniform(*form.radius_A)
        placed.append((_place(size_A, placed, radius_A + MEMBRANE_A, tomograms, generator), radius_A + MEMBRANE_A))
    vesicles = tuple(vesicle(centre, outer - MEMBRANE_A, form, generator) for centre, outer in placed)
    gold: list[np.ndarray] = []
    junk: list[np.ndarray] = []
    for points, count, radius_A in ((gold, others.gold, others.gold_radius_A), (junk, others.junk, JUNK_A)):
        for _ in range(count):
            centre = _place(size_A, placed, radius_A, tomograms, generator)
            placed.append((centre, radius_A))
            points.append(centre)
    return Scene(vesicles, np.array(gold).reshape(-1, 3), np.array(junk).reshape(-1, 3))


def vesicle(centre_A: np.ndarray, radius_A: float, form: Particles, generator: np.random.Generator) -> Vesicle:
    """A particle with a lattice turned at random, bare on one side and cracked."""
    points, frames, n_neighbours = hexagons.on_sphere(radius_A, form.spacing_A)
    turn = scipy.spatial.transform.Rotation.random(random_state=int(generator.integers(2**31))).as_matrix()
    points, frames = points @ turn.T, turn @ frames
    there = n_neighbours == 6
    # of a cap of height h the share of the sphere is h / 2r
    there &= points @ direction(generator) <= (2 * form.coverage - 1) * radius_A
    for _ in range(form.cracks):
        axis, middle = direction(generator), direction(generator)
        half = np.cos(generator.uniform(0.3, 0.9))
        there &= (np.abs(points @ axis) > CRACK * form.spacing_A) | (points @ middle < half * radius_A)
    return Vesicle(centre_A, radius_A, centre_A + points[there], frames[there])


def direction(generator: np.random.Generator) -> np.ndarray:
    """A unit vector (3,), any direction equally likely."""
    vector = generator.normal(size=3)
    return np.asarray(vector / np.linalg.norm(vector))


def _place(
    size_A: np.ndarray,
    placed: list[tuple[np.ndarray, float]],
    radius_A: float,
    tomograms: Tomograms,
    generator: np.random.Generator,
) -> np.ndarray:
    """A centre for a ball that touches neither the faces nor what is placed already."""
    edge = radius_A + MARGIN_PX * tomograms.pixel_size_A
    for _ in range(TRIES):
        centre = generator.uniform(edge, np.maximum(size_A - tomograms.pixel_size_A - edge, edge))
        if all(np.linalg.norm(centre - other) > radius_A + taken + GAP_A for other, taken in placed):
            return np.asarray(centre)
    raise EngineError(
        f"tomograms of {' x '.join(map(str, tomograms.size_xyz_px))} px hold no more than {len(placed)} of what is asked for "
        "(make them larger, or ask for fewer particles, gold or junk)"
    )
