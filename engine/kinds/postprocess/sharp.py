"""The sharpened map, and the Guinier plot that led to it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.data import Curve
from engine.faults import EngineError
from engine.kernels import sharpen
from engine.kernels.fourier import from_spectrum, lowpass, spectrum
from engine.kinds.postprocess.form import Sharpening


def centred_lowpass(volume: np.ndarray, lowpass_A: float, edge_fpx: float, pixel_size_A: float) -> np.ndarray:
    """Low-passed with a raised-cosine edge whose middle is the shell nearest to lowpass_A: RELION's low-pass."""
    shell = np.rint(volume.shape[-1] * pixel_size_A / lowpass_A)
    return np.asarray(lowpass(volume, shell - edge_fpx / 2, max(edge_fpx, 1e-3)))


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
            last = max(1, int(np.flatnonzero(weighted > sharpen.EMPTY)[-1]))
            raise EngineError(
                f"sharpening: the FSC ends at {box_px * pixel_size_A / last:.4g} A, so fewer than two shells finer than "
                f"fit_lowest_A = {form.fit_lowest_A:g} A have signal, and no B-factor can be fitted (raise fit_lowest_A, "
                "or give b_factor_A2)"
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
    if not np.isfinite(made).all():
        raise EngineError(f"sharpening: a B-factor of {b_factor_A2:g} A2 leaves no numbers (give a smaller one)")
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
