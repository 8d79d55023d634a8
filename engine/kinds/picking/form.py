"""The TOML form of a picking."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, Strict, model_validator

from engine.kinds import binning
from engine.kinds.form import (
    Form,
    LengthsVector,
    OptionalCatalogueReference,
    OptionalMarksReference,
    OptionalTomogramReference,
    OptionalVolumeReference,
    ProjectForm,
    Vector,
)
from engine.kinds.mask_form import OptionalMask

Vectors = Annotated[tuple[Vector, ...], Strict(False)]
Size = Annotated[int, Field(ge=1)]
Sizes = Annotated[tuple[Size, Size, Size], Strict(False)]
Sphere = Annotated[tuple[float, float, float, Annotated[float, Field(gt=0)]], Strict(False)]
Spheres = Annotated[tuple[Sphere, ...], Strict(False)]
Dipole = Annotated[tuple[Vector, Vector], Strict(False)]
Dipoles = Annotated[tuple[Dipole, ...], Strict(False)]
Cell = Annotated[tuple[Vector, Vector, Vector], Strict(False)]
Range = Annotated[tuple[float, float], Strict(False)]


class Data(Form):
    """What is read."""

    catalogue: OptionalCatalogueReference = Field(
        default=None,
        description='Instead of [[tomograms]]: those of a catalogue, as in "tomos:tomograms" or, for some of them, '
        '"tomos:tomograms:tomo=[1,3]", with their names, sizes and pixel sizes',
    )


class Tomogram(Form):
    """A tomogram whose voxels x, y, z count in."""

    number: int = Field(default=1, ge=0, le=999_999_999, description="Number of the tomogram: column tomo")
    name: str | None = Field(
        default=None, min_length=1, description="What files call it, as TS_01; omitted: its number"
    )
    map: OptionalVolumeReference = Field(default=None, description="Its size and pixel size are read from its header")
    size_xyz_px: Sizes | None = Field(default=None, description="Its size in px, where there is no map")
    pixel_size_A: float | None = Field(default=None, gt=0, description="Pixel size in A; omitted: the map's")


class Model(Form):
    """What every model has."""

    tomo: int | None = Field(
        default=None, ge=0, description="Number of its tomogram; omitted: as the file tells, or the only one there is"
    )
    file: OptionalMarksReference = Field(
        default=None,
        description="Marked points: .csv .star (RELION's annotations too) .tbl .cmm .mod .omd, or an address of proposals or "
        "a table. What belongs together in it (a contour, a dipole, linked markers) is one region",
    )
    file_pixel_size_A: float | None = Field(
        default=None,
        gt=0,
        description="Pixel size in A that the file counts in; omitted: as it tells, or the tomogram's",
    )
    file_origin_xyz_A: Vector = Field(
        default=(0.0, 0.0, 0.0),
        description="What a viewer calls the middle of voxel (0, 0, 0), in A: the origin of its map",
    )
    azimuth: Literal["random", "axis", "zero"] = Field(
        default="random",
        description='Turn about the normal. "random": from compute.seed; "axis": x lies along the model\'s axis; '
        '"zero": narot is 0, as in Dynamo',
    )


class Surface(Model):
    """What every model of a surface has."""

    spacing_A: float = Field(gt=0, description="One point for each square of this side, in A. In Dynamo separation")
    offset_A: float = Field(
        default=0.0, description="Points lie so far outside the surface, in A. In Dynamo crop_distance_from_surface"
    )


class SpheresModel(Surface):
    """Spherical vesicles. In Dynamo vesicle and dipoleSet."""

    model: Literal["spheres"]
    spheres_xyzr_px: Spheres = Field(default=(), description="Centres and radii, typed, 0-based px")
    dipoles_xyz_px: Dipoles = Field(default=(), description="Centres, and a point on each surface, 0-based px")
    radius_A: float | None = Field(default=None, gt=0, description="Radius of marks that tell none, in A")
    pattern: Literal["spiral", "rings"] = Field(
        default="spiral", description='"spiral": evenly along a Fibonacci spiral; "rings": on circles of latitude'
    )


class EllipsoidsModel(Surface):
    """Ellipsoidal vesicles: one typed, or one through nine or more marks of a region. In Dynamo ellipsoidalVesicle."""

    model: Literal["ellipsoids"]
    centre_xyz_px: Vector | None = Field(default=None, description="Centre, typed, 0-based px")
    semi_axes_xyz_A: LengthsVector | None = Field(default=None, description="Semi-axes in A")
    angles_deg: Vector = Field(default=(0.0, 0.0, 0.0), description="tdrot, tilt, narot that turn its axes, in deg")

    @model_validator(mode="after")
    def _whole(self) -> EllipsoidsModel:
        if (self.centre_xyz_px is None) != (self.semi_axes_xyz_A is None):
            raise ValueError("a typed ellipsoid has both (centre_xyz_px and semi_axes_xyz_A)")
        return self


class SurfacesModel(Surface):
    """Membranes: a smooth surface through marks. In Dynamo membraneByLevels."""

    model: Literal["surfaces"]
    points_xyz_px: Vectors = Field(default=(), description="Marks, typed, 0-based px")
    closed: bool = Field(default=False, description="The surface closes around the point inside; else it is a sheet")
    smoothing_A: float = Field(
        default=0.0, ge=0, description="How far the surface passes the marks, root mean square, in A"
    )
    inside_xyz_px: Vector | None = Field(
        default=None,
        description="Normals point away from here, 0-based px; omitted: towards z of a sheet, from the middle of others",
    )


class FilamentsModel(Model):
    """Filaments: a smooth path through marks in their order. In Dynamo filament, filamentWithTorsion, filamentRings."""

    model: Literal["filaments"]
    azimuth: Literal["random", "axis", "zero"] = Field(
        default="axis",
        description='Turn about the particle\'s z. "axis": carried along the path without twist, and turned by turn_deg; '
        '"random": from compute.seed; "zero": narot is 0',
    )
    points_xyz_px: Vectors = Field(default=(), description="Marks, typed, 0-based px")
    spacing_A: float = Field(
        gt=0, description="Arc length from one point, or ring, to the next, in A. In Dynamo subunits_dz"
    )
    turn_deg: float = Field(
        default=0.0,
        ge=-360,
        le=360,
        description="Turn about the path from one to the next, right-handed, in deg. In Dynamo subunits_dphi",
    )
    radius_A: float = Field(
        default=0.0, ge=0, description="0: points on the path, z along it; else on rings around it, z outward, in A"
    )
    subunits: int = Field(
        default=1, ge=1, le=1000, description="Points on each ring; 1 makes a helix. In Dynamo subunitsPerRing"
    )

    @model_validator(mode="after")
    def _rings(self) -> FilamentsModel:
        if self.subunits > 1 and self.radius_A == 0:
            raise ValueError("several subunits need a ring (give radius_A)")
        return self


class LatticeModel(Model):
    """A lattice that fills a box. In Dynamo cubicCrystal, generalCrystal."""

    model: Literal["lattice"]
    azimuth: Literal["random", "zero"] = Field(default="zero", description="Turn about z; z is the tomogram's")
    spacing_A: float | None = Field(default=None, gt=0, description="Side of the cells of a cubic lattice, in A")
    cell_xyz_A: Cell | None = Field(default=None, description="Or the three vectors of a cell, in A")
    origin_xyz_px: Vector | None = Field(
        default=None, description="A point of the lattice, 0-based px; omitted: it lies in the middle"
    )
    first_xyz_px: Vector | None = Field(
        default=None, description="Lower corner of the box, 0-based px; omitted: the tomogram's"
    )
    last_xyz_px: Vector | None = Field(
        default=None, description="Upper corner of the box, 0-based px; omitted: the tomogram's"
    )

    @model_validator(mode="after")
    def _one_lattice(self) -> LatticeModel:
        if (self.spacing_A is None) == (self.cell_xyz_A is None):
            raise ValueError("give the lattice exactly once: spacing_A or cell_xyz_A")
        return self


class PointsModel(Model):
    """The marks themselves. In Dynamo general and boxes."""

    model: Literal["points"]
    points_xyz_px: Vectors = Field(default=(), description="Marks, typed, 0-based px")
    from_xyz_px: Vector | None = Field(
        default=None, description="z points away from here, 0-based px; omitted: along the tomogram's z"
    )


class PeaksModel(Model):
    """Peaks of the tomogram's own map, such as the unit cells of an average: what a person would mark there."""

    model: Literal["peaks"]
    azimuth: Literal["random", "zero"] = Field(default="zero", description="Turn about z; z is the map's")
    density: Literal["bright", "dark"] = Field(default="bright", description="Whether peaks are bright or dark")
    distance_A: float = Field(gt=0, description="Of two peaks nearer to each other the higher one counts, in A")
    most: int = Field(default=100, ge=1, le=100_000, description="At most so many, the highest")
    lowpass_A: float | None = Field(default=None, gt=0, description="Low-pass of the map before, in A; omitted: none")
    within: OptionalMask = Field(
        default=None, description="A mask in which peaks are looked for; omitted: a ball that fills the box"
    )


