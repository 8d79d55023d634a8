"""The table of an alignment: one row per particle, Dynamo's columns by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import IntEnum

import numpy as np

from engine import html

COLUMNS: dict[str, str] = {
    "tag": "number of the particle, >= 1",
    "aligned": "1: the particle takes part in alignment",
    "averaged": "1: the particle takes part in the average",
    "dx": "shift of the particle from its box centre, box axes, px",
    "dy": "shift along y, px",
    "dz": "shift along z, px",
    "tdrot": "first Euler angle, deg: rotation about z",
    "tilt": "second Euler angle, deg: rotation about the new x",
    "narot": "third Euler angle, deg: rotation about the new z",
    "cc": "cross-correlation at the best pose, exact and locally normalised, -1 to 1",
    "cc2": "cross-correlation after the second selection",
    "cpu": "processor that aligned the particle",
    "ftype": "Fourier sampling: 0 full, 1 single tilt about y, 2 about x, 3 cone, 4 dual tilt, 5 custom, 6, 7 other axes",
    "ymintilt": "lowest tilt about y, deg",
    "ymaxtilt": "highest tilt about y, deg",
    "xmintilt": "lowest tilt about x, deg",
    "xmaxtilt": "highest tilt about x, deg",
    "fs1": "free parameter of the Fourier sampling",
    "fs2": "free parameter of the Fourier sampling",
    "tomo": "number of the tomogram",
    "reg": "region inside the tomogram, often the vesicle or filament",
    "class": "class of the particle",
    "annotation": "free label",
    "x": "centre of the box in the tomogram, 0-based px (1-based in .tbl files)",
    "y": "centre along y, 0-based px",
    "z": "centre along z, 0-based px",
    "dshift": "length of the last change of shift, px",
    "daxis": "last change of the particle's axis, deg",
    "dnarot": "last change of the rotation about the axis, deg",
    "dcc": "last change of cc",
    "otag": "tag of the particle this one was made from",
    "npar": "number of joined particles, or subunit label",
    "col33": "not defined; kept as found",
    "ref": "reference the particle belongs to",
    "sref": "sub-reference",
    "apix": "pixel size, A",
    "def": "defocus, um",
    "col38": "not defined; kept as found",
    "col39": "not defined; kept as found",
    "col40": "not defined; kept as found",
    "eig1": "first eigencoefficient",
    "eig2": "second eigencoefficient",
}
"""Dynamo's 42 columns in their order, with what each means here."""

EXTRA_COLUMNS: dict[str, str] = {
    "half": "half-set, set once and inherited: 0 none, 1 odd, 2 even",
    "rejected_by": "number of the filter of a selection that rejected the row, counted from 1; 0: kept",
}
"""Columns that a .tbl file has no place for."""

SHOWN_COLUMNS = (
    "tag",
    "dx",
    "dy",
    "dz",
    "tdrot",
    "tilt",
    "narot",
    "cc",
    "averaged",
    "half",
    "tomo",
    "reg",
    "x",
    "y",
    "z",
)
"""Columns shown where none are asked for."""


class Half(IntEnum):
    """Values of the column `half`."""

    NONE = 0
    ODD = 1
    EVEN = 2


