"""The sense of an extraction: what is cut from, and around what."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from engine.address import is_address, parse
from engine.data import Catalogue, Table
from engine.faults import Fault
from engine.kernels.binning import binned_shape
from engine.kinds import cutting, sense
from engine.kinds.extraction.form import Box, Project
from engine.kinds.form import Look


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
            code="E301",
        )
    yield from _source_faults(project)
    yield from _catalogue_faults(project, look)
    yield from _normalisation_faults(project.box)
    tomogram = look.volume(project.data.tomogram) if project.data.tomogram else None
    if tomogram:
        typed = (("data", "pixel_size_A"), "data.pixel_size_A", project.data.pixel_size_A)
        yield from sense.pixel_sizes([(("data", "tomogram"), "the tomogram", tomogram.pixel_size_A), typed])
        smallest = min(tomogram.shape_zyx)
        if project.box.size_px > smallest:
            yield Fault(
                ("box", "size_px"),
                f"a box of {project.box.size_px} px is larger than the tomogram",
                f"at most {smallest}",
                code="E309",
            )
    if project.data.table is None and "table_origin" in project.data.model_fields_set:
        yield Fault(("data", "table_origin"), "there is no table", "leave it out", code="E302")
    table = look.whole_table(project.data.table) if project.data.table else None
    if table is not None:
        yield from _row_faults(table)
    if where and where.line and where.line.start_xyz_px == where.line.end_xyz_px:
        yield Fault(("points", "line", "end_xyz_px"), "the line has no length", "give two different ends", code="E310")
    if project.sampling:
        low, high = project.sampling.tilt_range_deg
        if not -90 <= low < high <= 90:
            yield Fault(
                ("sampling", "tilt_range_deg"),
                f"[{low:g}, {high:g}] is no range of tilts",
                "as in [-60, 60]",
                code="E307",
            )


def _source_faults(project: Project) -> Iterator[Fault]:
    """Faults of what is cut from: one tomogram, or a catalogue's."""
    data = project.data
    if (data.tomogram is None) == (data.catalogue is None):
        found = "neither is given" if data.tomogram is None else "both are given"
        yield Fault(
            ("data",),
            f"boxes are cut from one tomogram or from a catalogue's: {found}",
            "one of them",
            code="E301",
            also=(("data", "tomogram"), ("data", "catalogue")),
        )
    elif data.catalogue and project.each is None:
        yield Fault(
            ("data", "catalogue"), "boxes are cut from each of its tomograms", 'write each = "tomogram"', code="E303"
        )
    elif data.tomogram and data.bin_factor != 1:
        yield Fault(
            ("data", "bin_factor"),
            "is for a catalogue's tomograms",
            "give data.catalogue, or leave it out",
            code="E302",
        )
    elif data.catalogue and data.pixel_size_A:
        yield Fault(
            ("data", "pixel_size_A"),
            "the catalogue has the pixel sizes",
            "leave it out, or mend the catalogue",
            code="E302",
            also=(("data", "catalogue"),),
        )


def _catalogue_faults(project: Project, look: Look) -> Iterator[Fault]:
    """Tomograms too small for a box; tomograms without rows and rows without a tomogram."""
    text, factor = project.data.catalogue, project.data.bin_factor
    catalogue = look.catalogue(text) if text else None
    if catalogue is None or text is None:
        return
    for one in catalogue:
        shape = binned_shape(one.shape_zyx or (0, 0, 0), factor)
        if one.shape_zyx and project.box.size_px > min(shape):
            what = f"a box of {project.box.size_px} px is larger than tomogram {one.number}, binned by {factor}"
            yield Fault(("box", "size_px"), what, f"at most {min(shape)}", code="E309")
    table = look.whole_table(project.data.table) if project.data.table else None
    if table is None or project.data.table is None:
        return
    yield from _name_faults(look.tomogram_names(project.data.table), catalogue)
    yield from _place_faults(project, table, catalogue)
    there, known = set(np.unique(table["tomo"]).tolist()), set(catalogue.numbers)
    some = f'"{text.split(":tomo=")[0]}:tomo=[{",".join(f"{number:g}" for number in sorted(there & known))}]"'
    if known - there:
        none = ", ".join(f"{number:g}" for number in sorted(known - there))
        yield Fault(
            ("data", "table"), f"has no row of tomogram {none} (column tomo)", f"catalogue = {some}", code="E404"
        )
    if there - known and is_address(text) and parse(text).tomo is None:
        lost = ", ".join(f"{number:g}" for number in sorted(there - known))
        yield Fault(
            ("data", "table"),
            f"has rows of tomogram {lost}, which the catalogue has not",
            f"catalogue = {some}",
            code="E404",
        )