AnyModel = Annotated[
    SpheresModel | EllipsoidsModel | SurfacesModel | FilamentsModel | LatticeModel | PointsModel | PeaksModel,
    Field(discriminator="model"),
]


class Borders(Form):
    """How far points stay from the faces of the tomogram."""

    box_px: int | None = Field(default=None, ge=1, le=4096, description="A box of this side must lie inside, in px")
    distance_A: float | None = Field(
        default=None, ge=0, description="Or: this distance from the outermost voxels, in A"
    )

    @model_validator(mode="after")
    def _one(self) -> Borders:
        if (self.box_px is None) == (self.distance_A is None):
            raise ValueError("give the border exactly once: box_px or distance_A")
        return self


class Gold(Form):
    """Gold beads, or anything else that points stay away from."""

    tomo: int | None = Field(default=None, ge=0, description="Number of the tomogram; omitted: as a model's")
    file: OptionalMarksReference = Field(default=None, description="Where they are: a file as a model's")
    file_pixel_size_A: float | None = Field(default=None, gt=0, description="Pixel size in A that the file counts in")
    file_origin_xyz_A: Vector = Field(
        default=(0.0, 0.0, 0.0), description="What a viewer calls the middle of voxel (0, 0, 0), in A"
    )
    points_xyz_px: Vectors = Field(default=(), description="Or typed, 0-based px")
    distance_A: float = Field(gt=0, description="Points nearer than this to one are dropped, in A")

    @model_validator(mode="after")
    def _told(self) -> Gold:
        if self.file is None and not self.points_xyz_px:
            raise ValueError("where is the gold? (give file or points_xyz_px)")
        return self


