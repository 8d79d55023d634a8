"""Pictures of results: what people look at before they go on. The only room that imports matplotlib."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.data import Curve, Table, Volume
from engine.plots.curves import draw_curve
from engine.plots.labels import plain
from engine.plots.tables import draw_table
from engine.plots.volumes import draw_slices

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["ENDINGS", "draw", "figure_of"]

ENDINGS = (".png", ".pdf", ".svg")


def figure_of(value: Volume | Curve | Table, pixel_size_A: float = 0.0) -> Figure:
    """A figure of a volume, a curve or a table. pixel_size_A is for tables whose column apix is empty; 0: not known."""
    from matplotlib.figure import Figure

    figure = Figure(layout="constrained")
    if isinstance(value, Volume):
        draw_slices(figure, value)
    elif isinstance(value, Curve):
        names = {name: plain(name) for name in (*value.columns, *value.notes)}
        columns = {names[name]: values for name, values in value.columns.items()}
        draw_curve(figure, Curve(columns, {names[name]: note for name, note in value.notes.items()}))
    else:
        draw_table(figure, value, pixel_size_A)
    return figure


def draw(value: Any, path: Path, pixel_size_A: float = 0.0) -> None:
    """Writes the figure as the file's ending says, one of ENDINGS."""
    figure_of(value, pixel_size_A).savefig(path, format=path.suffix.lower().removeprefix("."), dpi=150)
