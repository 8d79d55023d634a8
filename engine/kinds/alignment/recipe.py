"""An alignment project's items, sense and steps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from engine.faults import Fault
from engine.geometry import symmetry
from engine.kinds import masks, sense
from engine.kinds.alignment import everywhere, group
from engine.kinds.alignment.form import Project
from engine.kinds.alignment.iterate import Iterate, iterate, search_plan
from engine.kinds.alignment.join import Join, join
from engine.kinds.alignment.particle import Plan, n_kept
from engine.kinds.alignment.polish import STENCIL
from engine.kinds.alignment.start import HalfName, HalfStart, Start, start, start_half
from engine.kinds.alignment.timing import seconds_per_particle
from engine.kinds.form import Look, Round, reads
from engine.step import Cost, Input, Step, StepItem, What

ITEMS = {
    "average": "the average of an iteration",
    "average_symmetrized": "the average with the round's symmetry imposed",
    "average_raw": "the plain mean of the turned-back particles",
    "fourier_weight": "number of particles that contributed to each Fourier voxel",
    "fsc": "FSC: between the half-sets, or between alternate particles of one reference",
    "table": "poses after the iteration",
    "starting_table": "poses before the first iteration",
    "starting_reference": "reference that the first iteration started from",
    "mask": "the alignment mask",
    "fsc_mask": "the mask of the FSC",
    "summary": "numbers of the iteration",
}

STARTS = ("table", "starting_table", "refs/001/average", "refs/001/starting_reference", "summary")
AVERAGES = tuple(
    f"refs/001/{item}" for item in ("average", "average_symmetrized", "average_raw", "fourier_weight", "fsc")
)


def check(project: Project, look: Look) -> Iterator[Fault]:
    """What is wrong between fields, and between the project and its data."""
    data = project.data
    particles, table = look.particles(data.particles), look.table(data.table)
    yield from sense.table_and_particles(table, particles, ("data", "table"))
    template = look.volume(data.template) if data.template else None
    yield from sense.pixel_sizes(
        [
            (("data", "particles"), "the particles", particles.pixel_size_A if particles else None),
            (("data", "pixel_size_A"), "data.pixel_size_A", data.pixel_size_A),
            (("data", "table"), "the table", sense.table_pixel_size(table)),
            (("data", "template"), "the template", template.pixel_size_A if template else None),
        ]
    )
    known = particles is not None and table is not None
    pixel_size_A = data.pixel_size_A
    if particles and known:
        pixel_size_A = sense.chosen_pixel_size(data.pixel_size_A, particles.pixel_size_A, table)
    box_px = particles.box_px if particles else None
    yield from sense.same_box(template, box_px, ("data", "template"))
    for name in ("alignment", "fsc"):
        yield from masks.faults(getattr(project.masks, name), ("masks", name), look, box_px, pixel_size_A)
    for number, settings in enumerate(project.rounds):
        for fault in round_faults(settings, box_px, pixel_size_A):
            yield Fault(("rounds", number, *fault.key), fault.what, fault.advice)


def round_faults(settings: Round, box_px: int | None, pixel_size_A: float | None) -> Iterator[Fault]:
    """What makes a round impossible."""
    yield from global_faults(settings)
    for name, part in (("cone", settings.cone), ("azimuth", settings.azimuth)):
        if 0 < part.range_deg < 2 * part.step_deg:
            yield Fault(
                (name, "step_deg"),
                f"{part.step_deg:g} deg is more than half the range of {part.range_deg:g} deg: nothing new would be tried",
                f"at most {part.range_deg / 2:g}, or range_deg = 0 to leave the search out",
            )
    yield from sense.symmetry_name(settings.symmetry, ("symmetry",))
    yield from band_faults(settings, box_px, pixel_size_A)
    yield from selection_faults(settings)
    if box_px and settings.shifts.origin != "unlimited":
        for limit in settings.shifts.limits_xyz_px:
            if limit >= box_px / 2:
                yield Fault(
                    ("shifts", "limits_xyz_px"),
                    f"{limit:g} px reaches out of the box of {box_px} px",
                    f"below {box_px / 2:g}",
                )
                break


def global_faults(settings: Round) -> Iterator[Fault]:
    """What has no meaning where every orientation is tried."""
    if settings.search != "global":
        return
    for name in ("cone", "azimuth"):
        if name in settings.model_fields_set:
            yield Fault(
                (name,),
                'search = "global" tries every orientation, whatever the present one',
                f'remove {name}, or search = "fast" around the present pose',
            )
    shifts = settings.shifts
    if shifts.frame == "particle" and shifts.origin != "unlimited" and len(set(shifts.limits_xyz_px)) > 1:
        yield Fault(
            ("shifts", "frame"),
            "unequal limits along the axes of a pose that a global search does not believe",
            'frame = "box", or equal limits',
        )


def band_faults(settings: Round, box_px: int | None, pixel_size_A: float | None) -> Iterator[Fault]:
    """A band that is empty, or that the box does not hold."""
    band = settings.bandpass
    in_A = band.lowpass_A is not None or band.highpass_A is not None
    if in_A and pixel_size_A == 0:
        yield Fault(("bandpass",), "a cut in A needs a pixel size, and the data have none", "set data.pixel_size_A")
        return
    if in_A and not (box_px and pixel_size_A):
        if band.lowpass_A and band.highpass_A and band.lowpass_A >= band.highpass_A:
            yield Fault(
                ("bandpass", "lowpass_A"),
                f"the low-pass at {band.lowpass_A:g} A leaves nothing above the high-pass at {band.highpass_A:g} A",
                "the low-pass is the smaller number in A",
            )
        return
    high, low = band.shells(box_px or 1, pixel_size_A or 1.0)
    where = ("bandpass", "lowpass_A" if band.lowpass_A is not None else "lowpass_fpx")
    if low <= high:
        yield Fault(
            where,
            f"the low-pass at {low:.3g} Fourier px leaves nothing above the high-pass at {high:.3g}",
            "raise the low-pass",
        )
    elif box_px and low > box_px / 2:
        most = f"at most {box_px // 2} Fourier px" + (f" = {2 * pixel_size_A:.3g} A" if pixel_size_A else "")
        yield Fault(where, f"{low:.3g} Fourier px lies beyond Nyquist of a box of {box_px} px", most)


def selection_faults(settings: Round) -> Iterator[Fault]:
    """A number that does not fit its rule."""
    rule, value = settings.select.rule, settings.select.value
    if rule == "best-fraction" and not 0 < value <= 1:
        yield Fault(("select", "value"), f"a fraction lies between 0 and 1, not {value:g}", "0.9 keeps nine of ten")
    if rule == "best-count" and (value < 1 or value != int(value)):
        yield Fault(("select", "value"), f"a count is a whole number of 1 or more, not {value:g}")


def unfold(project: Project) -> list[Step]:
    """ite_0000 (the start), then one step for every iteration; with halves, three: both half-sets and what joins them."""
    steps = [start_step(project)]
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
    inputs = {"particles": reads("particles", data.particles), "table": reads("table", data.table)}
    if data.template:
        inputs["template"] = reads("volume", data.template)
    inputs |= masks.inputs({"alignment": project.masks.alignment, "fsc": project.masks.fsc})
    return Step(
        name="ite_0000",
        function=start,
        version=1,
        settings=Start(pixel_size_A=data.pixel_size_A, masks=project.masks, halves=data.halves),
        makes=(*STARTS, "mask", "fsc_mask"),
        inputs=inputs,
        labels={"ite": 0},
        cost=Cost(),
    )


def half_steps(project: Project, half: HalfName) -> list[Step]:
    """The steps of one half-set, its start first."""
    settings = HalfStart(half=half, has_template=project.data.template is not None)
    first = Step(
        name=f"half_{half}/ite_0000",
        function=start_half,
        version=1,
        settings=settings,
        makes=STARTS,
        inputs={
            "particles": reads("particles", project.data.particles),
            "table": _made("table", "ite_0000", "table"),
            "reference": _made("volume", "ite_0000", "refs/001/average"),
            "mask": _made("volume", "ite_0000", "mask"),
        },
        labels={"ite": 0, "half": half},
        cost=Cost(),
    )
    return [first, *iterations(project, half)]


@dataclass(frozen=True)
class Iteration:
    """One iteration of the plan: its number from 1, its round, and the round's place from 1 and first iteration."""

    number: int
    settings: Round
    round_number: int
    first_of_round: int


