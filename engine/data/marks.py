"""Points that somebody marked in tomograms, as a file holds them: no model yet of what they mean."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np


@dataclass(frozen=True, eq=False)
class Marks:
    """points_xyz (n, 3) in the unit told; 0-based px, voxel centres at integers, or A from the centre of voxel (0, 0, 0).

    groups (n,): which points belong together (a contour, a dipole, linked markers), in the file's numbers. radii (n,) in
    the same unit, 0 where none is told. tomograms: name or number of the tomogram as text, one per point, empty when the
    file tells none. pixel_size_A: of these px, 0 when not told. ids: the numbers that the file gives its points, empty when it
    gives none. is_centred: they count from the middle of their tomogram, half its size, as RELION 5 does.
    """

    points_xyz: np.ndarray
    groups: np.ndarray
    radii: np.ndarray
    unit: Literal["px", "A"] = "px"
    tomograms: tuple[str, ...] = ()
    pixel_size_A: float = 0.0
    ids: tuple[int, ...] = ()
    is_centred: bool = False

    def __post_init__(self) -> None:
        n = len(self.points_xyz)
        if self.points_xyz.shape != (n, 3) or len(self.groups) != n or len(self.radii) != n:
            raise ValueError(f"marks of unequal length: {self.points_xyz.shape}, {len(self.groups)}, {len(self.radii)}")
        if self.tomograms and len(self.tomograms) != n:
            raise ValueError(f"{len(self.tomograms)} names of tomograms for {n} points")
        if self.ids and len(self.ids) != n:
            raise ValueError(f"{len(self.ids)} ids for {n} points")

    def __len__(self) -> int:
        return len(self.points_xyz)

    @classmethod
    def joined(cls, parts: Sequence[Marks]) -> Marks:
        """The marks of several as one; in A where they count in several pixel sizes, of which all must be told (ValueError)."""
        if len({(part.unit, part.pixel_size_A) for part in parts}) > 1:
            parts = [part.in_A() for part in parts]
        names = [part.tomograms or ("",) * len(part) for part in parts]
        return cls(
            np.concatenate([part.points_xyz for part in parts]),
            np.concatenate([part.groups for part in parts]),
            np.concatenate([part.radii for part in parts]),
            parts[0].unit,
            tuple(name for of_part in names for name in of_part) if any(part.tomograms for part in parts) else (),
            parts[0].pixel_size_A,
        )

    def in_A(self) -> Marks:
        """The marks in A; of px of a size that is not told a ValueError."""
        if self.unit == "A":
            return self
        if not self.pixel_size_A:
            raise ValueError("marks in px that do not tell their pixel size")
        points, radii = self.points_xyz * self.pixel_size_A, self.radii * self.pixel_size_A
        return replace(self, points_xyz=points, radii=radii, unit="A", pixel_size_A=0.0)

    def in_px(
        self,
        pixel_size_A: float,
        origin_xyz_A: tuple[float, float, float] = (0.0, 0.0, 0.0),
        counted_in_A: float | None = None,
    ) -> Marks:
        """The marks in px of a map of this pixel size, from 0.

        Px of another size are scaled about voxel 0, as Fourier cropping keeps it.
        origin_xyz_A: what marks in A call the centre of voxel (0, 0, 0). counted_in_A: what marks in px count in, whatever they
        tell themselves.
        """
        if self.unit == "A":
            scale, origin = 1.0 / pixel_size_A, np.asarray(origin_xyz_A)
        else:
            own_A = counted_in_A or self.pixel_size_A
            scale, origin = own_A / pixel_size_A if own_A and pixel_size_A else 1.0, np.zeros(3)
        points = (self.points_xyz - origin) * scale
        return replace(self, points_xyz=points, radii=self.radii * scale, unit="px", pixel_size_A=pixel_size_A)

    @property
    def numbers(self) -> np.ndarray:
        """(n,) the ids of the points; 1, 2, 3 … where the file gives none."""
        return np.array(self.ids or range(1, len(self) + 1), dtype=np.int64)

    def together(self) -> Iterator[tuple[int, str, np.ndarray]]:
        """Each group's number, its tomogram ("" when not told) and the positions of its points, in the file's order."""
        names = self.tomograms or ("",) * len(self)
        places: dict[tuple[str, int], list[int]] = {}
        for place, (name, group) in enumerate(zip(names, self.groups.tolist(), strict=True)):
            places.setdefault((name, int(group)), []).append(place)
        for (name, group), rows in places.items():
            yield group, name, np.array(rows)
