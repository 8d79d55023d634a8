"""An alignment project's items and steps."""

from __future__ import annotations

from typing import Literal

from engine.kinds import masks, shares
from engine.kinds.alignment import adaptive, costs, several_recipe
from engine.kinds.alignment.form import Project
from engine.kinds.alignment.hooked import with_hook
from engine.kinds.alignment.iterate import Iterate, iterate
from engine.kinds.alignment.join import Join, join
from engine.kinds.alignment.rounds import Iteration, has_cache, planned
from engine.kinds.alignment.several_recipe import AVERAGE_ITEMS, own_weights, table_inputs
from engine.kinds.alignment.spectra import Transform, lowpasses, transform
from engine.kinds.alignment.start import HalfName, HalfStart, Start, start, start_half
from engine.kinds.form import Bandpass, reads
from engine.step import Cost, Input, Named, Step, StepItem, What, of_reference

ITEMS = {
    "average": Named("volume", "the average of an iteration"),
    "average_symmetrized": Named("volume", "the average with the round's symmetry imposed"),
    "average_raw": Named("volume", "the plain mean of the turned-back particles"),
    "fourier_weight": Named("array", "number of particles that contributed to each Fourier voxel"),
    "fsc": Named(
        "curve", "FSC between half-sets, freed of the mask's share, or between alternate particles of one reference"
    ),
    "next_lowpass_fpx": Named(
        "array", "low-pass that the FSC sets for the next iteration, in Fourier px, where the band-pass is adaptive"
    ),
    "table": Named("table", "poses after the iteration; of a reference: of its particles"),
    "poses": Named("table", "of a reference: poses and cc of all particles that may belong to it"),
    "starting_table": Named("table", "poses before the first iteration"),
    "starting_reference": Named("volume", "reference that the first iteration started from"),
    "mask": Named("volume", "the alignment mask"),
    "fsc_mask": Named("volume", "the mask of the FSC"),
    "classification_mask": Named("volume", "the mask under which particles choose among references"),
    "summary": Named("summary", "numbers of the iteration"),
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
        steps += [odd[number], even[number], join_step(project, iteration)]
    return steps


def start_step(project: Project) -> Step:
    """The first step of the whole project."""
    data = project.data
    inputs = {"particles": reads("particles", data.particles), **table_inputs(project)}
    if data.template:
        inputs["template"] = reads("volume", data.templates[0])
    inputs |= own_weights(project)
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
    band = project.rounds[0].bandpass
    lowpass = Bandpass(lowpass_fpx=band.lowpass_fpx, lowpass_A=band.lowpass_A) if project.data.template else None
    settings = HalfStart(half=half, template_lowpass=lowpass)
    first = Step(
        name=f"half_{half}/ite_0000",
        function=start_half,
        version=3,
        settings=settings,
        makes=STARTS,
        inputs={
            "particles": reads("particles", project.data.particles),
            "table": _made("table", "ite_0000", "table"),
            "reference": _made("volume", "ite_0000", AVERAGE),
            "mask": _made("volume", "ite_0000", "mask"),
            **own_weights(project),
        },
        labels={"ite": 0, "half": half},
        cost=Cost(share=lambda facts: costs.first_average(project, facts.box_px)),
    )
    return [first, *iterations(project, half)]


def iterations(project: Project, half: Literal["none", "odd", "even"]) -> list[Step]:
    """The iterations of one run, each from the table and the average of the one before."""
    hook = project.hooks.after_iteration
    return [with_hook(iteration_step(project, iteration, half), hook) for iteration in planned(project)]


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
        **own_weights(project),
    }
    if has_cache(project):
        inputs["spectra"] = _made("spectra", "spectra", "spectra")
    origins = {"project-start": 0, "round-start": iteration.first_of_round - 1}
    if settings.shifts.origin in origins:
        inputs["origin"] = _made("table", f"{folder}ite_{origins[settings.shifts.origin]:04d}", "table")
    if half == "even":
        inputs["other_half"] = _made("volume", f"half_odd/ite_{iteration.number:04d}", "refs/001/average_symmetrized")
    inputs |= lowpass_input(project, iteration)
    return Step(
        name=f"{folder}ite_{iteration.number:04d}",
        function=iterate,
        version=7,
        # How many iterations the round has decides nothing about one of them, nor does how the next low-pass is found.
        settings=Iterate(
            round=settings.model_copy(update={"iterations": 1, "bandpass": adaptive.fixed(settings.bandpass)}),
            is_last=iteration.is_last_of_round,
        ),
        makes=("table", *AVERAGES, "summary"),
        inputs=inputs,
        labels={
            "ite": iteration.number,
            "round": iteration.round_number,
            **({} if half == "none" else {"half": half}),
        },
        cost=costs.cost(project, iteration, half == "even"),
    )


def lowpass_input(project: Project, iteration: Iteration) -> dict[str, Input]:
    """The low-pass in force, where the FSC of the iteration before has set it."""
    if not adaptive.follows(project, iteration):
        return {}
    return {"lowpass_fpx": _made("array", f"ite_{iteration.number - 1:04d}", "next_lowpass_fpx")}


def join_step(project: Project, iteration: Iteration) -> Step:
    """The step that joins the half-sets after an iteration."""
    number, settings = iteration.number, iteration.settings
    inputs: dict[str, Input] = {"fsc_mask": _made("volume", "ite_0000", "fsc_mask")}
    inputs |= lowpass_input(project, iteration)
    for half in ("odd", "even"):
        of_half = f"half_{half}/ite_{number:04d}"
        inputs[f"{half}_table"] = _made("table", of_half, "table")
        inputs[f"{half}_average"] = _made("volume", of_half, AVERAGE)
        inputs[f"{half}_raw"] = _made("volume", of_half, of_reference(1, "average_raw"))
        inputs[f"{half}_weight"] = _made("array", of_half, of_reference(1, "fourier_weight"))
    return Step(
        name=f"ite_{number:04d}",
        function=join,
        version=2,
        settings=Join(
            symmetry=settings.symmetry,
            helix=settings.helix,
            bandpass=settings.bandpass,
            seed=project.compute.seed,
        ),
        makes=("table", *AVERAGES, "summary", *(["next_lowpass_fpx"] if settings.bandpass.adaptive else [])),
        inputs=inputs,
        labels={"ite": number},
    )


def _made(what: What, step: str, item: str) -> Input:
    return Input(what, StepItem(step, item))
