"""Masks of a form become volumes; what is wrong with them is told before, as far as it can be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from engine.data import Volume
from engine.faults import EngineError, Fault, Key
from engine.kernels import mask as kernel
from engine.kernels.density_mask import density_mask, sigma_threshold
from engine.kernels.fourier import lowpass
from engine.kinds import mask_bounds, sense
from engine.kinds.form import Look, reads
from engine.kinds.mask_form import (
    Cuboid,
    Cylinder,
    Ellipsoid,
    FromMap,
    Mask,
    MaskPart,
    Membrane,
    Shape,
    Shell,
    Sphere,
    Tube,
)
from engine.step import Input

SMALLEST_MASK = 27
"""Voxels under which a correlation inside a mask says nothing."""

LARGEST_DRAWN_BOX_PX = 256
"""Boxes up to which `check` draws a mask to see whether anything is left of it."""

_JOIN = {"union": kernel.union, "intersection": kernel.intersection, "subtraction": kernel.subtraction}


def inputs(masks: Mapping[str, Mask | None]) -> dict[str, Input]:
    """What the masks read, files or addresses, by the names under which `build` looks for them."""
    read: dict[str, Input] = {}
    for name, mask in masks.items():
        if isinstance(mask, str):
            read[name] = reads("volume", mask)
        for number, part in enumerate(parts_of(mask)):
            if isinstance(part, FromMap):
                read[_map_name(name, number)] = reads("volume", part.from_map)
    return read


def parts_of(mask: Mask | None) -> tuple[MaskPart, ...]:
    """The parts that a mask is made of; none of a file, an address, or no mask."""
    if mask is None or isinstance(mask, str):
        return ()
    return mask if isinstance(mask, tuple) else (mask,)


def build(mask: Mask | None, name: str, opened: Mapping[str, Any], box_px: int, pixel_size_A: float) -> np.ndarray:
    """The mask (n, n, n) float32, 0 to 1: made from its parts, or the loaded one; without any a ball that fills the box.

    name is what `inputs` knows it by, opened what these inputs have become.
    """
    if mask is None:
        return np.asarray(kernel.inscribed_ball(box_px))
    if isinstance(mask, str):
        made = checked(opened[name], mask, box_px)
    else:
        made = _combined(parts_of(mask), name, opened, box_px, pixel_size_A)
    if lack := _lack(made, box_px):
        named = f" {mask}" if isinstance(mask, str) else ""
        raise EngineError(f"{_called(name)}{named} {lack} ({'give another' if named else 'move or enlarge it'})")
    return made


def checked(volume: Volume, name: str, box_px: int) -> np.ndarray:
    """The loaded mask's voxels; an EngineError when size or values are not a mask's."""
    if volume.shape_zyx != (box_px,) * 3:
        raise EngineError(f"the mask {name} has shape {volume.shape_zyx} (zyx), the box has {box_px} px (make it anew)")
    if not np.isfinite(volume.data).all() or volume.data.min() < -1e-3 or volume.data.max() > 1 + 1e-3:
        raise EngineError(f"the mask {name} has values outside 0 … 1 (scale it, or make it anew)")
    return np.clip(volume.data, 0, 1).astype(np.float32)


def _combined(
    parts: tuple[MaskPart, ...], name: str, opened: Mapping[str, Any], box_px: int, pixel_size_A: float
) -> np.ndarray:
    made: np.ndarray | None = None
    for number, part in enumerate(parts):
        if pixel_size_A <= 0 and "A" in part.units():
            raise EngineError(
                f"{_called(name)}: lengths in A need a pixel size, and the data have none (give it in px)"
            )
        if isinstance(part, FromMap):
            one = _thresholded(part, opened[_map_name(name, number)], box_px, pixel_size_A)
        else:
            one = drawn(part, box_px, pixel_size_A)
        made = one if made is None else np.asarray(_JOIN[part.combine](made, one))
    assert made is not None
    return made


def drawn(shape: Shape, box_px: int, pixel_size_A: float, xp: Any = np) -> Any:
    """The shape's voxels, (n, n, n) float32; a pixel size of 0 will do where all is given in px."""

    def px(name: str) -> Any:
        return shape.size_px(name, pixel_size_A)

    def xyz_px(name: str) -> Any:
        return shape.sizes_px(name, pixel_size_A)

    where = shape.centre_px(box_px, pixel_size_A), shape.edge(pixel_size_A), xp
    match shape:
        case Sphere():
            return kernel.ball(box_px, px("radius"), *where)
        case Ellipsoid():
            return kernel.ellipsoid(box_px, xyz_px("semi_axes_xyz"), *where)
        case Cuboid():
            return kernel.cuboid(box_px, xyz_px("sides_xyz"), *where)
        case Cylinder():
            return kernel.cylinder(box_px, px("radius"), px("height"), *where)
        case Tube():
            return kernel.tube(box_px, px("radius"), px("thickness"), px("height"), *where)
        case Shell():
            return kernel.shell(box_px, px("radius"), px("thickness"), *where)
        case Membrane():
            reach_px = mask_bounds.membrane_reach_px(shape, box_px, pixel_size_A)
            return kernel.membrane(box_px, px("thickness"), px("curvature_radius"), reach_px, *where)
    raise ValueError(f"no kernel draws a {type(shape).__name__}")


