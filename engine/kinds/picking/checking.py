"""What is wrong with a picking between its fields, its tomograms and its marks."""

from __future__ import annotations

from collections.abc import Iterator

from engine.data import Catalogue, Marks, VolumeFacts
from engine.faults import EngineError, Fault
from engine.kernels import vesicles
from engine.kernels.binning import binned_shape
from engine.kinds import sense
from engine.kinds.form import Look
from engine.kinds.picking import peaks
from engine.kinds.picking.form import AnyModel, Finding, LatticeModel, Project
from engine.kinds.picking.marked import Place, Places, place_listed, place_of
from engine.kinds.picking.recipe import beads_of, number_searched
from engine.kinds.picking.shapes import Shape, shapes_of

LARGEST_SEARCHED_VOXELS = 100_000_000
"""Of the small map: more would take 7 GB."""


def check(project: Project, look: Look) -> Iterator[Fault]:
    """Faults of the tomograms, then of each model with its marks, of the gold, of the search."""
    if not project.models and project.finding is None:
        yield Fault((), "there is nothing to do", "give [[models]], or [finding]", code="E314")
    if (project.data.catalogue is None) == (not project.tomograms):
        found = "both are given" if project.tomograms else "neither is given"
        yield Fault(
            ("data",),
            f"tomograms are those of a catalogue or are typed: {found}",
            "data.catalogue or [[tomograms]]",
            code="E301",
        )
        return
    if project.each and not project.data.catalogue:
        yield Fault(
            ("each",),
            "the tomograms are typed",
            "give data.catalogue in place of [[tomograms]], or leave each out",
            code="E301",
            also=(("tomograms",),),
        )
        return
    catalogue = look.catalogue(project.data.catalogue) if project.data.catalogue else None
    faults = list(_tomograms(project, look))
    yield from faults
    places = _places(project, look, catalogue) if not faults else None
    if places:
        yield from _models(project, look, places)
    yield from peaks.faults(project, look)
    if project.borders and project.tomograms and not any(one.map or one.size_xyz_px for one in project.tomograms):
        yield Fault(("borders",), "no tomogram's size is known", "give its map or size_xyz_px", code="E303")
    if project.finding:
        yield from _finding(project.finding, project, look, catalogue)


def _places(project: Project, look: Look, catalogue: Catalogue | None) -> list[Place] | None:
    """The tomograms; None while something of them is not known."""
    if project.data.catalogue:
        return [place_listed(one) for one in catalogue] if catalogue else None
    if not all(_is_known(one, look) for one in project.tomograms):
        return None
    return [place_of(one, look.volume(one.map) if one.map else None) for one in project.tomograms]


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
            yield Fault(
                (*key, "number"),
                f"tomogram {one.number} is there twice",
                "number them differently",
                code="E311",
                also=(("tomograms", numbers.index(one.number), "number"),),
            )
        if one.name and names.count(one.name) > 1 and one.name in [other.name for other in project.tomograms[:place]]:
            yield Fault((*key, "name"), f"two tomograms are called {one.name}", "name them differently", code="E311")
        facts = look.volume(one.map) if one.map else None
        if one.map and one.size_xyz_px and facts and one.size_xyz_px != facts.shape_zyx[::-1]:
            size = " x ".join(str(n) for n in facts.shape_zyx[::-1])
            yield Fault((*key, "size_xyz_px"), f"its map has {size} px", "leave size_xyz_px out", code="E406")
        if facts:
            typed = ((*key, "pixel_size_A"), "pixel_size_A", one.pixel_size_A)
            yield from sense.pixel_sizes([((*key, "map"), "its map", facts.pixel_size_A), typed])
        if not one.pixel_size_A and (one.map is None or (facts and not facts.pixel_size_A)):
            yield Fault((*key, "pixel_size_A"), "its pixel size is not known", "give it in A", code="E304")


def _models(project: Project, look: Look, places: list[Place]) -> Iterator[Fault]:
    numbers = [place.number for place in places]
    have = ", ".join(map(str, numbers))
    used: set[int] = set()
    are_all_known = True
    for number, model in enumerate(project.models):
        marks = look.marks(model.file) if model.file else None
        if model.file and marks is None:
            are_all_known = False
            continue
        if isinstance(model, LatticeModel) and model.file:
            yield Fault(("models", number, "file"), "a lattice reads no marks", "leave it out", code="E302")
        if model.tomo is not None and model.tomo not in numbers:
            yield Fault(("models", number, "tomo"), f"there is no tomogram {model.tomo}", f"one of {have}", code="E404")
            continue
        try:
            used |= {shape.place.number for shape in _shapes(project, model, marks, places)}
        except EngineError as error:
            what, _, advice = str(error).partition("; ")
            yield Fault(("models", number, "file") if model.file else ("models", number), what, advice, code="E409")
            are_all_known = False
    if project.each and project.models and are_all_known and (bare := sorted(set(numbers) - used)):
        what = f"no model has points in tomogram {', '.join(map(str, bare))}"
        some = f"{str(project.data.catalogue).split(':tomo=')[0]}:tomo=[{','.join(map(str, sorted(used)))}]"
        yield Fault(("data", "catalogue"), what, f'catalogue = "{some}"', code="E404")
    if project.gold:
        beads = look.marks(project.gold.file) if project.gold.file else None
        try:
            for some_places in _looked_at(project, places):
                beads_of(project.gold, {"gold": beads} if beads else {}, some_places)
        except EngineError as error:
            yield Fault(("gold", "file") if project.gold.file else ("gold",), str(error), code="E409")


