"""Points that somebody marked in tomograms, as a file holds them: no model yet of what they mean."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np


@dataclass(frozen=True, eq=False)
class Marks:
    """points_xyz (n, 3) in the unit told; 0-based px, voxel centres at integers, or A from the centre of voxel (0, 0, 0).

    groups (n,): which points belong together (a contour, a dipole, linked markers), in the file's numbers. radii (n,) in
    the same unit, 0 where none is told. tomograms: name or number of the tomogram as text, one per point, empty when the
    file tells none. pixel_size_A: of these px, 0 when not told.
    """

    points_xyz: np.ndarray
    groups: np.ndarray
    radii: np.ndarray
    unit: Literal["px", "A"] = "px"
    tomograms: tuple[str, ...] = ()
    pixel_size_A: float = 0.0

    def __post_init__(self) -> None:
        n = len(self.points_xyz)
        if self.points_xyz.shape != (n, 3) or len(self.groups) != n or len(self.radii) != n:
            raise ValueError(f"marks of unequal length: {self.points_xyz.shape}, {len(self.groups)}, {len(self.radii)}")
        if self.tomograms and len(self.tomograms) != n:
            raise ValueError(f"{len(self.tomograms)} names of tomograms for {n} points")

    def __len__(self) -> int:
        return len(self.points_xyz)

    def together(self) -> Iterator[tuple[int, str, np.ndarray]]:
        """Each group's number, its tomogram ("" when not told) and the positions of its points, in the file's order."""
        names = self.tomograms or ("",) * len(self)
        places: dict[tuple[str, int], list[int]] = {}
        for place, (name, group) in enumerate(zip(names, self.groups.tolist(), strict=True)):
            places.setdefault((name, int(group)), []).append(place)
        for (name, group), rows in places.items():
            yield group, name, np.array(rows)
