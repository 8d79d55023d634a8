"""Symmetry imposed on a map: a point group, or a helix with a group about its axis."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from engine.faults import EngineError, Fault, Key
from engine.geometry import symmetry
from engine.kernels import helix as helices
from engine.kernels import quick
from engine.kinds import sense
from engine.kinds.form import Helix

MOST_REPEATS = 10_000
"""Of a helix in a box: more is a rise in the wrong unit."""


def imposed(volume: Any, name: str, helix: Helix | None, pixel_size_A: float) -> Any:
    """The map (n, n, n) with the symmetry of the name, and of the helix where there is one."""
    if helix is None:
        return quick.symmetrized(volume, symmetry.operators(name))
    box_px = volume.shape[-1]
    for fault in _rise_faults(helix, box_px, pixel_size_A):
        raise EngineError(f"helix: {fault.what} ({fault.advice})")
    length_px = helices.central_px(box_px, helix.central_fraction)
    rotations, shifts = symmetry.helical(
        name, helix.turn_deg, helix.rise_in_px(pixel_size_A), furthest_px(helix, box_px)
    )
    return helices.symmetrized(volume, rotations, shifts, length_px)


def n_operators(name: str, helix: Helix | None, box_px: int, pixel_size_A: float) -> int:
    """How many times a box of this side is moved to get the symmetry."""
    n_group = symmetry.order(name)
    if helix is None:
        return n_group
    return n_group * (2 * math.floor(furthest_px(helix, box_px) / helix.rise_in_px(pixel_size_A or 1.0) + 1e-9) + 1)


def furthest_px(helix: Helix, box_px: int) -> float:
    """How far the central part of a box is moved along the helix to fill it, in px."""
    return helices.furthest_px(box_px, helices.central_px(box_px, helix.central_fraction))


def faults(name: str, helix: Helix | None, box_px: int | None, pixel_size_A: float | None) -> Iterator[Fault]:
    """What makes a symmetry impossible; keys are `symmetry` and `helix`."""
    wrong = list(sense.symmetry_name(name, ("symmetry",)))
    yield from wrong
    if helix is None:
        return
    if not wrong and symmetry.is_polyhedral(name):
        yield Fault(
            ("helix",),
            f"a helix has no symmetry {name} beside it",
            "Cn or Dn about the helix's axis, or remove helix",
            code="E301",
            also=(("symmetry",),),
        )
    yield from _rise_faults(helix, box_px, pixel_size_A)


def _rise_faults(helix: Helix, box_px: int | None, pixel_size_A: float | None) -> Iterator[Fault]:
    key: Key = ("helix", "rise_px" if helix.rise_px is not None else "rise_A")
    if helix.rise_px is None and pixel_size_A == 0:
        yield Fault(
            key,
            "a rise in A needs a pixel size, and the data have none",
            "set data.pixel_size_A, or give rise_px",
            code="E304",
        )
    elif box_px and (helix.rise_px is not None or pixel_size_A):
        rise_px, length_px = helix.rise_in_px(pixel_size_A or 1.0), helices.central_px(box_px, helix.central_fraction)
        if rise_px > length_px:
            yield Fault(
                key,
                f"a rise of {rise_px:.3g} px is more than the central {max(length_px, 0):.3g} px of the box, "
                "which are repeated: the map would have gaps",
                "raise helix.central_fraction, or take larger boxes",
                code="E309",
            )
        elif (times := n_operators("C1", helix, box_px, pixel_size_A or 1.0)) > MOST_REPEATS:
            yield Fault(
                key,
                f"a rise of {rise_px:.3g} px repeats the central part {times:,} times in a box of {box_px} px",
                "the rise goes from one subunit to the next: at least 0.05 px in any box; rise_A is in A, rise_px in px",
                code="E313",
            )
