"""Form, the base of every project file, and the parts that kinds share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal, Protocol, Self

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Strict, Tag, field_validator, model_validator

from engine.address import is_address, parse
from engine.data import Catalogue, Marks, ParticleFacts, Residues, Source, Table, VolumeFacts, WeightFacts
from engine.faults import Key
from engine.steering import steers
from engine.step import Input, What


class Form(BaseModel):
    """A table of a TOML file: frozen, no unknown keys, no silent conversions, finite numbers."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, defer_build=True)

    @classmethod
    def plain(cls, **values: Any) -> Self:
        """The form with its defaults, to be a default itself: not validated, so that importing a kind builds no validator."""
        return cls.model_construct(**values)

    @field_validator("*")
    @classmethod
    def _is_plain_text(cls, value: Any) -> Any:
        for text in value if isinstance(value, tuple) else (value,):
            if isinstance(text, str) and steers(text):
                raise ValueError("holds a line break or a control character (write it without, in one line)")
        return value


Vector = Annotated[tuple[float, float, float], Strict(False)]
LimitsVector = Annotated[
    tuple[Annotated[float, Field(ge=0)], Annotated[float, Field(ge=0)], Annotated[float, Field(ge=0)]], Strict(False)
]


_Length = Annotated[float, Field(gt=0)]
LengthsVector = Annotated[tuple[_Length, _Length, _Length], Strict(False)]


@dataclass(frozen=True)
class Reads:
    """Marks a field whose text names something to read: a path relative to the TOML's folder, or an address."""

    what: What


Reference = Annotated[str, Field(min_length=1)]
ParticlesReference = Annotated[Reference, Reads("particles")]
TableReference = Annotated[Reference, Reads("table")]
VolumeReference = Annotated[Reference, Reads("volume")]
OptionalParticlesReference = Annotated[Reference | None, Reads("particles")]
OptionalTableReference = Annotated[Reference | None, Reads("table")]
PosesReference = Annotated[Reference, Reads("poses")]
OptionalPosesReference = Annotated[Reference | None, Reads("poses")]
OptionalVolumeReference = Annotated[Reference | None, Reads("volume")]
OptionalMarksReference = Annotated[Reference | None, Reads("marks")]
OptionalTomogramReference = Annotated[Reference | None, Reads("tomogram")]
ResiduesReference = Annotated[Reference, Reads("residues")]
OptionalCatalogueReference = Annotated[Reference | None, Reads("catalogue")]
OptionalWeightsReference = Annotated[Reference | None, Reads("weights")]


WEIGHTS = (
    "Each particle's own Fourier weight w, beside its wedge: its spectrum is w times the object's (0 and 1, or a CTF squared). "
    "A folder of pfmask_00001.em or weight_00001.mrc, a .star with rlnCtfImage, a stack, an address. ftype 5 has no wedge"
)
"""What a kind's key data.weights is."""


def _text_or_several(value: Any) -> str:
    return "several" if isinstance(value, list | tuple) else "one"


OneOrSeveral = Annotated[
    Annotated[Reference, Tag("one")] | Annotated[tuple[Reference, ...], Strict(False), Tag("several")],
    Discriminator(_text_or_several),
]
TableReferences = Annotated[OneOrSeveral, Reads("table")]
MapsReferences = Annotated[OneOrSeveral, Reads("maps")]
OptionalVolumeReferences = Annotated[OneOrSeveral | None, Reads("volume")]


def references(form: BaseModel, key: Key = ()) -> Iterator[tuple[Key, What, str]]:
    """Every (TOML key, what it names, text) that the form reads, in the order of its fields."""
    for name, field in type(form).model_fields.items():
        value = getattr(form, name)
        marks = [mark for mark in field.metadata if isinstance(mark, Reads)]
        if marks and isinstance(value, str):
            yield (*key, name), marks[0].what, value
        elif marks and isinstance(value, tuple):
            yield from (((*key, name, n), marks[0].what, text) for n, text in enumerate(value) if isinstance(text, str))
        for part_key, part in _parts((*key, name), value):
            yield from references(part, part_key)