class Finding(Form):
    """A search for spherical vesicles in a tomogram; what it proposes is for a person to accept."""

    map: OptionalTomogramReference = Field(
        default=None,
        description="The tomogram, binned or not: a file or an address; omitted: each of the catalogue's tomograms",
    )
    bin_factor: int = Field(
        default=1,
        ge=1,
        le=binning.FACTORS[-1],
        description="Which version of the catalogue's tomograms: 1 the tomograms themselves, 4 those binned by 4",
    )
    tomo: int | None = Field(
        default=None, ge=0, description="Number of the tomogram that map shows; omitted: the only one there is"
    )
    pixel_size_A: float | None = Field(default=None, gt=0, description="Its pixel size in A; omitted: the map's")
    radius_A: Range = Field(description="Smallest and largest radius that are looked for, in A")
    thickness_A: float = Field(
        default=100.0, gt=0, description="Thickness of the shell in A: membrane and what lines it"
    )
    density: Literal["dark", "bright"] = Field(default="dark", description="Whether shells are darker than the solvent")
    tilt_range_deg: Range | None = Field(
        default=None, description="Measured tilts about y in deg; omitted: the catalogue's, else -60 to 60"
    )
    minimum_score: float = Field(default=6.0, gt=0, description="Least score, in deviations of the background")
    minimum_coverage: float = Field(
        default=0.75, ge=0, le=1, description="Least share of the seen directions in which a shell stands out"
    )


class Project(ProjectForm):
    """Oriented points on geometric models, and proposals of vesicles."""

    data: Data = Field(default=Data.plain(), description="What is read")
    tomograms: Annotated[tuple[Tomogram, ...], Strict(False)] = Field(
        default=(), description="The tomograms that the points lie in; or see data.catalogue"
    )
    models: Annotated[tuple[AnyModel, ...], Strict(False)] = Field(
        default=(),
        description="What the points lie on: spheres, ellipsoids, surfaces, filaments, lattice, points or peaks",
    )
    borders: Borders | None = Field(default=None, description="Points near the faces of the tomogram are dropped")
    gold: Gold | None = Field(default=None, description="Points near gold are dropped")
    finding: Finding | None = Field(default=None, description="Spherical vesicles are looked for")
