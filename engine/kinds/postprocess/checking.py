"""The sense of a postprocess project that one field alone cannot show."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from engine.data import VolumeFacts
from engine.faults import Fault, Key
from engine.kernels.sharpen import fit_shells
from engine.kinds import masks, sense
from engine.kinds.form import Look
from engine.kinds.postprocess.form import Automatic, Local, Project, window_A

FEWEST_POINTS = 3
"""Shells below which a B-factor is no fit."""

LARGEST_EXPONENT = 80.0
"""Of the B-factor's exponential at Nyquist, either way: single precision ends at e to the 88th."""


def check(project: Project, look: Look) -> Iterator[Fault]:
    """What is wrong between the halves, the mask and the ranges."""
    data = project.data
    if data.half1 == data.half2:
        yield Fault(
            ("data", "half2"),
            f"{data.half2} is half1 too",
            "name the average of the other half-set",
            code="E311",
            also=(("data", "half1"),),
        )
        return
    first, second = look.volume(data.half1), look.volume(data.half2)
    sources = [(("data", "pixel_size_A"), "data.pixel_size_A", data.pixel_size_A)]
    for name, facts in (("half1", first), ("half2", second)):
        sources.append((("data", name), name, facts.pixel_size_A if facts else None))
    yield from sense.pixel_sizes(sources)
    yield from _shapes(first, second)
    known = first or second
    box_px = known.shape_zyx[-1] if known else None
    told_A = [facts.pixel_size_A if facts else None for facts in (first, second)]
    pixel_size_A = data.pixel_size_A or told_A[0] or told_A[1]
    if pixel_size_A is None and 0 in told_A and None not in told_A:
        pixel_size_A = 0.0
    if pixel_size_A == 0:
        yield Fault(
            ("data",), "the maps do not tell their pixel size, and all is in A", "set data.pixel_size_A", code="E304"
        )
        return
    if not isinstance(project.mask, Automatic):
        yield from masks.faults(project.mask, ("mask",), look, box_px, pixel_size_A)
    if pixel_size_A:
        yield from _ranges(project, box_px, pixel_size_A)


def _shapes(first: VolumeFacts | None, second: VolumeFacts | None) -> Iterator[Fault]:
    for key, facts in (("half1", first), ("half2", second)):
        if facts and len(set(facts.shape_zyx)) > 1:
            size = " x ".join(str(n) for n in facts.shape_zyx[::-1])
            yield Fault(("data", key), f"has {size} px, which is no cube", "cut or pad it to a cube", code="E406")
            return
    if first:
        yield from sense.same_box(second, first.shape_zyx[-1], ("data", "half2"), "half1 has")


def _ranges(project: Project, box_px: int | None, pixel_size_A: float) -> Iterator[Fault]:
    """Lengths against the Nyquist limit and against each other."""
    nyquist_A = 2 * pixel_size_A
    sharp, fsc, local = project.sharpening, project.fsc, project.local
    highest_A = max(sharp.fit_highest_A or 0.0, nyquist_A)
    if sharp.b_factor_A2 is None:
        advice = "widen it, or give sharpening.b_factor_A2"
        if sharp.fit_lowest_A <= highest_A:
            what = f"the fit would go from {sharp.fit_lowest_A:g} A to {highest_A:g} A, which is no range"
            yield Fault(("sharpening", "fit_lowest_A"), what, advice, code="E307")
        elif box_px:
            points = int(fit_shells(box_px, pixel_size_A, sharp.fit_lowest_A, highest_A).sum())
            if points < FEWEST_POINTS:
                lie = "shell lies" if points == 1 else "shells lie"
                what = f"only {points} {lie} between {sharp.fit_lowest_A:g} A and {highest_A:g} A"
                yield Fault(("sharpening", "fit_lowest_A"), what, advice, code="E307")
    elif abs(sharp.b_factor_A2) / (2 * nyquist_A) ** 2 > LARGEST_EXPONENT:
        most = LARGEST_EXPONENT * (2 * nyquist_A) ** 2
        what = f"at {nyquist_A:g} A a B-factor of {sharp.b_factor_A2:g} A2 leaves no numbers, or nothing at all"
        yield Fault(("sharpening", "b_factor_A2"), what, f"between {-most:g} and {most:g}", code="E313")
    beyond = [(("fsc", "randomise_from_A"), fsc.randomise_from_A)]
    if isinstance(project.mask, Automatic):
        beyond.append((("mask", "lowpass_A"), project.mask.lowpass_A))
    if local:
        beyond.append((("local", "randomise_from_A"), local.randomise_from_A))
        beyond.append((("local", "lowest_A"), local.lowest_A))
        beyond.append((("local", "sampling_A"), local.sampling_A))
    for key, length_A in beyond:
        if length_A is not None and length_A < nyquist_A:
            yield Fault(
                key, f"{length_A:g} A is finer than the maps' {nyquist_A:g} A", f"at least {nyquist_A:g}", code="E305"
            )
    if box_px:
        inside = [(key, length_A) for key, length_A in beyond if key[-1] != "lowest_A"]
        yield from _longer([*inside, (("sharpening", "lowpass_A"), sharp.lowpass_A)], box_px * pixel_size_A)
        if local:
            yield from _window(local, box_px * pixel_size_A)


def _longer(lengths: Sequence[tuple[Key, float | None]], side_A: float) -> Iterator[Fault]:
    for key, length_A in lengths:
        if length_A is not None and length_A > side_A:
            yield Fault(key, f"{length_A:g} A is more than the box of {side_A:g} A", f"at most {side_A:g}", code="E309")


def _window(local: Local, side_A: float) -> Iterator[Fault]:
    """A window that is wider than the box between the middles of its edges."""
    radius_A, edge_A = window_A(local)
    if local.sampling_A <= side_A < 2 * radius_A + edge_A:
        name = next((name for name in ("radius_A", "edge_A") if getattr(local, name) is not None), "sampling_A")
        what = f"windows {2 * radius_A + edge_A:g} A wide are more than the box of {side_A:g} A"
        yield Fault(("local", name), what, "make it smaller: a window is 2 radius_A + edge_A wide", code="E309")
