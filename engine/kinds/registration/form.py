"""The form of a registration."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from engine.kinds.form import Azimuth, Bandpass, Cone, Form, LimitsVector, ProjectForm, VolumeReference
from engine.kinds.mask_form import MaskReference, OptionalMask


class Data(Form):
    """The two."""

    map: VolumeReference = Field(description="The map that is moved: an address or a file")
    onto: MaskReference = Field(
        description="What it is laid onto: a map (an address or a file), or a drawn object, a part or a list of parts as masks "
        "have them: a membrane, say"
    )
    density: Literal["bright", "dark"] = Field(
        default="bright", description='What a drawn object is in the map: "dark" where low values are protein'
    )
    pixel_size_A: float | None = Field(default=None, gt=0, description="Pixel size in A; omitted: the map's")


class Search(Form):
    """Which moves are tried: all rotations of cone and azimuth at all allowed shifts, the best then climbed from."""

    cone: Cone = Field(default=Cone(), description="Search of the axis; range_deg = 0 turns it nowhere")
    azimuth: Azimuth = Field(default=Azimuth(), description="Search about the axis; range_deg = 0 turns it nowhere")
    limits_xyz_px: LimitsVector = Field(
        default=(10.0, 10.0, 10.0),
        description="Semi-axes of the ellipsoid about the box centre in which the object may lie in the map, px; 0 freezes an "
        "axis: [0, 0, 20] shifts along z alone. Dynamo: lim",
    )
    bandpass: Bandpass = Field(description="Shells that are compared")


class Project(ProjectForm):
    """A map laid onto another map or onto a drawn object, within a limited search."""

    data: Data = Field(description="The two")
    search: Search = Field(description="Which moves are tried")
    mask: OptionalMask = Field(
        default=None,
        description="Where they are compared, in the frame of what stays; omitted: a ball that fills the box",
    )