def _thresholded(part: FromMap, volume: Volume, box_px: int, pixel_size_A: float) -> np.ndarray:
    """What the map holds beyond the threshold; dark densities are turned bright first."""
    if volume.shape_zyx != (box_px,) * 3:
        raise EngineError(f"{part.from_map} has shape {volume.shape_zyx} (zyx), the box {box_px} px (resample it)")
    if not np.isfinite(volume.data).all():
        raise EngineError(f"{part.from_map} has voxels that are no numbers (give another map)")
    sign = -1.0 if part.density == "dark" else 1.0
    cut = part.lowpass(box_px, pixel_size_A)
    density = np.float32(sign) * (volume.data if cut is None else lowpass(volume.data, cut))
    if part.threshold_sigma is not None:
        threshold = sigma_threshold(density, part.threshold_sigma)
    else:
        threshold = sign * (part.threshold or 0.0)
    _refuse_useless(part, sign, threshold, float(density.min()), float(density.max()))
    return np.asarray(density_mask(density, threshold, part.extension(pixel_size_A), part.edge(pixel_size_A)))


def _refuse_useless(part: FromMap, sign: float, threshold: float, low: float, high: float) -> None:
    """An EngineError when nothing or everything lies beyond the threshold; values are those of a bright density."""
    first, last = ("highest", "lowest") if sign > 0 else ("lowest", "highest")
    above, below = ("above", "below") if sign > 0 else ("below", "above")
    words = f"the threshold {sign * threshold:.4g} lies"
    after = " after its low-pass" if part.lowpass_A or part.lowpass_fpx else ""
    if low == high:
        raise EngineError(
            f"{part.from_map} is {sign * low:.4g} everywhere{after}: no threshold parts it (give another map)"
        )
    if threshold > high:
        raise EngineError(
            f"{words} {above} the {first} value of {part.from_map}, {sign * high:.4g}{after}: the mask is empty "
            f"({'lower' if sign > 0 else 'raise'} it)"
        )
    if threshold <= low:
        raise EngineError(
            f"{words} not {above} the {last} value of {part.from_map}, {sign * low:.4g}{after}: the mask fills the box "
            f"({'raise' if sign > 0 else 'lower'} it, nothing is {below} it)"
        )


def faults(mask: Mask | None, key: Key, look: Look, box_px: int | None, pixel_size_A: float | None) -> Iterator[Fault]:
    """What is wrong with a mask, as far as the box and the pixel size are known (None: not yet; 0: the data have none)."""
    if isinstance(mask, str):
        yield from sense.same_box(look.volume(mask), box_px, key, "the box has")
        return
    parts = parts_of(mask)
    keys: list[Key] = [(*key, number) for number in range(len(parts))] if isinstance(mask, tuple) else [key]
    found: list[Fault] = []
    for number, (part_key, part) in enumerate(zip(keys, parts, strict=False)):
        if number == 0:
            found += _first_faults(part, part_key)
        found += _part_faults(part, part_key, look, box_px, pixel_size_A)
    yield from found
    if parts and not found and box_px and _is_scaled(parts, pixel_size_A):
        yield from _whole_faults(parts, key, box_px, pixel_size_A or 0.0)


