"""The form of an extraction, and its items."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, Strict

from engine.kinds import binning
from engine.kinds.form import (
    Form,
    OptionalCatalogueReference,
    OptionalTableReference,
    OptionalTomogramReference,
    ProjectForm,
    Vector,
)
from engine.step import Named


class Data(Form):
    """What is read."""

    tomogram: OptionalTomogramReference = Field(
        default=None, description="One tomogram: a path (.mrc .rec .em .tif .npy) or an address"
    )
    catalogue: OptionalCatalogueReference = Field(
        default=None,
        description='Instead of one tomogram, with each = "tomogram": those of a catalogue, as in "tomos:tomograms" or, for '
        'some of them, "tomos:tomograms:tomo=[1,3]"',
    )
    bin_factor: int = Field(
        default=1,
        ge=1,
        le=binning.FACTORS[-1],
        description="Which version of the catalogue's tomograms: 1 the tomograms themselves, 4 those binned by 4",
    )
    table: OptionalTableReference = Field(default=None, description="Rows to cut out; omitted: see [points]")
    table_pixel_size_A: float | None = Field(
        default=None,
        gt=0,
        description="Pixel size in which positions and shifts of the table are counted, in A; omitted: its column apix, where "
        "that is filled, else that of the tomograms themselves",
    )
    table_origin: Literal["corner", "middle"] = Field(
        default="corner",
        description='Where positions of the table count from. "corner": voxel 0; "middle": half the size of the tomogram, as '
        "RELION 5 has them (rlnCenteredCoordinateXAngst)",
    )
    pixel_size_A: float | None = Field(default=None, gt=0, description="Pixel size in A; omitted: the tomogram's")
    tomogram_number: int = Field(
        default=1,
        ge=0,
        le=999_999_999,
        description="Number of the one tomogram: column tomo of the points, rows of the table",
    )


class Line(Form):
    """Points along a straight line, the particle axis along it."""

    start_xyz_px: Vector = Field(description="First end, 0-based px of the tomogram")
    end_xyz_px: Vector = Field(description="Second end, 0-based px of the tomogram")
    spacing_px: float = Field(gt=0, description="Distance between points in px")


class Grid(Form):
    """Points on a cubic grid over the whole tomogram."""

    spacing_px: float = Field(gt=0, description="Distance between points in px")


class Points(Form):
    """Where to cut when there is no table."""

    line: Line | None = Field(default=None, description="Points along a line")
    grid: Grid | None = Field(default=None, description="Points on a grid")


class Box(Form):
    """The boxes."""

    size_px: int = Field(ge=8, le=2048, description="Side of the boxes in px. Dynamo: sidelength")
    invert: bool = Field(default=False, description="Turn the contrast over: dark protein becomes bright")
    normalise: Literal["none", "box", "background"] = Field(
        default="none",
        description='"none" keeps the densities; else mean 0 and deviation 1, in the whole "box" or in the "background"',
    )
    background_radius_px: float | None = Field(
        default=None,
        gt=0,
        description="The background lies outside a sphere of this radius in px; omitted: 3/8 of the side",
    )


class Sampling(Form):
    """What the tilt series measured, written into the table."""

    tilt_range_deg: Annotated[tuple[float, float], Strict(False)] = Field(
        default=(-60.0, 60.0), description="Measured tilts about y in deg"
    )


class Project(ProjectForm):
    """Particles cut from tomograms; the part of a position that is smaller than a voxel goes into the shifts."""

    data: Data = Field(description="What is read")
    points: Points | None = Field(default=None, description="Where to cut when there is no table")
    box: Box = Field(description="The boxes")
    sampling: Sampling | None = Field(
        default=None, description="Missing wedge; omitted: as the table tells, else the catalogue, or none missing"
    )


ITEMS = {
    "particles": Named("particles", "the boxes"),
    "table": Named("table", "one row per box that was cut"),
    "dropped": Named("table", "rows whose box reaches out of the tomogram"),
    "summary": Named("summary", "what was cut"),
}
