"""One iteration: every particle is aligned to the reference, the good ones are averaged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from engine.data import Particles, Spectra, Table, Volume, Weights
from engine.devices import Work
from engine.geometry import euler, search, symmetry
from engine.kernels import average
from engine.kinds.alignment import everywhere, group
from engine.kinds.alignment.adaptive import round_in_force
from engine.kinds.alignment.again import rescored
from engine.kinds.alignment.particle import Member, Plan, member, prepared
from engine.kinds.alignment.polish import Pose
from engine.kinds.alignment.region import Region
from engine.kinds.alignment.registration import NOWHERE, registered
from engine.kinds.alignment.select import select, select_again
from engine.kinds.alignment.spectra import pays, reach_fpx, spectra_of
from engine.kinds.averaging import Sums, averages, chunks, fsc_of_parts, own_weight, summed, summed_spectra, wedges
from engine.kinds.form import Form, Round
from engine.kinds.imposing import imposed
from engine.step import Outputs


class Iterate(Form):
    """What an iteration needs to know. The last one of a round averages whole boxes."""

    round: Round
    is_last: bool


def iterate(settings: Iterate, inputs: Mapping[str, Any], work: Work) -> Outputs:
    """The table of new poses, the averages and their FSC.

    Particles are aligned by their coefficients out to the round's reach. Those between make the average too, wherever blocks
    pay: its shells end there. The last iteration's average is made from whole boxes. A second selection averages twice.

    lowpass_fpx: the low-pass where it is not the round's own. other_half: the other half-set's symmetrized average; this one
    is laid onto it, and averaged anew.
    """
    settings = Iterate(round=round_in_force(settings.round, inputs.get("lowpass_fpx")), is_last=settings.is_last)
    particles: Particles = inputs["particles"]
    table: Table = inputs["table"]
    reference: Volume = inputs["reference"]
    origin: Table = inputs.get("origin", table)
    mask: np.ndarray = inputs["mask"].data
    weights: Weights | None = inputs.get("weights")
    pixel_size_A = reference.pixel_size_A
    symmetric = imposed(reference.data, settings.round.symmetry, settings.round.helix, pixel_size_A)
    reach = reach_fpx(settings.round.bandpass, particles.box_px, pixel_size_A)
    taking_part = table.tags[(table["aligned"] == 1) | (table["averaged"] == 1)]
    spectra = spectra_of(particles, taking_part, inputs.get("spectra"), reach, work)
    aligned = align(spectra, table, origin, symmetric, mask, settings.round, pixel_size_A, work, weights)
    chosen = select(aligned, settings.round.select, settings.round.separation_px)

    def sums_of(table: Table) -> Sums:
        if settings.is_last or not pays(reach, particles.box_px):
            return summed(particles, table, mask, work, weights=weights)
        return summed_spectra(spectra, table, mask, work, weights=weights)

    sums = sums_of(chosen)
    if settings.round.select_again is not None:
        of_survivors = np.asarray(average.compensated(sums.all))
        of_survivors = imposed(of_survivors, settings.round.symmetry, settings.round.helix, pixel_size_A)
        chosen = rescored(spectra, chosen, of_survivors, mask, settings.round, pixel_size_A, work, weights)
        chosen = select_again(chosen, settings.round.select_again)
        sums = sums_of(chosen)
    told = {"low-pass (Fourier px)": settings.round.bandpass.shells(particles.box_px, pixel_size_A)[1]}
    if "other_half" in inputs:
        own = np.asarray(average.compensated(sums.all))
        own = imposed(own, settings.round.symmetry, settings.round.helix, pixel_size_A)
        move = registered(own, inputs["other_half"].data, inputs["fsc_mask"].data, settings.round, pixel_size_A)
        told |= {"laid onto the other half by (px)": move.shift_px, "laid onto it by (deg)": move.angle_deg}
        if move is not NOWHERE:
            chosen = move.of_poses(chosen)
            sums = sums_of(chosen)
    return {
        "table": chosen,
        **averages(sums, pixel_size_A, settings.round.symmetry, settings.round.helix),
        "refs/001/fsc": fsc_of_parts(sums, inputs["fsc_mask"], "alternate particles aligned to one reference"),
        "summary": {**summary(chosen), **told},
    }


def align(
    spectra: Spectra,
    table: Table,
    origin: Table,
    reference: np.ndarray,
    mask: np.ndarray,
    settings: Round,
    pixel_size_A: float,
    work: Work,
    weights: Weights | None = None,
) -> Table:
    """The table with the best pose and its cc for every row that takes part (aligned = 1)."""
    high, low = settings.bandpass.shells(spectra.box_px, pixel_size_A)
    rows = np.flatnonzero(table["aligned"] == 1)
    samplings = wedges(table)

    rotations, d = euler.matrices(table.angles), table.shifts_xyz_px
    centres = shift_centres(table, origin, settings)
    plan = search_plan(settings)
    way = group.way(settings, plan, spectra.box_px, (high, low), len(rows), bool(work.gpus), weights is not None)

    def make() -> group.Search:
        matter = prepared(work.array(reference), work.array(mask), set(samplings), high, low, spectra.reach)
        return group.search(way, settings, plan, matter)

    search_here = work.once_per_device(make)

    def aligned(job: range) -> list[Pose]:
        mine = [int(rows[number]) for number in job]
        with work.ahead(read, mine) as found:
            return search_here()(placed(row, *parts) for row, parts in zip(mine, found, strict=True))

    def read(row: int) -> tuple[Any, np.ndarray | None]:
        tag = int(table.tags[row])
        return spectra.block(tag), own_weight(weights, tag, spectra.reach)

    def placed(row: int, block: Any, own: np.ndarray | None) -> Member:
        region = Region(centres[row], rotations[row], settings.shifts, spectra.box_px)
        on_device = None if own is None else work.array(own)
        return member(work.array(block), on_device, samplings[row], rotations[row], d[row], region)

    found: list[Pose] = []
    for part in work.map(aligned, chunks(len(rows), way.chunk(work.chunk))):
        found += part
        work.progress(len(found), len(rows))
    return with_found(table, rows, found)


def search_plan(settings: Round) -> Plan:
    """The rotations of the round's levels; a fast search has only the first, and polishes instead of the others.

    A global search has one level, of orientations instead of rotations from the present one.
    """
    if settings.search == "global":
        orientations = search.everywhere(everywhere.STEP_DEG, settings.symmetry)
        spacing = np.full(3, everywhere.STEP_DEG / 2)
        return Plan([orientations], False, spacing, settings.refine.levels, settings.refine.factor)
    is_fast = settings.search == "fast"
    n_further = 0 if is_fast else settings.refine.levels
    levels = search.levels(angular_search(settings), n_further, settings.refine.factor)
    cone, azimuth = (part.step_deg / 2 if part.range_deg > 0 else 0.0 for part in (settings.cone, settings.azimuth))
    return Plan(
        [search.rotations(part, level) for level, part in enumerate(levels)],
        is_fast,
        np.array([cone, cone, azimuth]),
        settings.refine.levels,
        settings.refine.factor,
    )


def angular_search(settings: Round) -> search.Search:
    """The round's first level; a fast search does not turn further about the axis than the symmetry lets it tell."""
    cone, azimuth = settings.cone, settings.azimuth
    fold = symmetry.n_fold(settings.symmetry) if settings.search == "fast" else 1
    return search.Search(
        cone.range_deg, cone.step_deg, azimuth.range_deg, azimuth.step_deg, cone.flip, azimuth.flip, fold
    )


