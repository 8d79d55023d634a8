"""IMOD's binary models (.mod): the points of contours, by the published description of the format.

IMOD counts x and y from the edge of the first pixel, so that voxel centres lie at halves, and z from the centre of the
first section. Here all three count from the centre of the first voxel.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from engine.data import Marks
from engine.faults import EngineError
from engine.files.limits import LARGEST_MODEL_BYTES
from engine.files.raw import bytes_of, reading

HEADER_BYTES = 240
A_PER_UNIT = {-9: 10.0, -10: 1.0, -6: 1e4, -3: 1e7}
"""Å in the units of the header's pixel size: powers of ten of a metre."""

OBJECT_BYTES, CONTOUR_BYTES, MESH_BYTES = 176, 16, 16
OTRANS_IS_ORIGIN = 1 << 14
"""Flag of a model whose MINX chunk tells where the image lay."""

SCATTERED = 1 << 9
"""Flag of an object whose points are no lines; only theirs have a radius of the object."""

VOXEL_CENTRE = np.array([0.5, 0.5, 0.0])


class _Contour(NamedTuple):
    points: np.ndarray
    default_radius: float
    radii: np.ndarray | None = None


def read_imod(path: Path) -> Marks:
    """The points of all contours of all objects, one group each, numbered from 1 in the file's order; without meshes.

    Points with a size of their own, and those of an object of scattered points, have it as radius. Where the model was
    drawn on a part of a tomogram, its place in it is put right by what the file tells. A file that is cut short is an
    EngineError.
    """
    with reading(path, "an IMOD model"):
        content = bytes_of(path, LARGEST_MODEL_BYTES)
        if content[:4] != b"IMOD":
            raise EngineError(f"{path}: is no binary IMOD model; save it as one in 3dmod")
        units, pixel = struct.unpack(">i", content[220:224])[0], struct.unpack(">f", content[216:220])[0]
        contours, origin_px = _contours(path, content)
    lengths = [len(contour.points) for contour in contours]
    if not sum(lengths):
        raise EngineError(f"{path}: holds no point; mark some in 3dmod and save it")
    points = np.concatenate([contour.points for contour in contours])
    radii = [np.full(len(one.points), one.default_radius) if one.radii is None else one.radii for one in contours]
    return Marks(
        points - VOXEL_CENTRE + origin_px,
        np.repeat(np.arange(1, len(contours) + 1), lengths),
        np.concatenate(radii),
        pixel_size_A=float(pixel) * A_PER_UNIT[units] if units in A_PER_UNIT and pixel > 0 else 0.0,
    )


def _contours(path: Path, content: bytes) -> tuple[list[_Contour], np.ndarray]:
    """The contours, and where the image that they were drawn on begins in its tomogram, in px."""
    found: list[_Contour] = []
    origin, sphere_radius = np.zeros(3), 0.0
    has_origin = bool(struct.unpack(">I", content[152:156])[0] & OTRANS_IS_ORIGIN)
    for name, body in _chunks(path, content):
        if name == b"OBJT":
            flags, size = struct.unpack(">I", body[132:136])[0], struct.unpack(">i", body[156:160])[0]
            sphere_radius = float(size) if flags & SCATTERED else 0.0
        elif name == b"CONT":
            n = struct.unpack(">i", body[:4])[0]
            points = np.frombuffer(body, ">f4", 3 * n, CONTOUR_BYTES).reshape(n, 3).astype(np.float64)
            found.append(_Contour(points, sphere_radius))
        elif name == b"SIZE" and found:
            own = np.frombuffer(body, ">f4", len(found[-1].points)).astype(np.float64)
            found[-1] = found[-1]._replace(radii=np.where(own >= 0, own, found[-1].default_radius))
        elif name == b"MINX":
            old, now, scale = (np.frombuffer(body, ">f4", 3, at).astype(np.float64) for at in (12, 48, 36))
            if has_origin and (scale > 0).all():
                origin = (old - now) / scale
    return found, origin


def _chunks(path: Path, content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Name and body of every chunk. Objects, contours and meshes tell their length by what they hold."""
    place = HEADER_BYTES
    while place + 4 <= len(content):
        name = content[place : place + 4]
        if name == b"IEOF":
            return
        place += 4
        size = _size(name, content, place)
        if name not in (b"OBJT", b"CONT", b"MESH"):
            place += 4
        if size < 0 or place + size > len(content):
            break
        yield name, content[place : place + size]
        place += size
    raise EngineError(f"{path}: ends within the model; it was cut short: save or fetch it again")


def _size(name: bytes, content: bytes, place: int) -> int:
    if name == b"OBJT":
        return OBJECT_BYTES
    if name == b"CONT":
        return CONTOUR_BYTES + 12 * struct.unpack_from(">i", content, place)[0]
    if name == b"MESH":
        n_vertices, n_indices = struct.unpack_from(">ii", content, place)
        return MESH_BYTES + 12 * n_vertices + 4 * n_indices
    return struct.unpack_from(">i", content, place)[0]