def _row_faults(table: Table) -> Iterator[Fault]:
    """Rows that say no place, and boxes of a tomogram that would have one name."""
    numbers = np.column_stack([table.positions_xyz_px, table.shifts_xyz_px])
    if (lost := ~np.isfinite(numbers).all(axis=1)).any():
        what = f"{lost.sum()} rows have positions or shifts that are no numbers, first row {lost.argmax() + 1}"
        yield Fault(("data", "table"), what, "mend or remove these rows", code="E401")
    names, counts = np.unique(np.column_stack([table["tomo"], table["tag"]]), axis=0, return_counts=True)
    if (counts > 1).any():
        tomo, tag = names[counts.argmax()]
        what = f"tag {tag:g} stands in {counts.max()} rows of tomogram {tomo:g}"
        yield Fault(("data", "table"), what, "give each particle one row", code="E403")


def _name_faults(names: Mapping[int, str], catalogue: Catalogue) -> Iterator[Fault]:
    """A tomogram that the table's file numbers otherwise than the catalogue: its boxes would be cut from another."""
    numbers = {one.name: one.number for one in catalogue if one.name}
    for number, name in names.items():
        if numbers.get(name, number) != number:
            what = f"{name} is tomogram {number} of the table's file and {numbers[name]} of the catalogue"
            yield Fault(
                ("data", "table"), what, "number the catalogue's [[tomograms]] as the file's names sort", code="E404"
            )
            return


def _place_faults(project: Project, table: Table, catalogue: Catalogue) -> Iterator[Fault]:
    """Most particles outside their tomograms: they count from elsewhere, or in other px."""
    data, n_rows, n_outside = project.data, 0, 0
    for one in catalogue:
        rows = table.where(table["tomo"] == one.number)
        if one.shape_zyx is None or not one.pixel_size_A or not len(rows):
            continue
        scaled = cutting.scaled(rows, cutting.scales(rows, one.pixel_size_A, one.pixel_size_A, data.table_pixel_size_A))
        size = np.array(one.shape_zyx[::-1])
        centres = scaled.positions_xyz_px + scaled.shifts_xyz_px + (size / 2 if data.table_origin == "middle" else 0.0)
        n_rows += len(rows)
        n_outside += int(((centres < 0) | (centres > size - 1)).any(axis=1).sum())
    if 2 * n_outside > n_rows:
        yield Fault(
            ("data", "table"),
            f"{n_outside} of {n_rows} particles lie outside their tomograms",
            "in px of another size? see table_pixel_size_A; from the middle, as RELION 5's? see table_origin",
            code="E404",
        )


def _normalisation_faults(box: Box) -> Iterator[Fault]:
    if box.background_radius_px is None:
        return
    if box.normalise != "background":
        yield Fault(
            ("box", "background_radius_px"),
            'is for normalise = "background"',
            "leave it out",
            code="E302",
            also=(("box", "normalise"),),
        )
    elif box.background_radius_px >= 0.85 * box.size_px:
        yield Fault(
            ("box", "background_radius_px"),
            f"outside {box.background_radius_px:g} px little is left of a box of {box.size_px} px",
            f"{3 * box.size_px // 8} or so",
            code="E313",
            also=(("box", "size_px"),),
        )
