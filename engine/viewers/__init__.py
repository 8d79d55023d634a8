"""Results in other programs: the files that a viewer needs, and the command that opens them. No shell is asked."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from engine.faults import EngineError
from engine.viewers import chimerax, napari, threedmod
from engine.viewers.scene import Map, Points, Scene, scene_of

__all__ = ["VIEWERS", "Laid", "Map", "Points", "Scene", "lay_out", "scene_of", "start", "stem_of"]


@dataclass(frozen=True)
class Viewer:
    """programs: names that it is installed under. plan: the files for a scene, and which of them are opened."""

    programs: tuple[str, ...]
    plan: Callable[[Scene, str], Plan]


Plan = tuple[dict[str, Callable[[Path], None]], list[Path | str]]
"""File name to its writer, in the order of writing; then what the program opens: files of these names, and files elsewhere."""

VIEWERS = {
    "chimerax": Viewer(("chimerax", "ChimeraX"), chimerax.plan),
    "3dmod": Viewer(("3dmod",), threedmod.plan),
    "napari": Viewer(("napari",), napari.plan),
}


@dataclass(frozen=True)
class Laid:
    """What lies ready. command: the words that open it; the first is the program's path, or its name where there is none."""

    written: tuple[Path, ...]
    command: tuple[str, ...]
    is_installed: bool


def stem_of(text: str) -> str:
    """What files about an address are called: letters, digits, `_`, `-` and `.` alone, no folder and no option."""
    words = re.findall(r"[A-Za-z0-9_.-]+", text.rpartition("/")[2])
    return "_".join(words)[:80].lstrip(".-") or "shown"


def lay_out(scene: Scene, viewer: str, folder: Path, is_dry: bool = False) -> Laid:
    """Writes into the folder what the viewer needs, under names made of the scene's; is_dry: only tells what would be.

    A link that lies under one of these names is an EngineError; it is not written through.
    """
    chosen = VIEWERS[viewer]
    writers, opened = chosen.plan(scene, scene.name)
    paths = {name: folder / name for name in writers}
    for path in paths.values():
        if path.is_symlink():
            raise EngineError(
                f"{path}: is a link, what it leads to would be overwritten (remove it, or give -o FOLDER)"
            )
    if not is_dry:
        _make(folder)
        for name, write in writers.items():
            write(paths[name])
    program = next((found for name in chosen.programs if (found := shutil.which(name))), None)
    files = [paths[one] if isinstance(one, str) else one for one in opened]
    command = (program or chosen.programs[0], *(os.path.abspath(file) for file in files))
    return Laid(tuple(paths.values()), command, program is not None)


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EngineError(f"{folder}: cannot be made: {error.strerror} (give another folder, -o FOLDER)") from None


def start(laid: Laid) -> None:
    """Runs the viewer until it is closed; one that cannot start, or fails, is an EngineError."""
    try:
        code = subprocess.run(laid.command, check=False).returncode
    except OSError as error:
        raise EngineError(f"{laid.command[0]}: cannot be started: {error.strerror} (mend the installation)") from None
    if code:
        raise EngineError(f"{laid.command[0]}: ended with {code}; what it was to open is {laid.command[1]}")
