"""What is wrong with a registration project."""

from __future__ import annotations

from collections.abc import Iterator

from engine.faults import Fault
from engine.kinds import masks, move_search, sense
from engine.kinds.form import Look
from engine.kinds.registration.form import Project


def check(project: Project, look: Look) -> Iterator[Fault]:
    """What is wrong between the two, and with the search."""
    data = project.data
    facts = look.volume(data.map)
    sizes = [
        (("data", "map"), "the map", facts.pixel_size_A if facts else None),
        (("data", "pixel_size_A"), "data.pixel_size_A", data.pixel_size_A),
    ]
    box_px = facts.shape_zyx[-1] if facts else None
    if facts:
        yield from sense.same_box(facts, box_px, ("data", "map"), "a cube is needed, here of")
    pixel_size_A = data.pixel_size_A or (facts.pixel_size_A if facts else None)
    if isinstance(data.onto, str):
        other = look.volume(data.onto)
        yield from sense.same_box(other, box_px, ("data", "onto"), "data.map has")
        sizes.append((("data", "onto"), "the map", other.pixel_size_A if other else None))
        if data.density == "dark":
            yield Fault(
                ("data", "density"),
                "two maps are compared as they are",
                "remove it: it is for drawn objects",
                code="E302",
                also=(("data", "onto"),),
            )
    else:
        yield from masks.faults(data.onto, ("data", "onto"), look, box_px, pixel_size_A)
    yield from sense.pixel_sizes(sizes)
    yield from masks.faults(project.mask, ("mask",), look, box_px, pixel_size_A)
    yield from move_search.faults(project.search, box_px, pixel_size_A)