def _looked_at(project: Project, places: list[Place]) -> list[Places]:
    """The tomograms as the steps see them: each by itself, or all."""
    if project.each:
        return [Places((place,), is_one_of_several=True) for place in places]
    return [Places(tuple(places))]


def _shapes(project: Project, model: AnyModel, marks: Marks | None, places: list[Place]) -> list[Shape]:
    found = [shape for some in _looked_at(project, places) for shape in shapes_of(model, marks, some)]
    if marks is not None and not found:
        names = ", ".join(sorted(set(marks.tomograms))[:4])
        raise EngineError(
            f"its points lie in {names}, and no tomogram has that name or number; name one so, or give tomo"
        )
    return found


def _finding(finding: Finding, project: Project, look: Look, catalogue: Catalogue | None) -> Iterator[Fault]:
    low, high = finding.radius_A
    if not 0 < low <= high:
        yield Fault(
            ("finding", "radius_A"), f"[{low:g}, {high:g}] is no range of radii", "as in [350, 550]", code="E307"
        )
        return
    if finding.tilt_range_deg is not None:
        first, last = finding.tilt_range_deg
        if not -90 <= first < last <= 90:
            yield Fault(
                ("finding", "tilt_range_deg"),
                f"[{first:g}, {last:g}] is no range of tilts",
                "as in [-60, 60]",
                code="E307",
            )
    if finding.map:
        yield from _finding_in_map(finding, finding.map, project, look, catalogue)
    elif not project.data.catalogue:
        yield Fault(("finding",), "no tomogram is named that is searched", "give map, or data.catalogue", code="E303")
    elif not project.each:
        yield Fault(
            ("finding",),
            "each of the catalogue's tomograms is searched",
            'write each = "tomogram", or give map',
            code="E303",
        )
    else:
        for key in ("tomo", "pixel_size_A"):
            if getattr(finding, key) is not None:
                yield Fault(
                    ("finding", key),
                    "is for a map; the catalogue has it",
                    "leave it out",
                    code="E302",
                    also=(("data", "catalogue"),),
                )
        for one in catalogue or ():
            facts = VolumeFacts(
                binned_shape(one.shape_zyx or (0, 0, 0), finding.bin_factor),
                finding.bin_factor * (one.pixel_size_A or 0),
            )
            faults = list(_searched(finding, facts, f"tomogram {one.number}"))
            yield from faults
            if faults:
                return


def _finding_in_map(
    finding: Finding, text: str, project: Project, look: Look, catalogue: Catalogue | None
) -> Iterator[Fault]:
    if project.each:
        yield Fault(
            ("finding", "map"),
            "one map, and each tomogram is searched",
            "leave map out, or each",
            code="E301",
            also=(("each",),),
        )
    if finding.bin_factor != 1:
        yield Fault(("finding", "bin_factor"), "is for the catalogue's tomograms", "leave it out", code="E302")
    numbers = catalogue.numbers if catalogue else [one.number for one in project.tomograms]
    number = number_searched(project, finding)
    if numbers and number not in numbers:
        have = ", ".join(map(str, numbers))
        what = "which tomogram does the map show?" if number is None else f"there is no tomogram {number}"
        yield Fault(("finding", "tomo"), what, f"one of {have}", code="E404")
    facts = look.volume(text)
    if not facts:
        return
    typed = (("finding", "pixel_size_A"), "finding.pixel_size_A", finding.pixel_size_A)
    yield from sense.pixel_sizes([(("finding", "map"), "the map", facts.pixel_size_A), typed])
    pixel = finding.pixel_size_A or facts.pixel_size_A
    if not pixel:
        yield Fault(("finding", "pixel_size_A"), "the pixel size of the map is not known", "give it in A", code="E304")
        return
    yield from _searched(finding, VolumeFacts(facts.shape_zyx, pixel), "the map")


def _searched(finding: Finding, facts: VolumeFacts, name: str) -> Iterator[Fault]:
    """Radii that do not fit the map's voxels or its size."""
    key = ("finding", "radius_A")
    (low, high), pixel = finding.radius_A, facts.pixel_size_A
    factor = vesicles.factor_of(low / pixel)
    z, y, x = (n // factor for n in facts.shape_zyx)
    if low < 5 * pixel:
        yield Fault(key, f"a radius of {low:g} A is {low / pixel:.1f} px of {name}", "5 px or more", code="E313")
    if 2 * high > max(facts.shape_zyx) * pixel or min(x, y, z) < 1:
        yield Fault(key, f"a sphere of {high:g} A is larger than {name}", "look at the units: A", code="E309")
    elif x * y * z > LARGEST_SEARCHED_VOXELS:
        what = f"{low:g} A asks for a search in {x} x {y} x {z} px of {name}"
        yield Fault(key, what, "begin with a larger radius, or search a part of the tomogram", code="E313")