def _first_faults(part: MaskPart, key: Key) -> Iterator[Fault]:
    if part.combine != "union":
        yield Fault(
            (*key, "combine"),
            f'"{part.combine}" is not possible here: nothing stands before this part',
            "leave it out; it belongs to a later part of a list",
            code="E302",
        )


def _part_faults(
    part: MaskPart, key: Key, look: Look, box_px: int | None, pixel_size_A: float | None
) -> Iterator[Fault]:
    if pixel_size_A == 0 and "A" in part.units():
        yield Fault(
            key,
            "lengths in A need a pixel size, and the data have none",
            "give the data one, or lengths in px",
            code="E304",
        )
    elif isinstance(part, FromMap):
        yield from _map_faults(part, key, look, box_px, pixel_size_A)
    else:
        yield from mask_bounds.contradictions(part, key, pixel_size_A)
        yield from mask_bounds.centre_faults(part, key, box_px)
    if box_px and _is_scaled((part,), pixel_size_A) and (edge_px := part.edge(pixel_size_A or 1.0)) > box_px / 2:
        name = "edge_A" if part.edge_px is None else "edge_px"
        what = f"an edge of {edge_px:.4g} px is wider than half the box of {box_px} px: nothing would be whole inside"
        yield Fault((*key, name), what, "a few px will do", code="E309")


def _map_faults(part: FromMap, key: Key, look: Look, box_px: int | None, pixel_size_A: float | None) -> Iterator[Fault]:
    facts = look.volume(part.from_map)
    yield from sense.same_box(facts, box_px, (*key, "from_map"), "the box has")
    sizes = [(key, "the data", pixel_size_A), ((*key, "from_map"), "the map", facts.pixel_size_A if facts else None)]
    yield from sense.pixel_sizes(sizes)
    if box_px and (pixel_size_A or part.lowpass_A is None):
        cut = part.lowpass(box_px, pixel_size_A or 0.0)
        if cut is not None and cut > box_px / 2:
            name = "lowpass_fpx" if part.lowpass_A is None else "lowpass_A"
            most = f"at most {box_px // 2} Fourier px" + (f" = {2 * pixel_size_A:.3g} A" if pixel_size_A else "")
            yield Fault(
                (*key, name), f"{cut:.3g} Fourier px lies beyond Nyquist of a box of {box_px} px", most, code="E305"
            )


def _is_scaled(parts: tuple[MaskPart, ...], pixel_size_A: float | None) -> bool:
    """True when every size is known in px."""
    return bool(pixel_size_A) or not any("A" in part.units() for part in parts)


def _whole_faults(parts: tuple[MaskPart, ...], key: Key, box_px: int, pixel_size_A: float) -> Iterator[Fault]:
    """A mask that leaves the box, or of which nothing is left."""
    found = list(mask_bounds.box_faults(parts, key, box_px, pixel_size_A))
    yield from found
    has_maps = any(isinstance(part, FromMap) for part in parts)
    if found or has_maps or box_px > LARGEST_DRAWN_BOX_PX:
        return
    if lack := _lack(_combined(parts, "", {}, box_px, pixel_size_A), box_px):
        yield Fault(key, lack, "move or enlarge it", code="E310")


def _lack(made: np.ndarray, box_px: int) -> str:
    """`is empty in the box of 48 px`, or nothing when there is enough of the mask."""
    volume = float(made.sum(dtype=np.float64))
    if volume >= SMALLEST_MASK:
        return ""
    inside = "is empty" if not made.any() else f"holds only {volume:.3g} voxels"
    return f"{inside} in the box of {box_px} px"


def _called(name: str) -> str:
    return "the mask" if name == "mask" else f"the {name} mask"


def _map_name(name: str, number: int) -> str:
    return f"{name}_map_{number + 1}"
