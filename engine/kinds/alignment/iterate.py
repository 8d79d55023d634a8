"""One iteration: every particle is aligned to the reference, the good ones are averaged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.data import Particles, Spectra, Table, Volume, Weights
from engine.devices import Work
from engine.geometry import euler, search, symmetry
from engine.geometry.move import NOWHERE
from engine.kernels import average
from engine.kinds.alignment import everywhere, group
from engine.kinds.alignment.adaptive import round_in_force
from engine.kinds.alignment.again import rescored
from engine.kinds.alignment.particle import Member, Plan, member, prepared
from engine.kinds.alignment.registration import registered
from engine.kinds.alignment.select import select, select_again
from engine.kinds.alignment.spectra import pays, reach_fpx, spectra_of
from engine.kinds.averaging import (
    Sums,
    averages,
    chunks,
    fsc_of_parts,
    named,
    own_weight,
    summed,
    summed_spectra,
    wedges,
)
from engine.kinds.form import Form, Round
from engine.kinds.imposing import imposed
from engine.kinds.region import Region
from engine.outputs import Outputs
from engine.step import of_reference

FOUND = 7
"""What is found of a particle: three angles in degrees, the shift x, y, z in px, the cc."""


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
    table: Table = inputs["table"]
    reference: Volume = inputs["reference"]
    here = given(settings, inputs, [table], reference.pixel_size_A, work)
    aligned = here.aligned(table, inputs.get("origin", table), reference.data)
    chosen, sums = here.averaged(select(aligned, settings.round.select, settings.round.separation_px))
    told = {"low-pass (Fourier px)": here.lowpass_fpx}
    if "other_half" in inputs:
        own = here.symmetric(np.asarray(average.compensated(sums.all)))
        move = registered(own, inputs["other_half"].data, here.fsc_mask.data, settings.round, here.pixel_size_A)
        told |= {"laid onto the other half by (px)": move.shift_px, "laid onto it by (deg)": move.angle_deg}
        if move is not NOWHERE:
            chosen = move.of_poses(chosen)
            sums = here.sums(chosen, settings.is_last)
    of_one = {of_reference(1, item): value for item, value in here.maps(sums).items()}
    return {"table": chosen, **of_one, "summary": {**summary(chosen), **told}}


@dataclass(frozen=True, eq=False)
class Given:
    """What an iteration works with, whatever the reference."""

    settings: Iterate
    particles: Particles
    spectra: Spectra
    weights: Weights | None
    mask: np.ndarray
    fsc_mask: Volume
    pixel_size_A: float
    work: Work

    @property
    def lowpass_fpx(self) -> float:
        """The low-pass in force."""
        return self.settings.round.bandpass.shells(self.particles.box_px, self.pixel_size_A)[1]

    def symmetric(self, reference: np.ndarray) -> np.ndarray:
        """The reference with the round's symmetry imposed."""
        return imposed(reference, self.settings.round.symmetry, self.settings.round.helix, self.pixel_size_A)

    def aligned(self, table: Table, origin: Table, reference: np.ndarray) -> Table:
        """The table with the poses and the cc that its rows find at a reference."""
        symmetric, settings = self.symmetric(reference), self.settings.round
        pixel_size_A, work = self.pixel_size_A, self.work
        return align(self.spectra, table, origin, symmetric, self.mask, settings, pixel_size_A, work, self.weights)

    def averaged(self, chosen: Table) -> tuple[Table, Sums]:
        """The table, after a second selection where there is one, and the sums of its chosen rows."""
        settings, sums = self.settings.round, self.sums(chosen, self.settings.is_last)
        if settings.select_again is None:
            return chosen, sums
        survivors, (mask, work) = self.symmetric(np.asarray(average.compensated(sums.all))), (self.mask, self.work)
        chosen = rescored(self.spectra, chosen, survivors, mask, settings, self.pixel_size_A, work, self.weights)
        chosen = select_again(chosen, settings.select_again)
        return chosen, self.sums(chosen, self.settings.is_last)

    def maps(self, sums: Sums) -> dict[str, Any]:
        """The averages and their FSC, by item."""
        made = averages(sums, self.pixel_size_A, self.settings.round.symmetry, self.settings.round.helix)
        return {**made, "fsc": fsc_of_parts(sums, self.fsc_mask, "alternate particles aligned to one reference")}

    def sums(self, table: Table, whole_boxes: bool) -> Sums:
        """The sums of the table's rows, of whole boxes or, where they pay, of blocks."""
        if whole_boxes or not pays(self.spectra.reach, self.particles.box_px):
            return summed(self.particles, table, self.mask, self.work, weights=self.weights)
        return summed_spectra(self.spectra, table, self.mask, self.work, weights=self.weights)


def given(
    settings: Iterate, inputs: Mapping[str, Any], tables: Sequence[Table], pixel_size_A: float, work: Work
) -> Given:
    """What the iteration's inputs are to the tables that it aligns."""
    particles: Particles = inputs["particles"]
    reach = reach_fpx(settings.round.bandpass, particles.box_px, pixel_size_A)
    parts = [table.tags[(table["aligned"] == 1) | (table["averaged"] == 1)] for table in tables]
    spectra = spectra_of(particles, np.concatenate(parts), inputs.get("spectra"), reach, work)
    weights, mask, fsc_mask = inputs.get("weights"), inputs["mask"].data, inputs["fsc_mask"]
    return Given(settings, particles, spectra, weights, mask, fsc_mask, pixel_size_A, work)


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

    def aligned(job: range) -> np.ndarray:
        mine = [int(rows[number]) for number in job]
        with work.ahead(read, mine) as found:
            poses = search_here()(placed(row, *parts) for row, parts in zip(mine, found, strict=True))
        return np.array([[*euler.angles(pose.rotation), *pose.shift_xyz_px, pose.cc] for pose in poses])

    def read(row: int) -> tuple[Any, np.ndarray | None]:
        tag = int(table.tags[row])
        return spectra.block(tag), own_weight(weights, tag, spectra.reach)

    def placed(row: int, block: Any, own: np.ndarray | None) -> Member:
        region = Region(centres[row], rotations[row], settings.shifts, spectra.box_px)
        on_device = None if own is None else work.array(own)
        return member(work.array(block), on_device, samplings[row], rotations[row], d[row], region)

    jobs = chunks(len(rows), way.chunk(work.fair_chunk(len(rows))))
    return with_found(table, rows, work.rows(aligned, jobs, FOUND, named(table.tags[rows])))


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


def with_found(table: Table, rows: np.ndarray, found: np.ndarray) -> Table:
    """The table with what was found of these rows (n, FOUND), and how far each moved."""
    angles, d, cc = table.angles, table.shifts_xyz_px, np.array(table["cc"])
    angles[rows], d[rows], cc[rows] = found[:, :3], found[:, 3:6], found[:, 6]
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
