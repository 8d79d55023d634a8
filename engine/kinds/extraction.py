"""extraction: boxes are cut from a tomogram, around the rows of a table or around points."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import numpy as np
from pydantic import Field, Strict

from engine.data import Table, Volume
from engine.devices import Work
from engine.faults import EngineError, Fault
from engine.geometry import points
from engine.kinds import sense
from engine.kinds.form import Form, Look, OptionalTableReference, ProjectForm, Vector, VolumeReference, reads
from engine.step import Named, Outputs, Step, Stream


class Data(Form):
    """What is read."""

    tomogram: VolumeReference = Field(description="The tomogram: a path (.mrc .rec .em .tif .npy) or an address")
    table: OptionalTableReference = Field(default=None, description="Rows to cut out; omitted: see [points]")
    pixel_size_A: float | None = Field(default=None, gt=0, description="Pixel size in A; omitted: the tomogram's")
    tomogram_number: int = Field(
        default=1, ge=1, description="Number of the tomogram: column tomo of the points, rows of the table"
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


class Sampling(Form):
    """What the tilt series measured, written into the table."""

    tilt_range_deg: Annotated[tuple[float, float], Strict(False)] = Field(
        default=(-60.0, 60.0), description="Measured tilts about y in deg"
    )


class Project(ProjectForm):
    """Particles cut from a tomogram; the part of a position that is smaller than a voxel goes into the shifts."""

    data: Data = Field(description="What is read")
    points: Points | None = Field(default=None, description="Where to cut when there is no table")
    box: Box = Field(description="The boxes")
    sampling: Sampling | None = Field(
        default=None, description="Missing wedge; omitted: as the table tells, or none missing"
    )


ITEMS = {
    "particles": Named("particles", "the boxes"),
    "table": Named("table", "one row per box that was cut"),
    "dropped": Named("table", "rows whose box reaches out of the tomogram"),
    "summary": Named("summary", "what was cut"),
}


def check(project: Project, look: Look) -> Iterator[Fault]:
    """What is wrong between fields, and between the project and its tomogram."""
    where = project.points
    n_sources = (project.data.table is not None) + bool(where and where.line) + bool(where and where.grid)
    if n_sources != 1:
        found = "none is given" if n_sources == 0 else f"{n_sources} are given"
        yield Fault(
            ("data",),
            f"boxes are cut around a table, a line or a grid: {found}",
            "data.table, points.line or points.grid",
        )
    tomogram = look.volume(project.data.tomogram)
    if tomogram:
        typed = (("data", "pixel_size_A"), "data.pixel_size_A", project.data.pixel_size_A)
        yield from sense.pixel_sizes([(("data", "tomogram"), "the tomogram", tomogram.pixel_size_A), typed])
        smallest = min(tomogram.shape_zyx)
        if project.box.size_px > smallest:
            yield Fault(
                ("box", "size_px"),
                f"a box of {project.box.size_px} px is larger than the tomogram",
                f"at most {smallest}",
            )
    if where and where.line and where.line.start_xyz_px == where.line.end_xyz_px:
        yield Fault(("points", "line", "end_xyz_px"), "the line has no length", "give two different ends")
    if project.sampling:
        low, high = project.sampling.tilt_range_deg
        if not -90 <= low < high <= 90:
            yield Fault(("sampling", "tilt_range_deg"), f"[{low:g}, {high:g}] is no range of tilts", "as in [-60, 60]")


def unfold(project: Project) -> list[Step]:
    """One step for the tomogram."""
    inputs = {"tomogram": reads("volume", project.data.tomogram)}
    if project.data.table:
        inputs["table"] = reads("table", project.data.table)
    settings = Extracted(
        points=project.points,
        box=project.box,
        sampling=project.sampling,
        pixel_size_A=project.data.pixel_size_A,
        tomogram_number=project.data.tomogram_number,
    )
    return [Step("extraction", extract, 1, settings, tuple(ITEMS), inputs)]


class Extracted(Form):
    """All that decides the boxes."""

    points: Points | None
    box: Box
    sampling: Sampling | None
    pixel_size_A: float | None
    tomogram_number: int


def extract(settings: Extracted, inputs: Mapping[str, Any], work: Work) -> Outputs:
    """The boxes, their table, and the rows that had to be dropped."""
    tomogram: Volume = inputs["tomogram"]
    pixel_size_A = settings.pixel_size_A or tomogram.pixel_size_A
    wanted = rows_to_cut(settings, inputs.get("table"), tomogram).with_columns(apix=pixel_size_A)
    if settings.sampling:
        low, high = settings.sampling.tilt_range_deg
        wanted = wanted.with_columns(ftype=1, ymintilt=low, ymaxtilt=high)
    size = settings.box.size_px
    centred = on_voxels(wanted)
    first = centred.positions_xyz_px.astype(int) - size // 2
    inside = np.all((first >= 0) & (first + size <= np.array(tomogram.shape_zyx[::-1])), axis=1)
    if not inside.any():
        raise EngineError(f"no box of {size} px lies inside the tomogram of {tomogram.shape_zyx[::-1]} px (xyz)")
    cut = centred.where(inside)
    sign = np.float32(-1 if settings.box.invert else 1)
    boxes = (
        sign * tomogram.data[z : z + size, y : y + size, x : x + size].astype(np.float32) for x, y, z in first[inside]
    )
    return {
        "particles": Stream(cut.tags, size, pixel_size_A, boxes),
        "table": cut,
        "dropped": wanted.where(~inside),
        "summary": {
            "boxes cut": len(cut),
            "dropped, out of the tomogram": int((~inside).sum()),
            "box (px)": size,
            "pixel size (A)": pixel_size_A,
        },
    }


def rows_to_cut(settings: Extracted, table: Table | None, tomogram: Volume) -> Table:
    """The table's rows of this tomogram, or new rows at the points."""
    if table is not None:
        mine = np.asarray(table["tomo"] == settings.tomogram_number)
        if not mine.any():
            raise EngineError(
                f"the table has no row of tomogram {settings.tomogram_number} (column tomo); "
                f"it has {', '.join(f'{number:g}' for number in np.unique(table['tomo']))}"
            )
        return table.where(mine)
    assert settings.points is not None
    if settings.points.line:
        line = settings.points.line
        positions = points.along_line(line.start_xyz_px, line.end_xyz_px, line.spacing_px)
        angles = np.tile(points.angles_along_line(line.start_xyz_px, line.end_xyz_px), (len(positions), 1))
    else:
        assert settings.points.grid is not None
        shape_xyz = tomogram.shape_zyx[::-1]
        positions = points.on_grid(shape_xyz, settings.points.grid.spacing_px, settings.box.size_px / 2)
        angles = np.zeros((len(positions), 3))
    if not len(positions):
        raise EngineError("points: there is not one point (make the spacing or the box smaller)")
    x, y, z = positions.T
    return Table.blank(len(positions), x=x, y=y, z=z, tomo=settings.tomogram_number).with_poses(
        angles, np.zeros_like(positions)
    )


def on_voxels(table: Table) -> Table:
    """The table with each box centred on the voxel nearest to its particle; what remains of the position is its shift."""
    centre = table.positions_xyz_px + table.shifts_xyz_px
    nearest = np.rint(centre)
    x, y, z = nearest.T
    return table.with_columns(x=x, y=y, z=z).with_poses(table.angles, centre - nearest)
