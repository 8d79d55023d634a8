"""napari: a script in Python that opens the map where it lies, and points and axes as layers, all in zyx.

A script, since plain napari opens no MRC. The map's voxels are mapped from the file by what its header tells.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from engine.files import write_volume
from engine.files.mrc import MrcHeader, read_mrc_header
from engine.files.raw import write_text, writing
from engine.viewers.scene import Scene

_HEAD = '''"""Written by engine show. Open it with: napari {name}.py, or python {name}.py"""

from pathlib import Path

import napari
import numpy as np

here = Path(__file__).resolve().parent
viewer = napari.Viewer(title={name!r}, ndisplay={ndisplay})
place = {{"scale": {scale!r}, "translate": {translate!r}}}
'''
_MAP = """
voxels = np.memmap({file}, dtype={dtype!r}, mode="r", offset={offset}, shape={shape!r})
viewer.add_image(voxels.transpose({axes!r}), name={name!r}, {look}, **place)
"""
_POINTS = """
viewer.add_points(np.load(here / {file!r}), name="points", size={size!r}, face_color="yellow", **place)
"""
_AXES = """
viewer.add_vectors(np.load(here / {file!r}), name="axes", edge_color="red", **place)
"""
_TAIL = """
# x to the right, y up, z towards the viewer: the hand is true. Before 0.6 there is no choice, and the hand is true as well.
if hasattr(viewer.camera, "orientation"):
    viewer.camera.orientation = ("towards", "up", "right")
viewer.reset_view()
napari.run()
"""


def plan(scene: Scene, name: str) -> tuple[dict[str, Callable[[Path], None]], list[Path | str]]:
    """The map where it is not a file yet, arrays of points and axes, and the script, which is what is opened."""
    writers: dict[str, Callable[[Path], None]] = {}
    if scene.map and (held := scene.map.held):
        writers[f"{name}.mrc"] = lambda path: write_volume(held, path)
    more = ""
    if points := scene.points:
        writers[f"{name}_points.npy"] = partial(_save, points.centres_xyz_px[:, ::-1])
        sizes = (2 * points.radii_px).tolist()
        more += _POINTS.format(file=f"{name}_points.npy", size=sizes[0] if len(set(sizes)) == 1 else sizes)
        if points.axes_xyz is not None:
            steps = points.tips_xyz_px - points.centres_xyz_px
            vectors = np.stack([points.centres_xyz_px, steps], axis=1)[:, :, ::-1]
            writers[f"{name}_axes.npy"] = partial(_save, vectors)
            more += _AXES.format(file=f"{name}_axes.npy")
    writers[f"{name}.py"] = lambda path: write_text(_script(scene, name, path.parent, more), path)
    return writers, [f"{name}.py"]


def _save(array: np.ndarray, path: Path) -> None:
    with writing(path), path.open("wb") as file:
        np.save(file, array, allow_pickle=False)


def _script(scene: Scene, name: str, folder: Path, more: str) -> str:
    size = scene.pixel_size_A
    is_flat = scene.map is not None and scene.level is None
    text = _HEAD.format(
        name=name,
        ndisplay=2 if is_flat else 3,
        scale=(size, size, size),
        translate=tuple(scene.origin_xyz_A[::-1].tolist()),
    )
    if scene.map:
        lies = scene.map.path
        file = repr(os.path.abspath(lies)) if lies else f"here / {f'{name}.mrc'!r}"
        text += _map_lines(read_mrc_header(lies or folder / f"{name}.mrc"), file, name, scene.level)
    return text + more + _TAIL


def _map_lines(header: MrcHeader, file: str, name: str, level: float | None) -> str:
    look = 'colormap="gray"' if level is None else f'rendering="iso", iso_threshold={level!r}'
    return _MAP.format(
        file=file,
        dtype=header.dtype.str,
        offset=header.data_offset,
        shape=header.shape,
        axes=tuple(header.axes.index(axis) for axis in range(3)),
        name=name,
        look=look,
    )
