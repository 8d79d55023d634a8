"""A section of a report: what one project is for, what came out, how, and from what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from engine.address import is_address, parse
from engine.data import Catalogue, Curve, Table
from engine.kinds.form import references
from engine.plots.labels import label
from engine.report import figures, maps, settings
from engine.report.detail import Detail, chosen
from engine.report.markup import Markup, duration, element, joined, number, preformatted, table
from engine.report.reading import Group, Place, Reader

_MAPS = ("map", "average_symmetrized", "average", "unit_cell", "object", "mask")
"""The map that stands for a project: the first of these that it has."""
_MOST_TILES, _MOST_BARS, _MOST_ROWS = 6, 40, 60
_TABLES = ("table", "truth", "rejected", "dropped", "missed", "false", "gold")
_LONGEST_SOURCE = 20_000


class Section:
    """The parts of one project, in the order in which they are read.

    anchors: names of the projects that the page has too, with their sections. surfaces: those of the page so far, which its
    script draws. is_alone: the section is the whole page.
    """

    def __init__(
        self,
        reader: Reader,
        detail: Detail,
        anchors: Mapping[str, str],
        surfaces: list[dict[str, Any]],
        is_alone: bool = False,
    ) -> None:
        self.reader, self.detail, self.anchors, self.surfaces = reader, detail, anchors, surfaces
        self.is_alone = is_alone
        self.project = reader.project

    def drawn(self, anchor: str) -> Markup:
        title = self.project.form.title
        name = element(
            "h1" if self.is_alone else "h2", self.project.name, element("span", self.project.kind, class_="kind")
        )
        head = [
            name,
            element("p", title, class_="lead") if title else "",
            element("p", state(self.reader), class_="note"),
        ]
        if not self.reader.stored:
            body = [self._settings()]
        else:
            body = [self._tiles(), self._charts(), self._slices(), self._summary(), self._catalogue()]
            body += [self._settings(), self._times(), self._provenance()]
        return element("section", *head, *body, id=anchor)

    # What came out

    def _tiles(self) -> Markup:
        pairs = newest_numbers(self.reader)[:_MOST_TILES]
        tiles = []
        for name, value in pairs:
            words, unit = name_and_unit(name)
            shown = element("strong", rounded(value), element("small", f" {unit}") if unit else "")
            tiles.append(element("div", shown, element("span", words), class_="tile"))
        return element("div", *tiles, class_="tiles") if tiles else Markup()

    def _charts(self) -> Markup:
        parts = [self._surface(), *self._fsc(), *self._cc(), *self._curves(), *self._directions(), *self._changes()]
        return element("div", *parts, class_="charts")

    def _surface(self) -> Markup:
        item = next((name for name in _MAPS if self.reader.places(name)), None)
        if item is None or item == "mask" or not self.detail.surface_px:
            return Markup()
        group, place = self.reader.last(item)[0]
        density = self.reader.density(place)
        if density is None:
            return Markup()
        if density.sigmas.shape[0] > self.detail.surface_px:
            density = density.cropped(self.detail.surface_px)
        at = len(self.surfaces)
        self.surfaces.append(maps.packed(density))
        of = ", ".join(part for part in (label(item), group.title, _of_iteration(place)) if part)
        meant = "below" if density.is_dark else "above"
        alt = f"Surface of {of} at {density.level} standard deviations {meant} the mean; arrow keys turn it"
        canvas = element(
            "canvas", data_surface=at, width=880, height=660, tabindex="0", role="img", aria_label=alt, hidden=""
        )
        slider = element(
            "label",
            "Level",
            element("input", type="range", min="0.1", max=round(density.top, 1), step="0.05", value=density.level),
            element("output", f"{density.level} σ"),
            class_="level",
            hidden="",
        )
        fallback = element(
            "p", "The surface needs a browser with WebGL2; the slices below show the same map.", class_="fallback"
        )
        note = (
            f"Drag to turn, scroll with Ctrl to zoom. The level counts standard deviations {meant} the mean of the ball that "
            "fills the box; small loose pieces are hidden."
        )
        if density.is_dark:
            note += " Density is dark in this map: the surface holds what lies below the level."
        return element(
            "figure",
            element("figcaption", f"Surface: {of}"),
            canvas,
            fallback,
            slider,
            element("p", note, class_="note"),
            class_="surface",
        )

    def _fsc(self) -> list[Markup]:
        drawn = []
        some = self.reader.last("fsc")
        for group, place in some[: self.detail.panels]:
            curve = self.reader.curve(place)
            if curve is not None and any(name.startswith("fsc") for name in curve.columns):
                parts = ("Fourier shell correlation", group.title, _of_iteration(place))
                drawn.append(figures.fsc(curve, ", ".join(part for part in parts if part)))
        return [*drawn, _left_out("FSC curves", len(some), len(drawn))]

    def _cc(self) -> list[Markup]:
        """cc of the newest tables, beside those of the first iteration that has any."""
        if "mixture" in self.reader.project.items and self.reader.places("mixture"):
            return []
        newest, first = self._tables(-1), self._tables(1)
        series = [("the first iteration", first["cc"])] if first is not None and len(first) else []
        if newest is not None and len(newest):
            series.append(("the last iteration" if series else "all", newest["cc"]))
        return [figures.histogram(series, "cc", "Cross-correlation of the particles")]

    def _tables(self, which: int) -> Table | None:
        """The tables of all groups as one: the newest (-1), or those of an iteration that is not the newest."""
        chosen_places = []
        for places in self.reader.places("table").values():
            at = [place for place in places if place.ite == which] if which >= 0 else places[-1:]
            chosen_places += [place for place in at if which < 0 or place is not places[-1]]
        tables = [self.reader.table(place) for place in chosen_places]
        if not tables:
            return None
        return Table({name: np.concatenate([one[name] for one in tables]) for name in tables[0]})

    def _curves(self) -> list[Markup]:
        """All the curves but FSCs."""
        drawn: list[Markup] = []
        for item, named in self.project.items.items():
            if named.what != "curve" or item in ("fsc", "regions", "proposals", "dipoles", "vesicles", "directions"):
                continue
            for _, place in self.reader.last(item)[:1]:
                curve = self.reader.curve(place)
                if curve is not None:
                    drawn += _drawn_curve(curve, label(item))
        shown = [one for one in drawn if one][: self.detail.panels]
        return [*shown, _left_out("curves", len([one for one in drawn if one]), len(shown))]

    def _directions(self) -> list[Markup]:
        newest = self._tables(-1)
        if newest is None or not len(newest) or not newest.angles.any():
            return []
        return [figures.directions(newest)]

    def _changes(self) -> list[Markup]:
        """How far poses moved in each iteration, and how cc and resolution went."""
        places = [one for of in self.reader.places("table").values() for one in of]
        numbers = sorted({place.ite for place in places if place.ite})
        moves: dict[str, dict[str, list[tuple[int, float]]]] = {"px": {}, "deg": {}}
        for ite in numbers:
            some = [self.reader.table(place) for place in places if place.ite == ite]
            for unit, column, name in _MOVES:
                values = np.concatenate([one[column] for one in some]) if some else np.zeros(0)
                values = np.abs(values[np.isfinite(values)])
                if len(values):
                    for words, share in (("median", 0.5), ("90 %", 0.9)):
                        moves[unit].setdefault(f"{name}, {words}", []).append((ite, float(np.quantile(values, share))))
        drawn = [
            figures.over_iterations(moves["px"], "change of shift (px)", "Change of shifts"),
            figures.over_iterations(moves["deg"], "change of angles (deg)", "Change of angles"),
        ]
        for name, axis, title in _COURSES:
            course: dict[str, list[tuple[int, float]]] = {}
            for group, of in list(self.reader.places("summary").items())[: len(figures.SERIES)]:
                for place in of:
                    value = self.reader.summary(place).get(name)
                    if place.ite and isinstance(value, int | float):
                        course.setdefault(group.title or title, []).append((place.ite, float(value)))
            drawn.append(figures.over_iterations(course, axis, title))
        return drawn

    def _slices(self) -> Markup:
        """Slices of the map of each iteration; of other maps of the newest."""
        if not self.detail.slices_px:
            return Markup()
        parts = []
        items = [
            item for item in ("map", "average", "unit_cell", "object", "mask", "tomogram") if self.reader.places(item)
        ]
        items += [item for item in self.project.items if item.startswith("binned") and self.reader.places(item)]
        for item in items[:4]:
            groups = list(self.reader.places(item).items())
            cells = []
            for group, places in groups[: self.detail.panels]:
                for at in chosen(len(places), self.detail.iterations):
                    cells.append(self._cell(item, group, places[at]))
            if any(cells):
                head = element("h3", f"Slices: {label(item)}")
                parts += [head, element("div", *cells, class_="strip")]
                left = _left_out("maps", sum(len(of) for _, of in groups), len([cell for cell in cells if cell]))
                parts.append(element("p", _field_of(self.reader, groups[0][1][-1]), " ", left, class_="note"))
        return joined(parts)

    def _cell(self, item: str, group: Group, place: Place) -> Markup:
        if item == "average":  # with the symmetry, where there is one
            same = [one for one in self.reader.places("average_symmetrized").get(group, []) if one.step is place.step]
            place = same[0] if same else place
        slices = self.reader.slices(place)
        if slices is None:
            return Markup()
        is_box = len(slices.planes) == 3
        slices = slices.smaller(self.detail.slices_px if is_box else self.detail.tomogram_px)
        title = ", ".join(part for part in (group.title, _of_iteration(place)) if part)
        return element(
            "figure", maps.images(slices, f"{label(item)} {title}".strip()), element("figcaption", title or label(item))
        )

    def _summary(self) -> Markup:
        """The newest summaries: one as pairs, several side by side."""
        some = [(group, self.reader.summary(place)) for group, place in self.reader.last("summary")]
        some += [(Group(None, None), self.reader.summary(place)) for _, place in self.reader.last("found")]
        some = [(group, flattened(summary)) for group, summary in some if summary][: self.detail.panels]
        if not some:
            return Markup()
        names = list(dict.fromkeys(name for _, summary in some for name in summary))
        rows = [[name, *(summary.get(name, "") for _, summary in some)] for name in names[:_MOST_ROWS]]
        head = ["", *(group.title for group, _ in some)] if len(some) > 1 else []
        more = _left_out("numbers", len(names), len(rows))
        return joined([element("h3", "Summary"), table(rows, head, "" if head else "pairs"), more])

    def _catalogue(self) -> Markup:
        """Tomograms that a catalogue knows, and the spheres, regions and lists that a picking tells."""
        found = [self.reader.value(place) for _, place in self.reader.last("tomograms")]
        catalogues = [one for one in found if isinstance(one, Catalogue)]
        parts = []
        if catalogues:
            rows = Catalogue.joined(catalogues).rows()
            names = [name for name in rows[0] if any(row[name] not in (None, "") for row in rows)] if rows else []
            cells = [[_fact(row[name]) for name in names] for row in rows[:_MOST_ROWS]]
            titles = ["size xyz (px)" if name == "shape_zyx" else label(name) for name in names]
            parts += [element("h3", "Tomograms"), table(cells, titles), _left_out("tomograms", len(rows), len(cells))]
        for item in ("regions", "vesicles", "proposals"):
            for group, place in self.reader.last(item)[: self.detail.panels]:
                curve = self.reader.curve(place)
                if curve is not None:
                    cells = [[_short(value) for value in row] for row in zip(*curve.columns.values(), strict=True)]
                    title = f"{label(item).capitalize()}{f', {group.title}' if group.title else ''}"
                    shown = cells[: _MOST_ROWS // 2]
                    body = table(shown, [label(name) for name in curve.columns])
                    inside = [element("summary", title), body, _left_out("rows", len(cells), len(shown))]
                    parts.append(element("details", *inside))
        return joined(parts)

    # How, and from what

    def _settings(self) -> Markup:
        links = {text: self._source(text) for _, _, text in references(self.project.form)}
        parts = [element("h3", "Settings"), settings.shown(self.project, links)]
        if self.detail.has_source and len(self.project.text) <= _LONGEST_SOURCE:
            source = element("summary", "The project file, ", element("code", self.project.path.name))
            parts.append(element("details", source, preformatted(self.project.text.strip("\n"))))
        return joined(parts)

    def _source(self, text: str) -> Markup:
        """What is read, leading to its section where the report has one."""
        anchor = self.anchors.get(parse(text).project) if is_address(text) else None
        return element("a", text, href=f"#{anchor}") if anchor else element("span", text)

    def _times(self) -> Markup:
        """How long each step took, the same steps of all tomograms together."""
        sums: dict[str, float] = {}
        for step, facts in self.reader.facts:
            name = step.name.partition("/")[2] if step.name.startswith("tomo_") else step.name
            sums[name] = sums.get(name, 0.0) + facts.seconds
        if len(sums) < 2:
            return Markup()
        longest = sorted(sums, key=lambda name: -sums[name])[:_MOST_BARS]
        shown = [(name, seconds) for name, seconds in sums.items() if name in longest]
        together = " Steps of all tomograms are taken together." if len(self.reader.facts) > len(sums) else ""
        note = f"{duration(sum(sums.values()))} in all.{together}"
        left = _left_out("steps", len(sums), len(shown))
        return joined([element("h3", "Time"), figures.times(shown), element("p", note, " ", left, class_="note")])

    def _provenance(self) -> Markup:
        facts = [one for _, one in self.reader.facts]
        engines = ", ".join(sorted({one.engine for one in facts}))
        machines = ", ".join(sorted({one.devices for one in facts}))
        began, ended = min(one.started for one in facts), max(one.started for one in facts)
        pairs = [
            ("engine", engines),
            ("computed on", machines),
            ("first and last step begun", f"{_time(began)}, {_time(ended)}"),
        ]
        parts = [element("h3", "Provenance"), table(pairs, class_="pairs")]
        if self.detail.has_provenance:
            rows = [
                [
                    one.step,
                    element("code", one.key[:12]),
                    f"{one.function.rpartition('.')[2]}, version {one.version}",
                    joined(
                        (element("div", f"{name}: ", element("code", _key(key))) for name, key in one.inputs.items())
                    ),
                    _time(one.started),
                    duration(one.seconds),
                ]
                for one in facts[: 3 * _MOST_ROWS]
            ]
            head = ["step", "key", "function", "keys of its inputs", "begun (UTC)", "took"]
            left = _left_out("steps", len(facts), len(rows))
            inside = [element("summary", f"Steps and their keys ({len(facts)})"), table(rows, head, "keys"), left]
            parts.append(element("details", *inside))
        return joined(parts)


_MOVES = (("px", "dshift", "shift"), ("deg", "daxis", "axis"), ("deg", "dnarot", "azimuth"))
_COURSES = (
    ("mean cc", "mean cc", "Mean cc"),
    ("resolution at FSC 0.143 (A)", "resolution (Å)", "Resolution at FSC 0.143"),
)


def state(reader: Reader) -> str:
    """`5 of 5 steps, 4 min 10 s, 2026-03-01`; what is stale or missing is told."""
    status = reader.status
    parts = [f"{status.n_done} of {status.n_steps} step{'' if status.n_steps == 1 else 's'} done"]
    if status.n_stale:
        parts.append(f"{status.n_stale} made with other settings than these")
    if status.is_running:
        parts.append("running")
    if reader.facts:
        parts.append(f"{duration(sum(facts.seconds for _, facts in reader.facts))} of computing")
        parts.append(max(facts.started for _, facts in reader.facts)[:10])
    return ", ".join(parts) if reader.stored else "Not run yet."


def newest_numbers(reader: Reader) -> list[tuple[str, float]]:
    """Numbers of the newest summary, what most ask for first. Of several tomograms only what adds up or is of all."""
    some = reader.last("summary")
    if not some:
        return []
    found = flattened(reader.summary(some[0][1]))
    numbers = [
        (name, value) for name, value in found.items() if isinstance(value, int | float) and not isinstance(value, bool)
    ]
    if len(some) > 1:
        several = [flattened(reader.summary(place)) for _, place in some]
        shared = [(name, [one.get(name) for one in several]) for name, _ in numbers]
        noun = "tomograms" if some[0][0].tomo is not None else "references"
        counts = [
            (f"{name}, all {noun}", sum(value for value in values if value is not None))
            for name, values in shared
            if all(type(value) is int for value in values)
        ]
        return [(noun, len(some)), *counts]
    resolution_A = reader.status.resolution_A
    if resolution_A and not any("resolution" in name for name, _ in numbers):
        numbers.append(("resolution at FSC 0.143 (A)", resolution_A))
    return sorted(
        numbers, key=lambda pair: next((at for at, name in enumerate(_FIRST) if pair[0].startswith(name)), 99)
    )


_FIRST = ("resolution at FSC 0.143", "final resolution", "found", "kept", "points", "mean cc", "particles", "averaged")


def flattened(summary: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """The numbers and texts of nested mappings, `outer: inner` to value."""
    found: dict[str, Any] = {}
    for name, value in summary.items():
        if isinstance(value, Mapping):
            found |= flattened(value, f"{before}{name}: ")
        else:
            found[f"{before}{name}"] = number(value) if isinstance(value, list) else value
    return found


def _drawn_curve(curve: Curve, title: str) -> list[Markup]:
    shows = str(curve.notes.get("shows", ""))
    if shows == "mixture":
        return figures.mixture(curve)
    if shows == "latitude":
        return figures.latitude(curve)
    return figures.columns(curve, title.capitalize())


def _of_iteration(place: Place) -> str:
    return "" if place.ite is None else f"iteration {place.ite}" if place.ite else "start"


def _left_out(things: str, n: int, shown: int) -> Markup:
    return element("span", f"{shown} of {n} {things} are shown.", class_="note") if shown < n else Markup()


def _field_of(reader: Reader, place: Place) -> str:
    slices = reader.slices(place)
    if slices is None:
        return ""
    planes = "Planes xy, xz and yz through the box centre" if len(slices.planes) == 3 else "The middle xy plane"
    return f"{planes}, {slices.says}; each map in its own scale of grey."


def name_and_unit(name: str) -> tuple[str, str]:
    """`resolution (A)` as (resolution, Å)."""
    words, bracket, unit = name.removesuffix(")").rpartition(" (")
    if not bracket or not name.endswith(")"):
        return name, ""
    return words, {"A": "Å", "A2": "Å²"}.get(unit, unit)


def rounded(value: float) -> str:
    """Three digits; all of a count."""
    return f"{value:,}" if isinstance(value, int) else f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _fact(value: Any) -> Any:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return " to ".join(map(number, value)) if len(value) == 2 else " × ".join(map(number, value[::-1]))
    return "" if value is None else value


def _short(value: float) -> float | int:
    return int(value) if float(value).is_integer() and abs(value) < 1e15 else float(value)


def _key(key: str) -> str:
    """A key short enough to compare by eye."""
    head, slash, item = key.partition("/")
    kind, colon, digest = head.rpartition(":")
    return f"{kind}{colon}{digest[:12]}{slash}{item}"


def _time(text: str) -> str:
    return text[:16].replace("T", " ")
