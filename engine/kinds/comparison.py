"""comparison: poses and an average against the truth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from pydantic import Field

from engine.data import Curve, Table, Volume
from engine.devices import Work
from engine.faults import EngineError, Fault
from engine.geometry import euler, symmetry
from engine.kernels.fsc import fsc
from engine.kinds import masks, sense
from engine.kinds.averaging import fsc_curve
from engine.kinds.form import (
    Form,
    Look,
    OptionalVolumeReference,
    ProjectForm,
    TableReference,
    reads,
)
from engine.kinds.mask_form import Mask, OptionalMask
from engine.kinds.stability import adjusted_rand_index
from engine.step import Named, Outputs, Step


class Data(Form):
    """What is compared."""

    table: TableReference = Field(description="Poses to be judged: an address, or .tbl / .star / .csv")
    truth: TableReference = Field(description="The true poses, by the same tags")
    average: OptionalVolumeReference = Field(default=None, description="A map to be judged")
    object: OptionalVolumeReference = Field(default=None, description="The true map")


class Project(ProjectForm):
    """Poses and an average, compared with the truth."""

    data: Data = Field(description="What is compared")
    symmetry: str = Field(default="C1", description="Symmetry of the object: poses that differ by it are equal")
    mask: OptionalMask = Field(default=None, description="Mask of the FSC; omitted: a ball that fills the box")


ITEMS = {
    "errors": Named("curve", "angle and shift error of every particle"),
    "fsc": Named("curve", "FSC between the average and the object"),
    "summary": Named("summary", "medians, 90th percentiles and resolution"),
}


def check(project: Project, look: Look) -> Iterator[Fault]:
    """What is wrong between fields."""
    yield from sense.symmetry_name(project.symmetry, ("symmetry",))
    if (project.data.average is None) != (project.data.object is None):
        given = "average" if project.data.average else "object"
        yield Fault(("data", given), "a map is compared with a map", "give both average and object, or neither")
    if not (project.data.average and project.data.object):
        return
    average, true = look.volume(project.data.average), look.volume(project.data.object)
    if average and true:
        yield from sense.same_box(average, true.shape_zyx[-1], ("data", "average"), "the object has")
        sources = [(("data", "object"), "the object", true.pixel_size_A)]
        yield from sense.pixel_sizes([*sources, (("data", "average"), "the average", average.pixel_size_A)])
        pixel_size_A = true.pixel_size_A or average.pixel_size_A
        yield from masks.faults(project.mask, ("mask",), look, true.shape_zyx[-1], pixel_size_A)


def unfold(project: Project) -> list[Step]:
    """One step."""
    data = project.data
    inputs = {"table": reads("table", data.table), "truth": reads("table", data.truth)}
    makes = ["errors", "summary"]
    if data.average and data.object:
        inputs |= {"average": reads("volume", data.average), "object": reads("volume", data.object)}
        inputs |= masks.inputs({"mask": project.mask})
        makes.insert(1, "fsc")
    settings = Compared(symmetry=project.symmetry, mask=project.mask)
    return [Step("comparison", compare, 3, settings, tuple(makes), inputs)]


class Compared(Form):
    """All that decides the comparison."""

    symmetry: str
    mask: Mask | None


def compare(settings: Compared, inputs: Mapping[str, Any], work: Work) -> Outputs:
    """Errors of every particle, the FSC against the object where maps are given, and a summary."""
    errors = pose_errors(inputs["table"], inputs["truth"], settings.symmetry)
    summary: dict[str, Any] = {"particles": len(errors)}
    for name, words in (("angle_deg", "angle error (deg)"), ("shift_px", "shift error (px)")):
        summary[f"median {words}"] = float(np.median(errors[name]))
        summary[f"90th percentile {words}"] = float(np.percentile(errors[name], 90))
    if len(set(inputs["truth"]["ref"])) > 1:
        summary["adjusted Rand index of the references"] = class_agreement(inputs["table"], inputs["truth"])
    outputs: dict[str, Any] = {"errors": errors}
    if "average" in inputs:
        curve = map_fsc(inputs["average"], inputs["object"], settings.mask, inputs)
        outputs["fsc"] = curve
        summary["FSC to the object at 0.6 Nyquist"] = float(
            np.interp(0.3 * inputs["object"].data.shape[-1], curve["shell_fpx"], curve["fsc"])
        )
        summary["resolution at FSC 0.5 (A)"] = curve.notes["resolution_at_0.5_A"]
    return {**outputs, "summary": summary}


def pose_errors(table: Table, truth: Table, symmetry_name: str) -> Curve:
    """Angle (deg, symmetry allowed for) and distance (px) between the poses of equal tags."""
    common, mine, true = np.intersect1d(table.tags, truth.tags, return_indices=True)
    if not len(common):
        raise EngineError("the table and the truth have no tag in common (compare tables of the same particles)")
    angle = euler.angular_distance_deg(
        euler.matrices(table.angles[mine]), euler.matrices(truth.angles[true]), symmetry.operators(symmetry_name)
    )
    shift = np.linalg.norm(table.shifts_xyz_px[mine] - truth.shifts_xyz_px[true], axis=1)
    return Curve({"tag": common.astype(np.float64), "angle_deg": angle, "shift_px": shift})


def class_agreement(table: Table, truth: Table) -> float:
    """How far the particles of equal tags are divided among references alike, whatever the references are called."""
    _, mine, true = np.intersect1d(table.tags, truth.tags, return_indices=True)
    return adjusted_rand_index(table["ref"][mine], truth["ref"][true])


def map_fsc(average: Volume, true: Volume, mask: Mask | None, opened: Mapping[str, Any]) -> Curve:
    """FSC of an average against the true map."""
    if average.shape_zyx != true.shape_zyx:
        raise EngineError(
            f"the average has shape {average.shape_zyx}, the object {true.shape_zyx} (compare equal boxes)"
        )
    box_px, pixel_size_A = true.data.shape[-1], true.pixel_size_A or average.pixel_size_A
    made = masks.build(mask, "mask", opened, box_px, pixel_size_A)
    return fsc_curve(fsc(average.data, true.data, made), box_px, pixel_size_A, "average and object", True)
