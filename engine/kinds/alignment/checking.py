"""What is wrong with an alignment project."""

from __future__ import annotations

from collections.abc import Iterator

from engine.data import Half, Table
from engine.faults import EngineError, Fault, Key
from engine.kinds import hooks, imposing, masks, sense
from engine.kinds.alignment import references
from engine.kinds.alignment.form import Project
from engine.kinds.alignment.halves import refuse_shared
from engine.kinds.form import Look, Round, Select
from engine.kinds.halving import with_halves


def check(project: Project, look: Look) -> Iterator[Fault]:
    """What is wrong between fields, and between the project and its data."""
    data = project.data
    yield from references.faults(project)
    if not data.tables:
        return
    particles, tables = look.particles(data.particles), [look.table(text) for text in data.tables]
    templates = [look.volume(text) for text in data.templates]
    table_keys, template_keys = (references.keys(name, getattr(data, name)) for name in ("table", "template"))
    for key, one in zip(table_keys, tables, strict=True):
        yield from sense.table_and_particles(one, particles, key)
        yield from sense.own_weights(data.weights, one, particles, look)
    sizes: list[tuple[Key, str, float | None]] = [
        (("data", "particles"), "the particles", particles.pixel_size_A if particles else None),
        (("data", "pixel_size_A"), "data.pixel_size_A", data.pixel_size_A),
    ]
    for key, one in zip(table_keys, tables, strict=True):
        sizes.append((key, "the table", sense.table_pixel_size(one)))
    for key, template in zip(template_keys, templates, strict=True):
        sizes.append((key, "the template", template.pixel_size_A if template else None))
    yield from sense.pixel_sizes(sizes)
    table = tables[0]
    yield from references.too_few(project, table)
    yield from references.strangers(project, tables)
    known = particles is not None and table is not None
    pixel_size_A = data.pixel_size_A
    if particles and known:
        pixel_size_A = sense.chosen_pixel_size(data.pixel_size_A, particles.pixel_size_A, table)
    box_px = particles.box_px if particles else None
    for key, template in zip(template_keys, templates, strict=True):
        yield from sense.same_box(template, box_px, key)
    for name in ("alignment", "classification", "fsc"):
        yield from masks.faults(getattr(project.masks, name), ("masks", name), look, box_px, pixel_size_A)
    yield from fourier_mask_faults(project, look, box_px)
    if particles and table:
        yield from halves_faults(project, table, particles.box_px)
    yield from adaptive_faults(project)
    yield from hooks.faults(project.hooks, look)
    for number, settings in enumerate(project.rounds):
        for fault in round_faults(settings, box_px, pixel_size_A):
            yield fault.inside("rounds", number)


def halves_faults(project: Project, table: Table, box_px: int) -> Iterator[Fault]:
    """Half-sets that are set already, all on one side, or share particles."""
    if project.data.halves == "none":
        return
    try:
        table = with_halves(table, project.data.halves)
        refuse_shared(table, box_px)
    except EngineError as problem:
        yield Fault(("data", "halves"), str(problem), code="E408")
        return
    sides = set(table["half"][table["averaged"] == 1])
    for name, half in (("odd", Half.ODD), ("even", Half.EVEN)):
        if half not in sides and len(sides) == 1:
            yield Fault(
                ("data", "halves"),
                f"the {name} half-set has no particle that takes part",
                "fill the column half otherwise, or empty it",
                code="E408",
            )


def adaptive_faults(project: Project) -> Iterator[Fault]:
    """An adaptive low-pass where no FSC can be trusted."""
    for number, settings in enumerate(project.rounds):
        if settings.bandpass.adaptive is not None and project.data.halves == "none":
            yield Fault(
                ("rounds", number, "bandpass", "adaptive"),
                "the low-pass follows the FSC between two half-sets, and there are none",
                'data.halves = "parity", "region" or "tomogram-half"; or remove adaptive',
                code="E303",
                also=(("data", "halves"),),
            )


def fourier_mask_faults(project: Project, look: Look, box_px: int | None) -> Iterator[Fault]:
    """A Fourier mask of another size, or of no template."""
    key, mask = ("masks", "fourier"), project.masks.fourier
    if mask is None:
        return
    if project.data.template is None:
        yield Fault(
            key,
            "masks the spectrum of data.template, and there is none",
            "give data.template, or remove the mask",
            code="E303",
        )
    yield from sense.same_box(look.volume(mask), box_px, key)


