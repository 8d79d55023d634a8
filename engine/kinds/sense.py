"""Sense that several kinds check: pixel sizes agree, boxes agree, tables and particles belong together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from engine.data import Half, ParticleFacts, Particles, Table, VolumeFacts, WeightFacts, Weights
from engine.faults import EngineError, Fault, Key
from engine.geometry import symmetry
from engine.kernels.wedge import CUSTOM, KNOWN_FTYPES
from engine.kinds.form import Look

LARGEST_TAG = 10**15
"""Whole numbers below are kept by float64, in which tables hold them."""

SAME_PIXEL = 1e-3
"""Pixel sizes that differ by less than this share are one."""


def pixel_sizes(sources: Sequence[tuple[Key, str, float | None]]) -> Iterator[Fault]:
    """A fault for each source whose pixel size contradicts the first one that tells.

    sources: TOML key, what to call it, pixel size in A (None or 0: does not tell).
    """
    telling = [(key, name, size) for key, name, size in sources if size]
    for key, name, size in telling[1:]:
        _, first_name, first = telling[0]
        if abs(size / first - 1) > SAME_PIXEL:
            yield Fault(
                key,
                f"{name} has a pixel size of {size:g} A, {first_name} of {first:g} A",
                "resample, or mend the one that is wrong",
                code="E405",
                also=(telling[0][0],),
            )


def table_pixel_size(table: Table | None) -> float:
    """The one pixel size in the table's column apix; 0 when it has none or several."""
    sizes = np.unique(table["apix"][table["apix"] > 0]) if table is not None else np.zeros(0)
    return float(sizes[0]) if len(sizes) and sizes[-1] <= sizes[0] * (1 + SAME_PIXEL) else 0.0


def chosen_pixel_size(typed_A: float | None, particles_A: float, table: Table | None = None) -> float:
    """The pixel size in A: the typed one, else the particles', else the table's column apix, else 0."""
    return typed_A or particles_A or table_pixel_size(table)


def symmetry_name(name: str, key: Key) -> Iterator[Fault]:
    """A fault when there is no such symmetry."""
    try:
        symmetry.operators(name)
    except EngineError as error:
        yield Fault(key, str(error), code="E316")


def table_and_particles(table: Table | None, particles: ParticleFacts | None, key: Key) -> Iterator[Fault]:
    """Faults of a table: rows that are no particles, poses that are no numbers, samplings of nothing, nothing to do."""
    if table is None:
        return
    if not len(table):
        yield Fault(key, "the table is empty", code="E402")
        return
    tag = table["tag"]
    for what, bad, advice in (
        (
            "have tags that are not whole numbers of 1 or more",
            ~((tag >= 1) & (tag < LARGEST_TAG)) | (tag != np.rint(tag)),
            "number the particles",
        ),
        ("have poses or positions that are no numbers", ~_finite(table), "mend or remove these rows"),
        (
            "have shifts that leave the box",
            _leave_box(table, particles),
            f"the particles have {particles.box_px} px: were the shifts scaled with them?" if particles else "",
        ),
        (
            "have a number of a tomogram or a region (columns 20, 21) that is none",
            ~np.isfinite(table["reg"]) | (table["tomo"] != np.rint(table["tomo"])) | ~np.isfinite(table["tomo"]),
            "mend these rows",
        ),
        (
            "have a pixel size (column apix, 36) that is negative or no number",
            ~((table["apix"] >= 0) & np.isfinite(table["apix"])),
            "write it in A, or 0 where it is not known",
        ),
        (
            "belong to a half-set (column half) that there is not",
            ~np.isin(table["half"], list(Half)),
            "0 none, 1 odd, 2 even",
        ),
        ("have aligned or averaged (columns 2, 3) neither 0 nor 1", ~_are_flags(table), "0 or 1"),
        (
            "have an empty or impossible tilt range",
            _sample_nothing(table),
            "fill ymintilt and ymaxtilt (columns 14, 15)",
        ),
    ):
        if bad.any():
            yield Fault(
                key, f"{bad.sum()} of {len(table)} rows {what}, first in row {bad.argmax() + 1}", advice, code="E401"
            )
    tags, counts = np.unique(tag, return_counts=True)
    if (counts > 1).any():
        yield Fault(
            key, f"tag {tags[counts > 1][0]:g} stands in {counts.max()} rows", "give each particle one row", code="E403"
        )
    if not (table["averaged"] == 1).any():
        yield Fault(key, "no particle has averaged = 1 (column 3)", "set it for those that take part", code="E402")
    unknown = sorted(set(table["ftype"]) - set(KNOWN_FTYPES))
    if unknown:
        yield Fault(
            key, f"ftype {unknown[0]:g} is not known", f"one of {', '.join(map(str, KNOWN_FTYPES))}", code="E401"
        )
    if len(np.unique(table["apix"][table["apix"] > 0])) > 1 and not table_pixel_size(table):
        sizes = ", ".join(f"{size:g}" for size in np.unique(table["apix"]))
        yield Fault(
            key,
            f"mixes pixel sizes (column apix): {sizes} A",
            "align particles of one pixel size at a time",
            code="E405",
        )
    if particles and len(table) > particles.n_particles:
        yield Fault(
            key,
            f"the table has {len(table)} rows, but there are {particles.n_particles} particles",
            "use the table that was written with the particles",
            code="E407",
            also=(("data", "particles"),),
        )


