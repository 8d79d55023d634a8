"""What each operation does to the poses, and to the average's map."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import singledispatch
from typing import Any

import numpy as np

from engine.data import Table, Volume
from engine.faults import EngineError
from engine.geometry import euler, pose, subboxes, symmetry
from engine.geometry.move import Move
from engine.kinds.transform.form import (
    CentreBoxes,
    Compose,
    Expand,
    Marked,
    Operation,
    Perturb,
    RandomAzimuth,
    Recentre,
    Rescale,
    Rigid,
    Subbox,
)
from engine.kinds.transform.places import Box, offsets_px


@dataclass(frozen=True, eq=False)
class State:
    """What one operation hands to the next.

    source: of each row, the number of its table from 1; moves: the average's map is the mean of the given one moved by each;
    pixel_size_A: of the poses, 0 when unknown.
    """

    table: Table
    source: np.ndarray
    moves: tuple[Move, ...]
    pixel_size_A: float


@dataclass(frozen=True, eq=False)
class Given:
    """What an operation reads: its own inputs by their names, the map of the project, and what random numbers come from."""

    read: Mapping[str, Any]
    map: Volume | None
    generator: np.random.Generator


@singledispatch
def done(form: Operation, state: State, given: Given) -> State:
    """The state after the operation."""
    raise ValueError(f"no operation {type(form).__name__}")


@done.register
def _(form: Recentre, state: State, given: Given) -> State:
    (offset,) = _offsets(form, state, given)
    table = state.table
    shifts = pose.move_origin(table.angles, table.shifts_xyz_px, offset)
    return replace(_moved(state, Move(np.eye(3), -offset)), table=table.with_poses(table.angles, shifts))


@done.register
def _(form: Rigid, state: State, given: Given) -> State:
    move = _typed(form, state.pixel_size_A)
    if form.transform is not None:
        move = only_move(given.read["transform"], form.transform, state.pixel_size_A)
    return _moved(state, move.inverse if form.inverse else move)


@done.register
def _(form: Compose, state: State, given: Given) -> State:
    poses: Table = given.read["poses"]
    of_row = np.asarray(state.source if form.by == "table" else state.table[form.by])
    if absent := without_pose(of_row, poses):
        shown = ", ".join(f"{number:g}" for number in absent[:5])
        raise EngineError(
            f"{form.poses} has no average {shown}, which particles belong to by {form.by} (mend by, or the tags)"
        )
    order = np.argsort(poses["tag"])
    rows = poses.where(order[np.searchsorted(poses["tag"][order], of_row)])
    rotations = euler.matrices(rows.angles)
    shifts = rows.shifts_xyz_px * _scale(poses, state.pixel_size_A)
    back = np.swapaxes(rotations, -1, -2)
    moved = pose.transformed(state.table.angles, state.table.shifts_xyz_px, back, -(back @ shifts[..., None])[..., 0])
    return replace(state, table=state.table.with_poses(*moved))


@done.register
def _(form: Expand, state: State, given: Given) -> State:
    operators = symmetry.operators(form.symmetry)
    copies = state.table.where(np.repeat(np.arange(len(state.table)), len(operators)))
    rotations = euler.matrices(state.table.angles)[:, None] @ operators
    angles = euler.angles(rotations.reshape(-1, 3, 3))
    made = copies.with_poses(angles, copies.shifts_xyz_px)
    return _multiplied(state, made, [Move(one.T, np.zeros(3)) for one in operators])


@done.register
def _(form: RandomAzimuth, state: State, given: Given) -> State:
    drawn = given.generator.uniform(-180.0, 180.0, len(state.table))
    return replace(state, table=state.table.with_columns(narot=drawn))


@done.register
def _(form: Perturb, state: State, given: Given) -> State:
    table = state.table
    poses = pose.perturbed(table.angles, table.shifts_xyz_px, form.angle_deg, form.shift_px, given.generator)
    return replace(state, table=table.with_poses(*poses))


@done.register
def _(form: Rescale, state: State, given: Given) -> State:
    factor = scale_factor(form, state.pixel_size_A)
    centres = factor * pose.centres(state.table.positions_xyz_px, state.table.shifts_xyz_px)
    if form.binning == "block-mean":
        centres += (factor - 1) / 2
    table = on_voxels(state.table, centres)
    table = table.with_columns(apix=table["apix"] / factor, dshift=table["dshift"] * factor)
    return replace(state, table=table, pixel_size_A=state.pixel_size_A / factor)


@done.register
def _(form: CentreBoxes, state: State, given: Given) -> State:
    centres = pose.centres(state.table.positions_xyz_px, state.table.shifts_xyz_px)
    return replace(state, table=on_voxels(state.table, centres))


@done.register
def _(form: Subbox, state: State, given: Given) -> State:
    offsets, group = _offsets(form, state, given), symmetry.operators(form.symmetry)
    points = np.repeat(offsets, len(group), axis=0)
    operators = np.tile(group, (len(offsets), 1, 1))
    made = subboxes.subboxed(state.table, points, operators)
    return _multiplied(state, made, [Move(one.T, -point) for one, point in zip(operators, points, strict=True)])


def scale_factor(form: Rescale, pixel_size_A: float) -> float:
    """New px for one px now."""
    if form.pixel_size_A is None:
        return form.factor or 1.0
    if not pixel_size_A:
        raise EngineError(
            "a new pixel size needs the present one, and there is none (set data.pixel_size_A, or give factor)"
        )
    return pixel_size_A / form.pixel_size_A


def only_move(table: Table, name: str, pixel_size_A: float) -> Move:
    """The move that a transform, a table of one row, is in px of another pixel size."""
    if len(table) != 1:
        raise EngineError(
            f"{name} has {len(table)} rows; a transform is one row (give the transform of a registration)"
        )
    return Move.of_pose(table.angles[0], table.shifts_xyz_px[0] * _scale(table, pixel_size_A))


def without_pose(of_row: np.ndarray, poses: Table) -> list[float]:
    """The averages that rows belong to and that have no row in the poses."""
    return np.setdiff1d(of_row, poses["tag"]).tolist()


def on_voxels(table: Table, centres_xyz_px: np.ndarray) -> Table:
    """The table with boxes on the voxels nearest to the centres (n, 3), what is left in the shifts."""
    x, y, z = np.rint(centres_xyz_px).T
    return table.with_columns(x=x, y=y, z=z).with_poses(table.angles, centres_xyz_px - np.rint(centres_xyz_px))


def _typed(form: Rigid, pixel_size_A: float) -> Move:
    angles = np.array(form.angles_deg or (0.0, 0.0, 0.0))
    if form.shift_xyz_A is None:
        return Move.of_pose(angles, np.array(form.shift_xyz_px or (0.0, 0.0, 0.0)))
    if not pixel_size_A:
        raise EngineError(
            "a shift in A needs a pixel size, and there is none (set data.pixel_size_A, or give it in px)"
        )
    return Move.of_pose(angles, np.array(form.shift_xyz_A) / pixel_size_A)


def _scale(table: Table, pixel_size_A: float) -> float:
    """Px of the poses for one px of a table, told from its column apix; 1 where one of both is unknown."""
    own = float(table["apix"].max(initial=0.0))
    return own / pixel_size_A if own > 0 and pixel_size_A > 0 else 1.0


def _offsets(form: Marked, state: State, given: Given) -> np.ndarray:
    """(k, 3) px from the centre of the box to the points, in the average as it is before this operation.

    Places in the project's map, which shows the average before all operations, go with it.
    """
    seen: Volume | None = given.read.get("map", given.map)
    box = None
    if seen is not None:
        box = Box(seen.data.shape[-1], seen.pixel_size_A or state.pixel_size_A, seen.origin_xyz_A)
    elif form.box_px is not None:
        box = Box(form.box_px, state.pixel_size_A)
    offsets = offsets_px(form, given.read.get("markers"), box, state.pixel_size_A)
    if given.map is None or form.map is not None or not form.is_place:
        return offsets
    if len(state.moves) > 1:
        raise EngineError(
            "data.map was marked before there were copies (give the map that shows the average as it is now)"
        )
    (move,) = state.moves
    return np.asarray(offsets @ move.rotation.T + move.translation_xyz_px)


def _moved(state: State, move: Move) -> State:
    moves = tuple(one.then(move.rotation, move.translation_xyz_px) for one in state.moves)
    return replace(state, table=move.of_poses(state.table), moves=moves)


def _multiplied(state: State, made: Table, moves: list[Move]) -> State:
    """Each row became as many as there are moves, in order: tags of copies, the first tags kept, copies counted through."""
    before, k = state.table, len(moves)
    ancestor = np.repeat(np.arange(len(before)), k)
    copy = np.where(before["npar"] > 0, before["npar"] - 1, 0)[ancestor] * k + np.tile(np.arange(1, k + 1), len(before))
    tag = subboxes.tags_of_copies(before["tag"], k)
    table = made.with_columns(tag=tag, otag=before["otag"][ancestor], npar=copy)
    of_map = tuple(one.then(move.rotation, move.translation_xyz_px) for one in state.moves for move in moves)
    return replace(state, table=table, source=state.source[ancestor], moves=of_map)


def start(tables: list[Table], tomogram_numbers: tuple[int, ...] | None, multiplies: bool) -> tuple[Table, np.ndarray]:
    """The rows of all the tables, and of each the number of its table; where tags will change, otag holds them.

    multiplies: an operation will make several rows of one; npar is 0 before it.
    """
    if tomogram_numbers is not None:
        tables = [table.with_columns(tomo=number) for table, number in zip(tables, tomogram_numbers, strict=True)]
    table = tables[0]
    for other in tables[1:]:
        table = table.joined(other)
    source = np.repeat(np.arange(1, len(tables) + 1), [len(one) for one in tables])
    if multiplies:
        table = table.with_columns(npar=0)
    if multiplies or len(tables) > 1:
        table = table.with_columns(otag=table["tag"])
    if len(tables) > 1:
        table = table.with_columns(tag=np.arange(1, len(table) + 1))
    return table, source
