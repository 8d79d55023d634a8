"""Values into files that other programs open, and into JSON."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, is_dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from engine import plots
from engine.data import Catalogue, Curve, Particles, Table, Volume
from engine.faults import EngineError
from engine.files import (
    Markers,
    is_fsc,
    write_catalogue,
    write_fsc_star,
    write_fsc_xml,
    write_markers,
    write_particle_folder,
    write_particle_stack,
    write_star,
    write_table,
    write_volume,
)
from engine.steering import made_visible

Writer = Callable[[Any, Path], None]
Star = Literal["dynamo", "relion3.1", "relion4"]
"""Dialects of a .star list that a table alone can give; RELION 5 wants the sizes of the tomograms too."""


def export(value: Any, path: str | Path, pixel_size_A: float = 0.0, star: str = "dynamo") -> Path:
    """Where the value was written, in the form that the ending asks for.

    Volumes, tables and curves become pictures, .png .pdf .svg. Volumes become .mrc .em .npy .json, tables .tbl .star .csv
    .json .npy .cmm, curves .csv .json .npy, an FSC also .star (RELION's postprocess) and .xml (the EMDB's), spheres .cmm,
    catalogues .csv .json,
    arrays .npy .csv .json, and .mrc .em with three axes; everything else .json. A set of particles becomes a folder of
    particle_<tag>.em where the path is a folder, ends with "/" or has no ending, and a stack as .mrcs or .mrc, which has
    no place for the tags. star is the dialect of a .star list. pixel_size_A is for .cmm and RELION's dialects, where the
    table's column apix is empty. Any other ending or dialect is an EngineError.
    """
    if star not in get_args(Star):
        raise EngineError(f"there is no .star dialect {star!r}; there are {', '.join(get_args(Star))}")
    is_folder = str(path).endswith("/") or Path(path).is_dir()
    path = Path(path)
    writers = _writers(value, pixel_size_A, star)
    ending = "" if is_folder else path.suffix.lower()
    if ending not in writers:
        can = " ".join(part or "a folder (a name without ending)" for part in writers)
        not_this = "a folder" if is_folder else ending or "a name without ending"
        raise EngineError(f"{path}: {_name(value)} can become {can}, not {not_this}{_advice(value)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        writers[ending](value, path)
    except OSError as error:
        raise EngineError(f"{path}: cannot be written: {error.strerror or error}") from error
    return path


def _writers(value: Any, pixel_size_A: float, star: Any) -> dict[str, Writer]:
    """Ending to writer; no ending stands for a folder."""
    pictures: dict[str, Writer] = dict.fromkeys(plots.ENDINGS, partial(plots.draw, pixel_size_A=pixel_size_A))
    if isinstance(value, Volume):
        maps: dict[str, Writer] = {".mrc": write_volume, ".em": write_volume, ".npy": write_volume}
        return {**maps, **pictures, ".json": _write_json}
    if isinstance(value, Table):
        starred = partial(_write_star, dialect=star, pixel_size_A=pixel_size_A)
        tables: dict[str, Writer] = {".tbl": write_table, ".star": starred, ".csv": write_table}
        markers = partial(_write_markers, pixel_size_A=pixel_size_A)
        return {**tables, ".cmm": markers, ".npy": _write_matrix, **pictures, ".json": _write_json}
    if isinstance(value, Curve):
        curves: dict[str, Writer] = {".csv": _write_columns, ".npy": _write_curve_array, **pictures}
        shared: dict[str, Writer] = {".star": write_fsc_star, ".xml": write_fsc_xml} if is_fsc(value) else {}
        if {"x", "y", "z", "radius", "pixel_size_A"} <= set(value.columns):
            shared = {".cmm": _write_spheres}
        return {**curves, **shared, ".json": _write_json}
    if isinstance(value, np.ndarray):
        plain: dict[str, Writer] = {".npy": _write_array, ".json": _write_json}
        if value.ndim in (1, 2):
            return {**plain, ".csv": _write_array_text}
        return {**plain, ".mrc": _write_array_map, ".em": _write_array_map} if value.ndim == 3 else plain
    if isinstance(value, Catalogue):
        return {".csv": write_catalogue, ".json": _write_json}
    if isinstance(value, Particles):
        return {"": write_particle_folder, ".mrcs": write_particle_stack, ".mrc": write_particle_stack}
    return {".json": _write_json}


def _advice(value: Any) -> str:
    return " (one of them, named with tag=, becomes what a volume can)" if isinstance(value, Particles) else ""


def _name(value: Any) -> str:
    if isinstance(value, Particles):
        return "a set of particles"
    return {"ndarray": "an array", "dict": "a summary"}.get(type(value).__name__, f"a {type(value).__name__.lower()}")


def markers_of(table: Table, pixel_size_A: float = 0.0) -> Markers:
    """The refined centres (position + shift) of the rows in Å, numbered by tag."""
    sizes = np.where(table["apix"] > 0, table["apix"], pixel_size_A)
    if np.any(sizes <= 0):
        raise EngineError("markers are in Å: the table's column apix is empty, so the pixel size must be given")
    centres = (table.positions_xyz_px + table.shifts_xyz_px) * sizes[:, None]
    return Markers(centres, radii_A=10.0 * sizes, ids=table.tags)


def as_json(value: Any) -> Any:
    """The value as what json can write: not-a-number becomes null, arrays lists, a volume its shape and statistics."""
    if isinstance(value, Volume):
        data = value.data
        numbers = {"mean": data.mean(), "std": data.std(), "min": data.min(), "max": data.max()}
        size = {"shape_zyx": value.shape_zyx, "pixel_size_A": value.pixel_size_A, "origin_xyz_A": value.origin_xyz_A}
        return as_json({**size, **numbers})
    if isinstance(value, Table):
        return {name: as_json(value[name]) for name in value}
    if isinstance(value, Catalogue):
        return as_json(value.rows())
    if isinstance(value, Curve):
        return as_json({"columns": value.columns, "notes": value.notes})
    if isinstance(value, Particles):
        return as_json({"tags": value.tags, "box_px": value.box_px, "pixel_size_A": value.pixel_size_A})
    if isinstance(value, Mapping):
        return {str(name): as_json(part) for name, part in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return as_json(value.tolist())
    if isinstance(value, list | tuple):
        return [as_json(part) for part in value]
    if is_dataclass(value) and not isinstance(value, type):
        return as_json(asdict(value))
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, str | int | bool) else str(value)


def _write_markers(table: Table, path: Path, pixel_size_A: float) -> None:
    write_markers(markers_of(table, pixel_size_A), path)


def _write_spheres(curve: Curve, path: Path) -> None:
    """Spheres as markers of their radii, for a viewer."""
    sizes = curve["pixel_size_A"]
    centres = np.column_stack([curve[axis] for axis in "xyz"]) * sizes[:, None]
    write_markers(Markers(centres, curve["radius"] * sizes, np.arange(1, len(curve) + 1)), path)


def _write_star(table: Table, path: Path, dialect: Star, pixel_size_A: float) -> None:
    """The column apix goes before the pixel size of the stored step."""
    is_empty = not np.any(table["apix"] > 0)
    write_star(table, path, dialect, pixel_size_A=pixel_size_A if is_empty and pixel_size_A > 0 else None)


def _write_json(value: Any, path: Path) -> None:
    path.write_text(json.dumps(as_json(value), indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")


def _write_columns(curve: Curve, path: Path) -> None:
    rows = zip(*(values.tolist() for values in curve.columns.values()), strict=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        lines = csv.writer(file, lineterminator="\n")
        lines.writerow(made_visible(name) for name in curve.columns)
        lines.writerows([f"{value:.10g}" for value in row] for row in rows)


def _write_curve_array(curve: Curve, path: Path) -> None:
    _write_array(np.column_stack(list(curve.columns.values())), path)


def _write_matrix(table: Table, path: Path) -> None:
    _write_array(table.to_matrix(), path)


def _write_array(array: np.ndarray, path: Path) -> None:
    with path.open("wb") as file:
        np.save(file, array, allow_pickle=False)


def _write_array_text(array: np.ndarray, path: Path) -> None:
    np.savetxt(path, array, delimiter=",", fmt="%.10g")


def _write_array_map(array: np.ndarray, path: Path) -> None:
    write_volume(Volume(np.asarray(array, dtype=np.float32)), path)
