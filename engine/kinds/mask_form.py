"""Masks in TOML: a file or an address, a shape, what a map holds beyond a threshold, or a list of these.

A size is given in A or in px, one of both.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Discriminator, Field, Strict, Tag, model_validator

from engine.kinds.form import Form, LengthsVector, Reads, Reference, Vector, VolumeReference

DEFAULT_EDGE_PX = 3.0

FLATTEST = 1e9
"""Radius of curvature beyond which no voxel could tell a membrane from a flat one."""

Length = Annotated[float, Field(gt=0)] | None
Lengths = LengthsVector | None


class Part(Form):
    """What every part of a mask has: how it joins the parts before it, and a soft edge."""

    NEEDS: ClassVar[tuple[str, ...]] = ()
    """Sizes that must be given, in A or in px."""

    combine: Literal["union", "intersection", "subtraction"] = Field(
        default="union", description="In a list: what is done with this part and all that stand before it"
    )
    edge_px: float | None = Field(default=None, ge=0, description="Width of the raised-cosine edge in px; default 3")
    edge_A: float | None = Field(default=None, ge=0, description="The same in A")

    @model_validator(mode="after")
    def _one_of_each_pair(self) -> Part:
        for name in self._sizes():
            given = [unit for unit in ("A", "px") if getattr(self, f"{name}_{unit}") is not None]
            words = name.removesuffix("_xyz").replace("_", " ")
            verb = "give the " + words + (" exactly" if name in self.NEEDS else "")
            if len(given) > 1 or (name in self.NEEDS and not given):
                raise ValueError(f"{verb} once: {name}_A or {name}_px")
        return self

    @classmethod
    def _sizes(cls) -> list[str]:
        """The names of what is given in A or in px, without their units."""
        names = cls.model_fields
        return [name.removesuffix("_A") for name in names if name.endswith("_A") and f"{name[:-2]}_px" in names]

    def units(self) -> set[str]:
        """The units that sizes are given in, "A", "px" or both."""
        return {unit for name in self._sizes() for unit in ("A", "px") if getattr(self, f"{name}_{unit}") is not None}

    def size_px(self, name: str, pixel_size_A: float) -> float | None:
        """A size in px; None when it is not given."""
        in_px, in_A = getattr(self, f"{name}_px"), getattr(self, f"{name}_A")
        return in_px if in_A is None else in_A / pixel_size_A

    def sizes_px(self, name: str, pixel_size_A: float) -> tuple[float, float, float] | None:
        """Sizes along x, y, z in px; None when they are not given."""
        in_px, in_A = getattr(self, f"{name}_px"), getattr(self, f"{name}_A")
        return in_px if in_A is None else tuple(size / pixel_size_A for size in in_A)

    def edge(self, pixel_size_A: float) -> float:
        """The edge's width in px."""
        width = self.size_px("edge", pixel_size_A)
        return DEFAULT_EDGE_PX if width is None else width


class Shape(Part):
    """A part that is drawn: its surface lies in the middle of its edge."""

    centre_xyz_px: Vector | None = Field(default=None, description="Centre, 0-based px; default: the box centre n // 2")
    offset_xyz_px: Vector | None = Field(
        default=None, description="Or where the centre lies from the box centre, in px"
    )
    offset_xyz_A: Vector | None = Field(default=None, description="The same in A")

    @model_validator(mode="after")
    def _one_centre(self) -> Shape:
        if self.centre_xyz_px is not None and (self.offset_xyz_px or self.offset_xyz_A):
            raise ValueError("give the centre once: centre_xyz_px or an offset from the box centre")
        return self

    def centre_px(self, box_px: int, pixel_size_A: float) -> tuple[float, float, float]:
        """The centre in px, 0-based."""
        if self.centre_xyz_px is not None:
            return self.centre_xyz_px
        x, y, z = self.sizes_px("offset_xyz", pixel_size_A) or (0.0, 0.0, 0.0)
        return box_px // 2 + x, box_px // 2 + y, box_px // 2 + z


class Sphere(Shape):
    """A ball."""

    NEEDS: ClassVar[tuple[str, ...]] = ("radius",)
    shape: Literal["sphere"]
    radius_A: Length = Field(default=None, description="Radius in A")
    radius_px: Length = Field(default=None, description="The same in px")


class Ellipsoid(Shape):
    """An ellipsoid."""

    NEEDS: ClassVar[tuple[str, ...]] = ("semi_axes_xyz",)
    shape: Literal["ellipsoid"]
    semi_axes_xyz_A: Lengths = Field(default=None, description="Semi-axes along x, y, z in A")
    semi_axes_xyz_px: Lengths = Field(default=None, description="The same in px")


class Cuboid(Shape):
    """A box."""

    NEEDS: ClassVar[tuple[str, ...]] = ("sides_xyz",)
    shape: Literal["box"]
    sides_xyz_A: Lengths = Field(default=None, description="Full sides along x, y, z in A")
    sides_xyz_px: Lengths = Field(default=None, description="The same in px")


class Cylinder(Shape):
    """A cylinder along z."""

    NEEDS: ClassVar[tuple[str, ...]] = ("radius", "height")
    shape: Literal["cylinder"]
    radius_A: Length = Field(default=None, description="Radius in A")
    radius_px: Length = Field(default=None, description="The same in px")
    height_A: Length = Field(default=None, description="Full height along z in A")
    height_px: Length = Field(default=None, description="The same in px")