def planned(project: Project) -> list[Iteration]:
    """The iterations of all rounds, in order."""
    found: list[Iteration] = []
    for place, settings in enumerate(project.rounds, start=1):
        first = len(found) + 1
        found += [Iteration(first + i, settings, place, first) for i in range(settings.iterations)]
    return found


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
        "reference": _made("volume", before, "refs/001/average"),
        "mask": _made("volume", "ite_0000", "mask"),
        "fsc_mask": _made("volume", "ite_0000", "fsc_mask"),
    }
    origins = {"project-start": 0, "round-start": iteration.first_of_round - 1}
    if settings.shifts.origin in origins:
        inputs["origin"] = _made("table", f"{folder}ite_{origins[settings.shifts.origin]:04d}", "table")
    return Step(
        name=f"{folder}ite_{iteration.number:04d}",
        function=iterate,
        version=3,
        settings=Iterate(round=settings),
        makes=("table", *AVERAGES, "summary"),
        inputs=inputs,
        labels={
            "ite": iteration.number,
            "round": iteration.round_number,
            **({} if half == "none" else {"half": half}),
        },
        cost=cost(settings, project.data.pixel_size_A, iteration.round_number),
    )


def cost(settings: Round, typed_pixel_size_A: float | None, round_number: int) -> Cost:
    """What an iteration of the round does for each particle."""
    plan = search_plan(settings)
    rotations = sum(len(level) for level in plan.levels)
    if plan.is_fast:
        rotations += n_kept(rotations) + STENCIL * plan.n_polish
    if settings.search == "global":
        rotations += everywhere.MODES * STENCIL * (2 * everywhere.ROUNDS + max(1, plan.n_polish))

    def seconds(box_px: int, pixel_size_A: float, n_particles: int) -> float:
        return seconds_per_particle(settings, box_px, typed_pixel_size_A or pixel_size_A or 1.0, n_particles)

    def words(box_px: int, pixel_size_A: float, n_particles: int) -> str:
        shells = settings.bandpass.shells(box_px, typed_pixel_size_A or pixel_size_A or 1.0)
        chosen = group.way(settings, plan, box_px, shells, n_particles)
        return f"round {round_number}: {search_in_words(settings, plan, chosen)}"

    return Cost(rotations, seconds, words=words)


