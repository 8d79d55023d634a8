"""Sense that several kinds check: pixel sizes agree, boxes agree, tables and particles belong together."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from engine.data import ParticleFacts, Table, VolumeFacts
from engine.faults import EngineError, Fault, Key
from engine.geometry import symmetry
from engine.kernels.wedge import KNOWN_FTYPES

SAME_PIXEL = 1e-3
"""Pixel sizes that differ by less than this share are one."""


def pixel_size(typed_A: float | None, found_A: float, key: Key) -> Iterator[Fault]:
    """A fault when the typed pixel size contradicts the data's."""
    if typed_A and found_A and abs(typed_A / found_A - 1) > SAME_PIXEL:
        yield Fault(key, f"{typed_A:g} A contradicts the data's {found_A:g} A", "remove it, or mend the data's header")


def chosen_pixel_size(typed_A: float | None, particles_A: float, table: Table | None = None) -> float:
    """The pixel size in A: the typed one, else the particles', else the table's column apix, else 0."""
    if typed_A or particles_A:
        return typed_A or particles_A
    sizes = np.unique(table["apix"]) if table is not None else np.zeros(0)
    return float(sizes[0]) if len(sizes) == 1 else 0.0


def symmetry_name(name: str, key: Key) -> Iterator[Fault]:
    """A fault when there is no such symmetry."""
    try:
        symmetry.operators(name)
    except EngineError as error:
        yield Fault(key, str(error))


def table_and_particles(table: Table | None, particles: ParticleFacts | None, key: Key) -> Iterator[Fault]:
    """Faults of a table: nothing to do, poses that are no numbers, tags twice, an unknown Fourier sampling."""
    if table is None:
        return
    if not len(table):
        yield Fault(key, "the table is empty")
        return
    tags, counts = np.unique(table["tag"], return_counts=True)
    if (counts > 1).any():
        yield Fault(key, f"tag {tags[counts > 1][0]:g} stands in {counts.max()} rows", "give each particle one row")
    if not table["averaged"].any():
        yield Fault(key, "no particle has averaged = 1 (column 3)", "set it for those that take part")
    if not (np.isfinite(table.angles).all() and np.isfinite(table.shifts_xyz_px).all()):
        bad = ~(np.isfinite(table.angles).all(axis=1) & np.isfinite(table.shifts_xyz_px).all(axis=1))
        yield Fault(key, f"{bad.sum()} rows have poses that are no numbers, first tag {table['tag'][bad][0]:g}")
    unknown = sorted(set(table["ftype"]) - set(KNOWN_FTYPES))
    if unknown:
        yield Fault(key, f"ftype {unknown[0]:g} is not known", f"one of {', '.join(map(str, KNOWN_FTYPES))}")
    narrow = (table["ftype"] == 1) & (table["ymintilt"] >= table["ymaxtilt"])
    if narrow.any():
        tag = table["tag"][narrow][0]
        yield Fault(
            key, f"tag {tag:g} has ftype 1 and an empty tilt range", "fill ymintilt and ymaxtilt (columns 14, 15)"
        )
    if particles and len(table) > particles.n_particles:
        yield Fault(
            key,
            f"the table has {len(table)} rows, but there are {particles.n_particles} particles",
            "use the table that was written with the particles",
        )


def same_box(facts: VolumeFacts | None, box_px: int | None, key: Key) -> Iterator[Fault]:
    """A fault when a volume does not have the particles' size."""
    if facts and box_px and facts.shape_zyx != (box_px,) * 3:
        size = " x ".join(str(n) for n in facts.shape_zyx[::-1])
        yield Fault(key, f"has {size} px, the particles have {box_px}", "resample it to the particles' box")


def missing_tags(table: Table, tags: np.ndarray) -> None:
    """An EngineError when the table names particles that are not there."""
    absent = np.setdiff1d(table.tags, tags)
    if len(absent):
        shown = ", ".join(map(str, absent[:5])) + (" …" if len(absent) > 5 else "")
        raise EngineError(
            f"{len(absent)} of {len(table)} tags of the table have no particle: {shown} "
            "(use the table that was written with the particles)"
        )
