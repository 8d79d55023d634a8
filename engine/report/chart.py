"""Small charts as inline SVG: axes with round numbers, lines, bars. Colours are classes of the page's style."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from engine.plots.labels import has_spread
from engine.report.markup import Markup, element, joined

_LEFT, _RIGHT, _TOP, _BOTTOM = 50, 12, 12, 38

Numbers = Sequence[float] | np.ndarray


@dataclass(frozen=True)
class Axis:
    """What an axis says and from where to where it goes. ticks: (where, what stands there); round numbers if not given."""

    label: str
    low: float
    high: float
    ticks: tuple[tuple[float, str], ...] = ()

    @property
    def marks(self) -> tuple[tuple[float, str], ...]:
        return self.ticks or tuple((value, f"{value:.6g}") for value in round_numbers(self.low, self.high))


@dataclass(frozen=True)
class Frame:
    """A rectangle between two axes, in px of the picture."""

    x: Axis
    y: Axis
    width: int = 440
    height: int = 250

    def across(self, value: float) -> float:
        return _LEFT + (value - self.x.low) / (self.x.high - self.x.low) * (self.width - _LEFT - _RIGHT)

    def up(self, value: float) -> float:
        span = self.height - _TOP - _BOTTOM
        return _TOP + span - (value - self.y.low) / (self.y.high - self.y.low) * span

    def line(self, xs: Numbers, ys: Numbers, class_: str) -> Markup:
        """A line through the points that are numbers."""
        points = [(x, y) for x, y in zip(xs, ys, strict=True) if np.isfinite(x) and np.isfinite(y)]
        text = " ".join(f"{self.across(x):.1f},{self.up(y):.1f}" for x, y in points)
        return element("polyline", points=text, class_=f"line {class_}") if points else Markup()

    def dots(self, xs: Numbers, ys: Numbers, class_: str) -> Markup:
        return joined(
            element("circle", cx=f"{self.across(x):.1f}", cy=f"{self.up(y):.1f}", r="2.6", class_=f"dot {class_}")
            for x, y in zip(xs, ys, strict=True)
            if np.isfinite(x) and np.isfinite(y)
        )

    def bars(self, edges: Numbers, counts: Numbers, class_: str) -> Markup:
        """Bars from the axis up, as one path."""
        floor = self.up(self.y.low)
        parts = [
            f"M{self.across(low):.1f} {floor:.1f}V{self.up(count):.1f}H{self.across(high):.1f}V{floor:.1f}Z"
            for low, high, count in zip(edges, edges[1:], counts, strict=False)
            if count > 0
        ]
        return element("path", d="".join(parts), class_=f"bar {class_}") if parts else Markup()

    def level(self, y: float, label: str) -> Markup:
        """A dashed line across, with what it means at its left end."""
        at = self.up(y)
        line = element("line", x1=_LEFT, x2=self.width - _RIGHT, y1=at, y2=at, class_="threshold")
        words = element("text", label, x=_LEFT + 4, y=at - 4, class_="small")
        return joined([line, words])

    def upright(self, x: float, label: str) -> Markup:
        """A dashed line up, with what it means beside its top."""
        at = self.across(x)
        is_late = at > 0.7 * self.width
        side = "end" if is_late else "start"
        words = element(
            "text", label, x=at - 4 if is_late else at + 4, y=_TOP + 10, text_anchor=side, class_="small halo"
        )
        line = element("line", x1=at, x2=at, y1=_TOP, y2=self.height - _BOTTOM, class_="threshold")
        return joined([line, words])

    def named_dot(self, x: float, y: float, label: str, class_: str) -> Markup:
        """A dot with what it means above it on the right, where a falling curve leaves room; on the left at the end."""
        across, up = self.across(x), self.up(y)
        is_late = across > 0.84 * self.width
        side = "end" if is_late else "start"
        words = element(
            "text", label, x=across - 7 if is_late else across + 7, y=up - 6, text_anchor=side, class_="halo strong"
        )
        return joined([element("circle", cx=across, cy=up, r="3.2", class_=f"dot {class_}"), words])

    def drawn(self, alt: str, *marks: Markup) -> Markup:
        """The picture: axes first, then the marks."""
        right, floor = self.width - _RIGHT, self.height - _BOTTOM
        grid = [
            element("line", x1=_LEFT, x2=right, y1=self.up(y), y2=self.up(y), class_="grid") for y, _ in self.y.marks
        ]
        words = [
            element("text", word, x=_LEFT - 7, y=self.up(y) + 4, text_anchor="end", class_="small")
            for y, word in self.y.marks
        ]
        words += [
            element("text", word, x=self.across(x), y=floor + 15, text_anchor="middle", class_="small")
            for x, word in self.x.marks
        ]
        middle = (_TOP + floor) / 2
        words += [
            element("text", self.x.label, x=(_LEFT + right) / 2, y=self.height - 5, text_anchor="middle"),
            element(
                "text", self.y.label, x=12, y=middle, text_anchor="middle", transform=f"rotate(-90 12 {middle:.0f})"
            ),
        ]
        base = element("line", x1=_LEFT, x2=right, y1=floor, y2=floor, class_="axis")
        return picture(self.width, self.height, alt, *grid, *marks, base, *words)


def picture(width: float, height: float, alt: str, *parts: Markup) -> Markup:
    return element("svg", *parts, viewBox=f"0 0 {width:g} {height:g}", role="img", aria_label=alt, class_="chart")


def legend(entries: Iterable[tuple[str, str]]) -> Markup:
    """(class, what it is) of each line."""
    named = [
        element(
            "span",
            element(
                "svg", element("path", d="M1 5H17", class_=f"line {class_}"), viewBox="0 0 18 10", aria_hidden="true"
            ),
            label,
            class_="entry",
        )
        for class_, label in entries
    ]
    return element("div", *named, class_="legend") if len(named) > 1 else Markup()


def round_numbers(low: float, high: float, about: int = 5) -> list[float]:
    """1, 2 or 5 times a power of ten apart."""
    span = high - low
    if not np.isfinite(span) or span <= 0:
        return [low]
    power = 10.0 ** np.floor(np.log10(span / about))
    apart = next(step * power for step in (1, 2, 5, 10) if span / (step * power) <= about)
    first = int(np.ceil(low / apart - 1e-9))
    last = int(np.floor(high / apart + 1e-9))
    return [float(number * apart) for number in range(first, last + 1)]


def spread(*values: np.ndarray, floor: float | None = None) -> tuple[float, float]:
    """From the least to the greatest number, a little wider; from floor, where one is given."""
    known = np.concatenate([np.ravel(one) for one in values]) if values else np.zeros(0)
    known = known[np.isfinite(known)]
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
    if floor is not None:
        low = floor
    if not has_spread(np.array([low, high])):
        high = low + (abs(low) or 1.0)
    margin = 0.06 * (high - low)
    return (low if floor is not None else low - margin), high + margin