def _parts(key: Key, value: Any) -> Iterator[tuple[Key, BaseModel]]:
    if isinstance(value, BaseModel):
        yield key, value
    elif isinstance(value, tuple):
        for number, part in enumerate(value):
            yield from _parts((*key, number), part)


def reads(what: What, text: str) -> Input:
    """The step input that a field's text names."""
    return Input(what, parse(text) if is_address(text) else PurePosixPath(text))


class Look(Protocol):
    """Answers about files and neighbours, from headers only; None for a neighbour that has not run yet.

    What is named must exist: `check` has reported broken references before it asks a kind for its sense.
    """

    def particles(self, text: str) -> ParticleFacts | None: ...

    def table(self, text: str) -> Table | None: ...

    def whole_table(self, text: str) -> Table | None:
        """With the rows of tomograms that the project is not done for."""

    def poses(self, text: str) -> Table | None:
        """A table whose rows are no particles; of each tomogram, that of the last one."""

    def tomograms(self, text: str) -> tuple[int, ...]:
        """The numbers of the tomograms that an address means; none of what is not kept by tomogram."""

    def tomogram_names(self, text: str) -> Mapping[int, str]:
        """What a table's file calls the tomograms of its column tomo; nothing where it does not name them."""

    def volume(self, text: str) -> VolumeFacts | None: ...

    def weights(self, text: str) -> WeightFacts | None: ...

    def marks(self, text: str) -> Marks | None: ...

    def residues(self, text: str) -> Residues | None: ...

    def catalogue(self, text: str) -> Catalogue | None: ...

    def source(self, name: str) -> Source: ...


def _text_or_list(value: Any) -> str:
    return "all" if isinstance(value, str) else "list"


Gpus = Annotated[
    Annotated[Literal["all"], Tag("all")]
    | Annotated[tuple[Annotated[int, Field(ge=0)], ...], Strict(False), Tag("list")],
    Discriminator(_text_or_list),
]


class Compute(Form):
    """Where and how to compute. Nothing here but the seed changes a result."""

    gpus: Gpus = Field(
        default="all",
        description='GPUs to use, counted from 0; [] = CPU; "all" = every visible one, else the CPU. Dynamo: gpus',
    )
    workers: int = Field(default=1, ge=1, le=1024, description="Worker processes on the CPU. Dynamo: cores")
    chunk: int = Field(default=16, ge=1, description="Particles handed to a worker at a time, at most")
    seed: int = Field(default=0, ge=0, description="Seed of everything random in this project")
    expected_particles: int | None = Field(
        default=None,
        ge=1,
        description="How many rows its table is expected to have, of each tomogram if it is done for each: forecasts of what "
        "reads it count on it until it is there",
    )


class ProjectForm(Form):
    """What every project file has."""

    title: str = Field(default="", description="What this project is for, in a line")
    each: Literal["tomogram"] | None = Field(
        default=None,
        description="Give it, and the project is done for each tomogram that it reads, of a catalogue or of a project of "
        "each tomogram; addresses gain tomo=3",
    )
    compute: Compute = Field(default=Compute.plain(), description="Where and how to compute")

    def completed(self, folder: Path) -> Self:
        """The form with what the lists that it names hold, beside what is typed; folder is the campaign's."""
        return self


Flip = Literal["none", "first-level", "every-level"]


class Cone(Form):
    """Search of the particle's axis, around where it points now."""

    range_deg: float = Field(
        default=20.0, ge=0, le=360, description="Full aperture in deg; 360 = the sphere; 0 = do not search. Dynamo: cr"
    )
    step_deg: float = Field(default=5.0, gt=0, le=180, description="Spacing of directions in deg. Dynamo: cs")
    flip: Flip = Field(
        default="none",
        description="Also search the opposite axis: on the first level or on every level. Dynamo: cf 0, 1, 2",
    )


class Azimuth(Form):
    """Search of the rotation about the particle's own axis."""

    range_deg: float = Field(default=30.0, ge=0, le=360, description="Full range in deg; 0 = do not search. Dynamo: ir")
    step_deg: float = Field(default=5.0, gt=0, le=180, description="Step in deg. Dynamo: is")
    flip: Flip = Field(
        default="none", description="Also search 180 deg away: on the first level or on every level. Dynamo: if 0, 1, 2"
    )


