"""3dmod: a map, and points and axes as a model of IMOD's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from engine.faults import EngineError
from engine.files import write_volume
from engine.files.imod_writing import write_imod
from engine.viewers.scene import Scene


def plan(scene: Scene, name: str) -> tuple[dict[str, Callable[[Path], None]], list[Path | str]]:
    """The map and the model; points alone are an EngineError, since 3dmod shows them on an image."""
    if scene.map is None:
        raise EngineError("3dmod shows points on an image (name their tomogram: --map tomograms/TS_01.mrc)")
    writers: dict[str, Callable[[Path], None]] = {}
    opened: list[Path | str] = [scene.map.path or f"{name}.mrc"]
    if held := scene.map.held:
        writers[f"{name}.mrc"] = lambda path: write_volume(held, path)
    if points := scene.points:
        shape = scene.map.shape_zyx
        lines = None
        if points.axes_xyz is not None:
            lines = np.stack([points.centres_xyz_px, points.tips_xyz_px], axis=1)
        radius_px, size = float(np.median(points.radii_px)), scene.pixel_size_A
        writers[f"{name}.mod"] = lambda path: write_imod(path, points.centres_xyz_px, radius_px, shape, size, lines)
        opened.append(f"{name}.mod")
    return writers, opened
