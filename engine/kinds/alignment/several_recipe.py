"""The steps of an alignment project with several references."""

from __future__ import annotations

from engine.kinds import masks, shares
from engine.kinds.alignment import costs
from engine.kinds.alignment.form import Project
from engine.kinds.alignment.rounds import Iteration, has_cache, is_classified, planned
from engine.kinds.alignment.several import IterateSeveral, iterate_several
from engine.kinds.alignment.start_several import StartSeveral, start_several
from engine.kinds.form import reads
from engine.step import Cost, Input, Step, StepItem, of_reference

AVERAGE_ITEMS = ("average", "average_symmetrized", "average_raw", "fourier_weight", "fsc")
"""What every iteration makes of a reference."""


def steps(project: Project, scratch: list[Step]) -> list[Step]:
    """ite_0000, the scratch steps, and one step for every iteration of all references."""
    return [start_step(project), *scratch, *(iteration_step(project, iteration) for iteration in planned(project))]


def start_step(project: Project) -> Step:
    """The first step: what every reference starts from."""
    data = project.data
    inputs = {"particles": reads("particles", data.particles), **table_inputs(project), **own_weights(project)}
    inputs |= {f"template_{number}": reads("volume", text) for number, text in enumerate(data.templates, start=1)}
    read = {"alignment": project.masks.alignment, "fsc": project.masks.fsc, "fourier": project.masks.fourier}
    inputs |= masks.inputs({**read, "classification": project.masks.classification})
    items = ("table", "starting_table", "average", "starting_reference", *(("poses",) if data.is_dealt else ()))
    drawn = ("mask", "fsc_mask", *(("classification_mask",) if project.masks.classification else ()))
    return Step(
        name="ite_0000",
        function=start_several,
        version=1,
        settings=StartSeveral(
            pixel_size_A=data.pixel_size_A,
            masks=project.masks,
            n_references=data.n_references,
            seed=project.compute.seed if data.is_dealt else None,
        ),
        makes=(*of_all(project, items), *(("table", "starting_table") if data.is_dealt else ()), *drawn, "summary"),
        inputs=inputs,
        labels={"ite": 0},
        cost=Cost(share=lambda facts: shares.checked(facts.box_px) + costs.first_average(project, facts.box_px)),
    )


def iteration_step(project: Project, iteration: Iteration) -> Step:
    """One iteration of all references."""
    settings, data = iteration.settings, project.data
    before = f"ite_{iteration.number - 1:04d}"
    inputs = {
        "particles": reads("particles", data.particles),
        "mask": Input("volume", StepItem("ite_0000", "mask")),
        "fsc_mask": Input("volume", StepItem("ite_0000", "fsc_mask")),
        **own_weights(project),
    }
    if has_cache(project):
        inputs["spectra"] = Input("spectra", StepItem("spectra", "spectra"))
    if settings.swap_references and project.masks.classification is not None:
        inputs["classification_mask"] = Input("volume", StepItem("ite_0000", "classification_mask"))
    origins = {"project-start": 0, "round-start": iteration.first_of_round - 1}
    origin = origins.get(settings.shifts.origin)
    for number in range(1, data.n_references + 1):
        inputs[f"table_{number}"] = candidates(project, iteration.number - 1, number)
        inputs[f"reference_{number}"] = Input("volume", StepItem(before, of_reference(number, "average")))
        if origin is not None:
            inputs[f"origin_{number}"] = candidates(project, origin, number)
    classified = is_classified(project, iteration.number)
    return Step(
        name=f"ite_{iteration.number:04d}",
        function=iterate_several,
        version=1,
        settings=IterateSeveral(
            round=settings.model_copy(update={"iterations": 1}),
            is_last=iteration.is_last_of_round,
            n_references=data.n_references,
            is_classified=classified,
            # Templates are no averages of these particles.
            others_half=settings.swap_by == "other-half" and (iteration.number > 1 or not data.templates),
        ),
        makes=(
            *of_all(project, ("table", *(("poses",) if classified else ()), *AVERAGE_ITEMS)),
            *(("table",) if classified else ()),
            "summary",
        ),
        inputs=inputs,
        labels={"ite": iteration.number, "round": iteration.round_number},
        cost=costs.cost(project, iteration, is_laid_on=False),
    )


def candidates(project: Project, ite: int, number: int) -> Input:
    """The table of all that may belong to a reference, after an iteration."""
    item = "poses" if is_classified(project, ite) else "table"
    return Input("table", StepItem(f"ite_{ite:04d}", of_reference(number, item)))


def table_inputs(project: Project) -> dict[str, Input]:
    """The starting table for all references, or one for each."""
    first, *others = project.data.tables
    if not others:
        return {"table": reads("table", first)}
    return {f"table_{number}": reads("table", text) for number, text in enumerate((first, *others), start=1)}


def own_weights(project: Project) -> dict[str, Input]:
    """The particles' own weights, where they have any."""
    weights = project.data.weights
    return {"weights": reads("weights", weights)} if weights else {}


def of_all(project: Project, items: tuple[str, ...]) -> tuple[str, ...]:
    """The paths of these items of every reference."""
    return tuple(of_reference(number, item) for number in range(1, project.data.n_references + 1) for item in items)
