"""The form of a registration."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from engine.kinds.form import Form, ProjectForm, VolumeReference
from engine.kinds.mask_form import MaskReference, OptionalMask
from engine.kinds.move_search import Search


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


class Project(ProjectForm):
    """A map laid onto another map or onto a drawn object, within a limited search."""

    data: Data = Field(description="The two")
    search: Search = Field(description="Which moves are tried")
    mask: OptionalMask = Field(
        default=None,
        description="Where they are compared, in the frame of what stays; omitted: a ball that fills the box",
    )
