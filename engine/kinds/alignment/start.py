"""The first steps of an alignment: the starting table, the masks, the starting reference."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from engine.data import Half, Particles, Table, Volume, Weights
from engine.devices import Work
from engine.faults import EngineError
from engine.kernels import average
from engine.kernels.fourier import lowpass, masked_spectrum
from engine.kinds import masks, sense
from engine.kinds.alignment.form import Halves, Masks
from engine.kinds.alignment.halves import refuse_equal, refuse_shared
from engine.kinds.averaging import looked_through, summed, without
from engine.kinds.form import Bandpass, Form
from engine.kinds.halving import halves_text, with_halves
from engine.outputs import Outputs
from engine.step import of_reference

HalfName = Literal["odd", "even"]


class Start(Form):
    """What the first step needs to know."""

    pixel_size_A: float | None
    masks: Masks
    halves: Halves


def start(settings: Start, inputs: Mapping[str, Any], work: Work) -> Outputs:
    """The table with half-sets and bad particles marked, the masks, and the starting reference."""
    particles: Particles = inputs["particles"]
    table: Table = inputs["table"]
    sense.usable(table, particles)
    sense.missing_tags(table, particles.tags)
    pixel_size_A = sense.chosen_pixel_size(settings.pixel_size_A, particles.pixel_size_A, table)
    bad, fingerprints = looked_through(particles, table.tags.tolist(), work)
    table = with_halves(without(table, bad), settings.halves)
    if settings.halves != "none":
        refuse_shared(table, particles.box_px)
        refuse_equal(table, particles, fingerprints)
    table = table.with_columns(ref=1, apix=pixel_size_A)
    weights: Weights | None = inputs.get("weights")
    sense.usable_weights(table, weights, particles.box_px)
    drawn = drawn_masks(settings.masks, inputs, particles.box_px, pixel_size_A)
    template = template_read(settings.masks, inputs, "template")
    reference = starting_reference(particles, table, drawn["mask"].data, template, work, weights)
    return {
        "table": table,
        "starting_table": table,
        **drawn,
        of_reference(1, "average"): Volume(reference, pixel_size_A),
        of_reference(1, "starting_reference"): Volume(reference, pixel_size_A),
        "summary": {
            "particles": len(table),
            "taking part": int(table["averaged"].sum()),
            "excluded: no numbers or constant": ", ".join(map(str, bad)) or "none",
            "half-sets": halves_text(table),
            "pixel size (A)": pixel_size_A,
            "box (px)": particles.box_px,
        },
    }


def drawn_masks(form: Masks, inputs: Mapping[str, Any], box_px: int, pixel_size_A: float) -> dict[str, Volume]:
    """The alignment mask and that of the FSC, by their items; that of the classification where there is one."""
    made = {"mask": masks.build(form.alignment, "alignment", inputs, box_px, pixel_size_A)}
    made["fsc_mask"] = made["mask"]
    for name, mask in (("fsc", form.fsc), ("classification", form.classification)):
        if mask is not None:
            made[f"{name}_mask"] = masks.build(mask, name, inputs, box_px, pixel_size_A)
    return {item: Volume(mask, pixel_size_A) for item, mask in made.items()}


def template_read(form: Masks, inputs: Mapping[str, Any], name: str) -> Volume | None:
    """The template among the inputs, without what the Fourier mask takes out; None where there is none."""
    template: Volume | None = inputs.get(name)
    if template is None or form.fourier is None:
        return template
    return with_fourier_mask(template, inputs["fourier"], form.fourier)


def with_fourier_mask(template: Volume, fourier_mask: Volume, name: str) -> Volume:
    """The template without the Fourier voxels that hold no information."""
    mask = masks.checked(fourier_mask, name, template.data.shape[-1])
    if not mask.any():
        raise EngineError(f"the mask {name} is empty: nothing of the template is left (make it anew)")
    return Volume(np.asarray(masked_spectrum(template.data, mask)), template.pixel_size_A)


def starting_reference(
    particles: Particles,
    table: Table,
    mask: np.ndarray,
    template: Volume | None,
    work: Work,
    weights: Weights | None = None,
) -> np.ndarray:
    """The template's voxels, or the average of the table when there is none. (n, n, n) float32."""
    if template is None:
        return np.asarray(average.compensated(summed(particles, table, mask, work, weights=weights).all))
    if template.shape_zyx != (particles.box_px,) * 3:
        raise EngineError(
            f"the template has shape {template.shape_zyx} (zyx), the particles have {particles.box_px} px "
            "(resample the template)"
        )
    if not np.isfinite(template.data).all() or template.data.std() == 0:
        raise EngineError("the template is constant or holds voxels that are no numbers (give another template)")
    return template.data


class HalfStart(Form):
    """Which half-set a run belongs to, and the low-pass of the template; None: there is no template."""

    half: HalfName
    template_lowpass: Bandpass | None


def start_half(settings: HalfStart, inputs: Mapping[str, Any], work: Work) -> Outputs:
    """The rows of one half-set and its own starting reference: the average of these rows, or the template.

    A template is the same for both half-sets. It is low-passed as their first iteration is: nothing finer is common to them.
    """
    table: Table = inputs["table"]
    wanted = Half.ODD if settings.half == "odd" else Half.EVEN
    table = table.where(table["half"] == wanted)
    if not table["averaged"].any():
        raise EngineError(
            f"the {settings.half} half-set has no particle that takes part (check data.halves and the table)"
        )
    average_all: Volume = inputs["reference"]
    told: dict[str, Any] = {"particles": len(table), "taking part": int(table["averaged"].sum())}
    template = None
    if settings.template_lowpass is not None:
        _, low_fpx = settings.template_lowpass.shells(average_all.data.shape[-1], average_all.pixel_size_A or 1.0)
        template = Volume(np.asarray(lowpass(average_all.data, low_fpx)), average_all.pixel_size_A)
        told["template low-passed to (Fourier px)"] = low_fpx
    mask, weights = inputs["mask"].data, inputs.get("weights")
    reference = starting_reference(inputs["particles"], table, mask, template, work, weights)
    volume = Volume(reference, average_all.pixel_size_A)
    return {
        "table": table,
        "starting_table": table,
        of_reference(1, "average"): volume,
        of_reference(1, "starting_reference"): volume,
        "summary": told,
    }
