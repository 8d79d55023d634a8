"""A density map with its pixel size."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine import html


@dataclass(frozen=True, eq=False)
class Volume:
    """A map: voxels zyx, float32, with the pixel size in Å (0 when the source does not tell).

    origin_xyz_A is where the centre of voxel (0, 0, 0) lies in the frame of viewers, in Å.
    """

    data: np.ndarray
    pixel_size_A: float = 0.0
    origin_xyz_A: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def __post_init__(self) -> None:
        if self.data.ndim != 3:
            raise ValueError(f"a volume has three axes, got shape {self.data.shape}")

    @property
    def shape_zyx(self) -> tuple[int, int, int]:
        z, y, x = self.data.shape
        return z, y, x

    def _repr_html_(self) -> str:
        size = f"{self.pixel_size_A:g} Å/px" if self.pixel_size_A else "pixel size unknown"
        z, y, x = self.shape_zyx
        return html.titled(
            f"Volume: {x} x {y} x {z} px (xyz), {size}", html.slices(self.data) if self.data.size else ""
        )
