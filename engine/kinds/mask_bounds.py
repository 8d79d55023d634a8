"""Where a mask's shapes lie, from their sizes alone: what leaves the box, what cannot meet, sizes that contradict."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from engine.faults import Fault, Key
from engine.kinds.mask_form import (
    Cuboid,
    Cylinder,
    Ellipsoid,
    FromMap,
    MaskPart,
    Membrane,
    Shape,
    Shell,
    Sphere,
    Tube,
)

TOLERANCE_PX = 1.0
"""How far a surface may lie beyond the outermost voxels: a ball of radius n / 2 is meant to fill the box."""


@dataclass(frozen=True)
class Bounds:
    """The lowest and highest x, y, z of a surface in px, 0-based. Nothing is inside where low lies above high."""

    low: np.ndarray
    high: np.ndarray

    def is_empty(self) -> bool:
        return bool((self.low > self.high).any())


def bounds(parts: Sequence[MaskPart], box_px: int, pixel_size_A: float) -> Bounds:
    """The bounds of the parts, combined: nothing of the mask but its edges lies outside them."""
    whole = _of_part(parts[0], box_px, pixel_size_A)
    for part in parts[1:]:
        one = _of_part(part, box_px, pixel_size_A)
        if part.combine == "union":
            whole = Bounds(np.minimum(whole.low, one.low), np.maximum(whole.high, one.high))
        elif part.combine == "intersection":
            whole = Bounds(np.maximum(whole.low, one.low), np.minimum(whole.high, one.high))
    return whole


def box_faults(parts: Sequence[MaskPart], key: Key, box_px: int, pixel_size_A: float) -> Iterator[Fault]:
    """A mask that leaves the box, or whose parts do not meet."""
    whole = bounds(parts, box_px, pixel_size_A)
    if whole.is_empty():
        yield Fault(key, "is empty: its parts do not meet", "move or enlarge them", code="E310")
        return
    beyond = np.maximum(-whole.low, whole.high - (box_px - 1))
    axis = int(beyond.argmax())
    if beyond[axis] > TOLERANCE_PX:
        yield Fault(
            key,
            f"reaches {beyond[axis]:.3g} px out of the box of {box_px} px along {'xyz'[axis]}",
            "make it smaller, move it, or intersect it with a smaller shape",
            code="E309",
        )


def centre_faults(part: Shape, key: Key, box_px: int | None) -> Iterator[Fault]:
    """A centre outside the box; what cuts from outside may have it there."""
    centre = part.centre_xyz_px
    if box_px and centre and part.combine == "union" and not all(0 <= x <= box_px - 1 for x in centre):
        yield Fault(
            (*key, "centre_xyz_px"),
            f"lies outside the box of {box_px} px",
            f"0 to {box_px - 1} on each axis",
            code="E309",
        )


def contradictions(part: Shape, key: Key, pixel_size_A: float | None) -> Iterator[Fault]:
    """Sizes of a shape that cannot be together, as far as they can be compared."""
    if not isinstance(part, Shell | Tube | Membrane) or (not pixel_size_A and len(part.units()) > 1):
        return
    scale = pixel_size_A or 1.0
    name = "thickness_A" if part.thickness_px is None else "thickness_px"
    if isinstance(part, Shell | Tube):
        radius, thickness = _size(part, "radius", scale), _size(part, "thickness", scale)
        if thickness >= 2 * radius:
            solid = "sphere" if isinstance(part, Shell) else "cylinder"
            yield Fault(
                (*key, name),
                f"a {part.shape} as thick as this has no hole at its radius",
                f"make it a {solid}",
                code="E310",
                also=((*key, "radius_px"), (*key, "radius_A")),
            )
    if isinstance(part, Membrane):
        curvature = part.size_px("curvature_radius", scale)
        if curvature is not None and abs(curvature) <= _size(part, "thickness", scale) / 2:
            yield Fault(
                (*key, name),
                "half the thickness is not less than the radius of curvature",
                "make the membrane thinner or its radius larger; leave the radius out for a flat one",
                code="E310",
                also=((*key, "curvature_radius_px"), (*key, "curvature_radius_A")),
            )


def membrane_reach_px(part: Membrane, box_px: int, pixel_size_A: float) -> float:
    """How far the membrane reaches from its axis: as given, else so far that its edge ends inside the box."""
    given = part.size_px("reach", pixel_size_A)
    if given is not None:
        return given
    x, y, _ = part.centre_px(box_px, pixel_size_A)
    return max(0.0, min(x, y, box_px - 1 - x, box_px - 1 - y) - part.edge(pixel_size_A) / 2)


def _of_part(part: MaskPart, box_px: int, pixel_size_A: float) -> Bounds:
    if isinstance(part, FromMap):
        return Bounds(np.zeros(3), np.full(3, box_px - 1.0))
    centre = np.array(part.centre_px(box_px, pixel_size_A))
    below, above = _reaches(part, box_px, pixel_size_A)
    return Bounds(centre - below, centre + above)


def _reaches(part: Shape, box_px: int, pixel_size_A: float) -> tuple[np.ndarray, np.ndarray]:
    """How far the surface reaches from the centre, downwards and upwards along x, y, z."""
    if isinstance(part, Membrane):
        return _of_membrane(part, box_px, pixel_size_A)
    reach = np.array(_half_sizes(part, pixel_size_A))
    return reach, reach


def _half_sizes(part: Shape, pixel_size_A: float) -> Sequence[float]:
    match part:
        case Sphere():
            return (_size(part, "radius", pixel_size_A),) * 3
        case Ellipsoid():
            return part.sizes_px("semi_axes_xyz", pixel_size_A) or ()
        case Cuboid():
            return [side / 2 for side in part.sizes_px("sides_xyz", pixel_size_A) or ()]
        case Shell():
            return (_size(part, "radius", pixel_size_A) + _size(part, "thickness", pixel_size_A) / 2,) * 3
        case Cylinder():
            radius = _size(part, "radius", pixel_size_A)
        case Tube():
            radius = _size(part, "radius", pixel_size_A) + _size(part, "thickness", pixel_size_A) / 2
        case _:
            raise ValueError(f"no bounds are known of a {type(part).__name__}")
    return radius, radius, _size(part, "height", pixel_size_A) / 2


def _of_membrane(part: Membrane, box_px: int, pixel_size_A: float) -> tuple[np.ndarray, np.ndarray]:
    """A curved one sinks at its rim by what its inner surface does, at most to its equator."""
    half, reach = _size(part, "thickness", pixel_size_A) / 2, membrane_reach_px(part, box_px, pixel_size_A)
    curvature = part.size_px("curvature_radius", pixel_size_A)
    if curvature is None:
        flat = np.array([reach, reach, half])
        return flat, flat
    radius = abs(curvature)
    reach = min(reach, radius + half)
    inner = radius - half
    root = math.sqrt(max(inner - reach, 0.0)) * math.sqrt(max(inner + reach, 0.0))
    sinks = half + reach * (reach / (inner + root)) if root else radius  # no square: the largest numbers have none
    below, above = np.array([reach, reach, sinks]), np.array([reach, reach, half])
    return (below, above) if curvature > 0 else (above, below)


def _size(part: Shape, name: str, pixel_size_A: float) -> float:
    """A size that the form has made sure of, in px."""
    size = part.size_px(name, pixel_size_A)
    assert size is not None
    return size
