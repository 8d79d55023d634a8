"""Particle lists in STAR files: Dynamo's, and RELION's of versions 3.0 to 5 (their columns are in `relion.py`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np

from engine.data import COLUMNS, EXTRA_COLUMNS, Table
from engine.faults import EngineError
from engine.files.blocks import Block, Column, read_blocks, write_blocks
from engine.files.particle_list import ParticleList
from engine.files.raw import is_there, listed
from engine.files.relion import ANGLES, CENTERED, COORDINATES, Sizes, Version, from_relion, to_relion

Dialect = Literal["dynamo"] | Version

NAMES = (*COLUMNS, *EXTRA_COLUMNS)


def read_star(
    path: str | Path, *, tomogram_sizes_xyz: Sizes | None = None, pixel_size_A: float | None = None
) -> ParticleList:
    """The particles of a STAR file in any of the four dialects, told apart by their columns.

    Dynamo's list: _tag, _particleFile and any of the table's columns; x, y, z count from 1 in the file. Others are left
    out; without `aligned`, `averaged` and `ref` these are 1.

    RELION: coordinates and origins come out in pixels of the particle images (rlnImagePixelSize; pixel_size_A, in Å,
    overrides it), positions 0-based, shifts as −S·origin, rlnRandomSubset as `half`, rlnClassNumber as `class`.
    tomogram_sizes_xyz gives each tomogram's size in pixels of the tilt series (rlnTomoSizeX/Y/Z), by rlnTomoName;
    without it RELION 5's centred positions stay relative to the centre of the tomogram. The missing wedge is not told.

    File names are sought beside the STAR file and in the folders above it. Missing columns are EngineErrors.
    """
    path = Path(path)
    blocks = read_blocks(path)
    for block in blocks.values():
        if "tag" in block:
            return _from_dynamo(block)
    particles = next((block for block in blocks.values() if any(name in block for name in _RELION_MARKS)), None)
    if particles is None:
        needed = f"_tag, _{COORDINATES[0]} or _{CENTERED[0]}"
        raise EngineError(
            f"{path}: none of its blocks ({listed(f'data_{name}' for name in blocks)}) lists particles; it needs {needed}"
        )
    found = from_relion(particles, blocks.get("optics"), tomogram_sizes_xyz, pixel_size_A)
    return replace(found, files=sought(found.files, path.absolute().parent))


def write_star(
    table: Table,
    path: str | Path,
    dialect: Dialect = "dynamo",
    *,
    particle_files: Sequence[str | Path] = (),
    tomogram_names: Mapping[int, str] | None = None,
    tomogram_sizes_xyz: Sizes | None = None,
    pixel_size_A: float | None = None,
    optics: Mapping[str, float | str] | None = None,
) -> None:
    """Writes a particle list.

    "dynamo" keeps every column, `half` too, x, y, z counted from 1. The RELION dialects keep tag, pose, position, class
    and half (3.1 has no place for the tag but the file's name). They need a pixel size: pixel_size_A, or one value in
    the column `apix`; "relion5" needs tomogram_sizes_xyz in px by name. tomogram_names turns `tomo` into names (by
    default TS_01 …); optics adds columns to data_optics, such as rlnVoltage. What is missing is an EngineError.
    """
    path = Path(path)
    files = [str(name) for name in particle_files]
    if files and len(files) != len(table):
        raise ValueError(f"{len(files)} particle files for {len(table)} rows")
    if dialect == "dynamo":
        write_blocks({"": _to_dynamo(table, files)}, path)
        return
    names = {number: f"TS_{number:02d}" for number in np.unique(table["tomo"]).astype(int).tolist()}
    names |= dict(tomogram_names or {})
    blocks = to_relion(
        table,
        dialect,
        path,
        particle_files=files,
        tomogram_names=[names[number] for number in table["tomo"].astype(int).tolist()],
        tomogram_sizes_xyz=tomogram_sizes_xyz,
        pixel_size_A=pixel_size_A or _pixel_size_A(table, path),
        optics=optics or {},
    )
    write_blocks(blocks, path)


_RELION_MARKS = (*COORDINATES, *CENTERED, *ANGLES)


def _from_dynamo(block: Block) -> ParticleList:
    columns = {name: block.numbers(name) for name in NAMES if name in block}
    for axis in "xyz":
        if axis in columns:
            columns[axis] = columns[axis] - 1
    files = block.words("particleFile") if "particleFile" in block else []
    return ParticleList(
        Table.blank(len(block), **columns), sought(tuple(map(Path, files)), block.path.absolute().parent)
    )


def _to_dynamo(table: Table, files: list[str]) -> dict[str, Column]:
    columns: dict[str, Column] = {name: table[name] + (name in ("x", "y", "z")) for name in NAMES}
    tag = columns.pop("tag")
    return {"tag": tag, **({"particleFile": files} if files else {}), **columns}


def _pixel_size_A(table: Table, path: Path) -> float:
    sizes = np.unique(table["apix"])
    if len(sizes) != 1 or not sizes[0] > 0:
        raise EngineError(f"{path}: RELION needs one pixel size and the column apix has {sizes[:4]}; give pixel_size_A")
    return float(sizes[0])


def sought(files: Sequence[Path], folder: Path) -> tuple[Path, ...]:
    """The files as they are found from the first one: RELION counts paths from its project, some folders up."""
    places = [folder, *folder.parents]
    place = next((place for place in places if files and is_there(place / files[0])), folder)
    return tuple(place / file for file in files)
