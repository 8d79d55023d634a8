"""The TOML form of a comparison."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from engine.faults import Fault, Key
from engine.kinds import masks, move_search, sense
from engine.kinds.comparison import pairs
from engine.kinds.form import Form, Look, OptionalVolumeReference, ProjectForm, TableReference
from engine.kinds.mask_form import OptionalMask
from engine.kinds.move_search import Search


class Data(Form):
    """What is compared."""

    table: TableReference = Field(description="Poses to be judged: an address, or .tbl / .star / .csv")
    truth: TableReference = Field(description="The true poses")
    average: OptionalVolumeReference = Field(default=None, description="A map to be judged")
    object: OptionalVolumeReference = Field(default=None, description="The true map")
    template: OptionalVolumeReference = Field(
        default=None,
        description="The map that the alignments started from, in the box of the object or a larger one: its hand is told too, "
        "since data can bring back the right hand from a wrong template. Wants search",
    )


class Project(ProjectForm):
    """Poses and an average, compared with the truth."""

    data: Data = Field(description="What is compared")
    by: Literal["tag", "place"] = Field(
        default="tag",
        description='Which true pose is that of a particle. "tag": that of the same tag; "place": the nearest one in its '
        "tomogram, if of that one it is the nearest too: particles that were found and not given",
    )
    within_A: float = Field(
        default=30.0, gt=0, description="By place: what is further apart than this is nothing found, in A"
    )
    symmetry: str = Field(default="C1", description="Symmetry of the object: poses that differ by it are equal")
    mask: OptionalMask = Field(
        default=None,
        description="Where maps are compared, in the frame of the object; omitted: a ball that fills the box",
    )
    search: Search | None = Field(
        default=None,
        description="How the average is laid onto the object first, and the poses with it. The mirror image of the object "
        "is tried too, which tells the hand. Omitted: both are in one frame",
    )


def check(project: Project, look: Look) -> Iterator[Fault]:
    """What is wrong between fields."""
    data = project.data
    yield from sense.symmetry_name(project.symmetry, ("symmetry",))
    if (data.average is None) != (data.object is None):
        given = "average" if data.average else "object"
        yield Fault(
            ("data", given), "a map is compared with a map", "give both average and object, or neither", code="E303"
        )
    if data.template and not (project.search and data.object):
        advice = "give data.average, data.object and search"
        yield Fault(("data", "template"), "its hand is told by laying it onto the object", advice, code="E303")
    for name in ("table", "truth"):
        yield from _poses(name, getattr(data, name), project.by, look)
    if not (data.average and data.object):
        if project.search:
            yield Fault(
                ("search",), "there is no map to lay onto another", "give data.average and data.object", code="E302"
            )
        return
    average, true = look.volume(data.average), look.volume(data.object)
    if average and true:
        box_px = true.shape_zyx[-1]
        yield from sense.same_box(average, box_px, ("data", "average"), "the object has")
        sources: list[tuple[Key, str, float | None]] = [
            (("data", "object"), "the object", true.pixel_size_A),
            (("data", "average"), "the average", average.pixel_size_A),
        ]
        if data.template and (template := look.volume(data.template)):
            sources.append((("data", "template"), "the template", template.pixel_size_A))
            if min(template.shape_zyx) < box_px:
                what = f"its box of {min(template.shape_zyx)} px is smaller than the object's of {box_px} px"
                yield Fault(("data", "template"), what, "give a map in the object's box or a larger one", code="E406")
        yield from sense.pixel_sizes(sources)
        pixel_size_A = true.pixel_size_A or average.pixel_size_A
        yield from masks.faults(project.mask, ("mask",), look, box_px, pixel_size_A)
        if project.search:
            yield from move_search.faults(project.search, box_px, pixel_size_A)


def _poses(name: str, text: str, by: str, look: Look) -> Iterator[Fault]:
    """Poses that cannot be compared."""
    table = look.table(text)
    if table is None:
        return
    if wrong := pairs.wrong_rows(table):
        yield Fault(
            ("data", name), wrong, "mend or remove these rows" if len(table) else "give a table of poses", code="E401"
        )
    elif by == "place" and not (table["apix"] > 0).all():
        yield Fault(
            ("data", name), "places are compared in A, and rows lack a pixel size (column apix)", "fill it", code="E304"
        )