class Tube(Shape):
    """A hollow cylinder along z."""

    NEEDS: ClassVar[tuple[str, ...]] = ("radius", "thickness", "height")
    shape: Literal["tube"]
    radius_A: Length = Field(default=None, description="Radius in A, to the middle of the wall")
    radius_px: Length = Field(default=None, description="The same in px")
    thickness_A: Length = Field(default=None, description="Thickness of the wall in A")
    thickness_px: Length = Field(default=None, description="The same in px")
    height_A: Length = Field(default=None, description="Full height along z in A")
    height_px: Length = Field(default=None, description="The same in px")


class Shell(Shape):
    """A spherical shell."""

    NEEDS: ClassVar[tuple[str, ...]] = ("radius", "thickness")
    shape: Literal["shell"]
    radius_A: Length = Field(default=None, description="Radius in A, to the middle of the shell")
    radius_px: Length = Field(default=None, description="The same in px")
    thickness_A: Length = Field(default=None, description="Thickness of the shell in A")
    thickness_px: Length = Field(default=None, description="The same in px")


class Membrane(Shape):
    """A membrane through the centre with its normal along z."""

    NEEDS: ClassVar[tuple[str, ...]] = ("thickness",)
    shape: Literal["membrane"]
    thickness_A: Length = Field(default=None, description="Thickness of the membrane in A")
    thickness_px: Length = Field(default=None, description="The same in px")
    curvature_radius_A: float | None = Field(
        default=None,
        ge=-FLATTEST,
        le=FLATTEST,
        description="Radius of curvature in A: positive where it bends down (its inside at lower z), negative where up; "
        "omitted: flat",
    )
    curvature_radius_px: float | None = Field(default=None, ge=-FLATTEST, le=FLATTEST, description="The same in px")
    reach_A: Length = Field(
        default=None,
        description="How far it reaches from the z axis in A; omitted: as far as the box allows all around",
    )
    reach_px: Length = Field(default=None, description="The same in px")


class FromMap(Part):
    """What a map holds beyond a threshold; the edge lies around it."""

    from_map: VolumeReference = Field(description="The map, an address or a file")
    threshold: float | None = Field(default=None, description="What belongs to the mask: this value and higher ones")
    threshold_sigma: float | None = Field(
        default=None, description="The same in deviations of the map from its mean, after the low-pass"
    )
    density: Literal["bright", "dark"] = Field(
        default="bright", description='"dark": lower values belong to the mask, a threshold_sigma counts downwards'
    )
    lowpass_A: Length = Field(default=None, description="Low-pass before the threshold, in A; omitted: none")
    lowpass_fpx: Length = Field(default=None, description="The same in Fourier pixels of the box")
    extend_px: float | None = Field(
        default=None, ge=0, description="How far it is extended before the edge, in px; default 0"
    )
    extend_A: float | None = Field(default=None, ge=0, description="The same in A")

    @model_validator(mode="after")
    def _one_threshold(self) -> FromMap:
        if (self.threshold is None) == (self.threshold_sigma is None):
            raise ValueError("give the threshold exactly once: threshold or threshold_sigma")
        if self.lowpass_A is not None and self.lowpass_fpx is not None:
            raise ValueError("give the low-pass once: lowpass_A or lowpass_fpx")
        return self

    def units(self) -> set[str]:
        """The units that sizes are given in; a low-pass in A is one."""
        return super().units() | ({"A"} if self.lowpass_A is not None else set())

    def extension(self, pixel_size_A: float) -> float:
        """How far the mask is extended, in px."""
        return self.size_px("extend", pixel_size_A) or 0.0

    def lowpass(self, box_px: int, pixel_size_A: float) -> float | None:
        """The low-pass in Fourier pixels; None for none."""
        return self.lowpass_fpx if self.lowpass_A is None else box_px * pixel_size_A / self.lowpass_A


DrawnShape = Annotated[
    Sphere | Ellipsoid | Cylinder | Shell | Membrane | Tube | Cuboid,
    Field(discriminator="shape"),
]


def _kind_of_part(value: Any) -> str:
    has_map = "from_map" in value if isinstance(value, dict) else isinstance(value, FromMap)
    return "from a map" if has_map else "drawn"


MaskPart = Annotated[
    Annotated[DrawnShape, Tag("drawn")] | Annotated[FromMap, Tag("from a map")],
    Discriminator(_kind_of_part),
]


def _kind_of_mask(value: Any) -> str:
    if isinstance(value, list | tuple):
        return "list"
    return "file" if isinstance(value, str) else "part"


Mask = Annotated[
    Annotated[Reference, Tag("file")]
    | Annotated[MaskPart, Tag("part")]
    | Annotated[tuple[MaskPart, ...], Strict(False), Field(min_length=1), Tag("list")],
    Discriminator(_kind_of_mask),
]
"""A mask: a file or address, a part to be made, or several that are combined in their order."""
MaskReference = Annotated[Mask, Reads("volume")]
OptionalMask = Annotated[Mask | None, Reads("volume")]
