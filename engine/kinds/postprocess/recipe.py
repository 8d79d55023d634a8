"""From a postprocess project to its step, and from the half maps to curves and maps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from engine.data import Volume
from engine.devices import Work
from engine.faults import EngineError
from engine.kernels.mask import around, otsu_threshold
from engine.kinds import masks, sense
from engine.kinds.form import Form, reads
from engine.kinds.postprocess.costs import share_of
from engine.kinds.postprocess.curves import fsc_curves
from engine.kinds.postprocess.form import Automatic, Directional, Fsc, Local, PostMask, Project, Sharpening
from engine.kinds.postprocess.parts import by_direction, local_resolution
from engine.kinds.postprocess.sharp import centred_lowpass, guinier_curve, sharp_map
from engine.kinds.postprocess.telling import star_facts, stored_fsc, summarised
from engine.outputs import Outputs
from engine.step import Cost, Named, Step

ITEMS = {
    "half1": Named("volume", "the first half map as it was read; RELION takes it by the name half1_unfil.mrc"),
    "half2": Named("volume", "the second half map as it was read: half2_unfil.mrc"),
    "map": Named("volume", "the average of the halves, weighted, sharpened and low-passed"),
    "map_masked": Named("volume", "the same inside the mask"),
    "mask": Named("volume", "the mask of the FSC"),
    "fsc": Named(
        "curve", "FSC unmasked, masked, with random phases, corrected; as .star and .xml what RELION and the EMDB read"
    ),
    "guinier": Named("curve", "ln of the mean amplitude over 1 / d², and the straight line of the B-factor"),
    "local_resolution": Named("volume", "resolution in A at each voxel; 0 where no window reached"),
    "directional_fsc": Named("curve", "least, median and greatest FSC over the directions"),
    "directions": Named("curve", "resolution along each direction"),
    "summary": Named("summary", "resolutions and B-factor"),
}


class Processed(Form):
    """All that decides the result. The names of the halves stand in the .star that is exported."""

    half1: str
    half2: str
    pixel_size_A: float | None
    mask: PostMask
    fsc: Fsc
    sharpening: Sharpening
    local: Local | None
    directional: Directional | None
    seed: int


def unfold(project: Project) -> list[Step]:
    """One step."""
    data = project.data
    inputs = {"half1": reads("volume", data.half1), "half2": reads("volume", data.half2)}
    inputs |= masks.inputs({"mask": None if isinstance(project.mask, Automatic) else project.mask})
    makes = ["half1", "half2", "map", "map_masked", "mask", "fsc", "guinier", "summary"]
    makes += ["local_resolution"] if project.local else []
    makes += ["directional_fsc", "directions"] if project.directional else []
    settings = Processed(
        half1=data.half1,
        half2=data.half2,
        pixel_size_A=data.pixel_size_A,
        mask=project.mask,
        fsc=project.fsc,
        sharpening=project.sharpening,
        local=project.local,
        directional=project.directional,
        seed=project.compute.seed,
    )
    cost = Cost(whole=share_of(project), box="half1")
    return [Step("postprocess", postprocess, 2, settings, tuple(makes), inputs, cost=cost)]


def postprocess(settings: Processed, inputs: Mapping[str, Any], work: Work) -> Outputs:
    """The curves, the maps and the numbers of two half maps."""
    first, second = inputs["half1"], inputs["half2"]
    box_px, pixel_size_A = agreed(first, second, settings.pixel_size_A)
    a, b = (np.asarray(half.data, dtype=np.float32) for half in (first, second))
    mask = mask_of(settings, 0.5 * (a + b), pixel_size_A, inputs)
    curves = fsc_curves(a, b, mask, settings.fsc, pixel_size_A, settings.seed)
    made = sharp_map(0.5 * (a + b), curves.used, settings.sharpening, pixel_size_A)
    summary = summarised(curves, made, mask, settings.sharpening, pixel_size_A)
    guinier = guinier_curve(made, box_px, pixel_size_A)
    facts = {**summary, "box (px)": box_px, "pixel size (A)": pixel_size_A} | star_facts(
        settings.half1, settings.half2, settings.mask
    )
    outputs: dict[str, Any] = {
        "half1": Volume(a, pixel_size_A),
        "half2": Volume(b, pixel_size_A),
        "map": Volume(made.map, pixel_size_A),
        "map_masked": Volume(made.map * mask, pixel_size_A),
        "mask": Volume(mask, pixel_size_A),
        "fsc": stored_fsc(curves, guinier, mask, pixel_size_A, facts),
        "guinier": guinier,
    }
    if settings.local:
        local = local_resolution(a, b, mask, settings.local, pixel_size_A, settings.seed, work)
        inside = local[(mask > 0.5) & (local > 0)]
        outputs["local_resolution"] = Volume(local, pixel_size_A)
        for share, words in ((5, "best 5 %"), (50, "median"), (95, "worst 5 %")):
            summary[f"local resolution, {words} (A)"] = float(np.percentile(inside, share))
    if settings.directional:
        curve, directions = by_direction(a, b, mask, settings.directional, pixel_size_A, work)
        outputs |= {"directional_fsc": curve, "directions": directions}
        for words, value in zip(
            ("best", "median", "worst"), np.percentile(directions["resolution_A"], [0, 50, 100]), strict=True
        ):
            summary[f"resolution of the {words} direction at FSC 0.143 (A)"] = float(value)
    return {**outputs, "summary": summary}


def agreed(first: Volume, second: Volume, typed_A: float | None) -> tuple[int, float]:
    """Box and pixel size of the halves; an EngineError when they do not belong together."""
    if first.shape_zyx != second.shape_zyx or len(set(first.shape_zyx)) > 1:
        raise EngineError(
            f"the half maps have shapes {first.shape_zyx} and {second.shape_zyx} (zyx); equal cubes are needed "
            "(resample or cut them)"
        )
    pixel_size_A = sense.chosen_pixel_size(typed_A, first.pixel_size_A or second.pixel_size_A)
    if pixel_size_A <= 0:
        raise EngineError("the half maps do not tell their pixel size (set data.pixel_size_A)")
    sizes_A = [size for size in (typed_A, first.pixel_size_A, second.pixel_size_A) if size]
    if max(sizes_A) > min(sizes_A) * (1 + sense.SAME_PIXEL):
        sizes = ", ".join(f"{size:g}" for size in sizes_A)
        raise EngineError(f"pixel sizes of {sizes} A contradict each other (resample, or mend the one that is wrong)")
    for name, half in (("half1", first), ("half2", second)):
        if not np.isfinite(half.data).all():
            raise EngineError(f"{name} holds voxels that are no numbers (make it anew)")
        if half.data.min() == half.data.max():
            raise EngineError(f"{name} is {half.data.min():g} everywhere: it holds no map (make it anew)")
    if np.array_equal(first.data, second.data):
        raise EngineError("the half maps are the same map: an FSC of 1 says nothing (name the two halves)")
    return first.shape_zyx[-1], pixel_size_A


def mask_of(settings: Processed, average: np.ndarray, pixel_size_A: float, opened: Mapping[str, Any]) -> np.ndarray:
    """The mask (n, n, n) float32, 0 to 1."""
    box_px, mask = average.shape[-1], settings.mask
    if not isinstance(mask, Automatic):
        return masks.build(mask, "mask", opened, box_px, pixel_size_A)
    smooth = centred_lowpass(average, mask.lowpass_A, 2.0, pixel_size_A)
    sign = -1.0 if mask.density == "dark" else 1.0
    bright = np.float32(sign) * smooth
    threshold = otsu_threshold(bright) if mask.threshold is None else sign * mask.threshold
    made = np.asarray(around(bright, threshold, mask.extend_px, mask.edge_px))
    if made.sum() < masks.SMALLEST_MASK:
        raise EngineError(
            f"mask: at a threshold of {sign * threshold:g} the automatic mask holds only {made.sum():.3g} voxels, and the "
            f"densest voxel of the low-passed average has {sign * bright.max():.4g} "
            f"({'lower' if sign > 0 else 'raise'} mask.threshold)"
        )
    return made
