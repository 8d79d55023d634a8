"""mask: a mask by itself, to be looked at, exported, and named by other projects."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np
from pydantic import Field, model_validator

from engine.data import Volume
from engine.devices import Work
from engine.faults import Fault
from engine.kernels.density_mask import density_mask
from engine.kernels.mask import centre_of_mass_xyz_px, extent_xyz_px, inscribed_ball
from engine.kinds import masks, sense
from engine.kinds.form import Form, Look, OptionalParticlesReference, OptionalVolumeReference, ProjectForm, reads
from engine.kinds.mask_form import FromMap, Mask, MaskReference
from engine.kinds.measuring import measured, seconds
from engine.outputs import Outputs
from engine.step import Cost, Input, Named, Share, Step


class Data(Form):
    """The box that the mask is made for."""

    box_px: int | None = Field(default=None, ge=8, le=1024, description="Side of the box in px")
    map: OptionalVolumeReference = Field(default=None, description="Or: the box and pixel size of this map")
    particles: OptionalParticlesReference = Field(
        default=None, description="Or: the box and pixel size of these particles"
    )
    pixel_size_A: float | None = Field(
        default=None, gt=0, description="Pixel size in A; omitted: that of the map or the particles"
    )

    @model_validator(mode="after")
    def _one_box(self) -> Data:
        if sum(one is not None for one in (self.box_px, self.map, self.particles)) != 1:
            raise ValueError("give the box exactly once: box_px, map or particles")
        return self


class Project(ProjectForm):
    """A mask: shapes and thresholds, combined."""

    data: Data = Field(description="The box that the mask is made for")
    mask: MaskReference = Field(
        description="What it is made of: [[mask]] for every part, or one table, or a file or address. A part has a shape "
        "(sphere, ellipsoid, cylinder, shell, membrane, tube, box) or is taken from_map"
    )


DRAWING_BYTES, CUTTING_BYTES = 30, 54
"""Held for a voxel of the box while a shape is drawn, or a map cut at a threshold: as was measured, and the mask so far."""

ITEMS = {
    "mask": Named("volume", "the mask, 0 to 1"),
    "summary": Named("summary", "its volume, extent and centre of mass"),
}


def check(project: Project, look: Look) -> Iterator[Fault]:
    """What is wrong with the mask in its box."""
    data = project.data
    box_px, pixel_size_A = data.box_px, data.pixel_size_A if data.box_px is None else data.pixel_size_A or 0.0
    map_facts = look.volume(data.map) if data.map else None
    if map_facts:
        box_px = map_facts.shape_zyx[-1]
        yield from sense.same_box(map_facts, box_px, ("data", "map"), "a mask lies in a cube, here of")
    particles = look.particles(data.particles) if data.particles else None
    if particles:
        box_px = particles.box_px
    facts = map_facts or particles
    if facts:
        name = "map" if data.map else "particles"
        sources = [(("data", name), f"data.{name}", facts.pixel_size_A)]
        yield from sense.pixel_sizes([*sources, (("data", "pixel_size_A"), "data.pixel_size_A", data.pixel_size_A)])
        pixel_size_A = data.pixel_size_A or facts.pixel_size_A
    yield from masks.faults(project.mask, ("mask",), look, box_px, pixel_size_A)


def unfold(project: Project) -> list[Step]:
    """One step."""
    data = project.data
    inputs: dict[str, Input] = masks.inputs({"mask": project.mask})
    if data.map:
        inputs["like"] = reads("volume", data.map)
    if data.particles:
        inputs["like"] = reads("particles", data.particles)
    settings = Made(box_px=data.box_px, pixel_size_A=data.pixel_size_A, mask=project.mask)
    cost = Cost(whole=share_of(project.mask), box=data.box_px or "like")
    return [Step("mask", make, 1, settings, tuple(ITEMS), inputs, cost=cost)]


def share_of(mask: Mask) -> Callable[[int, float], Share]:
    """Every part is drawn, or thresholded, or read, by one core."""
    is_cut = isinstance(mask, str) or any(isinstance(part, FromMap) for part in masks.parts_of(mask))
    n_parts = max(1, len(masks.parts_of(mask)))

    def share(box_px: int, pixel_size_A: float) -> Share:
        held_bytes = (CUTTING_BYTES if is_cut else DRAWING_BYTES) * box_px**3
        return Share(once_seconds=n_parts * _part_s(is_cut) * box_px**3, shared_bytes=held_bytes)

    return share


@measured(0.0)
def _part_s(is_cut: bool) -> float:
    """Seconds for each voxel of a part, in a box beyond the processor's caches; what is measured of it included."""
    box_px = 96 if is_cut else 192
    ball = np.asarray(inscribed_ball(box_px))
    action = partial(density_mask, ball, 0.5, 2.0, 3.0) if is_cut else partial(inscribed_ball, box_px)
    return seconds(lambda: (action(), measures(ball, 1.0)), budget_s=0.1) / box_px**3


class Made(Form):
    """All that decides the mask."""

    box_px: int | None
    pixel_size_A: float | None
    mask: Mask


def make(settings: Made, inputs: Mapping[str, Any], work: Work) -> Outputs:
    """The mask and what it measures."""
    box_px, pixel_size_A = box_and_pixel(settings, inputs.get("like"))
    made = masks.build(settings.mask, "mask", inputs, box_px, pixel_size_A)
    return {"mask": Volume(made, pixel_size_A), "summary": measures(made, pixel_size_A)}


def box_and_pixel(settings: Made, like: Any) -> tuple[int, float]:
    """The side in px and the pixel size in A (0: unknown): as given, else those of a map or of particles."""
    if like is None:
        return settings.box_px or 0, settings.pixel_size_A or 0.0
    box_px = like.data.shape[-1] if isinstance(like, Volume) else like.box_px
    return box_px, settings.pixel_size_A or like.pixel_size_A


def measures(mask: np.ndarray, pixel_size_A: float) -> dict[str, Any]:
    """Volume, extent and centre of mass, by names for people; the extent counts voxels of at least one half."""
    volume = float(mask.sum(dtype=np.float64))
    found: dict[str, Any] = {"box (px)": mask.shape[-1], "volume (voxels)": volume}
    if pixel_size_A:
        found["volume (nm³)"] = volume * (pixel_size_A / 10) ** 3
    found["share of the box"] = volume / mask.size
    extent, centre = extent_xyz_px(mask), centre_of_mass_xyz_px(mask)
    found |= {f"extent along {axis} (px)": length for axis, length in zip("xyz", extent, strict=True)}
    return found | {f"centre of mass {axis} (px)": place for axis, place in zip("xyz", centre, strict=True)}
