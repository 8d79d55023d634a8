"""The one step of a comparison."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from engine.data import Curve, Table, Volume
from engine.devices import Work
from engine.faults import EngineError
from engine.geometry.move import NOWHERE, Move
from engine.kinds import masks, sense
from engine.kinds.comparison import maps, pairs
from engine.kinds.comparison.form import Project
from engine.kinds.form import Form, reads
from engine.kinds.mask_form import Mask
from engine.kinds.move_costs import share_of
from engine.kinds.move_search import Search
from engine.kinds.stability import adjusted_rand_index
from engine.outputs import Outputs
from engine.step import Cost, Named, Share, Step

ITEMS = {
    "errors": Named("curve", "angle and shift error of every particle"),
    "missed": Named("table", "by place: what of the truth was not found"),
    "false": Named("table", "by place: the particles that are none of the truth"),
    "map": Named("volume", "the average, laid onto the object"),
    "fsc": Named("curve", "FSC between the average and the object"),
    "summary": Named("summary", "medians, 90th percentiles, what was found, hand and resolution"),
}


class Compared(Form):
    """All that decides the comparison. within_A is None where particles are known by their tags."""

    within_A: float | None
    symmetry: str
    mask: Mask | None
    search: Search | None


def unfold(project: Project) -> list[Step]:
    """One step."""
    data, by_place, cost = project.data, project.by == "place", None
    inputs = {"table": reads("table", data.table), "truth": reads("table", data.truth)}
    makes = ["errors", *(("missed", "false") if by_place else ())]
    if data.average and data.object:
        inputs |= {"average": reads("volume", data.average), "object": reads("volume", data.object)}
        inputs |= {"template": reads("volume", data.template)} if data.template else {}
        inputs |= masks.inputs({"mask": project.mask})
        makes += [*(("map",) if project.search else ()), "fsc"]
    if project.search:
        searches = 4 if data.template else 2  # each map is laid onto the object and its mirror image
        cost = Cost(whole=_times(searches, project.search), box="object", searches=True)
    settings = Compared(
        within_A=project.within_A if by_place else None,
        symmetry=project.symmetry,
        mask=project.mask,
        search=project.search,
    )
    return [Step("comparison", compare, 5, settings, (*makes, "summary"), inputs, cost=cost)]


def _times(searches: int, search: Search) -> Callable[[int, float], Share]:
    """The cost of so many searches."""
    once = share_of(search)

    def share(box_px: int, pixel_size_A: float) -> Share:
        of_one = once(box_px, pixel_size_A)
        return replace(of_one, once_seconds=searches * of_one.once_seconds)

    return share


def compare(settings: Compared, inputs: Mapping[str, Any], work: Work) -> Outputs:
    """Errors of every particle, the FSC against the object where maps are given, and a summary."""
    table, truth = inputs["table"], inputs["truth"]
    of_maps: dict[str, Any] = {}
    told: dict[str, Any] = {}
    if "average" in inputs:
        move, of_maps, told = compared_maps(settings, inputs)
        table = _scaled(move, inputs["average"], table).of_poses(table)
    of_poses, counted = compared_poses(settings, table, truth)
    return {**of_poses, **of_maps, "summary": {**counted, **told}}


def compared_poses(settings: Compared, table: Table, truth: Table) -> tuple[dict[str, Any], dict[str, Any]]:
    """The items of the poses, and what the summary tells of them."""
    for name, one in (("table", table), ("truth", truth)):
        if wrong := pairs.wrong_rows(one):
            raise EngineError(f"data.{name}: {wrong} (compare tables of poses)")
    items: dict[str, Any] = {}
    told: dict[str, Any] = {"particles": len(table)}
    if settings.within_A is None:
        found = pairs.by_tag(table, truth)
    else:
        found = pairs.by_place(table, truth, settings.within_A)
        told |= pairs.told_by_place(table, truth, found)
        items |= {"missed": pairs.others(truth, found.true), "false": pairs.others(table, found.mine)}
    errors = pairs.errors(table, truth, found, settings.symmetry)
    for name, words in (("angle_deg", "angle error (deg)"), ("shift_px", "shift error (px)")):
        told[f"median {words}"] = float(np.median(errors[name]))
        told[f"90th percentile {words}"] = float(np.percentile(errors[name], 90))
    if len(set(truth["ref"])) > 1:
        classes = adjusted_rand_index(table["ref"][found.mine], truth["ref"][found.true])
        told["adjusted Rand index of the references"] = classes
    return {"errors": errors, **items}, told


def compared_maps(settings: Compared, inputs: Mapping[str, Any]) -> tuple[Move, dict[str, Any], dict[str, Any]]:
    """The move of the average onto the object, the items of the maps, and what the summary tells of them."""
    average, true = inputs["average"], inputs["object"]
    maps.comparable(average, true)
    box_px, pixel_size_A = true.data.shape[-1], true.pixel_size_A or average.pixel_size_A
    mask = masks.build(settings.mask, "mask", inputs, box_px, pixel_size_A)
    if settings.search is None:
        move, items, told = NOWHERE, {}, {}
    else:
        laid = maps.laid(average, true, mask, settings.search)
        move, average, items, told = laid.move, laid.map, {"map": laid.map}, laid.told
        if "template" in inputs:
            told["hand of the template"] = maps.hand_of_template(inputs["template"], true, mask, settings.search)
    curve = maps.map_fsc(average, true, mask)
    return move, {**items, "fsc": curve}, {**told, **resolved(curve, box_px)}


def resolved(curve: Curve, box_px: int) -> dict[str, Any]:
    """How near the map comes to the object."""
    return {
        **{
            f"FSC to the object at {share:g} Nyquist": float(
                np.interp(share * box_px / 2, curve["shell_fpx"], curve["fsc"])
            )
            for share in (0.6, 0.8)
        },
        "resolution at FSC 0.5 (A)": curve.notes["resolution_at_0.5_A"],
    }


def _scaled(move: Move, average: Volume, table: Table) -> Move:
    """The move in px of the table."""
    if not average.pixel_size_A or not (own_A := sense.table_pixel_size(table)):
        return move
    return Move(move.rotation, move.translation_xyz_px * average.pixel_size_A / own_A)
