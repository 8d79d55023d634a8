"""From a postprocess project to its step, and from the half maps to curves and maps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.address import is_address
from engine.data import Curve, Volume
from engine.devices import Work
from engine.faults import EngineError
from engine.kernels import sharpen
from engine.kernels.fourier import from_spectrum, lowpass, spectrum
from engine.kernels.fsc import fsc
from engine.kernels.mask import around, otsu_threshold
from engine.kinds import masks, sense
from engine.kinds.form import Form, reads
from engine.kinds.postprocess.form import Automatic, Directional, Fsc, Local, PostMask, Project, Sharpening
from engine.kinds.postprocess.parts import by_direction, local_resolution
from engine.step import Outputs, Step

ITEMS = {
    "map": "the average of the halves, weighted, sharpened and low-passed",
    "map_masked": "the same inside the mask",
    "mask": "the mask of the FSC",
    "fsc": "FSC unmasked, masked, with random phases, corrected; as .star and .xml what RELION and the EMDB read",
    "guinier": "ln of the mean amplitude over 1 / d², and the straight line of the B-factor",
    "local_resolution": "resolution in A at each voxel; 0 where no window reached",
    "directional_fsc": "least, median and greatest FSC over the directions",
    "directions": "resolution along each direction",
    "summary": "resolutions and B-factor",
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
    makes = ["map", "map_masked", "mask", "fsc", "guinier", "summary"]
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
    return [Step("postprocess", postprocess, 1, settings, tuple(makes), inputs)]


def postprocess(settings: Processed, inputs: Mapping[str, Any], work: Work) -> Outputs:
    """The curves, the maps and the numbers of two half maps."""
    first, second = inputs["half1"], inputs["half2"]
    box_px, pixel_size_A = agreed(first, second, settings.pixel_size_A)
    a, b = (np.asarray(half.data, dtype=np.float32) for half in (first, second))
    mask = mask_of(settings, 0.5 * (a + b), pixel_size_A, inputs.get("mask"))
    curves = fsc_curves(a, b, mask, settings.fsc, pixel_size_A, settings.seed)
    made = sharp_map(0.5 * (a + b), curves.used, settings.sharpening, pixel_size_A)
    summary = summarised(curves, made, mask, pixel_size_A)
    guinier = guinier_curve(made, box_px, pixel_size_A)
    facts = {**summary, "box (px)": box_px, "pixel size (A)": pixel_size_A} | star_facts(settings)
    outputs: dict[str, Any] = {
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
        if not np.isfinite(half.data).all() or not half.data.any():
            raise EngineError(f"{name} is empty or holds voxels that are no numbers (make it anew)")
    if np.array_equal(first.data, second.data):
        raise EngineError("the half maps are the same map: an FSC of 1 says nothing (name the two halves)")
    return first.shape_zyx[-1], pixel_size_A


def mask_of(settings: Processed, average: np.ndarray, pixel_size_A: float, loaded: Volume | None) -> np.ndarray:
    """The mask (n, n, n) float32, 0 to 1."""
    box_px, mask = average.shape[-1], settings.mask
    if not isinstance(mask, Automatic):
        return masks.build(mask, box_px, pixel_size_A, loaded)
    smooth = centred_lowpass(average, mask.lowpass_A, 2.0, pixel_size_A)
    threshold = otsu_threshold(smooth) if mask.threshold is None else mask.threshold
    made = np.asarray(around(smooth, threshold, mask.extend_px, mask.edge_px))
    if made.sum() < masks.SMALLEST_MASK:
        raise EngineError(
            f"mask: at a threshold of {threshold:g} the automatic mask holds only {made.sum():.3g} voxels, and the densest "
            f"voxel of the low-passed average has {smooth.max():.4g} (lower mask.threshold)"
        )
    return made


def centred_lowpass(volume: np.ndarray, lowpass_A: float, edge_fpx: float, pixel_size_A: float) -> np.ndarray:
    """Low-passed with a raised-cosine edge whose middle is the shell nearest to lowpass_A: RELION's low-pass."""
    shell = np.rint(volume.shape[-1] * pixel_size_A / lowpass_A)
    return np.asarray(lowpass(volume, shell - edge_fpx / 2, max(edge_fpx, 1e-3)))


