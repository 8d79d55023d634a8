"""Particles become averages: checked for numbers, normalised, summed in a fixed order, compensated, compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from typing import Any

import numpy as np

from engine.data import Curve, Particles, Spectra, Table, Volume, Weights
from engine.devices import Work, namespace
from engine.faults import EngineError
from engine.geometry import euler
from engine.kernels import average, fsc, quick
from engine.kernels.average import FourierSum
from engine.kernels.fourier import block, block_variance, box_of_block, cropped, even_fast, spectrum_block
from engine.kernels.mask import support_px
from engine.kernels.wedge import Wedge
from engine.kinds.form import Helix
from engine.kinds.imposing import imposed

GROUP, MOST_GROUPS = 16, 64
"""Particles summed in one go, more where there would be too many such sums: each travels from a worker to the caller."""

SHOWN = 5
"""Tags that are shown of many particles."""

FINGERPRINTED = 8
"""Slices of a box that its fingerprint is made from, about."""

LARGEST_DEVIATION = 1e15
"""Deviation of voxels above which sums of squares leave float32."""

MOST_BAD = 0.01
"""Share of particles with voxels that are no numbers, above which a step stops."""


def wedges(table: Table) -> list[Wedge]:
    """How each row's tomogram samples Fourier space."""
    columns = (table[name] for name in ("ftype", "ymintilt", "ymaxtilt", "xmintilt", "xmaxtilt"))
    return [Wedge(int(f), (float(a), float(b)), (float(c), float(d))) for f, a, b, c, d in zip(*columns, strict=True)]


def own_weight(weights: Weights | None, tag: int, reach: int) -> np.ndarray | None:
    """A particle's own weight as a block of a reach (see `fourier.block`) of float32; None where particles have none."""
    return None if weights is None else block(weights.read(tag), reach)


def chunks(n: int, size: int) -> list[range]:
    """The numbers 0 … n - 1 in runs of size."""
    return [range(first, min(first + size, n)) for first in range(0, n, size)]


def named(tags: Sequence[int] | np.ndarray) -> Callable[[range], str]:
    """How to name a run of particles, given the tags of all of them."""

    def name(rows: range) -> str:
        shown = ", ".join(f"{int(tags[row])}" for row in rows[:SHOWN])
        return f"{len(rows)} particles with the tags {shown}{' …' if len(rows) > SHOWN else ''}"

    return name


