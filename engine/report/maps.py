"""Maps as pictures: slices in 8-bit PNG, and small boxes that the page makes surfaces of."""

from __future__ import annotations

import struct
import zlib
from base64 import b64encode
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from engine.data import Volume
from engine.kernels import fourier, mask
from engine.report.markup import Markup, element, number

PLANES = ("xy", "xz", "yz")
_GREYS = (0.5, 99.5)
"""Percentiles of the shown voxels that become black and white."""
_HIGHEST_SIGMA = 12.0


@dataclass(frozen=True)
class Slices:
    """Planes through the box centre n // 2, 8 bits, y or z upwards; a plane stands for as many px as `field` tells."""

    planes: tuple[tuple[str, np.ndarray], ...]
    pixel_size_A: float
    field_px: int

    @property
    def says(self) -> str:
        wide = f"{self.field_px} px"
        return (
            f"{wide} of {number(self.pixel_size_A)} Å: {self.field_px * self.pixel_size_A:,.0f} Å wide"
            if self.pixel_size_A
            else f"{wide} wide"
        )

    def smaller(self, most_px: int) -> Slices:
        planes = tuple(
            (name, _smaller(pixels.astype(np.float32), most_px).astype(np.uint8)) for name, pixels in self.planes
        )
        return replace(self, planes=planes)


def slices_of(planes: dict[str, np.ndarray], pixel_size_A: float, most_px: int) -> Slices:
    """The planes in one scale of grey, brought down to most_px by means of blocks."""
    values = np.concatenate([plane.ravel() for plane in planes.values()])
    low, high = (float(value) for value in np.nanpercentile(values, _GREYS))
    if not np.isfinite(high - low) or high <= low:
        low, high = float(np.nan_to_num(low)), float(np.nan_to_num(low)) + 1.0
    made = []
    for name, plane in planes.items():
        grey = (np.nan_to_num(plane, nan=low) - low) / (high - low)
        made.append((name, np.clip(np.round(255 * _smaller(grey, most_px)), 0, 255).astype(np.uint8)[::-1]))
    return Slices(tuple(made), pixel_size_A, next(iter(planes.values())).shape[1])


def planes_of(data: np.ndarray) -> dict[str, np.ndarray]:
    z, y, x = (size // 2 for size in data.shape)
    return {"xy": data[z], "xz": data[:, y], "yz": data[:, :, x]}


def _smaller(plane: np.ndarray, most_px: int) -> np.ndarray:
    """Means of square blocks, so that no side has more than most_px; a rest at the far edge is left out."""
    factor = -(-max(plane.shape) // most_px)
    if factor == 1:
        return plane
    rows, columns = max(1, plane.shape[0] // factor), max(1, plane.shape[1] // factor)
    cut = plane[: rows * factor, : columns * factor]
    height, width = cut.shape[0] // rows, cut.shape[1] // columns
    return cut.reshape(rows, height, columns, width).mean(axis=(1, 3))


def images(slices: Slices, name: str) -> Markup:
    """The planes as pictures."""
    shown = [
        element(
            "img",
            src=f"data:image/png;base64,{b64encode(png(pixels)).decode()}",
            alt=f"{name}: {plane} slice through the centre",
            width=pixels.shape[1],
            height=pixels.shape[0],
        )
        for plane, pixels in slices.planes
    ]
    return element("div", *shown, class_="planes")


def png(grey: np.ndarray) -> bytes:
    """An 8-bit greyscale PNG of (rows, columns) uint8."""
    height, width = grey.shape
    rows = np.zeros((height, width + 1), dtype=np.uint8)  # each row begins with its filter, 0: none
    rows[:, 1:] = grey
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(rows.tobytes(), 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in parts
    )


@dataclass(frozen=True)
class Density:
    """A small cubic box in deviations from its mean, both of the ball that fills it; (n, n, n) float32.

    is_dark: what is dense has low values. level: where the surface starts.
    """

    sigmas: np.ndarray
    pixel_size_A: float
    is_dark: bool
    level: float

    @property
    def top(self) -> float:
        return float(min(self.sigmas.max(), _HIGHEST_SIGMA))

    def cropped(self, most_px: int) -> Density:
        n = self.sigmas.shape[0]
        return replace(self, sigmas=fourier.cropped(self.sigmas, most_px), pixel_size_A=self.pixel_size_A * n / most_px)


def density_of(volume: Volume, most_px: int) -> Density | None:
    """The map cut in Fourier space to most_px or fewer; None for what is no cubic box, or flat.

    Only the ball tells what is dense, and how dense: few of the turned particles reach into the corners of an average.
    """
    n = volume.data.shape[-1]
    if len(set(volume.data.shape)) != 1 or n < 8 or not np.isfinite(volume.data).all():
        return None
    side = min(n, most_px)
    small = np.asarray(fourier.cropped(volume.data.astype(np.float32), side), dtype=np.float64)
    ball = mask.inscribed_ball(side) > 0.5
    mean, deviation = float(small[ball].mean()), float(small[ball].std())
    if deviation <= 1e-12 * max(1.0, float(np.abs(small).max())):
        return None
    sigmas = (small - mean) / deviation
    is_dark = float((sigmas[ball] ** 3).mean()) < 0
    if is_dark:
        sigmas = -sigmas
    return Density(sigmas.astype(np.float32), volume.pixel_size_A * n / side, is_dark, _level(sigmas[ball]))


def _level(sigmas: np.ndarray) -> float:
    """Halfway from the value that parts density from solvent (Otsu) to the mean of the density."""
    parting = mask.otsu_threshold(sigmas)
    return round(10 * (parting + float(sigmas[sigmas >= parting].mean()))) / 20  # a step of the slider


def packed(density: Density) -> dict[str, Any]:
    """What the page's script reads: 8 bits a voxel from the mean (0) to `top` (255), x fastest."""
    scaled = np.clip(np.round(255 * density.sigmas / density.top), 0, 255).astype(np.uint8)
    return {
        "side": scaled.shape[0],
        "apix": round(density.pixel_size_A, 6),
        "top": round(density.top, 4),
        "level": density.level,
        "data": b64encode(scaled.tobytes()).decode(),
    }
