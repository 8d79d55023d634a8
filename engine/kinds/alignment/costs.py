"""What the steps of an alignment project cost, and in words which search is in force."""

from __future__ import annotations

from engine.data import ParticleFacts
from engine.geometry import symmetry
from engine.kinds import shares
from engine.kinds.alignment import adaptive, everywhere, group, registration
from engine.kinds.alignment.form import Project
from engine.kinds.alignment.iterate import search_plan
from engine.kinds.alignment.particle import n_kept
from engine.kinds.alignment.rounds import Iteration, has_cache, is_classified, planned
from engine.kinds.alignment.spectra import cached_reach, reach_fpx
from engine.kinds.alignment.timing import seconds_to_align
from engine.kinds.form import Round
from engine.kinds.polish import STENCIL
from engine.outputs import block_bytes
from engine.step import Cost, Share


def first_average(project: Project, box_px: int) -> Share:
    """What the starting references cost: the average of each table, where no template is given."""
    return Share() if project.data.template else len(project.data.tables) * shares.averaged(box_px)


def kept_reach(project: Project, box_px: int, pixel_size_A: float) -> int | None:
    """How far the cache of the project reaches; None when there is none."""
    if not has_cache(project):
        return None
    known_A = project.data.pixel_size_A or pixel_size_A or 1.0
    return cached_reach([settings.bandpass for settings in project.rounds], box_px, known_A)


def transform_share(project: Project, facts: ParticleFacts) -> Share:
    """Each box is transformed, and its block kept; where blocks do not pay, nothing is done."""
    reach = kept_reach(project, facts.box_px, facts.pixel_size_A)
    if reach is None:
        return Share()
    return shares.transformed(facts.box_px, reach) + Share(kept_bytes=block_bytes(reach))


def cost(project: Project, iteration: Iteration, is_laid_on: bool) -> Cost:
    """What an iteration does for each particle, at most; is_laid_on: averages twice, to lie on the other half-set.

    Of several tables each is reckoned to hold all particles.
    """
    settings, n_references = iteration.settings, project.data.n_references
    n_averages = 1 if is_classified(project, iteration.number) else n_references
    n_searches = n_references if settings.swap_references else n_averages
    is_split = settings.swap_by == "other-half" and settings.swap_references
    plan, again, weighted = search_plan(settings), settings.select_again, project.data.weights is not None
    rotations = sum(len(level) for level in plan.levels)
    if plan.is_fast:
        rotations += STENCIL * plan.n_polish
    if settings.search == "global":
        rotations += everywhere.MODES * STENCIL * (2 * everywhere.ROUNDS + max(1, plan.n_polish))

    def share(facts: ParticleFacts) -> Share:
        box_px, known_A = facts.box_px, known_pixel_size_A(project, facts)
        settings = adaptive.widest(project, iteration, box_px, known_A)
        reach, kept = reach_fpx(settings.bandpass, box_px, known_A), kept_reach(project, box_px, known_A)
        shells = settings.bandpass.shells(box_px, known_A)
        chosen = group.way(settings, plan, box_px, shells, facts.n_particles, weighted=weighted)
        each, once = seconds_to_align(settings, box_px, known_A, facts.n_particles, weighted)
        held = registration.held_bytes(box_px, *shells) if is_laid_on else 0
        held += shares.AVERAGING_BYTES * box_px**3 + chosen.bank_bytes
        prepared = n_searches * Share(each, 0, 0, chosen.call_bytes, held, once)
        n_maps = 2 + is_laid_on + (again is not None)  # the reference, the average, and what averages again
        prepared += n_references * n_maps * shares.symmetrised(box_px, settings.symmetry, settings.helix, known_A)
        if kept is None or kept < reach:
            whole = shares.averaged(box_px)
            split = whole if is_split else Share()
            return n_searches * shares.transformed(box_px, reach) + prepared + repeated(whole) + split
        n_bytes = block_bytes(kept)
        aligned = prepared + Share(read_bytes=n_searches * n_bytes, worker_bytes=3 * n_bytes)
        in_blocks = shares.averaged_blocks(box_px, reach, n_bytes)
        summing = shares.averaged(box_px) if iteration.is_last_of_round else in_blocks
        return aligned + repeated(summing) + (in_blocks if is_split else Share())

    def repeated(averaging: Share) -> Share:
        return n_averages * (1 + (again is not None) + is_laid_on) * averaging

    def words(facts: ParticleFacts) -> str:
        known_A = known_pixel_size_A(project, facts)
        of_round = [one for one in planned(project) if one.round_number == iteration.round_number]
        at_most = [adaptive.widest(project, one, facts.box_px, known_A) for one in of_round]
        highest = max(at_most, key=lambda one: one.bandpass.shells(facts.box_px, known_A)[1])
        text = search_in_words(iteration.round_number, highest, facts, known_A, weighted)
        return f"{text} and reference, of {n_references}" if n_references > 1 else text

    return Cost(n_searches * rotations, share, words=words)


def known_pixel_size_A(project: Project, facts: ParticleFacts) -> float:
    """The pixel size that bands in A are told from; 1 where there is none and none is needed."""
    return project.data.pixel_size_A or facts.pixel_size_A or 1.0


def search_in_words(
    number: int, settings: Round, facts: ParticleFacts, pixel_size_A: float, weighted: bool = False
) -> str:
    """Which search is in force in a round, and what a particle costs."""
    plan, shells = search_plan(settings), settings.bandpass.shells(facts.box_px, pixel_size_A)
    chosen = group.way(settings, plan, facts.box_px, shells, facts.n_particles, weighted=weighted)
    how = "together, by a bank of turned references" if chosen.first_stage == "bank" else "one by one"
    n = len(plan.levels[0])
    if settings.search == "global":
        low = everywhere.low_fpx(*shells)
        text = (
            f"global search, {n:,} orientations to {low:.3g} Fourier px, {how}; "
            f"the best {everywhere.MODES} polished to {shells[1]:.3g}"
        )
    elif not plan.is_fast:
        text = f"grid search, {sum(len(level) for level in plan.levels):,} rotations"
    elif not chosen.screens or n_kept(n) == n:
        text = f"fast search, {n:,} rotations, the best polished"
    else:
        text = (
            f"fast search, {n:,} rotations screened {how}, {n_kept(n):,} of them at the whole band, the best polished"
        )
    fold = symmetry.n_fold(settings.symmetry)
    if plan.is_fast and settings.azimuth.range_deg > 360 / fold:
        text += f"; azimuth narrowed to {360 / fold:.4g} deg by {settings.symmetry}"
    each = seconds_to_align(settings, facts.box_px, pixel_size_A, facts.n_particles, weighted).each
    at_most = ""
    if settings.bandpass.adaptive is not None:
        text += f"; the low-pass follows the FSC, as far as {shells[1]:.3g} Fourier px"
        at_most = "at most "
    return f"round {number}: {text}; {at_most}{each:.2g} s a particle"