@dataclass(frozen=True, eq=False)
class Curves:
    """The four FSC curves over the shells 0 … n // 2.

    random_from is the first shell with random phases, len(unmasked) when there was none. used is the corrected FSC, or
    the unmasked one when the mask was discarded.
    """

    unmasked: np.ndarray
    masked: np.ndarray
    random: np.ndarray
    corrected: np.ndarray
    random_from: int
    mask_made_worse: bool
    used: np.ndarray


def fsc_curves(a: np.ndarray, b: np.ndarray, mask: np.ndarray, form: Fsc, pixel_size_A: float, seed: int) -> Curves:
    """The FSC of two maps without mask, with it, with it after random phases, and freed of the mask's share."""
    box_px = a.shape[-1]
    unmasked, masked = fsc(a, b), fsc(a, b, mask)
    first = sharpen.first_below(unmasked, form.randomise_below)
    if form.randomise_from_A is not None:
        first = max(1, int(box_px * pixel_size_A / form.randomise_from_A + 1e-9))
    if first < len(unmasked):
        c, d = (sharpen.randomised(x, first, np.random.default_rng([seed, number])) for number, x in ((1, a), (2, b)))
        random = fsc(c, d, mask)
    else:
        random = masked
    corrected = sharpen.corrected(masked, random, first)
    worse = sharpen.first_below(unmasked, 0.143) > sharpen.first_below(corrected, 0.143)
    used = unmasked if worse and form.when_worse == "discard" else corrected
    return Curves(unmasked, masked, random, corrected, first, bool(worse), used)


@dataclass(frozen=True, eq=False)
class Sharp:
    """The map and how it came about; fit is None when the B-factor was given."""

    map: np.ndarray
    b_factor_A2: float
    fit: sharpen.Guinier | None
    lowpass_A: float
    original: np.ndarray
    weighted: np.ndarray
    sharpened: np.ndarray


def sharp_map(average: np.ndarray, curve: np.ndarray, form: Sharpening, pixel_size_A: float) -> Sharp:
    """The average weighted by the FSC curve, sharpened by its B-factor, low-passed; with the Guinier plot of each."""
    box_px = average.shape[-1]
    half = spectrum(average)
    original = sharpen.log_amplitudes(half)
    if form.weighting == "fsc":
        half = sharpen.weighted(half, sharpen.fsc_weights(curve))
    weighted = sharpen.log_amplitudes(half)
    fit = None
    if form.b_factor_A2 is None:
        used = sharpen.fit_shells(
            box_px, pixel_size_A, form.fit_lowest_A, max(form.fit_highest_A or 0, 2 * pixel_size_A)
        )
        fit = sharpen.guinier_fit(squares(box_px, pixel_size_A), weighted, used)
        if fit is None:
            raise EngineError(
                f"sharpening: fewer than two shells finer than {form.fit_lowest_A:g} A have signal, so no B-factor can be "
                "fitted (raise fit_lowest_A, or give b_factor_A2)"
            )
    b_factor_A2 = fit.b_factor_A2 if fit else float(form.b_factor_A2 or 0.0)
    half = sharpen.sharpened(half, b_factor_A2, pixel_size_A)
    lowpass_A = form.lowpass_A or sharpen.resolved_A(curve, 0.143, box_px, pixel_size_A)
    if not np.isfinite(lowpass_A):
        raise EngineError(
            "the half maps have nothing in common: their FSC is below 0.143 from the first shell on "
            "(look at the halves and the mask, or give sharpening.lowpass_A)"
        )
    made = centred_lowpass(from_spectrum(half, box_px), lowpass_A, form.lowpass_edge_fpx, pixel_size_A)
    return Sharp(made, b_factor_A2, fit, lowpass_A, original, weighted, sharpen.log_amplitudes(half))