def shift_centres(table: Table, origin: Table, settings: Round) -> np.ndarray:
    """The centre of each row's allowed shifts, (n, 3) px."""
    if settings.shifts.origin in ("box-centre", "unlimited"):
        return np.zeros((len(table), 3))
    order = np.argsort(origin.tags, kind="stable")
    return origin.shifts_xyz_px[order[np.searchsorted(origin.tags[order], table.tags)]]


def with_found(table: Table, rows: np.ndarray, found: Sequence[Pose]) -> Table:
    """The table with the poses of these rows, and how far each moved."""
    angles, d, cc = table.angles, table.shifts_xyz_px, np.array(table["cc"])
    for row, pose in zip(rows, found, strict=True):
        angles[row], d[row], cc[row] = euler.angles(pose.rotation), pose.shift_xyz_px, pose.cc
    return table.with_poses(angles, d).with_columns(
        cc=cc,
        dshift=np.linalg.norm(d - table.shifts_xyz_px, axis=1),
        daxis=euler.axis_change_deg(table.angles, angles),
        dnarot=euler.azimuth_change_deg(table.angles, angles),
        dcc=cc - table["cc"],
    )


def summary(table: Table) -> dict[str, Any]:
    """The numbers a person wants to see of an iteration."""
    aligned = table.where(table["aligned"] == 1)
    return {
        "particles": len(table),
        "averaged": int(table["averaged"].sum()),
        "mean cc": float(aligned["cc"].mean()) if len(aligned) else 0.0,
        "median shift change (px)": float(np.median(aligned["dshift"])) if len(aligned) else 0.0,
        "median axis change (deg)": float(np.median(aligned["daxis"])) if len(aligned) else 0.0,
    }
