"""How much a report shows: all of it, or less, so that the file stays small."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Detail:
    """The most that is shown of each kind of thing; words say what is left out."""

    surface_px: int
    slices_px: int
    tomogram_px: int
    iterations: int
    panels: int
    has_provenance: bool
    has_source: bool
    words: str


DETAILS = (
    Detail(64, 96, 320, 60, 12, True, True, ""),
    Detail(40, 64, 240, 12, 12, True, True, "Surfaces, slices and iterations are shown coarser."),
    Detail(
        28,
        48,
        160,
        5,
        6,
        True,
        False,
        "Surfaces and slices are coarse; of many iterations five are shown; project files are left out.",
    ),
    Detail(
        20,
        40,
        120,
        3,
        3,
        False,
        False,
        "Maps are coarse; most iterations, the steps and the project files are left out.",
    ),
    Detail(
        0,
        32,
        80,
        2,
        1,
        False,
        False,
        "Surfaces, most iterations, panels, the steps and the project files are left out.",
    ),
    Detail(0, 0, 0, 0, 1, False, False, "All maps, the steps and the project files are left out."),
)
"""From the richest to the barest."""


def chosen(n: int, most: int) -> list[int]:
    """Which of n are shown: evenly, the first and the last among them."""
    if n <= most:
        return list(range(n))
    if most <= 1:
        return [n - 1][:most]
    return sorted({round(at * (n - 1) / (most - 1)) for at in range(most)})
