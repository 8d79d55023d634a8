"""What is wrong with a registration project."""

from __future__ import annotations

from collections.abc import Iterator

from engine.faults import Fault
from engine.kinds import masks, sense
from engine.kinds.form import Bandpass, Look
from engine.kinds.registration.form import Project, Search


def check(project: Project, look: Look) -> Iterator[Fault]:
    """What is wrong between the two, and with the search."""
    data, band = project.data, project.search.bandpass
    facts = look.volume(data.map)
    sizes = [
        (("data", "map"), "the map", facts.pixel_size_A if facts else None),
        (("data", "pixel_size_A"), "data.pixel_size_A", data.pixel_size_A),
    ]
    box_px = facts.shape_zyx[-1] if facts else None
    if facts:
        yield from sense.same_box(facts, box_px, ("data", "map"), "a cube is needed, here of")
    pixel_size_A = data.pixel_size_A or (facts.pixel_size_A if facts else None)
    if isinstance(data.onto, str):
        other = look.volume(data.onto)
        yield from sense.same_box(other, box_px, ("data", "onto"), "data.map has")
        sizes.append((("data", "onto"), "the map", other.pixel_size_A if other else None))
        if data.density == "dark":
            yield Fault(("data", "density"), "two maps are compared as they are", "remove it: it is for drawn objects")
    else:
        yield from masks.faults(data.onto, ("data", "onto"), look, box_px, pixel_size_A)
    yield from sense.pixel_sizes(sizes)
    yield from masks.faults(project.mask, ("mask",), look, box_px, pixel_size_A)
    yield from _search_faults(project.search, box_px)
    if band.adaptive is not None:
        yield Fault(("search", "bandpass", "adaptive"), "there are no half-sets to follow", "remove it")
    yield from _band_faults(band, box_px, pixel_size_A)


def _search_faults(form: Search, box_px: int | None) -> Iterator[Fault]:
    for name, part in (("cone", form.cone), ("azimuth", form.azimuth)):
        if 0 < part.range_deg < 2 * part.step_deg:
            what = f"{part.step_deg:g} deg is more than half the range of {part.range_deg:g} deg: nothing new would be tried"
            advice = f"at most {part.range_deg / 2:g}, or range_deg = 0 to leave the search out"
            yield Fault(("search", name, "step_deg"), what, advice)
    furthest = max(form.limits_xyz_px)
    if box_px and furthest >= box_px / 2:
        what = f"{furthest:g} px reaches out of the box of {box_px} px"
        yield Fault(("search", "limits_xyz_px"), what, f"below {box_px / 2:g}")


def _band_faults(band: Bandpass, box_px: int | None, pixel_size_A: float | None) -> Iterator[Fault]:
    in_A = band.lowpass_A is not None or band.highpass_A is not None
    low_key = ("search", "bandpass", "lowpass_A" if band.lowpass_A is not None else "lowpass_fpx")
    if in_A and pixel_size_A == 0:
        yield Fault(low_key[:2], "lengths in A need a pixel size, and the map has none", "set data.pixel_size_A")
        return
    if not box_px or (in_A and not pixel_size_A):
        return
    high, low = band.shells(box_px, pixel_size_A or 1.0)
    if low > box_px / 2:
        what = f"{low:.3g} Fourier px lies beyond Nyquist of a box of {box_px} px"
        yield Fault(low_key, what, f"at most {box_px // 2} Fourier px")
    elif low <= high:
        yield Fault(low_key, f"the band from {high:.3g} to {low:.3g} Fourier px is empty", "raise the low-pass")