def summing_groups(n: int) -> list[range]:
    """The numbers 0 … n - 1 as they are summed: told from n alone, so that the order of additions depends on nothing else."""
    return chunks(n, max(GROUP, -(-n // MOST_GROUPS)))


def bad_tags(particles: Particles, tags: Sequence[int], work: Work) -> list[int]:
    """Tags of boxes with voxels that are no numbers, or that are constant; an EngineError when they are too many."""
    return looked_through(particles, tags, work)[0]


def looked_through(particles: Particles, tags: Sequence[int], work: Work) -> tuple[list[int], np.ndarray]:
    """The same tags, and the fingerprint of each box (n,): all boxes are read once."""

    def look(rows: range) -> np.ndarray:
        boxes = (particles.read(tags[row]) for row in rows)
        return np.array([[not is_usable(box), fingerprint(box)] for box in boxes], dtype=np.float64)

    is_bad, fingerprints = work.quiet().rows(look, chunks(len(tags), work.fair_chunk(len(tags))), 2, named(tags)).T
    found = [tag for tag, one in zip(tags, is_bad, strict=True) if one]
    if len(found) > MOST_BAD * len(tags):
        raise EngineError(
            f"{len(found)} of {len(tags)} particles are constant or hold voxels that are no numbers, "
            f"first tags {', '.join(map(str, found[:SHOWN]))} (more than {MOST_BAD:.0%}: mend the particles)"
        )
    return found, fingerprints


def fingerprint(box: np.ndarray) -> int:
    """A whole number below 2**48, from some slices of a box (z, y, x): equal boxes have the same, others hardly ever."""
    slices = box[:: max(1, len(box) // FINGERPRINTED)]
    return int.from_bytes(blake2b(slices.tobytes(), digest_size=6).digest(), "little")


def without(table: Table, bad: list[int]) -> Table:
    """The table with bad particles taken out of alignment and average, their rows kept."""
    is_bad = np.isin(table.tags, bad)
    return table.with_columns(
        aligned=np.where(is_bad, 0, table["aligned"]), averaged=np.where(is_bad, 0, table["averaged"])
    )


def is_usable(box: np.ndarray) -> bool:
    """Finite, not constant, and its square still a float32: sums of squares must not overflow."""
    if not np.isfinite(box).all():
        return False
    deviation = float(box.std(dtype=np.float64))
    return 0 < deviation < LARGEST_DEVIATION


@dataclass(frozen=True, eq=False)
class Sums:
    """Fourier sums of two parts of the particles, and how many particles they hold together."""

    first: FourierSum
    second: FourierSum
    n_particles: int

    @property
    def all(self) -> FourierSum:
        return self.first + self.second


def alternate(table: Table) -> np.ndarray:
    """True for every other row in the order of the tags: two parts of equal size, whatever the tags are."""
    rank = np.empty(len(table), dtype=int)
    rank[np.argsort(table.tags, kind="stable")] = np.arange(len(table))
    return rank % 2 == 0


def summed(
    particles: Particles,
    table: Table,
    mask: np.ndarray,
    work: Work,
    part: Callable[[Table], np.ndarray] = alternate,
    weights: Weights | None = None,
) -> Sums:
    """The particles of the table's rows with averaged = 1, turned back and summed in two parts.

    part tells of these rows which belong to the first. Each particle is first brought to mean 0 and deviation 1 inside the
    mask at its pose. weights: the particles' own, beside their wedges.
    """
    box_px, radius_px = particles.box_px, support_px(mask)
    device_mask = work.once_per_device(lambda: work.array(mask))

    def made(read: np.ndarray, rotation: np.ndarray, shift_xyz_px: np.ndarray) -> Any:
        box = work.array(read)
        mean, deviation = quick.mean_and_deviation(box, device_mask(), rotation, shift_xyz_px, radius_px)
        return spectrum_block((box - mean) / (deviation or 1), (box_px - 1) // 2)

    own = partial(own_weight, weights, reach=(box_px - 1) // 2)
    return _summed_blocks(particles.read, made, own, table, box_px, 1.0, work, part)


def summed_spectra(
    spectra: Spectra,
    table: Table,
    mask: np.ndarray,
    work: Work,
    part: Callable[[Table], np.ndarray] = alternate,
    weights: Weights | None = None,
) -> Sums:
    """The sums of `summed` out to the spectra's reach, and nothing beyond it; all is done in the smallest sufficient box."""
    box_px, reach = spectra.box_px, spectra.reach
    small_px = small_box_px(reach, box_px)
    device_mask = work.once_per_device(lambda: small_mask(work.array(mask), small_px))

    def read(tag: int) -> tuple[Any, float]:
        return spectra.block(tag), spectra.variance(tag)

    def made(found: tuple[Any, float], rotation: np.ndarray, shift_small_px: np.ndarray) -> Any:
        values, variance = found
        return normalised_block(work.array(values), variance, box_px, device_mask(), rotation, shift_small_px)

    own = partial(own_weight, weights, reach=reach)
    sums = _summed_blocks(read, made, own, table, small_px, small_px / box_px, work, part)
    first, second = (average.enlarged(total, reach, box_px) for total in (sums.first, sums.second))
    return Sums(first, second, sums.n_particles)


def small_box_px(reach: int, box_px: int) -> int:
    """The side of the box in which blocks of a reach are summed: one shell of interpolation's tails beside the reach."""
    return min(box_px, even_fast(2 * reach + 2))


def small_mask(mask: Any, small_px: int) -> Any:
    """The mask resampled to the small box, clipped to 0 … 1."""
    return namespace(mask).clip(cropped(mask, small_px), 0, 1)


def _summed_blocks(
    read: Callable[[int], Any],
    made: Callable[[Any, np.ndarray, np.ndarray], Any],
    own: Callable[[int], np.ndarray | None],
    table: Table,
    box_px: int,
    scale: float,
    work: Work,
    part: Callable[[Table], np.ndarray],
) -> Sums:
    """Sums in a box of box_px of what made(read(tag), rotation, shift) gives, under the weights own(tag).

    scale turns the table's px into that box's.
    """
    table = table.where(table["averaged"] == 1)
    tags, samplings, rotations = table.tags, wedges(table), euler.matrices(table.angles)
    shifts = scale * table.shifts_xyz_px
    is_first = part(table)

    def placed(row: int, found: tuple[Any, np.ndarray | None]) -> average.Placed:
        pose = rotations[row], shifts[row]
        values, weight = found
        weight = None if weight is None else work.array(weight)
        return average.Placed(made(values, *pose), samplings[row], *pose, weight)

    def both(row: int) -> tuple[Any, np.ndarray | None]:
        tag = int(tags[row])
        return read(tag), own(tag)

    def sum_of(rows: list[int]) -> FourierSum:
        xp = namespace(work.array(np.empty(0)))
        with work.ahead(both, rows) as found:
            return average.sum_of(box_px, map(placed, rows, found), xp)

    def group_sum(rows: range) -> tuple[FourierSum, FourierSum]:
        first, second = (sum_of([row for row in rows if bool(is_first[row]) is mine]) for mine in (True, False))
        return first, second

    first, second = average.empty_sum(box_px), average.empty_sum(box_px)
    for first_few, second_few in work.map(group_sum, summing_groups(len(table)), named(tags)):
        first.add(first_few)
        second.add(second_few)
    return Sums(average.completed(first), average.completed(second), len(table))


def normalised_block(
    block: Any, variance: float, box_px: int, small_mask: Any, rotation: np.ndarray, shift_small_px: np.ndarray
) -> Any:
    """The block of a particle's spectrum with mean 0 and deviation 1 under the turned mask; variance is that of the whole box.

    The mask lies in a small box. Mean and deviation under it are those of the particle that the block holds; what lies beyond
    the block is noise by far, and counts with its variance in the whole box.
    """
    small_px = small_mask.shape[-1]
    inside = box_of_block(block, box_px, small_px)
    mean, within = quick.mean_and_deviation(inside, small_mask, rotation, shift_small_px, 2.0 * small_px)
    deviation = np.sqrt(within**2 + max(0.0, variance - block_variance(block, box_px)))
    made = block.copy()
    reach = block.shape[-1] - 1
    made[reach, reach, 0] -= mean * box_px**3
    return made / np.float32(deviation) if deviation > 0 else made


def averages(
    sums: Sums, pixel_size_A: float, symmetry_name: str, helix: Helix | None, minimum_particles: float = 0.0
) -> dict[str, Any]:
    """The averages and the Fourier weight of all particles, by the names of their items."""
    total = sums.all
    compensated = np.asarray(average.compensated(total, minimum_particles))
    return {
        "average_raw": Volume(np.asarray(average.raw(total, sums.n_particles)), pixel_size_A),
        "average": Volume(compensated, pixel_size_A),
        "average_symmetrized": Volume(imposed(compensated, symmetry_name, helix, pixel_size_A), pixel_size_A),
        "fourier_weight": total.weights.astype(np.float32),
    }


def fsc_of_parts(sums: Sums, fsc_mask: Volume, between: str) -> Curve:
    """FSC of the two parts' averages. Parts that were aligned to one reference flatter it: no gold standard."""
    curve = fsc.fsc(average.compensated(sums.first), average.compensated(sums.second), fsc_mask.data)
    curve = ended(curve, sums.all.weights)
    return fsc_curve(curve, fsc_mask.data.shape[-1], fsc_mask.pixel_size_A, between, gold_standard=False)


def ended(curve: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The FSC, 0 beyond the last shell that any particle reached: a mask smears what is inside over the shells outside."""
    return np.where(np.arange(len(curve)) <= average.last_shell(weights), curve, 0.0)


def fsc_curve(
    curve: np.ndarray,
    box_px: int,
    pixel_size_A: float,
    between: str,
    gold_standard: bool,
    beside: Mapping[str, np.ndarray] | None = None,
) -> Curve:
    """An FSC with its axis: shell in Fourier pixels, resolution in A (0 where there is none); beside it other columns.

    Without a pixel size there is no resolution: the notes then say so.
    """
    shell = np.arange(len(curve), dtype=np.float64)
    resolution = np.divide(box_px * pixel_size_A, shell, out=np.zeros_like(shell), where=shell > 0)
    notes: dict[str, str | float | bool] = {"between": between, "gold_standard": gold_standard}
    for threshold in (0.143, 0.5):
        found = fsc.resolution_A(curve, threshold, box_px, pixel_size_A) if pixel_size_A else "unknown: no pixel size"
        notes[f"resolution_at_{threshold}_A"] = found
    return Curve({"shell_fpx": shell, "resolution_A": resolution, "fsc": curve, **(beside or {})}, notes)
