"""An alignment project's items and steps."""

from __future__ import annotations

from typing import Literal

from engine.kinds import masks, shares
from engine.kinds.alignment import costs, several_recipe
from engine.kinds.alignment.form import Project
from engine.kinds.alignment.iterate import Iterate, iterate
from engine.kinds.alignment.join import Join, join
from engine.kinds.alignment.rounds import Iteration, has_cache, planned
from engine.kinds.alignment.several_recipe import AVERAGE_ITEMS, table_inputs
from engine.kinds.alignment.spectra import Transform, lowpasses, transform
from engine.kinds.alignment.start import HalfName, HalfStart, Start, start, start_half
from engine.kinds.form import Round, reads
from engine.step import Cost, Input, Step, StepItem, What, of_reference

ITEMS = {
    "average": "the average of an iteration",
    "average_symmetrized": "the average with the round's symmetry imposed",
    "average_raw": "the plain mean of the turned-back particles",
    "fourier_weight": "number of particles that contributed to each Fourier voxel",
    "fsc": "FSC: between the half-sets, or between alternate particles of one reference",
    "table": "poses after the iteration; of a reference: of its particles",
    "poses": "of a reference: poses and cc of all particles that may belong to it",
    "starting_table": "poses before the first iteration",
    "starting_reference": "reference that the first iteration started from",
    "mask": "the alignment mask",
    "fsc_mask": "the mask of the FSC",
    "classification_mask": "the mask under which particles choose among references",
    "summary": "numbers of the iteration",
}

AVERAGE = of_reference(1, "average")
STARTS = ("table", "starting_table", AVERAGE, of_reference(1, "starting_reference"), "summary")
AVERAGES = tuple(of_reference(1, item) for item in AVERAGE_ITEMS)


def unfold(project: Project) -> list[Step]:
    """ite_0000 (the start), then one step for every iteration; with halves, three: both half-sets and what joins them.

    Where there are several iterations, the particles' spectra are kept for them between.
    """
    kept = [spectra_step(project)] if has_cache(project) else []
    if project.data.n_references > 1:
        return several_recipe.steps(project, kept)
    steps = [start_step(project), *kept]
    if project.data.halves == "none":
        return steps + iterations(project, "none")
    odd, even = half_steps(project, "odd"), half_steps(project, "even")
    steps += [odd[0], even[0]]
    for iteration in planned(project):
        number = iteration.number
        steps += [odd[number], even[number], join_step(number, iteration.settings)]
    return steps


def start_step(project: Project) -> Step:
    """The first step of the whole project."""
    data = project.data
    inputs = {"particles": reads("particles", data.particles), **table_inputs(project)}
    if data.template:
        inputs["template"] = reads("volume", data.templates[0])
    inputs |= masks.inputs(
        {"alignment": project.masks.alignment, "fsc": project.masks.fsc, "fourier": project.masks.fourier}
    )
    return Step(
        name="ite_0000",
        function=start,
        version=3,
        settings=Start(pixel_size_A=data.pixel_size_A, masks=project.masks, halves=data.halves),
        makes=(*STARTS, "mask", "fsc_mask"),
        inputs=inputs,
        labels={"ite": 0},
        cost=Cost(share=lambda facts: shares.checked(facts.box_px) + costs.first_average(project, facts.box_px)),
    )


def spectra_step(project: Project) -> Step:
    """The step that transforms the particles once for all iterations. Its bits are those the iterations would compute."""
    bandpasses = lowpasses(settings.bandpass for settings in project.rounds)
    return Step(
        name="spectra",
        function=transform,
        version=1,
        settings=Transform(pixel_size_A=project.data.pixel_size_A, bandpasses=bandpasses),
        makes=("spectra",),
        inputs={"particles": reads("particles", project.data.particles), **table_inputs(project)},
        cost=Cost(share=lambda facts: costs.transform_share(project, facts)),
        scratch=True,
    )


def half_steps(project: Project, half: HalfName) -> list[Step]:
    """The steps of one half-set, its start first."""
    settings = HalfStart(half=half, has_template=project.data.template is not None)
    first = Step(
        name=f"half_{half}/ite_0000",
        function=start_half,
        version=2,
        settings=settings,
        makes=STARTS,
        inputs={
            "particles": reads("particles", project.data.particles),
            "table": _made("table", "ite_0000", "table"),
            "reference": _made("volume", "ite_0000", AVERAGE),
            "mask": _made("volume", "ite_0000", "mask"),
        },
        labels={"ite": 0, "half": half},
        cost=Cost(share=lambda facts: costs.first_average(project, facts.box_px)),
    )
    return [first, *iterations(project, half)]


def iterations(project: Project, half: Literal["none", "odd", "even"]) -> list[Step]:
    """The iterations of one run, each from the table and the average of the one before."""
    return [iteration_step(project, iteration, half) for iteration in planned(project)]


def iteration_step(project: Project, iteration: Iteration, half: Literal["none", "odd", "even"]) -> Step:
    """One iteration of a run over all particles, or over one half-set."""
    settings = iteration.settings
    folder = "" if half == "none" else f"half_{half}/"
    before = f"{folder}ite_{iteration.number - 1:04d}"
    inputs = {
        "particles": reads("particles", project.data.particles),
        "table": _made("table", before, "table"),
        "reference": _made("volume", before, AVERAGE),
        "mask": _made("volume", "ite_0000", "mask"),
        "fsc_mask": _made("volume", "ite_0000", "fsc_mask"),
    }
    if has_cache(project):
        inputs["spectra"] = _made("spectra", "spectra", "spectra")
    origins = {"project-start": 0, "round-start": iteration.first_of_round - 1}
    if settings.shifts.origin in origins:
        inputs["origin"] = _made("table", f"{folder}ite_{origins[settings.shifts.origin]:04d}", "table")
    return Step(
        name=f"{folder}ite_{iteration.number:04d}",
        function=iterate,
        version=5,
        # How many iterations the round has decides nothing about one of them.
        settings=Iterate(round=settings.model_copy(update={"iterations": 1}), is_last=iteration.is_last_of_round),
        makes=("table", *AVERAGES, "summary"),
        inputs=inputs,
        labels={
            "ite": iteration.number,
            "round": iteration.round_number,
            **({} if half == "none" else {"half": half}),
        },
        cost=costs.cost(project, iteration),
    )


def join_step(number: int, settings: Round) -> Step:
    """The step that joins the half-sets after an iteration."""
    inputs: dict[str, Input] = {"fsc_mask": _made("volume", "ite_0000", "fsc_mask")}
    for half in ("odd", "even"):
        of_half = f"half_{half}/ite_{number:04d}"
        inputs[f"{half}_table"] = _made("table", of_half, "table")
        inputs[f"{half}_average"] = _made("volume", of_half, AVERAGE)
        inputs[f"{half}_raw"] = _made("volume", of_half, of_reference(1, "average_raw"))
        inputs[f"{half}_weight"] = _made("array", of_half, of_reference(1, "fourier_weight"))
    return Step(
        name=f"ite_{number:04d}",
        function=join,
        version=1,
        settings=Join(symmetry=settings.symmetry, helix=settings.helix),
        makes=("table", *AVERAGES, "summary"),
        inputs=inputs,
        labels={"ite": number},
    )


def _made(what: What, step: str, item: str) -> Input:
    return Input(what, StepItem(step, item))
