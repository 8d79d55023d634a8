"""A picking's items and steps."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from engine.data import Catalogue, Curve, Table
from engine.devices import Work
from engine.each import first_tag
from engine.faults import EngineError
from engine.geometry import even
from engine.kinds import binning
from engine.kinds.form import Form, reads
from engine.kinds.picking import peaks
from engine.kinds.picking.dropping import WORDS, Reason, is_near_border, is_near_gold
from engine.kinds.picking.finding import Found, cost_of_finding, find
from engine.kinds.picking.form import (
    AnyModel,
    Borders,
    Finding,
    Gold,
    PeaksModel,
    Project,
    Surface,
    SurfacesModel,
    Tomogram,
)
from engine.kinds.picking.marked import Group, Place, Places, groups_of, named_marks, place_listed, place_of
from engine.kinds.picking.points import Picked, picked
from engine.kinds.picking.shapes import Shape, shapes_of
from engine.outputs import Outputs
from engine.step import Cost, Input, Named, Share, Step

ITEMS = {
    "table": Named("table", "oriented points: tag, tomo, reg, position, angles"),
    "dropped": Named("table", "points left out; column annotation: 1 near the border, 2 near gold"),
    "regions": Named("curve", "for every region: its points, extent, spacing and the spread of it"),
    "summary": Named("summary", "how many points, how evenly, how many were dropped and why"),
    "proposals": Named(
        "curve", "spheres that were found: centre and radius in px of the searched map, to be looked at"
    ),
    "found": Named("summary", "what was searched, and how much was found"),
}

SECONDS = {"surfaces": 3.0, "ellipsoids": 1.0}
"""What a model of some thousand points was seen to take; the others take a tenth of a second."""


class Points(Form):
    """All that decides the points. is_one_of_several: the catalogue is that of one tomogram, and there are others."""

    is_one_of_several: bool

    tomograms: tuple[Tomogram, ...]
    models: tuple[AnyModel, ...]
    borders: Borders | None
    gold: Gold | None
    seed: int


def unfold(project: Project) -> list[Step]:
    """A step that searches, if asked for; a step that puts points on the models, if there are any."""
    steps = []
    if (finding := project.finding) is not None:
        settings = Found(**{**finding.model_dump(exclude={"map"}), "tomo": number_searched(project, finding)})
        cost = Cost(whole=cost_of_finding(finding), box="tomogram")
        inputs = searched(project, finding)
        steps.append(Step("finding", find, 2, settings, ("proposals", "found"), inputs, cost=cost))
    if project.models:
        points = Points(
            is_one_of_several=project.each is not None,
            tomograms=project.tomograms,
            models=project.models,
            borders=project.borders,
            gold=project.gold,
            seed=project.compute.seed,
        )
        seconds = sum(SECONDS.get(model.model, 0.1) for model in project.models)
        cost = Cost(whole=lambda box_px, pixel_size_A: Share(once_seconds=seconds, shared_bytes=64 << 20), box=1)
        makes = ("table", "dropped", "regions", "summary")
        steps.append(Step("points", pick, 3, points, makes, inputs_of(project), cost=cost))
    return steps


def inputs_of(project: Project) -> dict[str, Input]:
    """The catalogue or the headers of the tomograms' maps, and files of marks."""
    inputs = {f"tomogram_{one.number}": reads("facts", one.map) for one in project.tomograms if one.map}
    if project.data.catalogue:
        inputs["catalogue"] = reads("catalogue", project.data.catalogue)
    for number, model in enumerate(project.models, start=1):
        if model.file:
            inputs[f"model_{number}"] = reads("marks", model.file)
    if project.gold and project.gold.file:
        inputs["gold"] = reads("marks", project.gold.file)
    return inputs | peaks.inputs_of(project)


def searched(project: Project, finding: Finding) -> dict[str, Input]:
    """What the search reads: one map, or the catalogue's tomograms with what is known of them."""
    catalogue = project.data.catalogue
    if finding.map or not catalogue:
        return {"tomogram": reads("tomogram", finding.map or "")}
    tomogram = binning.version_of(catalogue, finding.bin_factor)
    return {"tomogram": tomogram, "catalogue": reads("catalogue", catalogue)}


def number_searched(project: Project, finding: Finding) -> int | None:
    """The number of the tomogram that finding.map shows, where it is told."""
    if finding.tomo is None and len(project.tomograms) == 1:
        return project.tomograms[0].number
    return finding.tomo


def pick(settings: Points, inputs: Mapping[str, Any], work: Work) -> Outputs:
    """The points of all models, those that are kept and those that are not, and how even they are."""
    with threadpool_limits(1):  # a spline's bits may depend on the number of BLAS threads
        return _picked(settings, inputs)


def _picked(settings: Points, inputs: Mapping[str, Any]) -> Outputs:
    places = places_of(settings, inputs)
    beads = beads_of(settings.gold, inputs, places) if settings.gold else []
    parts, rows = [], []
    taken: dict[int, set[int]] = {}
    for number, model in enumerate(settings.models, start=1):
        shapes = in_words(number, lambda model=model, number=number: shaped(number, model, inputs, places))
        lift = {place.number: _lift(shapes, place, taken) for place in places.listed}
        orders = {place.number: itertools.count() for place in places.listed}
        for shape in shapes:
            tomo = shape.place.number
            generator = np.random.default_rng([settings.seed, number, tomo, next(orders[tomo])])
            found = in_words(
                number, lambda model=model, shape=shape, generator=generator: picked(model, shape, generator)
            )
            region = shape.number + lift[tomo]
            taken.setdefault(tomo, set()).add(region)
            reason = reasons(found, shape.place, settings, beads)
            parts.append(rows_of(found, shape.place, region, reason))
            rows.append(facts_of(number, model, shape, region, found, int((reason == Reason.KEPT).sum())))
    if not parts:
        raise EngineError(
            f"no model has points in tomogram {places.listed[0].number} "
            '(name those that are meant, as in catalogue = "tomos:tomograms:tomo=[1,3]")'
        )
    everything = _joined(parts)
    first = first_tag(places.listed[0].number) if places.is_one_of_several else 1
    everything = everything.with_columns(tag=np.arange(first, first + len(everything)))
    kept = everything["annotation"] == Reason.KEPT
    if not kept.any():
        raise EngineError(
            f"of {len(everything)} points none is left: {_counts(everything)} (look at borders, gold and the models' places)"
        )
    regions = Curve({name: np.array([row[name] for row in rows], dtype=np.float64) for name in rows[0]})
    return {
        "table": everything.where(kept),
        "dropped": everything.where(~kept),
        "regions": regions,
        "summary": summary_of(everything, regions, settings.models),
    }


