"""catalogue: the tomograms of a campaign by number, what is known of each, and binned versions of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, Strict, ValidationError, model_validator

from engine.data import Catalogue, Tomogram, TomogramFacts
from engine.devices import Work
from engine.each import LABEL, folder_of
from engine.faults import EngineError, Fault, Key
from engine.files import found_beside, read_catalogue
from engine.kinds import binning, sense
from engine.kinds.form import Form, Look, OptionalTomogramReference, ProjectForm, reads
from engine.outputs import Outputs
from engine.step import Cost, Named, Share, Step


class Data(Form):
    """Where the tomograms are listed."""

    list: str | None = Field(
        default=None,
        min_length=1,
        description="A list of tomograms: Dynamo's .vll or .doc, RELION's tomograms.star, .csv; omitted: see [[tomograms]]",
    )
    column: str = Field(
        default="rlnTomoReconstructedTomogram", description="Of a RELION list: the column that holds the files"
    )
    pixel_size_A: float | None = Field(
        default=None,
        gt=0,
        description="Pixel size of all the tomograms in A; omitted: the list's, else the headers'. In Dynamo apix",
    )


class Row(Form):
    """A tomogram. With a list, what is typed here goes over what the list says of that number."""

    number: int = Field(ge=0, le=999_999_999, description="Its number: the column tomo of tables")
    path: OptionalTomogramReference = Field(
        default=None,
        description="The tomogram: a path (.mrc .rec .em .npy .tif) or an address; may be left to the list",
    )
    name: str | None = Field(default=None, description="What it is called, as in RELION's lists")
    pixel_size_A: float | None = Field(default=None, gt=0, description="Its pixel size in A; omitted: see [data]")
    tilt_range_deg: Annotated[tuple[float, float] | None, Strict(False)] = Field(
        default=None, description="Measured tilts about y in deg: goes into the tables of what is cut out"
    )
    tilt_axis_deg: float | None = Field(default=None, description="Direction of the tilt axis in the images in deg")
    defocus_um: float | None = Field(
        default=None, description="Mean defocus in um, under-focus positive: goes into the column def"
    )
    dose_e_A2: float | None = Field(default=None, ge=0, description="Total dose in electrons per square A")
    voltage_kV: float | None = Field(default=None, gt=0, description="Voltage in kV")
    spherical_aberration_mm: float | None = Field(default=None, ge=0, description="Spherical aberration in mm")
    amplitude_contrast: float | None = Field(default=None, ge=0, le=1, description="Amplitude contrast, 0 to 1")
    handedness: Literal[-1, 1] | None = Field(default=None, description="Hand of the tilt geometry, as in RELION")

    def over(self, other: Row) -> Row:
        """This row, and what it leaves out as the other says."""
        told = {name: getattr(self, name) for name in self.model_fields_set}
        return Row(**{**dict(other), **told})


BinFactor = Annotated[int, Field(ge=binning.FACTORS[0], le=binning.FACTORS[-1])]


class Binned(Form):
    """Smaller versions, cut in Fourier space: voxel j of a version lies on voxel factor*j of the tomogram."""

    bin_factors: Annotated[tuple[BinFactor, ...], Strict(False)] = Field(
        description="Whole factors, not exponents: 4 makes the item binned_4, of a quarter of the side"
    )


class Project(ProjectForm):
    """The tomograms of a campaign."""

    data: Data = Field(default=Data.plain(), description="Where the tomograms are listed")
    tomograms: Annotated[tuple[Row, ...], Strict(False)] = Field(default=(), description="One tomogram")
    binned: Binned | None = Field(default=None, description="Smaller versions, made once")

    @model_validator(mode="after")
    def _some(self) -> Project:
        if self.data.list is None and not self.tomograms:
            raise ValueError("there is no tomogram: name a list in data.list, or type [[tomograms]]")
        return self

    def completed(self, folder: Path) -> Project:
        """The project with the list's tomograms among its rows, in the order of their numbers."""
        if self.data.list is None:
            return self
        path = folder / self.data.list
        listed = list(read_catalogue(path, self.data.column))
        if self.data.pixel_size_A:
            listed = [replace(one, pixel_size_A=None) for one in listed]
        paths = found_beside({one.number: one.path for one in listed}, path, folder)
        rows = {one.number: _row(one, paths[one.number], path) for one in listed}
        if len({row.number for row in self.tomograms}) < len(self.tomograms):
            return self
        typed = {row.number: row.over(rows.get(row.number, row)) for row in self.tomograms}
        ordered = sorted((rows | typed).items())
        return self.model_copy(update={"tomograms": tuple(row for _, row in ordered)})


def _row(one: TomogramFacts, path: str, listing: Path) -> Row:
    """The row of a listed tomogram; facts that no tomogram can have are an EngineError."""
    told = {name: value for name, value in vars(one).items() if value not in (None, "") and name in Row.model_fields}
    try:
        return Row(**{**told, "path": path})
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(map(str, first["loc"]))
        raise EngineError(
            f"{listing}: tomogram {one.number}: {name} is {first['input']!r} ({first['msg']}; mend the list)"
        ) from None


ITEMS = {
    "tomograms": Named("catalogue", "what is known of each tomogram"),
    **{binning.item_of(n): Named("volume", f"each tomogram binned to 1/{n} of its side") for n in binning.FACTORS},
}


