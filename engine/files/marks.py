"""Marked points in any of the forms that people have them in: .csv .star .tbl .cmm .mod .omd.

CSV: a header with x, y, z (0-based px) or x_A, y_A, z_A, and if told region, tomo, radius (or radius_A), pixel_size_A, and
north_x, north_y, north_z, the other end of a dipole. Other columns are left out. With a column tag it is a table.
"""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import scipy

from engine.data import Curve, Marks, Table
from engine.faults import EngineError
from engine.files.blocks import read_blocks
from engine.files.cmm import read_markers
from engine.files.comma import read_csv
from engine.files.imod import read_imod
from engine.files.numbers import number, shortest, wholes
from engine.files.omd import read_omd
from engine.files.raw import ending, listed, reading, text_of
from engine.files.star import read_star
from engine.files.tbl import read_tbl

Columns = dict[str, list[str]]


def read_marks(path: str | Path) -> Marks:
    """The marked points of a file, by its ending.

    .star: RELION 5's sphere annotations (rlnSphereRadius) and other coordinates with rlnTomoName, and particle lists.
    .cmm: markers in Å; linked ones are a group without radii, in the order of their numbers, each other one is a sphere.
    """
    path = Path(path)
    readers = {
        ".csv": _read_csv,
        ".star": _read_star,
        ".tbl": lambda file: of_table(read_tbl(file)),
        ".cmm": _read_cmm,
        ".mod": read_imod,
        ".omd": read_omd,
    }
    suffix = ending(path)
    if suffix not in readers:
        raise EngineError(
            f"{path}: marked points are read from {' '.join(readers)}, not {suffix or 'no ending'}; rename or convert it"
        )
    marks = readers[suffix](path)
    if not len(marks):
        raise EngineError(f"{path}: holds no point; mark some and save it")
    if not (np.isfinite(marks.points_xyz).all() and np.isfinite(marks.radii).all()):
        raise EngineError(f"{path}: some coordinates are no finite numbers; mend or remove them")
    return marks


def as_marks(value: object, name: str) -> Marks:
    """What a table or a curve of marked points holds, called by this name; anything else is an EngineError."""
    if isinstance(value, Table):
        return of_table(value)
    if isinstance(value, Curve):
        return of_curve(value, name)
    raise EngineError(f"{name}: holds no points; give a table, proposals or a file")


def of_table(table: Table) -> Marks:
    """The centres of a table's particles (position and shift), grouped by their region; in A where it mixes pixel sizes."""
    sizes = np.unique(table["apix"])
    if len(sizes) > 1 and sizes[0] <= 0:
        raise EngineError(
            "some rows of the table tell their pixel size (column apix) and some do not; fill it or empty it"
        )
    centres = table.positions_xyz_px + table.shifts_xyz_px
    if not (np.isfinite(centres).all() and np.isfinite(sizes).all()):
        raise EngineError(
            "some points have no place or no pixel size, NaN or infinite (leave them out; of results: --where)"
        )
    is_mixed = len(sizes) > 1
    return Marks(
        centres * table["apix"][:, None] if is_mixed else centres,
        wholes(table["reg"], "the column reg"),
        np.zeros(len(table)),
        "A" if is_mixed else "px",
        tuple(f"{name:g}" for name in table["tomo"]) if table["tomo"].any() else (),
        0.0 if is_mixed or not len(sizes) else float(sizes[0]),
    )


def of_curve(curve: Curve, name: str) -> Marks:
    """The marks that columns of numbers hold; see the columns of CSV above. Others are an EngineError."""
    columns = {key: [shortest(float(value)) for value in values] for key, values in curve.columns.items()}
    return _of_columns(columns, [name] * len(curve), name)


def _read_csv(path: Path) -> Marks:
    with reading(path, "marked points in CSV"):
        rows = csv.reader(io.StringIO(text_of(path, "marked points in CSV")))
        header = [word.strip() for word in next(rows, [])]
        values, places = [], []
        for row in rows:
            if not any(word.strip() for word in row):
                continue
            if len(row) != len(header):
                raise EngineError(
                    f"{path}:{rows.line_num}: {len(row)} values where the header names {len(header)}; repair the line"
                )
            values.append([word.strip() for word in row])
            places.append(f"{path}:{rows.line_num}")
    if "tag" in header:
        return of_table(read_csv(path))
    for name in header:
        if header.count(name) > 1:
            raise EngineError(f"{path}:1: the column {name!r} is there twice; remove one")
    return _of_columns({name: [row[n] for row in values] for n, name in enumerate(header)}, places, str(path))


