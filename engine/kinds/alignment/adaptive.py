"""Adaptive band-pass: the low-pass of an iteration follows the FSC of the half-sets after the iteration before.

The low-pass is a result, not a setting: the step that joins the half-sets makes it, and the next iterations read it.
"""

from __future__ import annotations

import numpy as np

from engine.kernels.fsc import crossing_fpx
from engine.kinds.alignment.form import Project
from engine.kinds.alignment.rounds import Iteration, planned
from engine.kinds.alignment.spectra import pays, reach_fpx
from engine.kinds.form import Adaptive, Bandpass, Round

NARROWEST_FPX = 4.0
"""Width of the band at least: an FSC that falls at once would leave nothing to align by."""


def follows(project: Project, iteration: Iteration) -> bool:
    """Whether the iteration's low-pass comes from the one before: its round is adaptive, and so is the other's.

    Any other iteration takes the low-pass of its own round.
    """
    if iteration.number == 1 or iteration.settings.bandpass.adaptive is None:
        return False
    return planned(project)[iteration.number - 2].settings.bandpass.adaptive is not None


def fixed(bandpass: Bandpass) -> Bandpass:
    """The band-pass as if it were not adaptive."""
    return bandpass.model_copy(update={"adaptive": None})


def in_force(bandpass: Bandpass, lowpass_fpx: float | np.ndarray | None) -> Bandpass:
    """The band-pass of an iteration: with the low-pass that was found, in Fourier px, or its own where that is None."""
    if lowpass_fpx is None:
        return bandpass
    return bandpass.model_copy(update={"lowpass_fpx": float(np.ravel(lowpass_fpx)[0]), "lowpass_A": None})


def round_in_force(settings: Round, lowpass_fpx: float | np.ndarray | None) -> Round:
    """The round with the band-pass that is in force."""
    return settings.model_copy(update={"bandpass": in_force(settings.bandpass, lowpass_fpx)})


def next_lowpass_fpx(
    fsc: np.ndarray, bandpass: Bandpass, adaptive: Adaptive, box_px: int, pixel_size_A: float
) -> float:
    """The shell where an FSC over the shells 0 … n // 2 first falls below the criterion, less the pushback.

    It never lies beyond Nyquist, nor nearer than NARROWEST_FPX to the high-pass.
    """
    return pushed_back(crossing_fpx(fsc, adaptive.criterion), bandpass, adaptive, box_px, pixel_size_A)


def pushed_back(shell_fpx: float, bandpass: Bandpass, adaptive: Adaptive, box_px: int, pixel_size_A: float) -> float:
    """A shell less the pushback, within the bounds of `next_lowpass_fpx`."""
    high, _ = bandpass.shells(box_px, pixel_size_A or 1.0)
    return min(float(box_px // 2), max(shell_fpx - adaptive.pushback_fpx, high + NARROWEST_FPX))


def widest(project: Project, iteration: Iteration, box_px: int, pixel_size_A: float) -> Round:
    """The iteration's round with the highest low-pass that the FSC can lead to: the averages before end somewhere."""
    if not follows(project, iteration):
        return iteration.settings
    before = planned(project)[iteration.number - 2]
    band = widest(project, before, box_px, pixel_size_A).bandpass
    assert band.adaptive is not None  # what is followed is adaptive
    reach = reach_fpx(band, box_px, pixel_size_A)
    end = reach + 1 if pays(reach, box_px) and not before.is_last_of_round else box_px // 2
    return round_in_force(iteration.settings, pushed_back(end, band, band.adaptive, box_px, pixel_size_A))
