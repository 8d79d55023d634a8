"""The TOML form of a selection: filters, told apart by what they judge by."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, Strict, model_validator

from engine.kinds.form import Form, ProjectForm, TableReference
from engine.kinds.halving import Split

Per = Literal["table", "tomogram", "region"]
Positive = Annotated[float, Field(gt=0)]
CcRule = Literal["cc-above", "cc-above-mean-times", "cc-above-mean-plus-std", "best-count", "best-fraction"]


class Data(Form):
    """What is read."""

    table: TableReference = Field(description="An address, or .tbl / .star / .csv")
    pixel_size_A: float | None = Field(
        default=None, gt=0, description="Pixel size of the positions in A; omitted: the table's column apix"
    )


class ByDistance(Form):
    """Of particles too near to each other one stays."""

    by: Literal["distance"]
    distance_A: Positive | None = Field(
        default=None, description="Those that stay are at least this far apart, in A. In Dynamo exclusionPerVolume"
    )
    distance_px: Positive | None = Field(default=None, description="The same in px of the positions")
    keep: Literal["highest-cc", "first"] = Field(
        default="highest-cc",
        description="Who stays: the highest cc (equal ones as they stand), or the first in the table",
    )
    per: Literal["tomogram", "region"] = Field(
        default="tomogram",
        description='Whose particles are compared: those of a tomogram, or of a region (column reg), so that "region" '
        "leaves two touching filaments alone",
    )

    @model_validator(mode="after")
    def _one_distance(self) -> ByDistance:
        if (self.distance_A is None) == (self.distance_px is None):
            raise ValueError("give the distance exactly once: distance_A or distance_px")
        return self


class ByCc(Form):
    """The cc, against a number or the others' cc."""

    by: Literal["cc"]
    rule: CcRule = Field(default="cc-above-mean-plus-std", description="Rule of the selection, as in an alignment")
    value: float = Field(
        default=-1.0, description="Its number: a cc, a factor, a number of deviations, a count, a fraction"
    )
    column: Literal["cc", "cc2"] = Field(default="cc", description="The column that is judged")
    per: Per = Field(
        default="table",
        description="Whose mean, deviation, count and fraction: the table's, each tomogram's or region's",
    )


class ByMixture(Form):
    """Two Gaussians of the cc, good and bad particles; cut where their density is lowest between the means."""

    by: Literal["mixture"]
    offset: float = Field(default=0.01, description="Added to the cc of the lowest density")
    fallback_std: float = Field(
        default=1.5,
        description="Where the density has no minimum between the means: cut so many deviations below the higher mean",
    )
    per: Per = Field(default="tomogram", description="What is fitted by itself")


class ByLatitude(Form):
    """The cc, freed of its dependence on the angle between the particle's axis and the beam."""

    by: Literal["latitude"]
    n_std: float = Field(
        default=1.0,
        ge=0,
        description="Rejected: below the mean by more than so many deviations. In Dynamo filters.byCC",
    )
    normalise: Literal["divide", "subtract"] = Field(
        default="divide", description="How the fitted course of the cc is taken out"
    )
    terms: int = Field(
        default=2,
        ge=1,
        le=4,
        description="Terms of the Fourier series, each a cosine and a sine; its period is 180 deg",
    )
    per: Per = Field(default="tomogram", description="What is fitted by itself")


class ByLattice(Form):
    """Enough neighbours where a lattice on a surface has them."""

    by: Literal["lattice"]
    range_A: Annotated[tuple[Positive, Positive], Strict(False)] | None = Field(
        default=None, description="Shortest and longest distance of neighbours in A"
    )
    range_px: Annotated[tuple[Positive, Positive], Strict(False)] | None = Field(
        default=None, description="The same in px of the positions"
    )
    neighbours: int = Field(default=3, ge=1, description="Rejected: fewer neighbours than this")
    axis_deg: float = Field(
        default=30.0, gt=0, le=180, description="Axes of neighbours differ by no more than this angle in deg"
    )
    surface_deg: float = Field(
        default=30.0,
        gt=0,
        le=90,
        description="A neighbour lies no further than this above or below the plane across the particle's axis, in deg",
    )
    fold: int | None = Field(
        default=None,
        ge=2,
        le=12,
        description="Neighbours stand around a particle at multiples of 360/fold deg from each other: 6 for a hexagonal "
        "lattice; omitted: at any angle",
    )
    fold_deg: float = Field(default=15.0, gt=0, description="How far off that angle they may stand, in deg")
    per: Literal["tomogram", "region"] = Field(default="tomogram", description="Whose particles are neighbours")

    @model_validator(mode="after")
    def _one_range(self) -> ByLattice:
        if (self.range_A is None) == (self.range_px is None):
            raise ValueError("give the range of distances exactly once: range_A or range_px")
        low, high = self.range_A or self.range_px or (0.0, 0.0)
        if low >= high:
            raise ValueError(f"[{low:g}, {high:g}] is no range of distances (the shorter one first)")
        return self


class ByExpression(Form):
    """A condition on columns."""

    by: Literal["expression"]
    keep: str = Field(min_length=1, description='Who stays: "cc > 0.2 and tomo in (1, 3)", as in query --where')


Filter = Annotated[ByDistance | ByCc | ByMixture | ByLatitude | ByLattice | ByExpression, Field(discriminator="by")]


class Project(ProjectForm):
    """A table goes through filters, one after the other."""

    data: Data = Field(description="What is read")
    halves: Split = Field(
        default="none",
        description="What is kept is split into half-sets (column half) unless it is already; compute.seed deals random ones",
    )
    filters: Annotated[tuple[Filter, ...], Strict(False)] = Field(
        default=(),
        description="Filters in their order, each for what the ones before it kept. By distance, cc, mixture, latitude, "
        "lattice or expression",
    )

    @model_validator(mode="after")
    def _one_of_each_fit(self) -> Project:
        for name in ("mixture", "latitude"):
            if sum(one.by == name for one in self.filters) > 1:
                raise ValueError(f"filter by {name} once (a second project can go on from the table of this one)")
        return self
