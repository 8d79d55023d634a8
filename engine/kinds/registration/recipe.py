"""From a registration project to its step, and from two maps to the move."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from engine.data import Table, Volume
from engine.devices import Work
from engine.faults import EngineError
from engine.kernels.rotate import moved
from engine.kinds import masks
from engine.kinds.form import Form, reads
from engine.kinds.mask_form import Mask
from engine.kinds.move_costs import share_of
from engine.kinds.move_search import Search, found, likeness
from engine.kinds.registration.form import Project
from engine.outputs import Outputs
from engine.step import Cost, Input, Named, Step

ITEMS = {
    "map": Named("volume", "data.map, moved"),
    "onto": Named("volume", "what it was laid onto: the map, or the object as it was drawn"),
    "transform": Named(
        "table",
        "the move, one row: the map is turned about its box centre as a pose turns a template, then shifted by dx, dy, dz, "
        "in px of apix; an operation move of a transform applies it to tables",
    ),
    "summary": Named("summary", "correlation before and after, and the move"),
}


class Registered(Form):
    """All that decides the move."""

    onto: Mask
    density: str
    pixel_size_A: float | None
    search: Search
    mask: Mask | None


def unfold(project: Project) -> list[Step]:
    """One step."""
    data = project.data
    inputs: dict[str, Input] = {
        "map": reads("volume", data.map),
        **masks.inputs({"onto": data.onto, "mask": project.mask}),
    }
    settings = Registered(
        onto=data.onto,
        density=data.density,
        pixel_size_A=data.pixel_size_A,
        search=project.search,
        mask=project.mask,
    )
    cost = Cost(whole=share_of(project.search, data.pixel_size_A), box="map", searches=True)
    return [Step("registration", register, 1, settings, tuple(ITEMS), inputs, cost=cost)]


def register(settings: Registered, inputs: Mapping[str, Any], work: Work) -> Outputs:
    """The moved map, what it lies on, the move as a table of one row, and the correlations."""
    volume: Volume = inputs["map"]
    box_px, pixel_size_A = volume.data.shape[-1], settings.pixel_size_A or volume.pixel_size_A
    moving, onto = usable(volume, "data.map", box_px), fixed(settings, inputs, box_px, pixel_size_A)
    mask = masks.build(settings.mask, "mask", inputs, box_px, pixel_size_A)
    shells = settings.search.bandpass.shells(box_px, pixel_size_A)
    move = found(moving, onto, mask, settings.search, shells)
    placed = np.asarray(moved(moving, move.rotation, move.translation_xyz_px))
    before, after = (likeness(one, onto, mask, shells) for one in (moving, placed))
    row = Table.blank(1, cc=after, apix=pixel_size_A).with_poses(move.angles[None], move.translation_xyz_px[None])
    told = {"cc before": before, "cc": after, "turned by (deg)": move.angle_deg, "shifted by (px)": move.shift_px}
    told |= {f"shift {axis} (px)": shift for axis, shift in zip("xyz", move.translation_xyz_px.tolist(), strict=True)}
    told |= {
        f"{name} (deg)": angle for name, angle in zip(("tdrot", "tilt", "narot"), move.angles.tolist(), strict=True)
    }
    return {
        "map": Volume(placed, pixel_size_A),
        "onto": Volume(onto, pixel_size_A),
        "transform": row,
        "summary": told,
    }


def fixed(settings: Registered, inputs: Mapping[str, Any], box_px: int, pixel_size_A: float) -> np.ndarray:
    """What the map is laid onto (n, n, n): the other map, or the object, drawn dark if asked."""
    if isinstance(settings.onto, str):
        return usable(inputs["onto"], "data.onto", box_px)
    drawn = masks.build(settings.onto, "onto", inputs, box_px, pixel_size_A)
    return -drawn if settings.density == "dark" else drawn


def usable(volume: Volume, name: str, box_px: int) -> np.ndarray:
    """The voxels; an EngineError for another box, what are no numbers, and what is the same everywhere."""
    if volume.shape_zyx != (box_px,) * 3:
        raise EngineError(f"{name} has shape {volume.shape_zyx} (zyx), a cube of {box_px} px is needed (resample it)")
    data = np.asarray(volume.data, dtype=np.float32)
    if not np.isfinite(data).all() or data.min() == data.max():
        raise EngineError(f"{name} is constant or holds voxels that are no numbers (make it anew)")
    return data
