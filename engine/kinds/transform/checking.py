"""What is wrong with a transform project."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from engine.data import Table
from engine.faults import EngineError, Fault, Key
from engine.kinds import sense
from engine.kinds.form import Look
from engine.kinds.transform.form import (
    AnyOperation,
    Compose,
    Expand,
    Marked,
    Perturb,
    Project,
    Rescale,
    Rigid,
    Subbox,
)
from engine.kinds.transform.operate import without_pose
from engine.kinds.transform.places import chosen
from engine.kinds.transform.recipe import TAG_TWICE, texts, wrong_rows


def check(project: Project, look: Look) -> Iterator[Fault]:
    """What is wrong between fields, and between the project and its data."""
    data, names = project.data, texts(project)
    keys: list[Key] = [("data", "table", n) for n in range(len(names))]
    if isinstance(data.table, str):
        keys = [("data", "table")]
    if not names:
        yield Fault(("data", "table"), "names no table", "name one or more", code="E303")
        return
    if data.tomogram_numbers is not None and len(data.tomogram_numbers) != len(names):
        what = f"{len(data.tomogram_numbers)} numbers for {len(names)} tables"
        yield Fault(
            ("data", "tomogram_numbers"),
            what,
            "one for each table, in the same order",
            code="E312",
            also=(("data", "table"),),
        )
    if len(names) == 1 and not project.operations and data.tomogram_numbers is None:
        yield Fault(
            ("data", "table"),
            "nothing is done to the table",
            "write [[operations]], or name several tables",
            code="E314",
        )
    tables = [look.table(text) for text in names]
    for key, name, table in zip(keys, names, tables, strict=True):
        if table is not None:
            yield from (
                Fault(key, what, _advice(what, look.tomograms(name)), code="E401") for what in wrong_rows(table)
            )
    volume = look.volume(data.map) if data.map else None
    sizes: list[tuple[Key, str, float | None]] = [
        (("data", "pixel_size_A"), "data.pixel_size_A", data.pixel_size_A),
        (("data", "map"), "the map", volume.pixel_size_A if volume else None),
    ]
    sizes += [(key, "the table", sense.table_pixel_size(one)) for key, one in zip(keys, tables, strict=True)]
    yield from sense.pixel_sizes(sizes)
    if volume and len(set(volume.shape_zyx)) > 1:
        size = " x ".join(str(n) for n in volume.shape_zyx[::-1])
        yield Fault(("data", "map"), f"has {size} px, which is no cube", "cut or pad it to a cube", code="E406")
    for number, form in enumerate(project.operations):
        for fault in _operation_faults(form, project, project.operations[:number], tables, look):
            yield fault.inside("operations", number)


def _advice(what: str, tomograms: tuple[int, ...]) -> str:
    """What to do about wrong rows; the tables of several tomograms may have the same tags."""
    if what != TAG_TWICE or len(tomograms) < 2:
        return "mend or remove these rows"
    return f"name its tomograms one by one, as in a list that ends with :tomo={tomograms[-1]}: tags are numbered anew"


def _operation_faults(
    form: AnyOperation, project: Project, before: tuple[AnyOperation, ...], tables: list[Table | None], look: Look
) -> Iterator[Fault]:
    data, names = project.data, texts(project)
    if data.map and not form.MOVES_MAP:
        yield Fault(
            ("do",),
            f"{form.do} does nothing that a map could follow",
            "leave out data.map; an operation whose points were marked in it names it (map)",
            code="E301",
        )
    if isinstance(form, Expand | Subbox):
        yield from sense.symmetry_name(form.symmetry, ("symmetry",))
    if isinstance(form, Marked):
        yield from _mark_faults(form, data.map, look)
        if form.is_place and data.map and not form.map and any(isinstance(one, Expand | Subbox) for one in before):
            name = "markers" if form.markers else form.PLACES[1]
            what = "data.map was marked before there were copies"
            yield Fault((name,), what, "give map, which shows the average as it is now", code="E303")
    if isinstance(form, Rigid) and form.transform:
        table = look.poses(form.transform)
        if table is not None and len(table) != 1:
            what = f"{form.transform} has {len(table)} rows; a transform is one row"
            yield Fault(("transform",), what, "name the transform of a registration", code="E407")
    if isinstance(form, Perturb) and form.angle_deg == form.shift_px == 0:
        yield Fault((), "disturbs nothing", "give angle_deg, shift_px or both", code="E314")
    if isinstance(form, Rescale) and form.factor == 1:
        yield Fault(("factor",), "1 leaves the table as it is", "new px for one px now", code="E314")
    if isinstance(form, Compose):
        yield from _sharing_faults(form, names, project.each is not None, look)
        yield from _average_faults(form, tables, data.tomogram_numbers, look)


def _mark_faults(form: Marked, of_project: str | None, look: Look) -> Iterator[Fault]:
    """No box for a place in it, or no one marker."""
    name = "markers" if form.markers else form.PLACES[1]
    if form.is_place and not (form.map or of_project or form.box_px):
        advice = "give the map that was marked, data.map or box_px, or an offset from the centre"
        yield Fault((name,), "a place in the box needs the box", advice, code="E303")
    if form.box_px and (form.map or of_project):
        yield Fault(("box_px",), "the box is that of the map", "remove box_px", code="E302", also=(("map",),))
    if form.markers:
        try:
            if (marks := look.marks(form.markers)) is not None:
                chosen(form, marks)
        except EngineError as error:
            yield Fault(("markers",), str(error), code="E409")
    elif "markers_in" in form.model_fields_set:
        yield Fault(("markers_in",), "there are no markers", "remove it", code="E302")


def _sharing_faults(form: Compose, names: tuple[str, ...], of_each: bool, look: Look) -> Iterator[Fault]:
    """Particles of several averages that are taken for those of one, since they stand in one table."""
    if form.by != "table" or len(names) > 1:
        return
    poses, n_tomograms = look.poses(form.poses), len(look.tomograms(names[0]))
    if of_each or n_tomograms > 1 or (poses is not None and len(poses) > 1):
        what = f"{names[0]} is one table, so all of its particles would belong to the average of tag 1"
        yield Fault(("by",), what, 'by = "tomo", or another column that tells their average', code="E312")


def _average_faults(
    form: Compose, tables: list[Table | None], numbers: tuple[int, ...] | None, look: Look
) -> Iterator[Fault]:
    """Particles that belong to no average; what operations before made of them is not known here."""
    poses = look.poses(form.poses)
    if poses is None:
        return
    if wrong := wrong_rows(poses):
        yield Fault(("poses",), wrong[0], "mend or remove these rows", code="E401")
        return
    of_rows = [np.array([n]) for n in range(1, len(tables) + 1)]
    if form.by != "table":
        of_rows = [table[form.by] for table in tables if table is not None]
    if form.by == "tomo" and numbers is not None:
        of_rows = [np.array(numbers)]
    if of_rows and (absent := without_pose(np.concatenate(of_rows), poses)):
        shown = ", ".join(f"{number:g}" for number in absent[:5])
        what = f"{form.poses} has no average {shown}, which particles belong to by {form.by}"
        yield Fault(("poses",), what, "mend by, or the tags", code="E407")
