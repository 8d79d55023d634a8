"""phantom: particles of a known object, with the truth beside them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import numpy as np
from pydantic import Field, Strict

from engine.data import ParticleFacts, Table, Volume
from engine.devices import Work
from engine.faults import Fault
from engine.geometry import euler, pose, symmetry
from engine.kernels import blobs
from engine.kernels.fourier import from_spectrum, half_frequencies, lowpass, spectrum
from engine.kernels.wedge import Wedge, measured
from engine.kinds import sense
from engine.kinds.form import Form, Look, ProjectForm
from engine.step import Cost, Named, Outputs, Step, Stream


class Object(Form):
    """A chiral chain of Gaussian blobs, made from the seed."""

    blobs: int = Field(default=60, ge=8, le=1000, description="Blobs of one subunit")
    blob_sigma_px: float = Field(default=1.2, gt=0, description="Width of a blob in px")
    radius_px: float = Field(default=12.0, gt=0, description="Radius of the ball that holds the object, in px")
    symmetry: str = Field(default="C1", description="Symmetry of the object: Cn, Dn, T, O, I")


class Boxes(Form):
    """The particles that are made."""

    count: int = Field(default=200, ge=1, description="Number of particles")
    box_px: int = Field(default=48, ge=8, le=1024, description="Side of the boxes in px")
    pixel_size_A: float = Field(default=4.0, gt=0, description="Pixel size in A")
    snr: float = Field(
        default=0.1, gt=0, description="Variance of the object over variance of the noise, in the whole box"
    )
    tilt_range_deg: Annotated[tuple[float, float], Strict(False)] = Field(
        default=(-60.0, 60.0), description="Measured tilts about y in deg; what lies outside is missing"
    )
    shift_px: float = Field(
        default=3.0, ge=0, description="Largest true distance of an object from its box centre, in px"
    )


class Start(Form):
    """How far the starting table lies from the truth."""

    angle_error_deg: float = Field(default=15.0, ge=0, le=180, description="Largest error of an orientation in deg")
    shift_error_px: float = Field(default=3.0, ge=0, description="Largest error of a shift in px")
    template_lowpass_fpx: float = Field(
        default=6.0, gt=0, description="Low-pass of the item `template` in Fourier pixels"
    )


class Project(ProjectForm):
    """Particles of a known object: seeded, with poses, missing wedge and noise stated."""

    object: Object = Field(default=Object(), description="The object")
    boxes: Boxes = Field(default=Boxes(), description="The particles")
    start: Start = Field(default=Start(), description="The starting table and template")


ITEMS = {
    "particles": Named("particles", "the boxes"),
    "table": Named("table", "starting table: the truth, disturbed"),
    "truth": Named("table", "table of the true poses"),
    "object": Named("volume", "the object without noise or wedge"),
    "template": Named("volume", "the object, low-passed"),
    "summary": Named("summary", "what was made"),
}


def check(project: Project, look: Look) -> Iterator[Fault]:
    """What is wrong between fields."""
    boxes = project.boxes
    yield from sense.symmetry_name(project.object.symmetry, ("object", "symmetry"))
    reach = project.object.radius_px + boxes.shift_px + 2 * project.object.blob_sigma_px
    if reach > boxes.box_px / 2:
        yield Fault(
            ("object", "radius_px"),
            f"the object reaches {reach:.1f} px from the box centre, the box of {boxes.box_px} px only {boxes.box_px // 2}",
            "make the object or its shifts smaller, or the box larger",
        )
    low, high = boxes.tilt_range_deg
    if not -90 <= low < high <= 90:
        yield Fault(("boxes", "tilt_range_deg"), f"[{low:g}, {high:g}] is no range of tilts", "as in [-60, 60]")


def unfold(project: Project) -> list[Step]:
    """One step that makes everything."""
    settings = Made(object=project.object, boxes=project.boxes, start=project.start, seed=project.compute.seed)
    boxes = project.boxes
    cost = Cost(made=ParticleFacts(boxes.count, boxes.box_px, boxes.pixel_size_A))
    return [Step(name="phantom", function=make, version=1, settings=settings, makes=tuple(ITEMS), cost=cost)]


class Made(Form):
    """All that decides the phantom."""

    object: Object
    boxes: Boxes
    start: Start
    seed: int


def make(settings: Made, inputs: Mapping[str, Any], work: Work) -> Outputs:
    """The particles, their tables, the object and a low-passed template."""
    boxes = settings.boxes
    shape, poses, start = (np.random.default_rng([settings.seed, stream]) for stream in range(3))
    centres = object_centres(settings.object, shape)
    volume = blobs.render(centres, settings.object.blob_sigma_px, boxes.box_px)
    truth = true_table(boxes, poses)
    angles, shifts = pose.perturbed(
        truth.angles, truth.shifts_xyz_px, settings.start.angle_error_deg, settings.start.shift_error_px, start
    )
    wedge = Wedge(1, boxes.tilt_range_deg)
    noise = float(volume.std()) / np.sqrt(boxes.snr)
    stream = Stream(
        tags=truth.tags,
        box_px=boxes.box_px,
        pixel_size_A=boxes.pixel_size_A,
        boxes=particle_boxes(settings, centres, truth, wedge, noise),
    )
    return {
        "particles": stream,
        "table": truth.with_poses(angles, shifts),
        "truth": truth,
        "object": Volume(volume, boxes.pixel_size_A),
        "template": Volume(lowpass(volume, settings.start.template_lowpass_fpx), boxes.pixel_size_A),
        "summary": {
            "particles": boxes.count,
            "box (px)": boxes.box_px,
            "SNR": boxes.snr,
            "median start error (deg)": float(
                np.median(euler.angular_distance_deg(euler.matrices(angles), euler.matrices(truth.angles)))
            ),
        },
    }


def object_centres(form: Object, generator: np.random.Generator) -> np.ndarray:
    """Blob centres (n, 3) of the whole object; a symmetric one has its subunit off the axes."""
    operators = symmetry.operators(form.symmetry)
    if len(operators) == 1:
        return blobs.chiral_chain(form.blobs, form.radius_px, generator)
    reach, place = (
        (0.4, symmetry.OFF_ALL_AXES) if symmetry.is_polyhedral(form.symmetry) else (0.5, np.array([1.0, 0.0, 0.0]))
    )
    subunit = blobs.chiral_chain(form.blobs, reach * form.radius_px, generator) + (1 - reach) * form.radius_px * place
    return np.concatenate([subunit @ operator.T for operator in operators])


def true_table(boxes: Boxes, generator: np.random.Generator) -> Table:
    """Uniformly random orientations, shifts inside a ball, the wedge written down."""
    direction = generator.normal(size=(boxes.count, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    shifts = direction * boxes.shift_px * generator.uniform(size=(boxes.count, 1)) ** (1 / 3)
    low, high = boxes.tilt_range_deg
    table = Table.blank(boxes.count, ftype=1, ymintilt=low, ymaxtilt=high, tomo=1, apix=boxes.pixel_size_A)
    return table.with_poses(euler.random(boxes.count, generator), shifts)


def particle_boxes(
    settings: Made, centres: np.ndarray, truth: Table, wedge: Wedge, noise: float
) -> Iterator[np.ndarray]:
    """Each particle: the object rendered at its pose, plus white noise of its own seed, without the missing wedge."""
    box_px = settings.boxes.box_px
    kept = measured(half_frequencies(box_px), wedge)
    for tag, rotation, shift in zip(truth.tags, euler.matrices(truth.angles), truth.shifts_xyz_px, strict=True):
        generator = np.random.default_rng([settings.seed, 3, int(tag)])
        clean = blobs.render(centres @ rotation.T + shift, settings.object.blob_sigma_px, box_px)
        noisy = clean + noise * generator.standard_normal(clean.shape, dtype=np.float32)
        yield from_spectrum(spectrum(noisy) * kept, box_px)