def squares(box_px: int, pixel_size_A: float) -> np.ndarray:
    """1 / d² of the shells 0 … n // 2."""
    return np.asarray((np.arange(box_px // 2 + 1) / (box_px * pixel_size_A)) ** 2)


def guinier_curve(made: Sharp, box_px: int, pixel_size_A: float) -> Curve:
    """The Guinier plot; without a fit it has no line. Shells that hold nothing have -99."""
    square = squares(box_px, pixel_size_A)
    columns = {"resolution_squared_per_A2": square, "log_amplitude": made.original}
    columns |= {"log_amplitude_weighted": made.weighted, "log_amplitude_sharpened": made.sharpened}
    notes: dict[str, str | float | bool] = {"b_factor_A2": made.b_factor_A2, "fitted": made.fit is not None}
    if made.fit:
        columns["line"] = made.fit.intercept + made.fit.slope * square
        slope, intercept, correlation = made.fit
        notes |= {"slope": slope, "intercept": intercept, "correlation": correlation}
    return Curve(columns, notes)


def mask_share(mask: np.ndarray) -> float:
    """The share of the box that lies inside, where the mask is above one half."""
    return float((mask > 0.5).mean()) or 1 / mask.size


def summarised(curves: Curves, made: Sharp, mask: np.ndarray, pixel_size_A: float) -> dict[str, Any]:
    """Resolutions, B-factor, and what became of the mask."""
    box_px = mask.shape[-1]
    summary: dict[str, Any] = {}
    kinds = {"corrected": curves.corrected, "masked": curves.masked, "unmasked": curves.unmasked}
    for threshold in (0.143, 0.5):
        for words, curve in kinds.items():
            summary[f"resolution at FSC {threshold}, {words} (A)"] = told(curve, threshold, box_px, pixel_size_A)
    summary["final resolution (A)"] = told(curves.used, 0.143, box_px, pixel_size_A)
    has_random = curves.random_from < len(curves.random)
    from_A = box_px * pixel_size_A / curves.random_from
    summary["phases random from (A)"] = from_A if has_random else "nowhere: the unmasked FSC stays high"
    at = sharpen.first_below(curves.used, 0.143) - 1
    if has_random:
        summary["FSC of random phases at the resolution"] = float(curves.random[at])
    summary["share of the box inside the mask"] = mask_share(mask)
    if not curves.mask_made_worse:
        summary["mask"] = "used"
    elif curves.used is curves.unmasked:
        summary["mask"] = "discarded: the FSC is better without it"
    else:
        summary["mask"] = "kept, though the FSC is better without it"
    summary["B-factor (A2)"] = made.b_factor_A2
    summary["B-factor is"] = "fitted" if made.fit else "given"
    summary["low-pass (A)"] = made.lowpass_A
    return summary


def told(curve: np.ndarray, threshold: float, box_px: int, pixel_size_A: float) -> float | str:
    """The resolution in A, or that there is none."""
    found = sharpen.resolved_A(curve, threshold, box_px, pixel_size_A)
    return found if np.isfinite(found) else "none"


def star_facts(settings: Processed) -> dict[str, str]:
    """The names of the files in RELION's table: those that were read, or the names under which addresses are exported."""
    halves = {"half1": settings.half1, "half2": settings.half2}
    names = {name: f"{name}_unfil.mrc" if is_address(text) else text for name, text in halves.items()}
    is_file = isinstance(settings.mask, str) and not is_address(settings.mask)
    return {**names, "mask_file": str(settings.mask) if is_file else "mask.mrc"}


def stored_fsc(
    curves: Curves, guinier: Curve, mask: np.ndarray, pixel_size_A: float, facts: Mapping[str, Any]
) -> Curve:
    """The FSC curves over the shells, and beside them the Guinier plot, which has the same axis and goes into the same file."""
    shell = np.arange(len(curves.masked), dtype=np.float64)
    box_A = mask.shape[-1] * pixel_size_A
    resolution = np.divide(box_A, shell, out=np.zeros_like(shell), where=shell > 0)
    columns = {
        "shell_fpx": shell,
        "resolution_A": resolution,
        "fsc_corrected": curves.used,
        "fsc_unmasked": curves.unmasked,
        "fsc_masked": curves.masked,
        "fsc_random": curves.random,
        "fsc_part": sharpen.of_particle_part(curves.unmasked, mask_share(mask)),
    }
    columns |= {name: guinier[name] for name in guinier.columns}
    fit = {name: guinier.notes[name] for name in ("slope", "intercept", "correlation") if name in guinier.notes}
    notes: dict[str, str | float] = {
        "between": "half1 and half2",
        "particle_part_factor": sharpen.PROTEIN_SHARE / mask_share(mask),
    }
    for threshold in (0.143, 0.5):
        notes[f"resolution_at_{threshold}_A"] = told(curves.used, threshold, mask.shape[-1], pixel_size_A)
    return Curve(columns, {**notes, **facts, **fit})
