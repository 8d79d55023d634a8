"""The TOML form of an alignment project."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, Strict

from engine.kinds.form import (
    WEIGHTS,
    Form,
    OptionalVolumeReference,
    OptionalVolumeReferences,
    OptionalWeightsReference,
    ParticlesReference,
    ProjectForm,
    Round,
    TableReferences,
)
from engine.kinds.hooks import Hooks
from engine.kinds.mask_form import OptionalMask

Halves = Literal["none", "parity", "region", "tomogram-half"]


class Data(Form):
    """What is read."""

    particles: ParticlesReference = Field(
        description="An address, or a path: folder of .em/.mrc, .star list, .h5, .mrc stack. Dynamo: data"
    )
    table: TableReferences = Field(
        description="Starting poses: an address, or .tbl / .star / .csv; a list: one for each reference. Dynamo: table"
    )
    template: OptionalVolumeReferences = Field(
        default=None,
        description="Starting reference: an address or a map; omitted: the average of the table; a list: several references. "
        "Dynamo: template",
    )
    references: int | None = Field(
        default=None,
        ge=2,
        le=999,
        description="Number of references; omitted: that of the templates, or 1. With one table and no template the "
        "particles are dealt to them at random, by compute.seed. Dynamo: nref",
    )
    weights: OptionalWeightsReference = Field(default=None, description=WEIGHTS)
    pixel_size_A: float | None = Field(
        default=None, gt=0, description="Pixel size in A; omitted: the particles'. Dynamo: apix"
    )
    halves: Halves = Field(
        default="none",
        description="Two independent runs: by parity of the tag, by region (column reg), or by half of the tomogram along y",
    )

    @property
    def tables(self) -> tuple[str, ...]:
        """The starting tables: one for all references, or one for each."""
        return (self.table,) if isinstance(self.table, str) else self.table

    @property
    def templates(self) -> tuple[str, ...]:
        """The templates, none or one for each reference."""
        if self.template is None:
            return ()
        return (self.template,) if isinstance(self.template, str) else self.template

    @property
    def n_references(self) -> int:
        """How many references there are."""
        return max(self.references or 1, len(self.templates), len(self.tables))

    @property
    def is_dealt(self) -> bool:
        """Whether the particles start in classes made at random."""
        return self.n_references > 1 and not self.templates and len(self.tables) == 1


class Masks(Form):
    """Masks, in the frame of the reference."""

    alignment: OptionalMask = Field(
        default=None, description="Where the reference is compared; omitted: a ball that fills the box. Dynamo: mask"
    )
    classification: OptionalMask = Field(
        default=None,
        description="Where particles are compared to choose among references; omitted: the alignment mask. Dynamo: cmask",
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
    masks: Masks = Field(default=Masks.plain(), description="Masks in the frame of the reference")
    hooks: Hooks = Field(default=Hooks.plain(), description="Functions of your own")
    rounds: Annotated[tuple[Round, ...], Strict(False)] = Field(
        min_length=1, description="Blocks of iterations, run in order"
    )
