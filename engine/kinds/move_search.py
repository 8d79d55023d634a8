"""The move that lays one map onto another: what is searched, and the search, which ends with a climb to the top."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from pydantic import Field

from engine.faults import Fault
from engine.geometry import search
from engine.geometry.move import Move
from engine.geometry.shifts import clip_to_ellipsoid
from engine.kernels.fourier import bandpass
from engine.kernels.mask import support_px
from engine.kernels.reference import masked
from engine.kernels.rotate import correlation_under
from engine.kinds.form import Azimuth, Bandpass, Cone, Form, LimitsVector
from engine.kinds.laying import laid_on, searched

CLIMBING = 5
"""Rounds of the polish after the search."""


class Search(Form):
    """Which moves are tried: all rotations of cone and azimuth at all allowed shifts, the best then climbed from."""

    cone: Cone = Field(default=Cone.plain(), description="Search of the axis; range_deg = 0 turns it nowhere")
    azimuth: Azimuth = Field(
        default=Azimuth.plain(), description="Search about the axis; range_deg = 0 turns it nowhere"
    )
    limits_xyz_px: LimitsVector = Field(
        default=(10.0, 10.0, 10.0),
        description="Semi-axes of the ellipsoid about the box centre in which the object may lie in the map, px; 0 freezes an "
        "axis: [0, 0, 20] shifts along z alone. Dynamo: lim",
    )
    bandpass: Bandpass = Field(description="Shells that are compared")


def faults(form: Search, box_px: int | None, pixel_size_A: float | None) -> Iterator[Fault]:
    """What is wrong with a search in a box, under the key `search`. A size of None is not known yet, 0 in A not at all."""
    yield from _range_faults(form, box_px)
    if form.bandpass.adaptive is not None:
        yield Fault(("search", "bandpass", "adaptive"), "there are no half-sets to follow", "remove it", code="E303")
    yield from _band_faults(form.bandpass, box_px, pixel_size_A)


def rotations_of(form: Search) -> np.ndarray:
    """(k, 3, 3): what is tried."""
    cone, azimuth = form.cone, form.azimuth
    return search.rotations(
        search.Search(cone.range_deg, cone.step_deg, azimuth.range_deg, azimuth.step_deg, cone.flip, azimuth.flip)
    )


def found(moving: np.ndarray, onto: np.ndarray, mask: np.ndarray, form: Search, shells: tuple[float, float]) -> Move:
    """The move of the map: searched, then climbed to the top with both maps masked; its limits hold exactly."""
    high, low = shells
    limits = np.array(form.limits_xyz_px)
    half_step = np.array([form.cone.step_deg, form.cone.step_deg, form.azimuth.step_deg]) / 2
    turns = np.array([form.cone.range_deg, form.cone.range_deg, form.azimuth.range_deg]) > 0
    template = np.asarray(masked(onto, mask))
    pose = searched(moving, template, shells, rotations_of(form), limits, half_step * turns, CLIMBING)
    start = Move(pose.rotation, pose.shift_xyz_px).inverse
    furthest_px = max(1.0, moving.shape[-1] / (2 * low))  # half the finest detail
    spacing_deg = np.degrees(furthest_px / 2 / max(1.0, support_px(mask))) * turns
    move, _ = laid_on(moving, onto, mask, start, (high, (low,)), np.minimum(limits, furthest_px), spacing_deg)
    back = move.inverse
    within = clip_to_ellipsoid(back.translation_xyz_px, limits, np.eye(3), tolerance_px=0)
    return Move(back.rotation, within).inverse


def likeness(a: np.ndarray, b: np.ndarray, mask: np.ndarray, shells: tuple[float, float]) -> float:
    """Pearson's correlation of two maps in the band, under the mask."""
    first, second = (np.asarray(bandpass(one, *shells)) for one in (a, b))
    return float(correlation_under(mask, np.eye(3), first, second))


def _range_faults(form: Search, box_px: int | None) -> Iterator[Fault]:
    for name, part in (("cone", form.cone), ("azimuth", form.azimuth)):
        if 0 < part.range_deg < 2 * part.step_deg:
            what = f"{part.step_deg:g} deg is more than half the range of {part.range_deg:g} deg: nothing new would be tried"
            advice = f"at most {part.range_deg / 2:g}, or range_deg = 0 to leave the search out"
            yield Fault(("search", name, "step_deg"), what, advice, code="E308")
    furthest = max(form.limits_xyz_px)
    if box_px and furthest >= box_px / 2:
        what = f"{furthest:g} px reaches out of the box of {box_px} px"
        yield Fault(("search", "limits_xyz_px"), what, f"below {box_px / 2:g}", code="E309")


def _band_faults(band: Bandpass, box_px: int | None, pixel_size_A: float | None) -> Iterator[Fault]:
    in_A = band.lowpass_A is not None or band.highpass_A is not None
    low_key = ("search", "bandpass", "lowpass_A" if band.lowpass_A is not None else "lowpass_fpx")
    if in_A and pixel_size_A == 0:
        advice = (
            "give a map that has one, or the band in Fourier px (lowpass_fpx); a registration takes data.pixel_size_A"
        )
        yield Fault(low_key[:2], "lengths in A need a pixel size, and the map has none", advice, code="E304")
        return
    if not box_px or (in_A and not pixel_size_A):
        return
    high, low = band.shells(box_px, pixel_size_A or 1.0)
    if low > box_px / 2:
        what = f"{low:.3g} Fourier px lies beyond Nyquist of a box of {box_px} px"
        yield Fault(low_key, what, f"at most {box_px // 2} Fourier px", code="E305")
    elif low <= high:
        yield Fault(
            low_key,
            f"the band from {high:.3g} to {low:.3g} Fourier px is empty",
            "raise the low-pass",
            code="E306",
            also=(("search", "bandpass", "highpass_A" if band.highpass_A is not None else "highpass_fpx"),),
        )
