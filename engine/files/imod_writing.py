"""Points as a binary model of IMOD's (.mod), by the published description of the format; `imod` reads such files."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from engine.files.imod import SCATTERED, VOXEL_CENTRE
from engine.files.raw import writing

OPEN = 1 << 3
"""Flag of an object whose contours do not close."""
_NANOMETRES = -9
_YELLOW, _RED = (1.0, 1.0, 0.0), (1.0, 0.2, 0.2)


def write_imod(
    path: Path,
    points_xyz_px: np.ndarray,
    radius_px: float,
    shape_zyx: tuple[int, int, int],
    pixel_size_A: float,
    lines_xyz_px: np.ndarray | None = None,
) -> None:
    """Writes points (n, 3), from 0, as one object of spheres, and lines (n, 2, 3), if given, as an object of open contours.

    shape_zyx and pixel_size_A are those of the image that the model is drawn on.
    """
    objects = [_object("points", SCATTERED, _YELLOW, [points_xyz_px], max(1, round(radius_px)))]
    if lines_xyz_px is not None:
        objects.append(_object("axes", OPEN, _RED, list(lines_xyz_px), 0))
    with writing(path):
        path.write_bytes(_header(len(objects), shape_zyx, pixel_size_A) + b"".join(objects) + b"IEOF")


def _header(n_objects: int, shape_zyx: tuple[int, int, int], pixel_size_A: float) -> bytes:
    z, y, x = shape_zyx
    sizes = struct.pack(">3i 2i 4i", x, y, z, n_objects, 0, 1, 1, 0, 255)
    offset_and_scale = struct.pack(">6f", 0, 0, 0, 1, 1, 1)
    rest = struct.pack(">5i f 2i 3f", 0, 0, 0, 3, 128, pixel_size_A / 10, _NANOMETRES, 0, 0, 0, 0)
    return b"IMODV1.2" + bytes(128) + sizes + offset_and_scale + rest


def _object(
    name: str, flags: int, colour: tuple[float, float, float], contours: Sequence[np.ndarray], radius_px: int
) -> bytes:
    head = name.encode().ljust(64, b"\0") + bytes(64)
    head += struct.pack(">i I 2i 3f i", len(contours), flags, 0, 1, *colour, radius_px)
    head += struct.pack(">8B 2i", 1, 3, 1, 1, 0, 0, 0, 0, 0, 0)
    bodies = [
        b"CONT" + struct.pack(">i I 2i", len(points), 0, 0, 0) + (points + VOXEL_CENTRE).astype(">f4").tobytes()
        for points in contours
    ]
    return b"OBJT" + head + b"".join(bodies)