def search_in_words(settings: Round, plan: Plan, chosen: group.Way) -> str:
    """Which search is in force."""
    n = len(plan.levels[0])
    how = "together, by a bank of turned references" if chosen.first_stage == "bank" else "one by one"
    if settings.search == "global":
        low = everywhere.low_fpx(chosen.highpass_fpx, chosen.lowpass_fpx)
        return (
            f"global search, {n:,} orientations to {low:.3g} Fourier px, {how}; "
            f"the best {everywhere.MODES} polished to {chosen.lowpass_fpx:.3g}"
        )
    if not plan.is_fast:
        return f"grid search, {sum(len(level) for level in plan.levels):,} rotations"
    if not chosen.screens or n_kept(n) == n:
        text = f"fast search, {n:,} rotations, the best polished"
    else:
        text = (
            f"fast search, {n:,} rotations screened {how}, {n_kept(n):,} of them at the whole band, the best polished"
        )
    fold = symmetry.n_fold(settings.symmetry)
    if settings.azimuth.range_deg > 360 / fold:
        text += f"; azimuth narrowed to {360 / fold:.4g} deg by {settings.symmetry}"
    return text


def join_step(number: int, settings: Round) -> Step:
    """The step that joins the half-sets after an iteration."""
    inputs: dict[str, Input] = {"fsc_mask": _made("volume", "ite_0000", "fsc_mask")}
    for half in ("odd", "even"):
        of_half = f"half_{half}/ite_{number:04d}"
        inputs[f"{half}_table"] = _made("table", of_half, "table")
        inputs[f"{half}_average"] = _made("volume", of_half, "refs/001/average")
        inputs[f"{half}_raw"] = _made("volume", of_half, "refs/001/average_raw")
        inputs[f"{half}_weight"] = _made("array", of_half, "refs/001/fourier_weight")
    return Step(
        name=f"ite_{number:04d}",
        function=join,
        version=1,
        settings=Join(symmetry=settings.symmetry),
        makes=("table", *AVERAGES, "summary"),
        inputs=inputs,
        labels={"ite": number},
    )


def _made(what: What, step: str, item: str) -> Input:
    return Input(what, StepItem(step, item))
