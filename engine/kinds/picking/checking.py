"""What is wrong with a picking between its fields, its tomograms and its marks."""

from __future__ import annotations

from collections.abc import Iterator

from engine.faults import EngineError, Fault
from engine.kinds import sense
from engine.kinds.form import Look
from engine.kinds.picking.form import Finding, LatticeModel, Project
from engine.kinds.picking.marked import Place, place_of
from engine.kinds.picking.recipe import beads_of
from engine.kinds.picking.shapes import shapes_of

LARGEST_MAP_VOXELS = 1_000_000_000


def check(project: Project, look: Look) -> Iterator[Fault]:
    """Faults of the tomograms, then of each model with its marks, of the gold, of the search."""
    if not project.models and project.finding is None:
        yield Fault((), "there is nothing to do", "give [[models]], or [finding]")
    faults = list(_tomograms(project, look))
    yield from faults
    if not faults:
        places = [
            place_of(one, look.volume(one.map) if one.map else None)
            for one in project.tomograms
            if _is_known(one, look)
        ]
        if len(places) == len(project.tomograms):
            yield from _models(project, look, places)
    if project.borders and not any(one.map or one.size_xyz_px for one in project.tomograms):
        yield Fault(("borders",), "no tomogram's size is known", "give its map or size_xyz_px")
    if project.finding:
        yield from _finding(project.finding, project, look)


def _is_known(one: object, look: Look) -> bool:
    """False where the map is a result that is not there yet, and no pixel size is typed."""
    text, pixel = getattr(one, "map", None), getattr(one, "pixel_size_A", None)
    return bool(pixel) or text is None or look.volume(text) is not None


def _tomograms(project: Project, look: Look) -> Iterator[Fault]:
    numbers = [one.number for one in project.tomograms]
    names = [one.name for one in project.tomograms if one.name]
    for place, one in enumerate(project.tomograms):
        key = ("tomograms", place)
        if one.number in numbers[:place]:
            yield Fault((*key, "number"), f"tomogram {one.number} is there twice", "number them differently")
        if one.name and names.count(one.name) > 1 and one.name in [other.name for other in project.tomograms[:place]]:
            yield Fault((*key, "name"), f"two tomograms are called {one.name}", "name them differently")
        facts = look.volume(one.map) if one.map else None
        if one.map and one.size_xyz_px and facts and one.size_xyz_px != facts.shape_zyx[::-1]:
            size = " x ".join(str(n) for n in facts.shape_zyx[::-1])
            yield Fault((*key, "size_xyz_px"), f"its map has {size} px", "leave size_xyz_px out")
        if facts:
            typed = ((*key, "pixel_size_A"), "pixel_size_A", one.pixel_size_A)
            yield from sense.pixel_sizes([((*key, "map"), "its map", facts.pixel_size_A), typed])
        if not one.pixel_size_A and (one.map is None or (facts and not facts.pixel_size_A)):
            yield Fault((*key, "pixel_size_A"), "its pixel size is not known", "give it in A")


def _models(project: Project, look: Look, places: list[Place]) -> Iterator[Fault]:
    for number, model in enumerate(project.models):
        marks = look.marks(model.file) if model.file else None
        if model.file and marks is None:
            continue
        if isinstance(model, LatticeModel) and model.file:
            yield Fault(("models", number, "file"), "a lattice reads no marks", "leave it out")
        if model.tomo is not None and model.tomo not in [place.number for place in places]:
            have = ", ".join(str(place.number) for place in places)
            yield Fault(
                ("models", number, "tomo"), f"there is no tomogram {model.tomo} in [[tomograms]]", f"one of {have}"
            )
            continue
        try:
            shapes_of(model, marks, places)
        except EngineError as error:
            what, _, advice = str(error).partition("; ")
            yield Fault(("models", number, "file") if model.file else ("models", number), what, advice)
    if project.gold:
        beads = look.marks(project.gold.file) if project.gold.file else None
        try:
            beads_of(project.gold, {"gold": beads} if beads else {}, places)
        except EngineError as error:
            yield Fault(("gold", "file") if project.gold.file else ("gold",), str(error))


def _finding(finding: Finding, project: Project, look: Look) -> Iterator[Fault]:
    low, high = finding.radius_A
    if not 0 < low <= high:
        yield Fault(("finding", "radius_A"), f"[{low:g}, {high:g}] is no range of radii", "as in [350, 550]")
    first, last = finding.tilt_range_deg
    if not -90 <= first < last <= 90:
        yield Fault(("finding", "tilt_range_deg"), f"[{first:g}, {last:g}] is no range of tilts", "as in [-60, 60]")
    if finding.tomo not in [one.number for one in project.tomograms]:
        yield Fault(("finding", "tomo"), f"there is no tomogram {finding.tomo} in [[tomograms]]")
    facts = look.volume(finding.map)
    if not facts:
        return
    typed = (("finding", "pixel_size_A"), "finding.pixel_size_A", finding.pixel_size_A)
    yield from sense.pixel_sizes([(("finding", "map"), "the map", facts.pixel_size_A), typed])
    pixel = finding.pixel_size_A or facts.pixel_size_A
    if not pixel:
        yield Fault(("finding", "pixel_size_A"), "the pixel size of the map is not known", "give it in A")
        return
    z, y, x = facts.shape_zyx
    if x * y * z > LARGEST_MAP_VOXELS:
        yield Fault(("finding", "map"), f"has {x} x {y} x {z} voxels, more than are needed", "bin it, to 10 A/px or so")
    if 0 < low < 5 * pixel:
        yield Fault(
            ("finding", "radius_A"), f"a radius of {low:g} A is {low / pixel:.1f} px of the map", "5 px or more"
        )
    if high > 0 and 2 * high > max(x, y, z) * pixel:
        yield Fault(("finding", "radius_A"), f"a sphere of {high:g} A is larger than the map", "look at the units: A")
