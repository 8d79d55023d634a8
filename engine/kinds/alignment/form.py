"""The TOML form of an alignment project."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, Strict

from engine.kinds.form import (
    WEIGHTS,
    Form,
    OptionalVolumeReference,
    OptionalWeightsReference,
    ParticlesReference,
    ProjectForm,
    Round,
    TableReference,
)
from engine.kinds.hooks import Hooks
from engine.kinds.mask_form import OptionalMask

Halves = Literal["none", "parity", "region", "tomogram-half"]


class Data(Form):
    """What is read."""

    particles: ParticlesReference = Field(
        description="An address, or a path: folder of .em/.mrc, .star list, .h5, .mrc stack. Dynamo: data"
    )
    table: TableReference = Field(description="Starting poses: an address, or .tbl / .star / .csv. Dynamo: table")
    template: OptionalVolumeReference = Field(
        default=None,
        description="Starting reference: an address or a map; omitted: the average of the table. Dynamo: template",
    )
    weights: OptionalWeightsReference = Field(default=None, description=WEIGHTS)
    pixel_size_A: float | None = Field(
        default=None, gt=0, description="Pixel size in A; omitted: the particles'. Dynamo: apix"
    )
    halves: Halves = Field(
        default="none",
        description="Two independent runs: by parity of the tag, by region (column reg), or by half of the tomogram along y",
    )


class Masks(Form):
    """Masks, in the frame of the reference."""

    alignment: OptionalMask = Field(
        default=None, description="Where the reference is compared; omitted: a ball that fills the box. Dynamo: mask"
    )
    fsc: OptionalMask = Field(default=None, description="Mask of the FSC; omitted: the alignment mask. Dynamo: smask")
    fourier: OptionalVolumeReference = Field(
        default=None,
        description="Which Fourier voxels of data.template are used, 0 to 1, zero frequency at n // 2: those that hold "
        "information. Dynamo: fmask",
    )


class Project(ProjectForm):
    """Rounds of iterations that align every particle to a reference and average."""

    data: Data = Field(description="What is read")
    masks: Masks = Field(default=Masks(), description="Masks in the frame of the reference")
    hooks: Hooks = Field(default=Hooks(), description="Functions of your own")
    rounds: Annotated[tuple[Round, ...], Strict(False)] = Field(
        min_length=1, description="Blocks of iterations, run in order"
    )
