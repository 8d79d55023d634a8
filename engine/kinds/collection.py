"""collection: maps become particles, so that averages can be aligned to each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

import numpy as np
from pydantic import Field, Strict

from engine.data import Maps, ParticleFacts, Table, Volume
from engine.devices import Work
from engine.faults import EngineError, Fault, Key
from engine.kinds import sense
from engine.kinds.form import Form, Look, MapsReferences, ProjectForm, reads
from engine.outputs import Outputs, Stream
from engine.step import Named, Step


class Data(Form):
    """What is collected."""

    maps: MapsReferences = Field(
        description="The maps, addresses or files, or a list of them: equal cubes of one pixel size. The average of each "
        "tomogram, as in pr_1:average:tomo=*, is as many"
    )
    numbers: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Strict(False)] | None = Field(
        default=None,
        description="Tag of each map, and its column tomo; omitted: the number of its tomogram, where each map has one of its "
        "own, else 1, 2, 3 …",
    )
    pixel_size_A: float | None = Field(default=None, gt=0, description="Pixel size in A; omitted: the maps'")


class Project(ProjectForm):
    """Maps as particles: fully sampled (ftype 0), upright and centred."""

    data: Data = Field(description="What is collected")


ITEMS = {
    "particles": Named("particles", "one box for each map"),
    "table": Named("table", "one row for each map: no wedge (ftype 0), no turn, no shift"),
    "summary": Named("summary", "what was collected"),
}


def names_of(data: Data) -> tuple[str, ...]:
    """The maps that are named."""
    return (data.maps,) if isinstance(data.maps, str) else data.maps


def check(project: Project, look: Look) -> Iterator[Fault]:
    """What is wrong between the maps."""
    data, names = project.data, names_of(project.data)
    if not names:
        yield Fault(("data", "maps"), "names no map", "name the averages that are to be aligned", code="E303")
    count = sum(max(1, len(look.tomograms(name))) for name in names)
    if data.numbers is not None and len(data.numbers) != count:
        what = f"{len(data.numbers)} numbers for {count} maps"
        yield Fault(
            ("data", "numbers"), what, "one for each map, in the same order", code="E312", also=(("data", "maps"),)
        )
    elif data.numbers is not None and len(set(data.numbers)) < count:
        yield Fault(
            ("data", "numbers"),
            "a number stands there twice",
            "each map is one particle, with a tag of its own",
            code="E311",
        )
    several = not isinstance(data.maps, str)
    keys: list[Key] = [("data", "maps", n) if several else ("data", "maps") for n in range(len(names))]
    known = [(key, facts) for key, name in zip(keys, names, strict=True) if (facts := look.volume(name))]
    for number, (key, facts) in enumerate(known):
        if len(set(facts.shape_zyx)) > 1:
            size = " x ".join(str(n) for n in facts.shape_zyx[::-1])
            yield Fault(key, f"has {size} px, which is no cube", "cut or pad it to a cube", code="E406")
        elif number:
            yield from sense.same_box(facts, known[0][1].shape_zyx[-1], key, "the first map has")
    typed: list[tuple[Key, str, float | None]] = [(("data", "pixel_size_A"), "data.pixel_size_A", data.pixel_size_A)]
    yield from sense.pixel_sizes([*typed, *((key, "the map", facts.pixel_size_A) for key, facts in known)])


def unfold(project: Project) -> list[Step]:
    """One step."""
    names = names_of(project.data)
    inputs = {f"map_{number}": reads("maps", name) for number, name in enumerate(names, start=1)}
    settings = Collected(names=names, numbers=project.data.numbers, pixel_size_A=project.data.pixel_size_A)
    return [Step("collection", collect, 2, settings, tuple(ITEMS), inputs)]


class Collected(Form):
    """All that decides the particles."""

    names: tuple[str, ...]
    numbers: tuple[int, ...] | None
    pixel_size_A: float | None


def collect(settings: Collected, inputs: Mapping[str, Any], work: Work) -> Outputs:
    """The boxes and their table, in the order of the numbers."""
    read: list[Maps] = [inputs[f"map_{number}"] for number in range(1, len(settings.names) + 1)]
    names = [name for name, some in zip(settings.names, read, strict=True) for _ in some.volumes]
    numbers = settings.numbers or numbered([number for some in read for number in some.tomograms])
    if len(numbers) != len(names):
        raise EngineError(f"{len(numbers)} numbers for {len(names)} maps (one for each map, in the same order)")
    maps = [one for some in read for one in some.volumes]
    facts = agreed(maps, names, settings.pixel_size_A)
    order = np.argsort(numbers)
    tags = np.array(numbers)[order]
    table = Table.blank(len(maps), tag=tags, tomo=tags, apix=facts.pixel_size_A)
    boxes = (np.asarray(maps[place].data, dtype=np.float32) for place in order)
    told = {f"map {numbers[place]}": names[place] for place in order}
    return {
        "particles": Stream(tags, facts.box_px, facts.pixel_size_A, boxes),
        "table": table,
        "summary": {
            "maps": len(maps),
            "box (px)": facts.box_px,
            "pixel size (A)": facts.pixel_size_A or "unknown",
            **told,
        },
    }


def numbered(tomograms: Sequence[int]) -> tuple[int, ...]:
    """The numbers of the maps' tomograms, where each has one of its own; else 1, 2, 3 …"""
    is_told = all(tomograms) and len(set(tomograms)) == len(tomograms)
    return tuple(tomograms) if is_told else tuple(range(1, len(tomograms) + 1))


def agreed(maps: list[Volume], names: list[str], typed_A: float | None) -> ParticleFacts:
    """Box and pixel size of all the maps; an EngineError where they differ."""
    box_px = maps[0].data.shape[-1]
    sizes_A = [size for size in (typed_A, *(one.pixel_size_A for one in maps)) if size]
    for one, name in zip(maps, names, strict=True):
        if one.shape_zyx != (box_px,) * 3:
            raise EngineError(f"{name} has shape {one.shape_zyx} (zyx), {names[0]} a box of {box_px} px (resample it)")
    if sizes_A and max(sizes_A) > min(sizes_A) * (1 + sense.SAME_PIXEL):
        raise EngineError(f"pixel sizes of {min(sizes_A):g} and {max(sizes_A):g} A contradict each other (resample)")
    return ParticleFacts(len(maps), box_px, sizes_A[0] if sizes_A else 0.0)
