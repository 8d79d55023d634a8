"""average: the particles of a table, turned back and summed, with Fourier compensation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pydantic import Field

from engine.data import Half, ParticleFacts, Particles, Table, Volume, Weights
from engine.devices import Work
from engine.faults import Fault
from engine.kinds import imposing, masks, sense, shares
from engine.kinds.averaging import alternate, averages, bad_tags, fsc_of_parts, summed, without
from engine.kinds.form import (
    WEIGHTS,
    Form,
    Helix,
    Look,
    OptionalWeightsReference,
    ParticlesReference,
    ProjectForm,
    TableReference,
    reads,
)
from engine.kinds.mask_form import OptionalMask
from engine.outputs import Outputs
from engine.step import Cost, Named, Share, Step, of_reference


class Data(Form):
    """What is read."""

    particles: ParticlesReference = Field(
        description="An address, or a path: folder of .em/.mrc, .star list, .h5, .mrc stack"
    )
    table: TableReference = Field(description="An address, or .tbl / .star / .csv")
    weights: OptionalWeightsReference = Field(default=None, description=WEIGHTS)
    pixel_size_A: float | None = Field(default=None, gt=0, description="Pixel size in A; omitted: the particles'")


class Masks(Form):
    """Masks, in the frame of the average."""

    normalisation: OptionalMask = Field(
        default=None,
        description="Each particle gets mean 0 and deviation 1 inside; omitted: inside the box. Dynamo: nmask",
    )
    fsc: OptionalMask = Field(default=None, description="Mask of the FSC; omitted: a ball that fills the box")


class Averaging(Form):
    """How the sum is made."""

    fourier_compensation: bool = Field(
        default=True, description="Divide each Fourier voxel by what contributed to it. Dynamo: fc"
    )
    minimum_particles: float = Field(
        default=1.0,
        ge=0,
        description="Fourier voxels with fewer contributions (a smaller sum of weights) are 0. Dynamo: fmin",
    )
    symmetry: str = Field(
        default="C1", description="Symmetry of the item average_symmetrized: Cn, Dn, T, O, I. Dynamo: sym"
    )
    helix: Helix | None = Field(
        default=None,
        description="Helical symmetry of the item average_symmetrized, beside Cn or Dn; in Dynamo a part of sym",
    )


class Project(ProjectForm):
    """The average of a table's particles."""

    data: Data = Field(description="What is read")
    masks: Masks = Field(default=Masks.plain(), description="Masks in the frame of the average")
    average: Averaging = Field(default=Averaging.plain(), description="How the sum is made")


ITEMS = {
    "average": Named("volume", "the average, Fourier compensated if asked"),
    "average_symmetrized": Named("volume", "the average with its symmetry imposed"),
    "average_raw": Named("volume", "the plain sum over the number of particles"),
    "fourier_weight": Named("array", "number of particles that contributed to each Fourier voxel"),
    "fsc": Named("curve", "FSC between the half-sets of the table, or between alternate particles"),
    "table": Named("table", "the table that was averaged"),
    "summary": Named("summary", "what was averaged"),
}


def check(project: Project, look: Look) -> Iterator[Fault]:
    """What is wrong between the project and its data."""
    data = project.data
    particles, table = look.particles(data.particles), look.table(data.table)
    yield from sense.table_and_particles(table, particles, ("data", "table"))
    yield from sense.own_weights(data.weights, table, particles, look)
    box_px, pixel_size_A = None, data.pixel_size_A
    yield from sense.pixel_sizes(
        [
            (("data", "particles"), "the particles", particles.pixel_size_A if particles else None),
            (("data", "pixel_size_A"), "data.pixel_size_A", data.pixel_size_A),
            (("data", "table"), "the table", sense.table_pixel_size(table)),
        ]
    )
    if particles:
        box_px = particles.box_px
        if table is not None:
            pixel_size_A = sense.chosen_pixel_size(data.pixel_size_A, particles.pixel_size_A, table)
    form = project.average
    for fault in imposing.faults(form.symmetry, form.helix, box_px, pixel_size_A):
        yield fault.inside("average")
    for name in ("normalisation", "fsc"):
        yield from masks.faults(getattr(project.masks, name), ("masks", name), look, box_px, pixel_size_A)


def unfold(project: Project) -> list[Step]:
    """One step."""
    inputs = {"particles": reads("particles", project.data.particles), "table": reads("table", project.data.table)}
    inputs |= masks.inputs({"normalisation": project.masks.normalisation, "fsc": project.masks.fsc})
    if project.data.weights:
        inputs["weights"] = reads("weights", project.data.weights)
    settings = Averaged(pixel_size_A=project.data.pixel_size_A, masks=project.masks, average=project.average)
    items = ("average", "average_symmetrized", "average_raw", "fourier_weight", "fsc")
    makes = (*(of_reference(1, item) for item in items), "table", "summary")
    return [Step("average", average_table, 4, settings, makes, inputs, cost=Cost(share=share_of(project)))]


def share_of(project: Project) -> Callable[[ParticleFacts], Share]:
    """Each box is checked, then averaged; the average gets its symmetry."""
    form, typed_A = project.average, project.data.pixel_size_A

    def share(facts: ParticleFacts) -> Share:
        symmetrised = shares.symmetrised(facts.box_px, form.symmetry, form.helix, typed_A or facts.pixel_size_A)
        return shares.checked(facts.box_px) + shares.averaged(facts.box_px) + symmetrised

    return share


class Averaged(Form):
    """All that decides the average."""

    pixel_size_A: float | None
    masks: Masks
    average: Averaging


def average_table(settings: Averaged, inputs: Mapping[str, Any], work: Work) -> Outputs:
    """The averages of the table's particles, and the FSC of two halves of them."""
    particles: Particles = inputs["particles"]
    table: Table = inputs["table"]
    sense.usable(table, particles)
    sense.missing_tags(table, particles.tags)
    bad = bad_tags(particles, table.tags.tolist(), work)
    table = without(table, bad)
    box_px = particles.box_px
    pixel_size_A = sense.chosen_pixel_size(settings.pixel_size_A, particles.pixel_size_A, table)
    weights: Weights | None = inputs.get("weights")
    sense.usable_weights(table, weights, box_px)
    mask = masks.build(settings.masks.normalisation, "normalisation", inputs, box_px, pixel_size_A)
    fsc_mask = masks.build(settings.masks.fsc, "fsc", inputs, box_px, pixel_size_A)
    has_halves = set(table["half"][table["averaged"] == 1]) == {Half.ODD, Half.EVEN}
    part = (lambda rows: rows["half"] == Half.ODD) if has_halves else alternate
    sums = summed(particles, table, mask, work, part, weights)
    form = settings.average
    made = averages(sums, pixel_size_A, form.symmetry, form.helix, form.minimum_particles)
    if not form.fourier_compensation:
        made["average"] = made["average_raw"]
        symmetric = imposing.imposed(made["average"].data, form.symmetry, form.helix, pixel_size_A)
        made["average_symmetrized"] = Volume(symmetric, pixel_size_A)
    between = "half-sets of the table, as independent as they were aligned" if has_halves else "alternate particles"
    stored = fsc_of_parts(sums, Volume(fsc_mask, pixel_size_A), between)
    return {
        **{of_reference(1, item): value for item, value in made.items()},
        of_reference(1, "fsc"): stored,
        "table": table,
        "summary": {
            "averaged": sums.n_particles,
            "excluded: no numbers or constant": ", ".join(map(str, bad)) or "none",
            "resolution at FSC 0.143 (A)": stored.notes["resolution_at_0.143_A"],
        },
    }
