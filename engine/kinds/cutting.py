"""Boxes cut out of a tomogram: where they lie, how they are normalised, and what cutting them takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace

import numpy as np

from engine.data import ParticleFacts, Table, Tomogram
from engine.data.tomogram import Corner
from engine.devices import Work
from engine.faults import EngineError
from engine.files.tomogram import HELD_BYTES
from engine.step import Share

HELD_BOXES = 8
"""Boxes that a worker holds at a time: one at work, normalised in parts, and those waiting to be written."""

SAME_SCALE = 1e-3
"""Scales this near to a whole number, or one over it, are meant to be that: headers round pixel sizes."""


def scales(table: Table, pixel_size_A: float, otherwise_A: float, typed_A: float | None) -> np.ndarray:
    """(n,) px of the tomogram for a px of each row: by the typed pixel size, else the column apix, else otherwise_A."""
    if not pixel_size_A:
        return np.ones(len(table))
    of_rows_A = np.full(len(table), typed_A) if typed_A else np.where(table["apix"] > 0, table["apix"], otherwise_A)
    ratio = of_rows_A / pixel_size_A
    whole, part = np.maximum(np.rint(ratio), 1), np.maximum(np.rint(1 / ratio), 1)
    meant = np.where(ratio >= 1, whole, 1 / part)
    return np.where(np.abs(ratio / meant - 1) < SAME_SCALE, meant, ratio)


def scaled(table: Table, by: np.ndarray) -> Table:
    """The table in other px: positions and shifts times a number for each row. Voxel 0 stays voxel 0."""
    x, y, z = (table.positions_xyz_px * by[:, None]).T
    return table.with_columns(x=x, y=y, z=z).with_poses(table.angles, table.shifts_xyz_px * by[:, None])


def moved(table: Table, by_xyz_px: np.ndarray) -> Table:
    """The table with its positions moved."""
    x, y, z = (table.positions_xyz_px + by_xyz_px).T
    return table.with_columns(x=x, y=y, z=z)


def on_voxels(table: Table) -> Table:
    """The table with each box centred on the voxel nearest to its particle; what remains of the position is its shift."""
    centre = table.positions_xyz_px + table.shifts_xyz_px
    nearest = np.rint(centre)
    x, y, z = nearest.T
    return table.with_columns(x=x, y=y, z=z).with_poses(table.angles, centre - nearest)


def first_voxels(table: Table, size_px: int) -> np.ndarray:
    """(n, 3) int64, zyx: the first voxel of each row's box. A box's centre is its voxel size // 2."""
    return table.positions_xyz_px[:, ::-1].astype(np.int64) - size_px // 2


def are_inside(first_zyx: np.ndarray, size_px: int, shape_zyx: tuple[int, int, int]) -> np.ndarray:
    """(n,) whether whole boxes lie inside the tomogram."""
    return np.asarray(np.all((first_zyx >= 0) & (first_zyx + size_px <= np.array(shape_zyx)), axis=1))


def boxes(
    tomogram: Tomogram, first_zyx: np.ndarray, size_px: int, background: np.ndarray | None, sign: float, work: Work
) -> Iterator[np.ndarray]:
    """The boxes (size, size, size) float32, one after the other. background: see `normalised`; sign -1 inverts them.

    Without other workers a thread cuts the next ones while the caller writes.
    """

    def cut(first: Corner) -> np.ndarray:
        z, y, x = first
        box = tomogram.read((z, y, x), (z + size_px, y + size_px, x + size_px))
        if background is not None:
            box = normalised(box, background)
        return box if sign > 0 else -box

    corners = [(z, y, x) for z, y, x in first_zyx.tolist()]
    with _cut_ahead(cut, corners, work) as found:
        for done, box in enumerate(found, start=1):
            yield box
            work.progress(done, len(corners))


def _cut_ahead(
    cut: Callable[[Corner], np.ndarray], corners: list[Corner], work: Work
) -> AbstractContextManager[Iterator[np.ndarray]]:
    if work.workers == 1:
        return work.ahead(cut, corners)
    return nullcontext(replace(work, gpus=()).map(cut, corners))


def normalised(box: np.ndarray, background: np.ndarray) -> np.ndarray:
    """The box with mean 0 and deviation 1 in the background, a truth value for each voxel; a constant one is only moved."""
    some = box[background]
    mean, deviation = some.mean(dtype=np.float64), some.std(dtype=np.float64)
    if not np.isfinite(deviation):
        raise EngineError("a box holds voxels that are no numbers: mend the tomogram, or drop the particles there")
    return (box - np.float32(mean)) / np.float32(deviation or 1.0)


def background_of(how: str, size_px: int, radius_px: float | None) -> np.ndarray | None:
    """The voxels that boxes are normalised by; None for none of it.

    how: "none", "box", or "background": outside a sphere about the centre, by default of 3/8 of the side (RELION's).
    """
    if how == "none":
        return None
    if how == "box":
        return np.ones((size_px,) * 3, dtype=bool)
    axis = (np.arange(size_px) - size_px // 2) ** 2
    radius = 0.375 * size_px if radius_px is None else radius_px
    return np.asarray(axis[:, None, None] + axis[:, None] + axis > radius**2)


def share(facts: ParticleFacts) -> Share:
    """What a box takes: the bytes twice, a second for 400 million voxels, and little memory."""
    box_bytes = 4 * facts.box_px**3
    return Share(
        facts.box_px**3 / 4e8,
        read_bytes=box_bytes,
        kept_bytes=box_bytes,
        worker_bytes=HELD_BOXES * box_bytes + HELD_BYTES,
    )
