"""A table of particles: where they lie and point to, their cc, their directions, their neighbours."""

from __future__ import annotations

from typing import Any

import numpy as np

from engine.data import Table
from engine.faults import EngineError
from engine.geometry import euler, neighbours
from engine.plots.labels import has_spread

MOST_TOMOGRAMS = 9
_BINS = 50
_OF_REGIONS: dict[str, Any] = {"cmap": "tab10", "clim": (-0.5, 9.5)}
_ARROW, _LEAST_ARROW = 0.6, 0.02
"""Length of an axis: in distances to the nearest neighbour, and at least this share of the tomogram."""
_FROM_ABOVE_DEG, _ZOOM = 45, 1.0
"""Whence a tomogram is seen, and how large: flat as it is, it fills its panel then, and its labels stay inside."""


def draw_table(figure: Any, table: Table, pixel_size_A: float = 0.0) -> None:
    """Positions with axes for each tomogram, then the histogram of cc, the directions and the nearest neighbours.

    Lengths are in A where the column apix or pixel_size_A tells the pixel size, else in px. Colours are those of the cc; while
    all are equal, of the regions. A table whose rows all lie at the origin has no positions: the panels that need them are left
    out. No rows at all are an EngineError.
    """
    is_somewhere = np.isfinite(np.column_stack([table.positions_xyz_px, table.shifts_xyz_px, table.angles])).all(axis=1)
    if not is_somewhere.any():
        raise EngineError("the table has no rows to draw")
    if not is_somewhere.all():
        figure.suptitle(f"{(~is_somewhere).sum()} rows without a pose or a position are left out", fontsize="medium")
    table = table.where(is_somewhere)
    centres, unit = _centres(table, pixel_size_A)
    tomograms = np.unique(table["tomo"])
    if not centres.any():
        figure.set_size_inches(8, 3.6)
        for place, draw in zip(figure.subplots(1, 2), (_draw_cc, _draw_directions), strict=True):
            draw(place, table)
        return
    nearest = neighbours.nearest_distances(centres, table["tomo"])
    shown = tomograms[:MOST_TOMOGRAMS]
    across = min(3, len(shown))
    down = -(-len(shown) // across)
    figure.set_size_inches(12, 3.4 * down + 3.6)
    above, below = figure.subfigures(2, 1, height_ratios=[3.4 * down, 3.6])
    has_cc = len(np.unique(table["cc"][np.isfinite(table["cc"])])) > 1
    values, colours = (table["cc"], _of_cc(table["cc"])) if has_cc else (table["reg"] % 10, _OF_REGIONS)
    for number, tomogram in enumerate(shown, start=1):
        place = above.add_subplot(down, across, number, projection="3d")
        mine = table["tomo"] == tomogram
        _draw_positions(place, centres[mine], euler.axes(table.angles[mine]), nearest[mine], unit)
        for drawn in place.collections:
            drawn.set(array=values[mine], **colours)
        place.set_title(f"tomogram {tomogram:g}: {mine.sum()} particles", fontsize="medium")
    if has_cc:
        above.colorbar(place.collections[0], ax=above.axes, label="cc", shrink=0.5, pad=0.04)
    if len(shown) < len(tomograms):
        above.suptitle(f'the first {len(shown)} of {len(tomograms)} tomograms (choose: --where "tomo in (7, 8)")')
    places = below.subplots(1, 3, width_ratios=[1, 1.5, 1])
    _draw_cc(places[0], table)
    _draw_directions(places[1], table)
    _draw_nearest(places[2], nearest, unit)


def _centres(table: Table, pixel_size_A: float) -> tuple[np.ndarray, str]:
    """(n, 3) refined centres, and their unit."""
    centres = table.positions_xyz_px + table.shifts_xyz_px
    if not table.positions_xyz_px.any():
        return np.zeros_like(centres), "px"
    sizes_A = np.where(table["apix"] > 0, table["apix"], pixel_size_A)
    return (centres * sizes_A[:, None], "Å") if (sizes_A > 0).all() else (centres, "px")


def _of_cc(cc: np.ndarray) -> dict[str, Any]:
    """One scale of colours for all tomograms."""
    known = cc[np.isfinite(cc)]
    return {"cmap": "viridis", "clim": (float(known.min()), float(known.max()))}


def _draw_positions(place: Any, centres: np.ndarray, axes: np.ndarray, nearest: np.ndarray, unit: str) -> None:
    """A line for each particle along its axis, and a dot where it starts."""
    from mpl_toolkits.mplot3d.art3d import Line3DCollection

    apart = nearest[np.isfinite(nearest) & (nearest > 0)]
    length = max(_ARROW * float(np.median(apart)) if len(apart) else 1.0, _LEAST_ARROW * float(np.ptp(centres)))
    place.add_collection3d(Line3DCollection(np.stack([centres, centres + length * axes], axis=1), linewidths=0.8))
    place.scatter(*centres.T, c=np.zeros(len(centres)), s=2, depthshade=False)
    place.set(xlabel=f"x ({unit})", ylabel=f"y ({unit})", zlabel=f"z ({unit})")
    place.set_box_aspect(np.maximum(np.ptp(centres, axis=0), 0.05 * np.ptp(centres, axis=0).max() + 1e-9), zoom=_ZOOM)
    place.view_init(elev=_FROM_ABOVE_DEG)
    place.tick_params(labelsize="x-small", pad=0)
    place.locator_params(nbins=4)
    place.zaxis.set_rotate_label(False)
    place.zaxis.label.set_rotation(90)


def _draw_cc(place: Any, table: Table) -> None:
    """How many particles have which cc, each tomogram a line where there are a few."""
    cc, tomograms = table["cc"], np.unique(table["tomo"])
    is_number = np.isfinite(cc)
    place.set(xlabel="cc", ylabel="particles", title=f"{len(table)} particles")
    if not cc[is_number].any():
        place.set(xticks=[], yticks=[])
        place.annotate("no cc yet", (0.5, 0.5), xycoords="axes fraction", ha="center", va="center", color="0.4")
        return
    known = cc[is_number] if has_spread(cc[is_number]) else np.full(1, cc[is_number][0])
    edges = np.histogram_bin_edges(known, min(_BINS, max(5, len(cc) // 10)))
    if 1 < len(tomograms) <= MOST_TOMOGRAMS:
        for tomogram in tomograms:
            counts = np.histogram(cc[is_number & (table["tomo"] == tomogram)], edges)[0]
            place.stairs(counts, edges, label=f"tomogram {tomogram:g}")
        place.legend(fontsize="x-small")
    else:
        place.hist(cc[is_number], edges)


def _draw_directions(place: Any, table: Table) -> None:
    """The sphere of axes as two discs of equal area, seen along the beam: +z on the left, -z on the right."""
    x, y, z = euler.axes(table.angles).T
    from_pole = np.sqrt(np.maximum(1 - np.abs(z), 0))  # sqrt(2) sin(angle / 2): 1 at the equator
    level = np.maximum(np.hypot(x, y), 1e-12)
    side = np.where(z >= 0, -1.1, 1.1)
    drawn = place.hexbin(
        side + from_pole * x / level, from_pole * y / level, gridsize=(44, 13), extent=(-2.2, 2.2, -1.1, 1.1), mincnt=1
    )
    turn = np.linspace(0, 2 * np.pi, 181)
    for angle_deg in (30, 60, 90):
        radius = np.sqrt(2) * np.sin(np.radians(angle_deg) / 2)
        for middle in (-1.1, 1.1):
            place.plot(middle + radius * np.cos(turn), radius * np.sin(turn), color="0.5", linewidth=0.6)
        place.annotate(
            f"{angle_deg}°",
            (-1.1, radius),
            fontsize="x-small",
            ha="center",
            va="center",
            bbox={"boxstyle": "round,pad=0.1", "facecolor": "white", "edgecolor": "none", "alpha": 0.8},
        )
    place.set(aspect="equal", xticks=[-1.1, 1.1], yticks=[], xlabel="rings: angle of the axis to the beam (deg)")
    place.set_xticklabels(["axes towards +z", "towards -z"])
    place.set_title("directions of the axes")
    place.figure.colorbar(drawn, ax=place, label="particles", shrink=0.6, ticks=_whole_numbers())


def _whole_numbers() -> Any:
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(nbins=5, integer=True)


def _draw_nearest(place: Any, nearest: np.ndarray, unit: str) -> None:
    """Distances to the nearest neighbour, up to twice the median; how many lie beyond stands in the title."""
    known = nearest[np.isfinite(nearest)]
    place.set(xlabel=f"distance to the nearest neighbour ({unit})", ylabel="particles")
    if not len(known):
        place.set_title("no neighbours")
        return
    median = float(np.median(known))
    limit = 2 * median if median > 0 else float(known.max()) or 1.0
    place.hist(known[known <= limit], _BINS, range=(0, limit))
    place.axvline(median, color="black", linewidth=0.8, linestyle="--")
    beyond = int((nearest > limit).sum())
    place.set_title(f"median {median:.3g} {unit}" + (f", {beyond} beyond" if beyond else ""))
