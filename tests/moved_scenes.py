"""Tomograms of a known object, and boxes cut from them: for tables that were moved or multiplied."""

from __future__ import annotations

from typing import Any

import memory
import numpy as np

from engine.data import ParticleArray, Table, Volume
from engine.geometry import euler
from engine.kernels import blobs, mask

A = 4.0


def scene(points: np.ndarray, side_px: int, places: int, seed: int = 0, tomo: int = 1) -> tuple[np.ndarray, Table]:
    """A tomogram (side,)*3 with the object (blobs at points, xyz px from its centre) on a grid, and the table of its poses.

    places: objects along each side; they are turned at random and lie up to 2 px off their box centres.
    """
    generator = np.random.default_rng(seed)
    along = (np.arange(places) + 0.5) * side_px / places
    grid = np.stack(np.meshgrid(along, along, along, indexing="ij"), axis=-1).reshape(-1, 3).round()
    angles, shifts = euler.random(len(grid), generator), generator.uniform(-2, 2, (len(grid), 3))
    turned = np.einsum("nij,kj->nki", euler.matrices(angles), points) + (grid + shifts)[:, None]
    tomogram = blobs.render(turned.reshape(-1, 3) - side_px // 2, 1.2, side_px)
    x, y, z = grid.T
    table = Table.blank(len(grid), x=x, y=y, z=z, tomo=tomo, apix=A).with_poses(angles, shifts)
    return tomogram, table


def cut(tomograms: dict[int, np.ndarray], table: Table, box_px: int) -> tuple[ParticleArray, Table]:
    """The boxes around x, y, z of the rows, which must be whole voxels, and the rows whose boxes lie inside."""
    corner = table.positions_xyz_px - box_px // 2
    np.testing.assert_array_equal(corner, np.rint(corner))
    side = next(iter(tomograms.values())).shape[-1]
    inside = ((corner >= 0) & (corner + box_px <= side)).all(axis=1)
    kept = table.where(inside)
    boxes = []
    for tomo, (x, y, z) in zip(kept["tomo"], corner[inside].astype(int), strict=True):
        boxes.append(tomograms[int(tomo)][z : z + box_px, y : y + box_px, x : x + box_px])
    return ParticleArray(np.stack(boxes), kept.tags, A), kept


def average(particles: ParticleArray, table: Table) -> np.ndarray:
    """The average as the kind makes it, from fully sampled boxes."""
    made = memory.run("average", {"data": {"particles": "p:p", "table": "t:t"}}, {"p:p": particles, "t:t": table})
    return made["average"]["refs/001/average"].data


def transformed(
    operations: list[dict[str, Any]], table: Any, map: np.ndarray | None = None, **more: Any
) -> dict[str, Any]:
    """What the kind makes of a table, or of several; more: seed, tomogram_numbers, and values of addresses by their text."""
    given = {text: value for text, value in more.items() if ":" in text}
    tables = table if isinstance(table, list) else [table]
    data: dict[str, Any] = {"table": [f"t_{n}:table" for n in range(len(tables))]}
    given |= dict(zip(data["table"], tables, strict=True))
    if "tomogram_numbers" in more:
        data["tomogram_numbers"] = more["tomogram_numbers"]
    if map is not None:
        data["map"], given["a:map"] = "a:map", Volume(map, A)
    values = {"data": data, "operations": operations, "compute": {"seed": more.get("seed", 0)}}
    return memory.run("transform", values, given)["transform"]


def likeness(a: np.ndarray, b: np.ndarray, radius_px: float) -> float:
    """Correlation inside a ball about the box centre."""
    inside = np.asarray(mask.ball(a.shape[-1], radius_px, (a.shape[-1] // 2,) * 3, 0)) > 0.5
    return float(np.corrcoef(a[inside], b[inside])[0, 1])
