"""Curves: an FSC with its resolutions, the fits of a selection for each tomogram, anything else against its first column."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from engine.data import Curve
from engine.faults import EngineError
from engine.plots.labels import label, unit_of

_FSC_LEVELS = (0.143, 0.5)
_MOST_PANELS = 12


def draw_curve(figure: Any, curve: Curve) -> None:
    """Whatever the curve shows, with units on its axes. A curve without points is an EngineError."""
    if not len(curve):
        raise EngineError("the curve has no points to draw")
    figure.set_size_inches(6, 4)
    panels: dict[Any, Callable[[Any, Curve, str], None]] = {"mixture": _draw_mixture, "latitude": _draw_latitude}
    if draw_group := panels.get(str(curve.notes.get("shows", ""))):
        _draw_groups(figure, curve, draw_group)
    elif any("fsc" in name.lower() for name in curve.columns):
        _draw_fsc(figure.subplots(), curve)
    else:
        _draw_columns(figure, curve)


def _draw_columns(figure: Any, curve: Curve) -> None:
    """All columns over the first: those of each unit in a panel of their own. What does not ascend is drawn as points."""
    axis, *names = curve.columns
    parts: dict[str, list[str]] = {}
    for name in names:
        parts.setdefault(unit_of(name), []).append(name)
    across = min(3, len(parts))
    down = -(-len(parts) // across)
    figure.set_size_inches(6 if across == 1 else 4.2 * across, 4 if down == 1 else 3.2 * down)
    places = figure.subplots(down, across, squeeze=False).ravel()
    for place, some in zip(places, parts.values(), strict=False):
        _draw_over(place, curve, axis, some)
    for place in places[len(parts) :]:
        place.remove()


def _draw_over(place: Any, curve: Curve, axis: str, names: list[str]) -> None:
    style = "-" if (np.diff(curve[axis]) > 0).all() else "."
    for name in names:
        place.plot(curve[axis], curve[name], style, label=label(name))
    place.set_xlabel(label(axis))
    if len(names) == 1:
        place.set_ylabel(label(names[0]))
    else:
        place.legend(fontsize="small")


def _draw_fsc(place: Any, curve: Curve) -> None:
    """The columns that are an FSC, with the lines of 0.143 and 0.5; above, the resolutions where they are known."""
    axis = next(iter(curve.columns))
    for name in curve.columns:
        if "fsc" in name.lower() and name != axis:
            place.plot(curve[axis], curve[name], label=label(name))
    for level in _FSC_LEVELS:
        place.axhline(level, color="0.5", linewidth=0.8, linestyle="--")
        place.annotate(str(level), (1, level), xycoords=("axes fraction", "data"), va="bottom", ha="right")
    place.set(xlabel=label(axis), ylabel="FSC", ylim=(-0.1, 1.05))
    place.legend()
    if "resolution_A" in curve.columns and curve["resolution_A"].any():
        shells = np.unique(np.linspace(0, len(curve) - 1, 7).astype(int))[1:]
        above = place.secondary_xaxis("top")
        above.set_xticks(curve[axis][shells], [f"{value:.3g}" for value in curve["resolution_A"][shells]])
        above.set_xlabel("resolution (Å)")


def _draw_groups(figure: Any, curve: Curve, draw: Callable[[Any, Curve, str], None]) -> None:
    """A panel for each tomogram or region; of very many the first ones, and the title says so."""
    groups = list(dict.fromkeys(name.partition(": ")[0] for name in list(curve.columns)[1:]))
    shown = groups[:_MOST_PANELS]
    across = min(3, len(shown))
    down = -(-len(shown) // across)
    figure.set_size_inches(4.2 * across, 3.2 * down)
    places = figure.subplots(down, across, squeeze=False).ravel()
    for place, group in zip(places, shown, strict=False):
        draw(place, curve, group)
        place.set_xlabel(label(next(iter(curve.columns))))
    for place in places[len(shown) :]:
        place.remove()
    if len(shown) < len(groups):
        figure.suptitle(f"the first {len(shown)} of {len(groups)}")


def _draw_mixture(place: Any, curve: Curve, group: str) -> None:
    """Particles for each cc, the two Gaussians and their sum, and the threshold."""
    cc = curve["cc"]
    place.bar(cc, curve[f"{group}: particles"], width=cc[1] - cc[0], color="0.8")
    kinds = [name for name in (f"{group}: bad", f"{group}: good") if name in curve.columns]
    for name in kinds:
        place.plot(cc, curve[name], label=name.rpartition(": ")[2])
    if kinds:
        place.plot(cc, sum(curve[name] for name in kinds), color="black", linewidth=0.8, label="both")
    threshold = float(curve.notes[f"{group}: threshold"])
    is_fallback = str(curve.notes[f"{group}: how"]).startswith("fallback")
    place.axvline(
        threshold, color="black", linestyle="--", label=f"{threshold:.3f}{' (fallback)' if is_fallback else ''}"
    )
    place.set(title=group, ylabel="particles")
    place.legend(fontsize="x-small")


def _draw_latitude(place: Any, curve: Curve, group: str) -> None:
    """Mean cc for each angle to the beam, the fitted course and the threshold along it."""
    angle_deg = curve["angle_to_beam_deg"]
    place.plot(angle_deg, curve[f"{group}: mean cc"], "o", color="0.6", markersize=3, label="mean")
    place.plot(angle_deg, curve[f"{group}: fit"], label="fit")
    place.plot(angle_deg, curve[f"{group}: threshold"], color="black", linestyle="--", label="threshold")
    place.set(title=group, ylabel="cc", xlim=(0, 180), xticks=range(0, 181, 45))
    place.legend(fontsize="x-small")