class Refine(Form):
    """Further levels of the angular search, each around the best pose so far; rounds of the polish in a fast search."""

    levels: int = Field(
        default=4,
        ge=0,
        le=12,
        description="Levels after the first; rounds of the polish in a fast or global search. Dynamo: rf",
    )
    factor: float = Field(
        default=2.0,
        gt=0,
        description="Range of a level = factor x step of the level before; the step is halved. In a fast or global search: the "
        "furthest that a step of the polish goes, in its spacings. Dynamo: rff",
    )


ShiftOrigin = Literal["unlimited", "box-centre", "last-iteration", "round-start", "project-start"]


class Shifts(Form):
    """Where the particle's centre may be looked for."""

    limits_xyz_px: LimitsVector = Field(
        default=(10.0, 10.0, 10.0),
        description="Semi-axes of the allowed ellipsoid in px; 0 freezes an axis. Dynamo: lim",
    )
    origin: ShiftOrigin = Field(default="box-centre", description="Centre of the ellipsoid. Dynamo: limm 0, 1, 2, 3, 4")
    frame: Literal["particle", "box"] = Field(
        default="particle", description="Axes of the ellipsoid: the particle's (z along its own axis) or the box's"
    )


class Adaptive(Form):
    """The low-pass follows the FSC between the half-sets after each iteration; the round's own is where it starts."""

    criterion: float = Field(
        default=0.143,
        gt=0,
        lt=1,
        description="FSC of the shell that is reached. In Dynamo adaptive_bandpass_threshold",
    )
    pushback_fpx: float = Field(
        default=3.0,
        ge=0,
        description="The next low-pass lies below that shell by this, in Fourier pixels. In Dynamo adaptive_bandpass_pushback",
    )
    symmetrized: bool = Field(
        default=False,
        description="The FSC is that of the symmetrized averages. In Dynamo adaptive_bandpass_symmetrized",
    )


class Bandpass(Form):
    """The shells that are compared; soft edges of 2 Fourier pixels lie outside the cuts."""

    highpass_fpx: float | None = Field(
        default=None, ge=0, description="High-pass in Fourier pixels of the stored box; default 2. Dynamo: high"
    )
    highpass_A: float | None = Field(default=None, gt=0, description="The same in A")
    lowpass_fpx: float | None = Field(
        default=None, gt=0, description="Low-pass in Fourier pixels of the stored box. Dynamo: low"
    )
    lowpass_A: float | None = Field(default=None, gt=0, description="The same in A")
    adaptive: Adaptive | None = Field(
        default=None,
        description="Give it, if only as {}: after each iteration the low-pass follows the FSC between the half-sets. It "
        "starts at lowpass_fpx or lowpass_A, or where an adaptive round just before ended. In Dynamo adaptive_bandpass",
    )

    @model_validator(mode="after")
    def _one_of_each_pair(self) -> Bandpass:
        if (self.lowpass_fpx is None) == (self.lowpass_A is None):
            raise ValueError("give the low-pass exactly once: lowpass_fpx or lowpass_A")
        if self.highpass_fpx is not None and self.highpass_A is not None:
            raise ValueError("give the high-pass once: highpass_fpx or highpass_A")
        return self

    def shells(self, box_px: int, pixel_size_A: float) -> tuple[float, float]:
        """High-pass and low-pass in Fourier pixels of a box: shell = box * pixel size / resolution."""
        length_A = box_px * pixel_size_A
        low = self.lowpass_fpx if self.lowpass_fpx is not None else length_A / (self.lowpass_A or length_A)
        high = 2.0 if self.highpass_fpx is None else self.highpass_fpx
        if self.highpass_A is not None:
            high = length_A / self.highpass_A
        return high, low


Rule = Literal["all", "cc-above", "cc-above-mean-times", "cc-above-mean-plus-std", "best-count", "best-fraction"]