def round_faults(settings: Round, box_px: int | None, pixel_size_A: float | None) -> Iterator[Fault]:
    """What makes a round impossible."""
    yield from global_faults(settings)
    for name, part in (("cone", settings.cone), ("azimuth", settings.azimuth)):
        if 0 < part.range_deg < 2 * part.step_deg:
            yield Fault(
                (name, "step_deg"),
                f"{part.step_deg:g} deg is more than half the range of {part.range_deg:g} deg: nothing new would be tried",
                f"at most {part.range_deg / 2:g}, or range_deg = 0 to leave the search out",
                code="E308",
                also=((name, "range_deg"),),
            )
    yield from imposing.faults(settings.symmetry, settings.helix, box_px, pixel_size_A)
    yield from band_faults(settings, box_px, pixel_size_A)
    yield from selection_faults(settings)
    if box_px and settings.shifts.origin != "unlimited":
        for limit in settings.shifts.limits_xyz_px:
            if limit >= box_px / 2:
                yield Fault(
                    ("shifts", "limits_xyz_px"),
                    f"{limit:g} px reaches out of the box of {box_px} px",
                    f"below {box_px / 2:g}",
                    code="E309",
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
                code="E301",
                also=(("search",),),
            )
    shifts = settings.shifts
    if shifts.frame == "particle" and shifts.origin != "unlimited" and len(set(shifts.limits_xyz_px)) > 1:
        yield Fault(
            ("shifts", "frame"),
            "unequal limits along the axes of a pose that a global search does not believe",
            'frame = "box", or equal limits',
            code="E301",
            also=(("search",), ("shifts", "limits_xyz_px")),
        )


def band_faults(settings: Round, box_px: int | None, pixel_size_A: float | None) -> Iterator[Fault]:
    """A band that is empty, or that the box does not hold."""
    band = settings.bandpass
    in_A = band.lowpass_A is not None or band.highpass_A is not None
    if in_A and pixel_size_A == 0:
        yield Fault(
            ("bandpass",), "a cut in A needs a pixel size, and the data have none", "set data.pixel_size_A", code="E304"
        )
        return
    if in_A and not (box_px and pixel_size_A):
        if band.lowpass_A and band.highpass_A and band.lowpass_A >= band.highpass_A:
            yield Fault(
                ("bandpass", "lowpass_A"),
                f"the low-pass at {band.lowpass_A:g} A leaves nothing above the high-pass at {band.highpass_A:g} A",
                "the low-pass is the smaller number in A",
                code="E306",
                also=(("bandpass", "highpass_A"),),
            )
        return
    high, low = band.shells(box_px or 1, pixel_size_A or 1.0)
    where = ("bandpass", "lowpass_A" if band.lowpass_A is not None else "lowpass_fpx")
    if low <= high:
        yield Fault(
            where,
            f"the low-pass at {low:.3g} Fourier px leaves nothing above the high-pass at {high:.3g}",
            "raise the low-pass",
            code="E306",
            also=(("bandpass", "highpass_A" if band.highpass_A is not None else "highpass_fpx"),),
        )
    elif box_px and low > box_px / 2:
        most = f"at most {box_px // 2} Fourier px" + (f" = {2 * pixel_size_A:.3g} A" if pixel_size_A else "")
        yield Fault(where, f"{low:.3g} Fourier px lies beyond Nyquist of a box of {box_px} px", most, code="E305")


def selection_faults(settings: Round) -> Iterator[Fault]:
    """Numbers that do not fit their rules, and rules that reject nothing."""
    for name, select in (("select", settings.select), ("select_again", settings.select_again)):
        if select is not None:
            separates = name == "select" and settings.separation_px > 0
            for key, what, advice in rule_faults(select, separates):
                yield Fault((name, key), what, advice, code="E313")


def rule_faults(select: Select, separates: bool) -> Iterator[tuple[str, str, str]]:
    """Key, what is wrong and advice for one selection; separates: whether crowded particles are taken out before it."""
    rule, value = select.rule, select.value
    if rule == "best-fraction" and not 0 < value <= 1:
        yield "value", f"a fraction lies between 0 and 1, not {value:g}", "0.9 keeps nine of ten"
    if rule == "best-count" and (value < 1 or value != int(value)):
        yield "value", f"a count is a whole number of 1 or more, not {value:g}", "100 keeps the hundred best"
    if rule == "cc-above" and not -1 <= value < 1:
        yield (
            "value",
            f"no cc lies above {value:g}: they go from -1 to 1",
            "0.2, or best-count for a number of particles",
        )
    if select.reject_from_alignment and rule == "all" and not separates:
        yield "reject_from_alignment", 'rule = "all" rejects nothing', "choose another rule, or remove it"
