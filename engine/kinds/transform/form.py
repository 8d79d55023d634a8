"""The form of a transform: what is read, and the operations, each with its convention."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, Strict, model_validator

from engine.kinds.form import (
    Form,
    OptionalMarksReference,
    OptionalPosesReference,
    OptionalVolumeReference,
    PosesReference,
    ProjectForm,
    TableReferences,
    Vector,
)

Vectors = Annotated[tuple[Vector, ...], Strict(False), Field(min_length=1)]


class Data(Form):
    """What is read."""

    table: TableReferences = Field(
        description="An address, or .tbl / .star / .csv. A list: their rows one table after the other, tags numbered anew from "
        "1, column otag the tag before; tomo, reg and half are kept"
    )
    tomogram_numbers: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Strict(False)] | None = Field(
        default=None, description="Number of the tomogram of each table, for column tomo; omitted: as they have it"
    )
    map: OptionalVolumeReference = Field(
        default=None, description="The average of the table: it is moved along, and becomes the item map"
    )
    pixel_size_A: float | None = Field(
        default=None, gt=0, description="Pixel size in A; omitted: that of the map or of the table's column apix"
    )


class Operation(Form):
    """What every operation has."""

    MOVES_MAP: ClassVar[bool] = True
    """Whether it does to a map what it does to the average of the table."""


class Marked(Operation):
    """Points of the average: markers, typed places in its box, or typed offsets from its box centre n // 2.

    They are those of the average as the operations before left it; places in data.map go with it.
    """

    PLACES: ClassVar[tuple[str, ...]] = ()
    """The keys that say where, of which one is given."""

    markers: OptionalMarksReference = Field(
        default=None,
        description="Points that were marked in the average: a .cmm of Chimera or ChimeraX, a .csv, or any file of marks that "
        "a picking reads",
    )
    markers_in: Literal["A", "px"] | None = Field(
        default=None,
        description='Unit of the markers. "A": px = (marker - origin of the map) / pixel size; "px": voxels of the map, from '
        "0; omitted: as the file tells, which is A of a .cmm",
    )
    map: OptionalVolumeReference = Field(
        default=None,
        description="The map that was marked: its box, pixel size and origin count. It shows the average as the operations "
        "before left it. Omitted: data.map, the average before all of them, whose points are taken along",
    )
    box_px: int | None = Field(
        default=None,
        ge=1,
        le=4096,
        description="Side of the box in px that typed places are counted in; omitted: the map's",
    )

    @property
    def is_place(self) -> bool:
        """Whether the points are places in a box, not offsets from its centre."""
        return self.markers is not None or getattr(self, self.PLACES[1]) is not None

    @model_validator(mode="after")
    def _one_source(self) -> Marked:
        if sum(getattr(self, name) is not None for name in self.PLACES) != 1:
            raise ValueError(f"say where exactly once: {', '.join(self.PLACES[:-1])} or {self.PLACES[-1]}")
        return self


class Recentre(Marked):
    """The average's centre moves to a point of it."""

    PLACES: ClassVar[tuple[str, ...]] = ("markers", "point_xyz_px", "offset_xyz_px", "offset_xyz_A")

    do: Literal["recentre"] = Field(
        description="The point becomes the centre: with v from the box centre to the point, in the average's axes, d becomes d "
        "+ R v. Angles and x, y, z stay, so boxes that are cut stay usable; the map is shifted by -v"
    )
    marker: int | None = Field(default=None, description="Id of the marker; omitted: the only one")
    point_xyz_px: Vector | None = Field(default=None, description="The point in px of the average's box, from 0")
    offset_xyz_px: Vector | None = Field(default=None, description="The point from the box centre in px: v itself")
    offset_xyz_A: Vector | None = Field(default=None, description="The same in A")


class Rigid(Operation):
    """The average is turned and shifted."""

    do: Literal["move"] = Field(
        description="The average moves by x -> Q (x - c) + c + t about its box centre c: turned, then shifted. R becomes R "
        "Q^T, d becomes d - R Q^T t; x, y, z stay. In Dynamo dynamo_table_rigid"
    )
    angles_deg: Vector | None = Field(
        default=None, description="Q as (tdrot, tilt, narot) in deg, as a pose turns the template; omitted: no turn"
    )
    shift_xyz_px: Vector | None = Field(default=None, description="t in px; omitted: no shift")
    shift_xyz_A: Vector | None = Field(default=None, description="The same in A")
    transform: OptionalPosesReference = Field(
        default=None,
        description="Or the item transform of a registration, or a table of one row: its pose is Q and t, in px of its apix",
    )
    inverse: bool = Field(default=False, description="The way back: Q^T, -Q^T t")

    @model_validator(mode="after")
    def _one_move(self) -> Rigid:
        typed = [name for name in ("angles_deg", "shift_xyz_px", "shift_xyz_A") if getattr(self, name) is not None]
        if bool(typed) == (self.transform is not None):
            raise ValueError("give the move once: transform, or angles_deg and a shift")
        if self.shift_xyz_px is not None and self.shift_xyz_A is not None:
            raise ValueError("give the shift once: shift_xyz_px or shift_xyz_A")
        return self