def check(project: Project, look: Look) -> Iterator[Fault]:
    """Tomograms that are there twice, are no maps, contradict what is typed of them, or get too small."""
    numbers, paths = (Counter(getattr(row, name) for row in project.tomograms) for name in ("number", "path"))
    for place, row in enumerate(project.tomograms):
        if numbers[row.number] > 1:
            yield Fault(
                ("tomograms", place, "number"),
                f"tomogram {row.number} is there twice",
                "number them apart",
                code="E311",
            )
        if row.path is None:
            yield Fault(
                ("tomograms", place),
                f"tomogram {row.number} has no path",
                "type one, or name a list that has it",
                code="E303",
            )
        elif paths[row.path] > 1:
            yield Fault(
                ("tomograms", place, "path"),
                f"{row.path} is there twice",
                "give each tomogram its own file",
                code="E311",
            )
        else:
            yield from _one_tomogram(project, row, row.path, place, look)
    factors = Counter(project.binned.bin_factors) if project.binned else Counter()
    for factor, count in factors.items():
        if count > 1:
            yield Fault(("binned", "bin_factors"), f"{factor} is there twice", code="E311")


def _one_tomogram(project: Project, row: Row, path: str, place: int, look: Look) -> Iterator[Fault]:
    if row.tilt_range_deg is not None and not -90 <= row.tilt_range_deg[0] < row.tilt_range_deg[1] <= 90:
        low, high = row.tilt_range_deg
        yield Fault(
            ("tomograms", place, "tilt_range_deg"),
            f"[{low:g}, {high:g}] is no range of tilts",
            "as in [-60, 60]",
            code="E307",
        )
    facts = look.volume(path)
    if facts is None:
        return
    typed, typed_key = _typed_pixel_size(project, row, place)
    if not typed and not facts.pixel_size_A:
        yield Fault(
            ("tomograms", place),
            f"{path} does not tell its pixel size",
            "type pixel_size_A, here or in [data]",
            code="E304",
        )
    told = (("tomograms", place, "path"), f"the header of {path}", facts.pixel_size_A)
    yield from sense.pixel_sizes([told, (typed_key, f"tomogram {row.number}, as it is typed or listed,", typed)])
    for factor in project.binned.bin_factors if project.binned else ():
        if min(facts.shape_zyx) < factor:
            x, y, z = facts.shape_zyx[::-1]
            what = f"{path} has {x} x {y} x {z} px: nothing is left of it"
            yield Fault(("binned", "bin_factors"), what, f"leave {factor} out", code="E313")


def _typed_pixel_size(project: Project, row: Row, place: int) -> tuple[float | None, Key]:
    """The row's before that of all, and where it stands."""
    own = row.pixel_size_A is not None
    return (
        (row.pixel_size_A, ("tomograms", place, "pixel_size_A"))
        if own
        else (project.data.pixel_size_A, ("data", "pixel_size_A"))
    )


def unfold(project: Project) -> list[Step]:
    """For each tomogram one step for what is known of it, and one for each binned version."""
    return [step for place, row in enumerate(project.tomograms) for step in _steps_of(project, row, place)]


def _steps_of(project: Project, row: Row, place: int) -> Iterator[Step]:
    folder, labels = folder_of(row.number), {LABEL: row.number}
    inputs = {"tomogram": reads("tomogram", row.path or "")}
    pixel_size_A, _ = _typed_pixel_size(project, row, place)
    described = Described(row=row, pixel_size_A=pixel_size_A)
    known_A = pixel_size_A or 0.0
    yield Step(f"{folder}/catalogue", describe, 1, described, ("tomograms",), inputs, labels, pixel_size_A=known_A)
    for factor in project.binned.bin_factors if project.binned else ():
        settings = BinnedBy(bin_factor=factor, pixel_size_A=pixel_size_A)
        name, cost = binning.item_of(factor), Cost(of_tomogram=_share(factor))
        yield Step(
            f"{folder}/{name}",
            bin_down,
            1,
            settings,
            (name,),
            inputs,
            labels,
            cost,
            pixel_size_A=factor * known_A,
            bin_factor=factor,
        )


def _share(factor: int) -> Callable[[tuple[int, int, int]], Share]:
    return lambda shape_zyx: binning.share_of(shape_zyx, factor)


class Described(Form):
    """What is typed or listed of a tomogram."""

    row: Row
    pixel_size_A: float | None


class BinnedBy(Form):
    """All that decides a binned version."""

    bin_factor: int
    pixel_size_A: float | None


def describe(settings: Described, inputs: Mapping[str, Any], work: Work) -> Outputs:
    """What is known of the tomogram, its shape from the header."""
    tomogram: Tomogram = inputs["tomogram"]
    told = {name: value for name, value in dict(settings.row).items() if value is not None}
    told |= {"pixel_size_A": _pixel_size_A(settings.pixel_size_A, tomogram), "shape_zyx": tomogram.shape_zyx}
    return {"tomograms": Catalogue((TomogramFacts(**told),))}


def bin_down(settings: BinnedBy, inputs: Mapping[str, Any], work: Work) -> Outputs:
    """The binned version, as it is being made."""
    tomogram: Tomogram = inputs["tomogram"]
    factor = settings.bin_factor
    if min(tomogram.shape_zyx) < factor:
        raise EngineError(f"of {tomogram.shape_zyx[::-1]} px (xyz) nothing is left, binned by {factor}")
    pixel_size_A = _pixel_size_A(settings.pixel_size_A, tomogram)
    return {binning.item_of(factor): binning.binned_stream(tomogram, factor, factor * pixel_size_A, work)}


def _pixel_size_A(typed_A: float | None, tomogram: Tomogram) -> float:
    size = typed_A or tomogram.pixel_size_A
    if not size:
        raise EngineError("the tomogram does not tell its pixel size (type pixel_size_A, in its row or in [data])")
    return size