def _of_columns(columns: Columns, places: list[str], name: str) -> Marks:
    unit = "_A" if "x_A" in columns else ""
    wanted = [f"{axis}{unit}" for axis in "xyz"]
    if lost := [one for one in wanted if one not in columns]:
        have = listed(columns) or "none"
        raise EngineError(
            f"{name}: a column {lost[0]!r} is missing; marked points have x, y, z or x_A, y_A, z_A, not {have}"
        )

    def numbers(column: str, otherwise: float) -> np.ndarray:
        words = columns.get(column)
        if words is None:
            return np.full(len(places), otherwise)
        return np.array([number(word, place) for word, place in zip(words, places, strict=True)], dtype=np.float64)

    points = np.column_stack([numbers(one, 0.0) for one in wanted])
    groups = wholes(numbers("region", 1.0), f"{name}: the column 'region'")
    radii = numbers(f"radius{unit}", 0.0)
    if "region" not in columns and (radii > 0).all():
        groups = np.arange(1, len(places) + 1)
    tomograms = tuple(columns.get("tomo", ()))
    pixel = numbers("pixel_size_A", 0.0)
    if len(np.unique(pixel)) > 1:
        raise EngineError(f"{name}: the column 'pixel_size_A' has several values; keep one pixel size in a file")
    norths = [f"north_{axis}{unit}" for axis in "xyz"]
    if all(one in columns for one in norths):
        ends = np.column_stack([numbers(one, 0.0) for one in norths])
        groups = groups if "region" in columns else np.arange(1, len(places) + 1)
        points = np.stack([points, ends], axis=1).reshape(-1, 3)
        groups, radii = np.repeat(groups, 2), np.zeros(2 * len(places))
        tomograms = tuple(word for word in tomograms for _ in range(2))
    return Marks(
        points,
        groups,
        radii,
        "A" if unit else "px",
        tomograms,
        float(pixel[0]) if len(pixel) else 0.0,
    )


def _read_star(path: Path) -> Marks:
    """RELION's annotations are told by their columns; anything else is a particle list."""
    for block in read_blocks(path).values():
        if "rlnTomoName" not in block or "rlnCoordinateX" not in block or "rlnAngleRot" in block:
            continue
        n = len(block)
        is_sphere = "rlnSphereRadius" in block
        of_line = next((name for name in ("rlnTomoManifoldIndex", "rlnHelicalTubeID") if name in block), None)
        groups = wholes(block.numbers(of_line), f"{path}: _{of_line}") if of_line else np.ones(n, dtype=np.int64)
        return Marks(
            np.column_stack([block.numbers(f"rlnCoordinate{axis}") for axis in "XYZ"]),
            _counted(block.words("rlnTomoName")) if is_sphere else groups,
            block.numbers("rlnSphereRadius") if is_sphere else np.zeros(n),
            tomograms=tuple(block.words("rlnTomoName")),
        )
    found = read_star(path)
    marks = of_table(found.table)
    names = tuple(found.tomogram_names.get(one, f"{one:g}") for one in found.table["tomo"].tolist())
    return replace(marks, tomograms=names if marks.tomograms else (), is_centred=found.is_centred)


def _counted(names: list[str]) -> np.ndarray:
    """1, 2, 3 … within each name."""
    seen: dict[str, int] = {}
    counted = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        counted.append(seen[name])
    return np.array(counted, dtype=np.int64)


def _read_cmm(path: Path) -> Marks:
    markers = read_markers(path)
    order = np.argsort(markers.ids, kind="stable")
    place = {int(one): n for n, one in enumerate(markers.ids[order].tolist())}
    ends = np.array([[place[int(end)] for end in link] for link in markers.links]).reshape(-1, 2)
    graph = scipy.sparse.coo_array((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape=(len(order), len(order)))
    labels = scipy.sparse.csgraph.connected_components(graph, directed=False)[1]
    is_linked = np.isin(np.arange(len(order)), ends)
    radii = np.where(is_linked, 0.0, markers.radii_A[order])
    ids = tuple(markers.ids[order].tolist())
    return Marks(markers.points_xyz_A[order], labels.astype(np.int64) + 1, radii, "A", ids=ids)