class Compose(Operation):
    """Particles of several averages come into the frame that the averages were aligned to."""

    MOVES_MAP: ClassVar[bool] = False

    do: Literal["compose"] = Field(
        description="Average i was a particle itself and has the pose Ra, da: its own particles go from R, d to R Ra, d + R "
        "da, which is their pose in the frame that the averages share; x, y, z stay. A subbox after it is that in "
        "two stages"
    )
    poses: PosesReference = Field(description="Table of the averages' alignment; an average is found by its tag")
    by: Literal["table", "tomo", "reg", "class", "ref"] = Field(
        default="table",
        description='What of a particle is the tag of its average: "table", the number from 1 in data.table, or a column',
    )


class Expand(Operation):
    """Every particle once for each operator of a symmetry."""

    do: Literal["expand"] = Field(
        description="Copy j of a particle has the pose R S_j, at the same place: the average gets the symmetry. Of k copies of "
        "the tag t number j has the tag k (t - 1) + j, otag is the tag in data.table, npar counts copies; x, y, z, d and cc "
        "stay, boxes are to be cut anew"
    )
    symmetry: str = Field(description="Cn, Dn, T, O or I, about the box centre. Dynamo: sym")


class RandomAzimuth(Operation):
    """Every particle is turned about its own axis, by any angle."""

    MOVES_MAP: ClassVar[bool] = False

    do: Literal["randomise-azimuth"] = Field(
        description="narot is drawn anew between -180 and 180 deg, from compute.seed: R becomes R Rz. Axis, x, y, z and d "
        "stay. In Dynamo dynamo_table_randomize_azimuth"
    )


class Perturb(Operation):
    """Every pose is disturbed."""

    MOVES_MAP: ClassVar[bool] = False

    do: Literal["perturb"] = Field(
        description="Each pose is turned about an axis of its own, and its d moved along a direction of its own, both even "
        "over the sphere, from compute.seed; x, y, z stay. In Dynamo dynamo_table_perturbation"
    )
    angle_deg: float = Field(default=0.0, ge=0, le=180, description="Turns are even between 0 and this, in deg")
    shift_px: float = Field(default=0.0, ge=0, description="Moves are even between 0 and this, in px")


class Rescale(Operation):
    """Another binning, or another pixel size."""

    MOVES_MAP: ClassVar[bool] = False

    do: Literal["rescale"] = Field(
        description="The centre x + d becomes f (x + d), or that + (f - 1) / 2 of block means; x, y, z are the voxel nearest "
        "to it and d is the rest, so nothing is lost and boxes are to be cut anew. apix is divided by f. In Dynamo "
        "dynamo_table_rescale"
    )
    factor: float | None = Field(
        default=None, gt=0, description="f, new px for one px now: 2 leads from bin 2 to the whole tomogram"
    )
    pixel_size_A: float | None = Field(default=None, gt=0, description="Or: the new pixel size in A; f = old / new")
    binning: Literal["fourier-crop", "block-mean"] = Field(
        default="fourier-crop",
        description="How the binned tomogram was made: block means move positions by (f - 1) / 2 px",
    )

    @model_validator(mode="after")
    def _one_factor(self) -> Rescale:
        if (self.factor is None) == (self.pixel_size_A is None):
            raise ValueError("give the scale exactly once: factor or pixel_size_A")
        return self


class CentreBoxes(Operation):
    """Boxes are centred on their particles."""

    do: Literal["centre-boxes"] = Field(
        description="x, y, z become the voxel nearest to the centre x + d, and d is the rest, at most half a px: boxes are to "
        "be cut anew, and their particles lie in the middle. In Dynamo dpktbl.centerCropPoints"
    )


class Subbox(Marked):
    """Marked points of the average become particles of their own."""

    PLACES: ClassVar[tuple[str, ...]] = ("markers", "points_xyz_px", "offsets_xyz_px", "offsets_xyz_A")

    do: Literal["subbox"] = Field(
        description="With v from the box centre to a point, in the average's axes, copy j of a point lies at x + d + R S_j v "
        "and is turned by R S_j. x, y, z are the nearest voxel, d the rest: boxes are to be cut anew. Of k "
        "particles made of the tag t number j has the tag k (t - 1) + j, otag is the tag in data.table, npar counts "
        "them, cc is 0. In Dynamo dynamo_subboxing_table"
    )
    points_xyz_px: Vectors | None = Field(default=None, description="The points in px of the average's box, from 0")
    offsets_xyz_px: Vectors | None = Field(default=None, description="The points from the box centre in px: v itself")
    offsets_xyz_A: Vectors | None = Field(default=None, description="The same in A")
    symmetry: str = Field(default="C1", description="Symmetric copies of each point: Cn, Dn, T, O, I. Dynamo: sym")


AnyOperation = Annotated[
    Recentre | Rigid | Compose | Expand | RandomAzimuth | Perturb | Rescale | CentreBoxes | Subbox,
    Field(discriminator="do"),
]


class Project(ProjectForm):
    """Tables through operations, in order: poses stay exact, and where particles lie is never rounded away."""

    data: Data = Field(description="What is read")
    operations: Annotated[tuple[AnyOperation, ...], Strict(False)] = Field(
        default=(),
        description='What is done, in this order, each to what the one before left. do is "recentre", "move", "compose", '
        '"expand", "randomise-azimuth", "perturb", "rescale", "centre-boxes" or "subbox"',
    )


def is_random(operations: tuple[Any, ...]) -> bool:
    """Whether a seed decides anything."""
    return any(isinstance(one, RandomAzimuth | Perturb) for one in operations)
