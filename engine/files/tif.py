"""TIFF stacks, read as volumes: pages are z."""

from __future__ import annotations

import logging
import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from engine.data import Volume
from engine.faults import EngineError
from engine.files.limits import MOST_PACKED_TIMES, refuse_beyond_memory, refuse_large
from engine.files.raw import reading
from engine.files.tif_pages import refuse_untrue

A_PER_UNIT = {
    "nm": 10.0,
    "nanometer": 10.0,
    "micron": 1e4,
    "um": 1e4,
    "µm": 1e4,
    "\\u00b5m": 1e4,
    "angstrom": 1.0,
    "å": 1.0,
    "a": 1.0,
}


def read_tif(path: Path) -> Volume:
    """The pages of a .tif as one volume; the pixel size comes from ImageJ's spacing and unit, else it is 0."""
    with reading(path, "a TIFF stack"), _opened(path) as tif:
        shape = _shape(path, tif)
        refuse_beyond_memory(path, math.prod(shape) * (4 + tif.series[0].dtype.itemsize))
        data = np.asarray(tif.asarray(), dtype=np.float32).reshape(shape)
        return Volume(data, _pixel_size_A(tif))


def tif_facts(path: Path) -> tuple[tuple[int, int, int], float]:
    """Shape zyx and pixel size in Å, without reading voxels."""
    with reading(path, "a TIFF stack"), _opened(path) as tif:
        return _shape(path, tif), _pixel_size_A(tif)


class _Raise(logging.Handler):
    """tifffile logs that pages are missing and goes on with the others: here the complaint stops the reading."""

    def emit(self, record: logging.LogRecord) -> None:
        raise ValueError(record.getMessage())


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    import tifffile

    refuse_large(path, sys.maxsize)
    refuse_untrue(path)
    handler, logger = _Raise(logging.ERROR), logging.getLogger("tifffile")
    logger.addHandler(handler)
    try:
        with tifffile.TiffFile(path) as tif:
            yield tif
    finally:
        logger.removeHandler(handler)


def _shape(path: Path, tif: Any) -> tuple[int, int, int]:
    shape, dtype, axes = tif.series[0].shape, tif.series[0].dtype, tif.series[0].axes
    is_coloured = "S" in axes  # the samples of a pixel
    if len(shape) not in (2, 3) or 0 in shape or dtype.kind not in "iuf" or is_coloured:
        raise EngineError(f"{path}: a TIFF of shape {shape} and type {dtype} is no volume; save it as one grey stack")
    z, y, x = (1, *shape)[-3:]
    n_bytes = math.prod((z, y, x)) * dtype.itemsize
    if n_bytes > MOST_PACKED_TIMES * path.stat().st_size:
        raise EngineError(
            f"{path}: {x} x {y} x {z} voxels are not in a file of {path.stat().st_size} bytes; fetch it again"
        )
    return z, y, x


def _pixel_size_A(tif: Any) -> float:
    facts = tif.imagej_metadata or {}
    per_unit = A_PER_UNIT.get(str(facts.get("unit", "")).lower(), 0.0)
    return float(facts.get("spacing", 0.0)) * per_unit