class Select(Form):
    """A rule that keeps particles by their cc; the mean and the deviation are those of the particles it is asked about."""

    rule: Rule = Field(default="all", description="Rule of the selection. Dynamo: thrm 0, 1, 2, 3, 4, 5")
    value: float = Field(default=0.2, description="Its number: a cc, a factor, a count or a fraction. Dynamo: thr")
    reject_from_alignment: bool = Field(
        default=False, description="Rejected particles are not aligned any more. Dynamo: thrm 11 to 51"
    )


class SelectAgain(Select):
    """A second rule, among the survivors of the first and by their cc with their own average (column cc2)."""

    rule: Rule = Field(default="all", description="Rule of the second selection. Dynamo: thr2m 0, 1, 2, 3, 4, 5")
    value: float = Field(default=0.2, description="Its number: a cc, a factor, a count or a fraction. Dynamo: thr2")
    reject_from_alignment: bool = Field(
        default=False, description="Rejected particles are not aligned any more. Dynamo: thr2m 11 to 51"
    )


class Helix(Form):
    """Helical symmetry along z, with the point group Cn or Dn of `symmetry` about the same axis."""

    turn_deg: float = Field(
        ge=-360,
        le=360,
        description="Turn about z from one subunit to the next, right-handed, in deg. In Dynamo a part of sym",
    )
    rise_A: float | None = Field(default=None, gt=0, description="Rise along z from one subunit to the next in A")
    rise_px: float | None = Field(default=None, gt=0, description="The same in px")
    central_fraction: float = Field(
        default=0.5,
        gt=0,
        le=1,
        description="Part of the box along z, about its centre, that is repeated along the helix",
    )

    @model_validator(mode="after")
    def _one_rise(self) -> Helix:
        if (self.rise_A is None) == (self.rise_px is None):
            raise ValueError("give the rise exactly once: rise_A or rise_px")
        return self

    def rise_in_px(self, pixel_size_A: float) -> float:
        """The rise in px of the data."""
        return self.rise_px if self.rise_px is not None else (self.rise_A or 0.0) / pixel_size_A


class Round(Form):
    """A block of iterations with the same search."""

    iterations: int = Field(
        default=1, ge=1, le=1000, description="Iterations in this round, counted on through the project. Dynamo: ite"
    )
    cone: Cone = Field(default=Cone.plain(), description="Search of the axis")
    azimuth: Azimuth = Field(default=Azimuth.plain(), description="Search about the axis")
    search: Literal["fast", "grid", "global"] = Field(
        default="fast",
        description='"fast": the first level is screened at half the band, a tenth goes on, the best is polished; '
        '"grid": every rotation of every level is scored, as Dynamo does; '
        '"global": all orientations, whatever the present one; cone and azimuth are not given',
    )
    refine: Refine = Field(default=Refine.plain(), description="Further levels of the angular search")
    shifts: Shifts = Field(default=Shifts.plain(), description="Allowed shifts")
    bandpass: Bandpass = Field(description="Shells that are compared")
    symmetry: str = Field(default="C1", description="Symmetry of the reference: Cn, Dn, T, O, I. Dynamo: sym")
    helix: Helix | None = Field(
        default=None, description="Helical symmetry of the reference, beside Cn or Dn; in Dynamo a part of sym"
    )
    swap_references: bool = Field(
        default=False,
        description="With several references: in each iteration a particle goes to the one with the highest cc. Dynamo: mra",
    )
    swap_by: Literal["whole", "other-half"] = Field(
        default="whole",
        description='By the cc with what. "whole": each reference, as Dynamo does; "other-half": that half of each average '
        "which the particle is no part of, so that noise settles in no class",
    )
    separation_px: float = Field(
        default=0.0,
        ge=0,
        description="Of particles of a tomogram nearer than this in px only that with the highest cc is averaged. Dynamo: stm",
    )
    select: Select = Field(default=Select.plain(), description="Which particles go into the average")
    select_again: SelectAgain | None = Field(
        default=None,
        description="Second selection, among the survivors of the first, by their cc with their own average (column cc2)",
    )
