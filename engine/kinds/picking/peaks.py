"""Peaks of a tomogram's map, as a model: the unit cells of an average, say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from engine.data import Volume
from engine.faults import EngineError, Fault
from engine.kernels import fourier
from engine.kernels.peaks import peaks
from engine.kinds import masks, sense
from engine.kinds.form import Look, reads
from engine.kinds.picking.form import PeaksModel, Project, Tomogram
from engine.kinds.picking.marked import Place
from engine.step import Input


def seen_in(model: PeaksModel, project: Project) -> Tomogram | None:
    """The typed tomogram whose map the peaks are looked for in; None where it is not told which, or it has no map."""
    meant = [one for one in project.tomograms if model.tomo in (None, one.number)]
    return meant[0] if len(meant) == 1 and meant[0].map else None


def inputs_of(project: Project) -> dict[str, Input]:
    """The maps, and what masks are made from."""
    inputs: dict[str, Input] = {}
    for number, model in enumerate(project.models, start=1):
        if isinstance(model, PeaksModel) and (seen := seen_in(model, project)) and seen.map:
            inputs[f"map_{number}"] = reads("volume", seen.map)
            inputs |= masks.inputs({f"within_{number}": model.within})
    return inputs


def faults(project: Project, look: Look) -> Iterator[Fault]:
    """What is wrong with the models of peaks."""
    for place, model in enumerate(project.models):
        if not isinstance(model, PeaksModel):
            continue
        seen = seen_in(model, project)
        if seen is None or seen.map is None:
            yield Fault(
                ("models", place),
                "peaks are looked for in the map of one tomogram",
                "give [[tomograms]] a map, and tomo",
                code="E303",
            )
            continue
        if model.file:
            yield Fault(("models", place, "file"), "peaks read no marks", "leave it out", code="E302")
        facts = look.volume(seen.map)
        box_px = facts.shape_zyx[-1] if facts else None
        yield from sense.same_box(facts, box_px, ("models", place), "peaks are looked for in a cube, its map has")
        pixel_size_A = seen.pixel_size_A or (facts.pixel_size_A if facts else None)
        if model.lowpass_A and pixel_size_A and model.lowpass_A < 2 * pixel_size_A:
            what = f"{model.lowpass_A:g} A is finer than a map of {pixel_size_A:g} A/px holds"
            yield Fault(
                ("models", place, "lowpass_A"), what, f"{2 * pixel_size_A:g} or more, or leave it out", code="E305"
            )
        yield from masks.faults(model.within, ("models", place, "within"), look, box_px, pixel_size_A)


def found(model: PeaksModel, number: int, place: Place, inputs: Mapping[str, Any]) -> np.ndarray:
    """(k, 3) xyz px; an EngineError where there is no peak."""
    volume: Volume = inputs[f"map_{number}"]
    box_px, pixel_size_A = volume.data.shape[-1], place.pixel_size_A
    if volume.shape_zyx != (box_px,) * 3:
        raise EngineError(f"its map has shape {volume.shape_zyx}, and peaks are looked for in a cube")
    density = np.asarray(volume.data, dtype=np.float32)
    if not np.isfinite(density).all():
        raise EngineError("its map holds values that are no numbers (mend or replace it)")
    if model.lowpass_A is not None:
        density = np.asarray(fourier.lowpass(density, min(box_px * pixel_size_A / model.lowpass_A, box_px / 2)))
    inside = masks.build(model.within, f"within_{number}", inputs, box_px, pixel_size_A) > 0.5
    tops = peaks(-density if model.density == "dark" else density, inside, model.distance_A / pixel_size_A, model.most)
    if not len(tops):
        raise EngineError(f"its map has no {model.density} peak there (widen within)")
    return tops