def shaped(number: int, model: AnyModel, inputs: Mapping[str, Any], places: Places) -> list[Shape]:
    """What the points of a model lie on: told from its marks, or the peaks of its map."""
    shapes = shapes_of(model, named_marks(inputs, f"model_{number}"), places)
    if isinstance(model, PeaksModel):
        return [replace(shape, body=peaks.found(model, number, shape.place, inputs)) for shape in shapes]
    return shapes


def places_of(settings: Points, inputs: Mapping[str, Any]) -> Places:
    """The tomograms of the catalogue, or those that are typed."""
    catalogue: Catalogue | None = inputs.get("catalogue")
    if catalogue is not None:
        return Places(tuple(place_listed(one) for one in catalogue), settings.is_one_of_several)
    return Places(tuple(place_of(one, inputs.get(f"tomogram_{one.number}")) for one in settings.tomograms))


def in_words(number: int, action: Any) -> Any:
    """What the action gives; its EngineErrors say which model they are about."""
    try:
        return action()
    except EngineError as error:
        raise EngineError(f"models no. {number}: {error}") from None


def beads_of(gold: Gold, inputs: Mapping[str, Any], places: Places) -> list[Group]:
    """The gold of every tomogram."""
    typed = [np.array(gold.points_xyz_px)] if gold.points_xyz_px else []
    return groups_of(gold, typed, [0.0] * len(typed), named_marks(inputs, "gold"), places)


def reasons(found: Picked, place: Place, settings: Points, beads: list[Group]) -> np.ndarray:
    """(n,) why each point is dropped, or that it is kept; a border goes before gold."""
    reason = np.full(len(found.positions), Reason.KEPT)
    if settings.gold:
        reason[is_near_gold(found.positions, place, beads, settings.gold.distance_A)] = Reason.GOLD
    reason[is_near_border(found.positions, place, settings.borders)] = Reason.BORDER
    return reason


def rows_of(found: Picked, place: Place, region: int, reason: np.ndarray) -> Table:
    """The points as rows; tags are given later."""
    x, y, z = found.positions.T
    table = Table.blank(
        len(x), x=x, y=y, z=z, tomo=place.number, reg=region, apix=place.pixel_size_A, annotation=reason
    )
    return table.with_poses(found.angles, np.zeros_like(found.positions))


def facts_of(number: int, model: AnyModel, shape: Shape, region: int, found: Picked, n_kept: int) -> dict[str, float]:
    """A row of the item `regions`."""
    spread = even.spread(found.distances_A)
    x, y, z = found.centre
    return {
        "region": region,
        "tomo": shape.place.number,
        "model": number,
        "points": len(found.positions),
        "kept": n_kept,
        "area_A2": found.extent if isinstance(model, Surface) else 0.0,
        "length_A": 0.0 if isinstance(model, Surface) else found.extent,
        "spacing_A": getattr(model, "spacing_A", None) or 0.0,
        "nearest_A": spread.median,
        "spread_percent": 100 * spread.relative,
        "x": x,
        "y": y,
        "z": z,
        "radius_A": found.radius_A,
        "misfit_A": shape.misfit * shape.place.pixel_size_A,
    }


def summary_of(everything: Table, regions: Curve, models: tuple[AnyModel, ...]) -> dict[str, Any]:
    """The numbers of the whole."""
    reason = everything["annotation"]
    several = regions["nearest_A"] > 0
    worst = float(regions["spread_percent"].max())
    told: dict[str, Any] = {
        "points": int((reason == Reason.KEPT).sum()),
        "regions": len(regions),
        "tomograms": len(set(regions["tomo"])),
        **{words: int((reason == one).sum()) for one, words in WORDS.items()},
        "median distance to the nearest neighbour (A)": float(np.median(regions["nearest_A"][several]))
        if several.any()
        else 0.0,
        "largest spread of it in a region (%)": worst,
    }
    if any(isinstance(model, SurfacesModel) for model in models) or regions["misfit_A"].any():
        told["largest misfit of marks in a region (A)"] = float(regions["misfit_A"].max())
    return told


def _lift(shapes: list[Shape], place: Place, taken: dict[int, set[int]]) -> int:
    """What is added to a model's regions in a tomogram: nothing, or what takes them beyond those of the models before."""
    mine = {shape.number for shape in shapes if shape.place.number == place.number}
    before = taken.get(place.number, set())
    return max(before) if mine & before else 0


def _joined(parts: list[Table]) -> Table:
    names = list(parts[0])
    return Table({name: np.concatenate([part[name] for part in parts]) for name in names})


def _counts(everything: Table) -> str:
    return ", ".join(
        f"{int((everything['annotation'] == one).sum())} {words.removeprefix('dropped, ')}"
        for one, words in WORDS.items()
    )
