"""What a postprocess tells: its summary, and the curves as they are stored and exported."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from engine.address import is_address
from engine.data import Curve
from engine.kernels import sharpen
from engine.kinds.postprocess.curves import Curves
from engine.kinds.postprocess.form import PostMask, Sharpening
from engine.kinds.postprocess.sharp import Sharp

HIGH_RANDOM_FSC = 0.1
"""FSC of random phases at the resolution above which RELION warns of the mask."""


def mask_share(mask: np.ndarray) -> float:
    """The share of the box that lies inside, where the mask is above one half."""
    return float((mask > 0.5).mean()) or 1 / mask.size


def summarised(curves: Curves, made: Sharp, mask: np.ndarray, form: Sharpening, pixel_size_A: float) -> dict[str, Any]:
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
    random = float(curves.random[at]) if has_random else 0.0
    if has_random:
        summary["FSC of random phases at the resolution"] = random
    summary["share of the box inside the mask"] = mask_share(mask)
    summary["mask"] = fate_of_mask(curves, random, mask_share(mask))
    summary["B-factor (A2)"] = made.b_factor_A2
    summary["B-factor is"] = origin_of_b_factor(made, form, told(curves.used, 0.143, box_px, pixel_size_A))
    summary["low-pass (A)"] = made.lowpass_A
    return summary


def fate_of_mask(curves: Curves, random: float, share: float) -> str:
    """Whether the mask was used, and what speaks against it; random is the FSC of random phases at the resolution."""
    fate = "used"
    if curves.mask_made_worse:
        is_discarded = curves.used is curves.unmasked
        fate = f"{'discarded:' if is_discarded else 'kept, though'} the FSC is better without it"
    if share > 0.5:
        return f'{fate}; it holds most of the box (automatic, and density is dark? then mask.density = "dark")'
    if random > HIGH_RANDOM_FSC:
        return f"{fate}; random phases agree inside it (it is too tight, or its edge too sharp)"
    return fate


def origin_of_b_factor(made: Sharp, form: Sharpening, resolution_A: float | str) -> str:
    """Where the B-factor comes from, and what speaks against it."""
    if made.fit is None:
        return "given"
    if isinstance(resolution_A, str) or resolution_A >= form.fit_lowest_A:
        return "fitted, but to shells beyond the resolution: raise sharpening.fit_lowest_A, or give b_factor_A2"
    if made.b_factor_A2 > 0:
        return "fitted, but above 0: it blurs; look at the Guinier plot"
    return "fitted"


def told(curve: np.ndarray, threshold: float, box_px: int, pixel_size_A: float) -> float | str:
    """The resolution in A, or that there is none."""
    found = sharpen.resolved_A(curve, threshold, box_px, pixel_size_A)
    return found if np.isfinite(found) else "none"


def star_facts(half1: str, half2: str, mask: PostMask) -> dict[str, str]:
    """The names of the files in RELION's table: those that were read, or the names under which addresses are exported."""
    halves = {"half1": half1, "half2": half2}
    names = {name: f"{name}_unfil.mrc" if is_address(text) else text for name, text in halves.items()}
    is_file = isinstance(mask, str) and not is_address(mask)
    return {**names, "mask_file": str(mask) if is_file else "mask.mrc"}


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
