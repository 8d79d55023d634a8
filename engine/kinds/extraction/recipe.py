"""The steps of an extraction, and what they do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from engine.data import Catalogue, Table, Tomogram, TomogramFacts
from engine.devices import Work
from engine.each import first_tag
from engine.faults import EngineError
from engine.geometry import points
from engine.kinds import binning, cutting
from engine.kinds.extraction.form import ITEMS, Box, Points, Project, Sampling
from engine.kinds.form import Form, reads
from engine.outputs import Outputs, Stream
from engine.step import Cost, Step


def unfold(project: Project) -> list[Step]:
    """One step for the tomogram, or for each tomogram of the catalogue."""
    data = project.data
    if data.catalogue:
        tomogram = binning.version_of(data.catalogue, data.bin_factor)
        inputs = {"tomogram": tomogram, "catalogue": reads("catalogue", data.catalogue)}
    else:
        inputs = {"tomogram": reads("tomogram", data.tomogram or "")}
    if data.table:
        inputs["table"] = reads("table", data.table)
    settings = Extracted(
        points=project.points,
        box=project.box,
        sampling=project.sampling,
        bin_factor=data.bin_factor,
        pixel_size_A=data.pixel_size_A,
        table_pixel_size_A=data.table_pixel_size_A,
        table_origin=data.table_origin,
        tomogram_number=data.tomogram_number,
    )
    cost = Cost(share=cutting.share, cut_px=project.box.size_px) if data.table else None
    known_A = data.bin_factor * (data.pixel_size_A or 0.0)
    return [Step("extraction", extract, 2, settings, tuple(ITEMS), inputs, cost=cost, pixel_size_A=known_A)]


class Extracted(Form):
    """All that decides the boxes."""

    points: Points | None
    box: Box
    sampling: Sampling | None
    bin_factor: int
    pixel_size_A: float | None
    table_pixel_size_A: float | None
    table_origin: Literal["corner", "middle"]
    tomogram_number: int


def extract(settings: Extracted, inputs: Mapping[str, Any], work: Work) -> Outputs:
    """The boxes, their table, and the rows that had to be dropped."""
    tomogram: Tomogram = inputs["tomogram"]
    catalogue: Catalogue | None = inputs.get("catalogue")
    facts = catalogue.tomograms[0] if catalogue else TomogramFacts(settings.tomogram_number, "")
    full_A = facts.pixel_size_A or settings.pixel_size_A or tomogram.pixel_size_A
    pixel_size_A = settings.bin_factor * full_A
    rows = rows_to_cut(settings, inputs.get("table"), tomogram, facts.number, catalogue is not None)
    by = np.ones(len(rows))
    if "table" in inputs:
        by = cutting.scales(rows, pixel_size_A, full_A, settings.table_pixel_size_A)
    placed = cutting.scaled(rows, by)
    if settings.table_origin == "middle":
        full = facts.shape_zyx or [settings.bin_factor * n for n in tomogram.shape_zyx]
        placed = cutting.moved(placed, np.array(full[::-1]) / (2 * settings.bin_factor))
    wanted = sampled(placed, settings.sampling, facts).with_columns(apix=pixel_size_A)
    size = settings.box.size_px
    centred = cutting.on_voxels(wanted)
    first = cutting.first_voxels(centred, size)
    inside = cutting.are_inside(first, size, tomogram.shape_zyx)
    if not inside.any():
        raise EngineError(
            f"no box of {size} px lies inside tomogram {facts.number}, of {tomogram.shape_zyx[::-1]} px (xyz); "
            f"positions times {by.min():g} were looked at (do they count in px of another pixel size? "
            "see data.table_pixel_size_A; or from the middle, as RELION 5's: see data.table_origin)"
        )
    cut = centred.where(inside)
    background = cutting.background_of(settings.box.normalise, size, settings.box.background_radius_px)
    boxes = cutting.boxes(tomogram, first[inside], size, background, -1 if settings.box.invert else 1, work)
    return {
        "particles": Stream(cut.tags, size, pixel_size_A, boxes),
        "table": cut,
        "dropped": wanted.where(~inside),
        "summary": {
            "tomogram": facts.number,
            "boxes cut": len(cut),
            "dropped, out of the tomogram": int((~inside).sum()),
            "box (px)": size,
            "pixel size (A)": pixel_size_A,
            "positions times": f"{by.min():g}" if by.min() == by.max() else f"{by.min():g} to {by.max():g}",
        },
    }


def sampled(table: Table, sampling: Sampling | None, facts: TomogramFacts) -> Table:
    """The table with the missing wedge that is typed, else its own, else the catalogue's; the catalogue's defocus."""
    if facts.defocus_um is not None:
        table = table.with_columns(**{"def": facts.defocus_um})
    if sampling:
        low, high = sampling.tilt_range_deg
    elif facts.tilt_range_deg and not table["ftype"].any():
        low, high = facts.tilt_range_deg
    else:
        return table
    return table.with_columns(ftype=1, ymintilt=low, ymaxtilt=high)


def rows_to_cut(
    settings: Extracted, table: Table | None, tomogram: Tomogram, number: int, is_one_of_many: bool
) -> Table:
    """The table's rows of this tomogram, or new rows at the points."""
    if table is not None:
        mine = np.asarray(table["tomo"] == number)
        if not mine.any():
            raise EngineError(
                f"the table has no row of tomogram {number} (column tomo); "
                f"it has {', '.join(f'{other:g}' for other in np.unique(table['tomo']))}"
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
    first = first_tag(number) if is_one_of_many else 1
    rows = Table.blank(len(positions), tag=np.arange(first, first + len(positions)), x=x, y=y, z=z, tomo=number)
    return rows.with_poses(angles, np.zeros_like(positions))
