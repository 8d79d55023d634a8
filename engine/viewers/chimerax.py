"""ChimeraX: a script of its commands (.cxc) that opens a map at a level, seen from the side, and points as markers.

ChimeraX runs a script in the script's own folder, so files beside it are named without a folder. It is read line by line and
split at semicolons, so what is written is names of ours, numbers, and quoted paths without a quote or a backslash.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from engine.faults import EngineError
from engine.files import Markers, write_markers, write_volume
from engine.files.raw import write_text
from engine.steering import steers
from engine.viewers.scene import Scene

DUST_PX = 5
_AXIS_SHARE, _AXIS_RADIUS_SHARE = 0.6, 0.004
"""Half the drawn axis, and its radius, in box sides."""


def plan(scene: Scene, name: str) -> tuple[dict[str, Callable[[Path], None]], list[Path | str]]:
    """The files of the scene, the script last, which is what is opened."""
    writers: dict[str, Callable[[Path], None]] = {}
    lines = [f"# {name}: written by engine show; open it in ChimeraX"]
    if scene.map:
        lines += _map_lines(scene, name)
        if held := scene.map.held:
            writers[f"{name}.mrc"] = lambda path: write_volume(held, path)
    for ending, markers in _markers(scene).items():
        lines.append(f'open "{name}_{ending}.cmm"')
        writers[f"{name}_{ending}.cmm"] = lambda path, markers=markers: write_markers(markers, path)  # type: ignore[misc]
    if scene.level is not None:
        lines += [_axis_line(scene), "view orient", "turn x -90", "lighting soft"]
    else:
        lines.append("view orient")
    writers[f"{name}.cxc"] = lambda path: write_text("\n".join(lines) + "\n", path)
    return writers, [f"{name}.cxc"]


def _map_lines(scene: Scene, name: str) -> list[str]:
    """A map of a level is a surface without specks; another is left as ChimeraX opens it."""
    path = scene.map.path if scene.map else None
    lines = [f"open {_quoted(path)}" if path else f'open "{name}.mrc"']
    if scene.level is not None:
        lines.append(f"volume #1 style surface step 1 level {scene.level:.6g}")
        lines.append(f"surface dust #1 size {DUST_PX * scene.pixel_size_A:.6g}")
    return lines


def _axis_line(scene: Scene) -> str:
    """The z axis through the box centre: the particle's own, about which Cn turns."""
    side_A = (scene.map.shape_zyx[0] if scene.map else 0) * scene.pixel_size_A
    half = np.array([0.0, 0.0, _AXIS_SHARE * side_A])
    ends = (",".join(f"{value:.6g}" for value in end) for end in (scene.centre_xyz_A - half, scene.centre_xyz_A + half))
    low, high = ends
    radius = _AXIS_RADIUS_SHARE * side_A
    return f"shape cylinder radius {radius:.6g} fromPoint {low} toPoint {high} color gray name axis"


def _markers(scene: Scene) -> dict[str, Markers]:
    """The points; and their axes as links, in a set of its own, so that the points can be read back as marks."""
    points = scene.points
    if points is None:
        return {}
    centres, size = scene.in_A(points.centres_xyz_px), scene.pixel_size_A
    made = {"points": Markers(centres, points.radii_px * size, points.ids, name="points")}
    if points.axes_xyz is not None:
        n = len(centres)
        first = np.arange(1, n + 1)
        made["axes"] = Markers(
            np.concatenate([centres, scene.in_A(points.tips_xyz_px)]),
            np.repeat([1.5 * size, 0.75 * size], n),
            np.arange(1, 2 * n + 1),
            np.column_stack([first, first + n]),
            name="axes",
        )
    return made


def _quoted(path: Path) -> str:
    text = os.path.abspath(path)
    if steers(text) or any(letter in text for letter in "\"'\\"):
        raise EngineError(f"{path}: has a quote, a backslash or a control character in its name (rename it)")
    return f'"{text}"'