class Table:
    """Rows of particles; every column of COLUMNS and EXTRA_COLUMNS is always there, float64, 0 where nobody filled it.

    A table is not changed in place: `with_columns`, `where` and `sorted_by` return new ones.
    """

    __slots__ = ("_columns",)

    def __init__(self, columns: Mapping[str, np.ndarray | Sequence[float] | float], n_rows: int | None = None) -> None:
        """columns: name to values; single numbers fill the column. n_rows is needed only when all are single numbers."""
        unknown = sorted(set(columns) - set(COLUMNS) - set(EXTRA_COLUMNS))
        if unknown:
            raise ValueError(f"a table has no column {unknown[0]!r}")
        lengths = {name: np.size(values) for name, values in columns.items() if np.ndim(values) == 1}
        rows = n_rows if n_rows is not None else next(iter(lengths.values()), 0)
        if any(length != rows for length in lengths.values()):
            raise ValueError(f"columns of unequal length: {lengths}, the table has {rows} rows")
        self._columns = {
            name: np.array(np.broadcast_to(np.asarray(columns.get(name, 0.0), dtype=np.float64), (rows,)))
            for name in (*COLUMNS, *EXTRA_COLUMNS)
        }
        for values in self._columns.values():
            values.flags.writeable = False

    @classmethod
    def blank(cls, n_rows: int, **columns: np.ndarray | Sequence[float] | float) -> Table:
        """n_rows particles tagged 1, 2, 3 …, all taking part, with the given columns filled in."""
        start: dict[str, np.ndarray | Sequence[float] | float] = {
            "tag": np.arange(1, n_rows + 1),
            "aligned": 1,
            "averaged": 1,
            "ref": 1,
        }
        return cls({**start, **columns}, n_rows)

    @classmethod
    def from_matrix(cls, matrix: np.ndarray) -> Table:
        """A table of Dynamo's columns in their order; the matrix is (n, width), 1 <= width <= 42."""
        if matrix.ndim != 2 or not 1 <= matrix.shape[1] <= len(COLUMNS):
            raise ValueError(f"a table matrix has 1 to {len(COLUMNS)} columns, got shape {matrix.shape}")
        return cls(dict(zip(COLUMNS, np.asarray(matrix, dtype=np.float64).T, strict=False)), len(matrix))

    def to_matrix(self) -> np.ndarray:
        """(n, 42) float64, Dynamo's columns in their order; the extra columns are left out."""
        return np.column_stack([self._columns[name] for name in COLUMNS])

    def __len__(self) -> int:
        return len(self._columns["tag"])

    def __getitem__(self, name: str) -> np.ndarray:
        """The column as a read-only float64 array of one value per row."""
        return self._columns[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __repr__(self) -> str:
        return f"Table({len(self)} rows)"

    def _repr_html_(self) -> str:
        return html.titled(f"Table: {len(self)} rows", html.columns({name: self[name] for name in SHOWN_COLUMNS}))

    @property
    def tags(self) -> np.ndarray:
        with np.errstate(invalid="ignore"):  # what is no whole number is a fault of the table, told where it is checked
            return self["tag"].astype(np.int64)

    @property
    def angles(self) -> np.ndarray:
        """(n, 3): tdrot, tilt, narot in degrees."""
        return np.column_stack([self["tdrot"], self["tilt"], self["narot"]])

    @property
    def shifts_xyz_px(self) -> np.ndarray:
        """(n, 3): dx, dy, dz."""
        return np.column_stack([self["dx"], self["dy"], self["dz"]])

    @property
    def positions_xyz_px(self) -> np.ndarray:
        """(n, 3): box centres in the tomogram, 0-based; add the shifts for the particles' centres."""
        return np.column_stack([self["x"], self["y"], self["z"]])

    def with_columns(self, **columns: np.ndarray | Sequence[float] | float) -> Table:
        """The same rows with these columns replaced."""
        return Table({**self._columns, **columns}, len(self))

    def with_poses(self, angles: np.ndarray, shifts_xyz_px: np.ndarray) -> Table:
        """The same rows with new Euler angles (n, 3) in degrees and shifts (n, 3) in px."""
        tdrot, tilt, narot = np.asarray(angles, dtype=np.float64).reshape(-1, 3).T
        dx, dy, dz = np.asarray(shifts_xyz_px, dtype=np.float64).reshape(-1, 3).T
        return self.with_columns(tdrot=tdrot, tilt=tilt, narot=narot, dx=dx, dy=dy, dz=dz)

    def where(self, chosen: np.ndarray) -> Table:
        """The rows chosen by a mask or by positions, in the order given."""
        chosen = np.asarray(chosen)
        if chosen.dtype != bool:
            chosen = chosen.astype(np.intp)
        return Table({name: values[chosen] for name, values in self._columns.items()})

    def sorted_by(self, name: str, descending: bool = False) -> Table:
        """The rows in ascending order of one column, equal values in their present order."""
        values = -self[name] if descending else self[name]
        return self.where(np.argsort(values, kind="stable"))

    def joined(self, other: Table) -> Table:
        """The rows of this table, then those of the other."""
        return Table({name: np.concatenate([self[name], other[name]]) for name in self})

    def equals(self, other: Table) -> bool:
        """True when all the columns hold the same bits."""
        return all(np.array_equal(self[name], other[name], equal_nan=True) for name in self)
