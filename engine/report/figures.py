"""What is drawn of curves and tables: FSC, histograms of cc, directions, changes, times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from engine.data import Curve, Table
from engine.geometry import euler
from engine.plots.labels import has_spread, label, unit_of
from engine.report.chart import Axis, Frame, legend, picture, spread
from engine.report.markup import Markup, duration, element, joined, number

SERIES = ("s1", "s2", "s3", "s4", "s5")
_FSC_NAMES = {
    "fsc": "FSC",
    "fsc_corrected": "corrected",
    "fsc_masked": "masked",
    "fsc_unmasked": "unmasked",
    "fsc_random": "phases random",
    "fsc_part": "of the particle's part",
}
MOST_PANELS = 12


def figure(drawn: Markup, title: str, caption: Any = "", key: Markup | None = None) -> Markup:
    """A picture with its title above and what it says below."""
    below = element("p", caption, class_="note") if caption else ""
    return element("figure", element("figcaption", title), key or "", drawn, below)


def fsc(curve: Curve, title: str = "Fourier shell correlation") -> Markup:
    """The columns that are an FSC over spatial frequency, with 0.143 and 0.5, and where these are met; empty without any."""
    axis = next(iter(curve.columns))
    shells = curve[axis]
    names = [name for name in curve.columns if name.startswith("fsc")][: len(SERIES)]
    values = np.concatenate([np.zeros(0), *(curve[name] for name in names)])
    values = values[np.isfinite(values)]
    if len(shells) < 2 or not len(values):
        return Markup()
    resolution_A = curve.columns.get("resolution_A")
    if resolution_A is not None and (resolution_A > 0).any():
        last = int(np.flatnonzero(resolution_A > 0)[-1])
        step = shells[last] * resolution_A[last]  # shell times resolution: the field of the box in A
        chosen = np.unique(np.linspace(0, last, min(6, last + 1)).round().astype(int))[1:]
        x = Axis(
            "resolution (Å)",
            0.0,
            float(shells[-1]) or 1.0,
            tuple((float(shells[at]), f"{step / shells[at]:.3g}") for at in chosen),
        )
    else:
        step, x = 0.0, Axis(label(axis), float(shells[0]), float(shells[-1]) or 1.0)
    low = min(-0.1, max(-0.5, float(values.min())))
    frame = Frame(x, Axis("FSC", low, 1.05, tuple((v, f"{v:g}") for v in (0, 0.25, 0.5, 0.75, 1))))
    marks, dots, told, stays = [], [], [], []
    for threshold in (0.143, 0.5):
        marks.append(frame.level(threshold, f"{threshold:g}"))
        noted = curve.notes.get(f"resolution_at_{threshold:g}_A")
        if not isinstance(noted, int | float) or noted <= 0:
            continue
        if (curve[names[0]] < threshold).any():
            told.append(f"{noted:.1f} Å at {threshold:g}")
            if step:
                dots.append(frame.named_dot(min(step / float(noted), x.high), threshold, f"{noted:.1f} Å", "s1"))
        else:
            stays.append((f"{threshold:g}", float(noted)))
    lines = [frame.line(shells, curve[name], class_) for class_, name in zip(SERIES, names, strict=False)]
    key = legend((class_, _FSC_NAMES.get(name, label(name))) for class_, name in zip(SERIES, names, strict=False))
    between = f"Between {curve.notes['between']}. " if "between" in curve.notes else ""
    says = " ".join([f"Resolution {', '.join(told)}."] * bool(told) + _staying(stays)) or "The thresholds are not met."
    alt = f"{title}: {says}"
    return figure(frame.drawn(alt, *marks, *reversed(lines), *dots), title, f"{between}{says}", key)


def _staying(thresholds: Sequence[tuple[str, float]]) -> list[str]:
    """A sentence for the thresholds that an FSC never falls below, each with the resolution where the curve ends."""
    if not thresholds:
        return []
    names = " and ".join(name for name, _ in thresholds)
    return [f"The curve stays above {names} to its end, at {thresholds[0][1]:.1f} Å."]


def histogram(series: Sequence[tuple[str, np.ndarray]], axis: str, title: str, noun: str = "particles") -> Markup:
    """How many have which value: bars of the last one, an outline of each before."""
    known = [(name, values[np.isfinite(values)]) for name, values in series]
    known = [(name, values) for name, values in known if len(values)]
    together = np.concatenate([np.zeros(0), *(values for _, values in known)])
    if not has_spread(together):
        return Markup()
    edges = np.histogram_bin_edges(together, min(50, max(8, len(known[-1][1]) // 10)))
    counts = [np.histogram(values, edges)[0] for _, values in known]
    frame = Frame(Axis(axis, float(edges[0]), float(edges[-1])), Axis(noun, 0, max(1.0, 1.06 * float(np.max(counts)))))
    marks = [frame.bars(edges, counts[-1], "s1")]
    marks += [
        frame.line(np.repeat(edges, 2)[1:-1], np.repeat(count, 2), class_)
        for class_, count in zip(SERIES[1:], counts[:-1], strict=False)
    ]
    last_name, last = known[-1]
    told = f"Median {number(float(np.median(last)))}, {len(last):,} {noun}."
    key = legend([("s1", last_name), *zip(SERIES[1:], (name for name, _ in known[:-1]), strict=False)])
    return figure(frame.drawn(f"{title}: {told}", *marks), title, told, key)


def mixture(curve: Curve) -> list[Markup]:
    """Of each group: particles for each cc, the two Gaussians, and the threshold."""
    cc = curve["cc"]
    width = float(cc[1] - cc[0]) if len(cc) > 1 else 1.0
    edges = np.append(cc - width / 2, cc[-1] + width / 2)
    groups = list(dict.fromkeys(name.rpartition(": ")[0] for name in list(curve.columns)[1:]))
    drawn = []
    for group in groups[:MOST_PANELS]:
        counts = curve[f"{group}: particles"]
        frame = Frame(
            Axis("cc", float(edges[0]), float(edges[-1])), Axis("particles", 0, max(1.0, 1.06 * float(counts.max())))
        )
        kinds = [
            (class_, name) for class_, name in (("s2", "bad"), ("s3", "good")) if f"{group}: {name}" in curve.columns
        ]
        marks = [frame.bars(edges, counts, "s1 pale")]
        marks += [frame.line(cc, curve[f"{group}: {name}"], class_) for class_, name in kinds]
        threshold = float(curve.notes[f"{group}: threshold"])
        marks.append(frame.upright(threshold, f"threshold {threshold:.3f}"))
        told = f"Threshold {threshold:.3f}: {curve.notes.get(f'{group}: how', '')}."
        key = legend([("s1 pale", "particles"), *kinds])
        drawn.append(figure(frame.drawn(f"cc of {group}. {told}", *marks), group, told, key))
    return drawn


def latitude(curve: Curve) -> list[Markup]:
    """Of each group: mean cc over the angle to the beam, the fit, and the threshold along it."""
    angle = curve["angle_to_beam_deg"]
    groups = list(dict.fromkeys(name.rpartition(": ")[0] for name in list(curve.columns)[1:]))
    drawn = []
    for group in groups[:MOST_PANELS]:
        parts = [curve[f"{group}: {name}"] for name in ("mean cc", "fit", "threshold")]
        ticks = tuple((float(at), str(at)) for at in range(0, 181, 45))
        frame = Frame(Axis("angle to the beam (deg)", 0, 180, ticks), Axis("cc", *spread(*parts)))
        marks = [
            frame.dots(angle, parts[0], "s1"),
            frame.line(angle, parts[1], "s2"),
            frame.line(angle, parts[2], "s4"),
        ]
        key = legend([("s1", "mean"), ("s2", "fit"), ("s4", "threshold")])
        drawn.append(figure(frame.drawn(f"cc over the angle to the beam, {group}", *marks), group, "", key))
    return drawn


def columns(curve: Curve, title: str) -> list[Markup]:
    """All columns over the first, those of a unit in one picture. What does not ascend is told as histograms."""
    axis, *names = curve.columns
    if not names or len(curve) < 2:
        return []
    if not (np.diff(curve[axis]) > 0).all() or len(curve) > 2000:
        return [histogram([(label(name), curve[name])], label(name), f"{title}: {label(name)}") for name in names[:6]]
    parts: dict[str, list[str]] = {}
    for name in names:
        parts.setdefault(unit_of(name), []).append(name)
    drawn = []
    for some in list(parts.values())[:6]:
        shown = some[: len(SERIES)]
        frame = Frame(
            Axis(label(axis), *spread(curve[axis])),
            Axis(label(shown[0]) if len(shown) == 1 else unit_of(shown[0]), *spread(*(curve[name] for name in shown))),
        )
        lines = [frame.line(curve[axis], curve[name], class_) for class_, name in zip(SERIES, shown, strict=False)]
        key = legend((class_, label(name)) for class_, name in zip(SERIES, shown, strict=False))
        drawn.append(figure(frame.drawn(f"{title} over {label(axis)}", *lines), title, "", key))
    return drawn


def over_iterations(
    series: Mapping[str, Sequence[tuple[int, float]]], axis: str, title: str, caption: str = ""
) -> Markup:
    """Numbers of each iteration, a line for each name."""
    known = {name: points for name, points in series.items() if points}
    numbers = sorted({at for points in known.values() for at, _ in points})
    if len(numbers) < 2:
        return Markup()
    values = np.array([value for points in known.values() for _, value in points])
    ticks = tuple((float(at), str(at)) for at in numbers[:: -(-len(numbers) // 12)])
    low, high = spread(values, floor=None if axis == "mean cc" or (values < 0).any() else 0.0)
    frame = Frame(Axis("iteration", numbers[0] - 0.2, numbers[-1] + 0.2, ticks), Axis(axis, low, high))
    marks, told = [], []
    for class_, (name, points) in zip(SERIES, known.items(), strict=False):
        ats, heights = zip(*points, strict=True)
        marks += [frame.line(ats, heights, class_), frame.dots(ats, heights, class_)]
        (first, start), (last, end) = points[0], points[-1]
        told.append(f"{name} {number(float(start))} in iteration {first}, {number(float(end))} in {last}")
    key = legend(zip(SERIES, known, strict=False))
    return figure(frame.drawn(f"{title} ({axis}): {'; '.join(told)}", *marks), title, caption, key)


def times(steps: Sequence[tuple[str, float]]) -> Markup:
    """A bar for each step, as long as it took."""
    longest = max((seconds for _, seconds in steps), default=0.0) or 1.0
    left, width, row = 150, 640, 19
    parts = []
    for at, (name, seconds) in enumerate(steps):
        y = at * row
        long = max(1.0, (width - left - 90) * seconds / longest)
        parts += [
            element("text", name, x=left - 8, y=y + 13, text_anchor="end", class_="small"),
            element("rect", x=left, y=y + 4, width=long, height=11, class_="bar s1"),
            element("text", duration(seconds), x=left + long + 6, y=y + 13, class_="small"),
        ]
    total = sum(seconds for _, seconds in steps)
    alt = f"Time of {len(steps)} steps, {duration(total)} in all"
    return picture(width, len(steps) * row + 4, alt, *parts)


_LEVELS = 6
_GAP = 1.1


def directions(table: Table) -> Markup:
    """The sphere of particle axes as two discs of equal area: towards +z on the left, -z on the right."""
    angles = table.angles[np.isfinite(table.angles).all(axis=1)]
    if not len(angles):
        return Markup()
    x, y, z = euler.axes(angles).T
    from_pole = np.sqrt(np.maximum(1 - np.abs(z), 0))  # sqrt(2) sin(angle / 2): 1 at the equator
    flat = np.maximum(np.hypot(x, y), 1e-12)
    side = np.where(z >= 0, -_GAP, _GAP)
    places, counts = _gathered(np.column_stack([side + from_pole * x / flat, from_pole * y / flat]))
    scale, middle = 96.0, (220.0, 112.0)
    most = int(counts.max())
    levels = np.minimum(_LEVELS, 1 + (_LEVELS * (counts - 1) // most)).astype(int)
    parts = []
    for level in range(1, _LEVELS + 1):
        spots = [(middle[0] + scale * px, middle[1] - scale * py) for px, py in places[levels == level]]
        if spots:  # a dot is a line of no length with round ends: ten letters each
            d = "".join(f"M{px:.1f} {py:.1f}h0" for px, py in spots)
            parts.append(element("path", d=d, class_=f"q{level} spots", stroke_width=round(scale * _APART * 1.04, 2)))
    for centre in (-_GAP, _GAP):
        for angle_deg in (30, 60, 90):
            radius = scale * np.sqrt(2) * np.sin(np.radians(angle_deg) / 2)
            parts.append(element("circle", cx=middle[0] + scale * centre, cy=middle[1], r=float(radius), class_="ring"))
            if centre < 0:
                beside = middle[0] + scale * centre + 3
                parts.append(
                    element("text", f"{angle_deg}°", x=beside, y=middle[1] - float(radius) + 11, class_="small halo")
                )
    for centre, word in ((-_GAP, "axes towards +z"), (_GAP, "towards −z")):
        parts.append(element("text", word, x=middle[0] + scale * centre, y=232, text_anchor="middle"))
    towards = int((z >= 0).sum())
    alt = f"Directions of {len(angles)} particle axes: {towards} towards +z, {len(angles) - towards} towards -z"
    drawn = picture(440, 240, alt, *parts)
    bounds = [round(1 + most * level / _LEVELS) for level in range(_LEVELS)]
    shades = [
        element(
            "svg",
            element("rect", width=14, height=10, class_=f"q{level + 1} spots"),
            viewBox="0 0 14 10",
            aria_hidden="true",
        )
        for level in range(_LEVELS)
    ]
    key = element(
        "div", element("span", f"{bounds[0]} ", joined(shades), f" {most} particles", class_="entry"), class_="legend"
    )
    return figure(
        drawn,
        "Directions of the particle axes",
        "Two discs of equal area; rings tell the angle of the axis to the beam.",
        key,
    )


_APART = 0.095
"""Distance of neighbouring dots, in radii of a disc."""


def _gathered(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Places of a hexagonal grid that points lie nearest to, and how many each: of two rectangular grids the nearer one."""
    apart = np.array([_APART, np.sqrt(3) * _APART])
    first = np.round(points / apart) * apart
    second = (np.floor(points / apart) + 0.5) * apart
    is_first = ((points - first) ** 2).sum(axis=1) <= ((points - second) ** 2).sum(axis=1)
    chosen = np.where(is_first[:, None], first, second)
    places, counts = np.unique(np.round(chosen, 6), axis=0, return_counts=True)
    return places, counts