def _finite(table: Table) -> np.ndarray:
    numbers = np.column_stack([table.angles, table.shifts_xyz_px, table.positions_xyz_px])
    return np.asarray(np.isfinite(numbers).all(axis=1))


def _leave_box(table: Table, particles: ParticleFacts | None) -> np.ndarray:
    """True where the particle's centre lies outside its box, of what is finite."""
    shifts = np.where(np.isfinite(table.shifts_xyz_px), table.shifts_xyz_px, 0)
    return np.asarray((np.abs(shifts) > (particles.box_px / 2 if particles else np.inf)).any(axis=1))


def _are_flags(table: Table) -> np.ndarray:
    return np.isin(table["aligned"], (0, 1)) & np.isin(table["averaged"], (0, 1))


def _sample_nothing(table: Table) -> np.ndarray:
    """True where the range that the row's ftype reads is empty, no number, or beyond 90 deg."""

    def is_bad(low: np.ndarray, high: np.ndarray) -> np.ndarray:
        return ~((low < high) & (low >= -90) & (high <= 90))

    about_y = is_bad(table["ymintilt"], table["ymaxtilt"]) & np.isin(table["ftype"], (1, 3, 4, 6, 7))
    about_x = is_bad(table["xmintilt"], table["xmaxtilt"]) & np.isin(table["ftype"], (2, 4))
    return about_y | about_x


def same_box(
    facts: VolumeFacts | None, box_px: int | None, key: Key, others: str = "the particles have"
) -> Iterator[Fault]:
    """A fault when a volume is not a cube of the given side."""
    if facts and box_px and facts.shape_zyx != (box_px,) * 3:
        size = " x ".join(str(n) for n in facts.shape_zyx[::-1])
        yield Fault(key, f"has {size} px, {others} {box_px}", "resample it to that box", code="E406")


def own_weights(text: str | None, table: Table | None, particles: ParticleFacts | None, look: Look) -> Iterator[Fault]:
    """Faults of data.weights: particles without a weight, weights of another box, rows that need one where there is none."""
    facts = look.weights(text) if text else None
    if table is not None and (facts or not text):
        for what, advice in _unweighted(table, facts):
            yield Fault(("data", "weights") if text else ("data", "table"), what, advice, code="E407")
    if facts and particles and facts.box_px != particles.box_px:
        yield Fault(
            ("data", "weights"),
            f"are for boxes of {facts.box_px} px, the particles have {particles.box_px}",
            code="E406",
            also=(("data", "particles"),),
        )


def usable_weights(table: Table, weights: Weights | None, box_px: int) -> None:
    """An EngineError where the particles' own weights do not fit them, for what could not be looked at before the run."""
    facts = WeightFacts(weights.tags, weights.box_px) if weights is not None else None
    for what, advice in _unweighted(table, facts):
        raise EngineError(f"data.weights: {what} ({advice})")
    if facts and facts.box_px != box_px:
        raise EngineError(
            f"data.weights are for boxes of {facts.box_px} px, the particles have {box_px} (make them anew)"
        )


def _unweighted(table: Table, facts: WeightFacts | None) -> Iterator[tuple[str, str]]:
    """What is wrong and advice, where particles lack a weight of their own that they need."""
    takes_part = (table["aligned"] == 1) | (table["averaged"] == 1)
    if facts is None:
        custom = takes_part & (table["ftype"] == CUSTOM)
        if custom.any():
            yield (
                f"{custom.sum()} of {len(table)} rows have ftype {CUSTOM}, sampled as their own weight says, and there is none",
                "give data.weights, or another ftype (column 13)",
            )
        return
    absent = np.setdiff1d(table.tags[takes_part], facts.tags)
    if len(absent):
        shown = ", ".join(map(str, absent[:5])) + (" …" if len(absent) > 5 else "")
        yield f"{len(absent)} particles have no weight, tags {shown}", "every particle that takes part needs one"


def usable(table: Table, particles: Particles) -> None:
    """An EngineError when the table cannot be used, for one that could not be looked at before the run."""
    facts = ParticleFacts(len(particles.tags), particles.box_px, particles.pixel_size_A)
    for fault in table_and_particles(table, facts, ()):
        raise EngineError(f"the table: {fault.what}" + (f" ({fault.advice})" if fault.advice else ""))


def missing_tags(table: Table, tags: np.ndarray) -> None:
    """An EngineError when the table names particles that are not there."""
    absent = np.setdiff1d(table.tags, tags)
    if len(absent):
        shown = ", ".join(map(str, absent[:5])) + (" …" if len(absent) > 5 else "")
        raise EngineError(
            f"{len(absent)} of {len(table)} tags of the table have no particle: {shown} "
            "(use the table that was written with the particles)"
        )
