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
from engine.outputs import Outputs, Stream
from engine.step import Cost, Named, Step, of_reference


class Object(Form):
    """A chiral chain of Gaussian blobs, made from the seed."""

    blobs: int = Field(default=60, ge=8, le=1000, description="Blobs of one subunit")
    blob_sigma_px: float = Field(default=1.2, gt=0, description="Width of a blob in px")
    radius_px: float = Field(default=12.0, gt=0, description="Radius of the ball that holds the object, in px")
    symmetry: str = Field(default="C1", description="Symmetry of the object: Cn, Dn, T, O, I")
    conformations: int = Field(
        default=1,
        ge=1,
        le=99,
        description="Forms of the object, equally many particles of each: in each further one the domain is turned further",
    )
    domain_fraction: float = Field(
        default=0.4, gt=0, lt=1, description="Share of a subunit's blobs, the last of its chain, that is its domain"
    )
    domain_turn_deg: float = Field(
        default=60.0, gt=0, le=180, description="Turn of the domain from one conformation to the next, about z, in deg"
    )


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

    object: Object = Field(default=Object.plain(), description="The object")
    boxes: Boxes = Field(default=Boxes.plain(), description="The particles")
    start: Start = Field(default=Start.plain(), description="The starting table and template")


ITEMS = {
    "particles": Named("particles", "the boxes"),
    "table": Named("table", "starting table: the truth, disturbed"),
    "truth": Named("table", "table of the true poses; column ref: the conformation"),
    "object": Named("volume", "the object without noise or wedge; of each conformation, named by ref="),
    "template": Named("volume", "the object, low-passed; of each conformation, named by ref="),
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
            code="E309",
            also=(("boxes", "box_px"),),
        )
    low, high = boxes.tilt_range_deg
    if not -90 <= low < high <= 90:
        yield Fault(
            ("boxes", "tilt_range_deg"), f"[{low:g}, {high:g}] is no range of tilts", "as in [-60, 60]", code="E307"
        )


def unfold(project: Project) -> list[Step]:
    """One step that makes everything."""
    settings = Made(object=project.object, boxes=project.boxes, start=project.start, seed=project.compute.seed)
    boxes = project.boxes
    cost = Cost(made=ParticleFacts(boxes.count, boxes.box_px, boxes.pixel_size_A))
    return [Step(name="phantom", function=make, version=2, settings=settings, makes=makes(project.object), cost=cost)]


def makes(form: Object) -> tuple[str, ...]:
    """The items; objects and templates of several conformations lie where those of several references do."""
    if form.conformations == 1:
        return tuple(ITEMS)
    maps = ("object", "template")
    of_each = [of_reference(number, item) for number in range(1, form.conformations + 1) for item in maps]
    return (*(item for item in ITEMS if item not in maps), *of_each)


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
    volumes = [blobs.render(form, settings.object.blob_sigma_px, boxes.box_px) for form in centres]
    truth = true_table(boxes, poses)
    if len(centres) > 1:
        lot = np.random.default_rng([settings.seed, 4]).permutation(boxes.count)
        truth = truth.with_columns(ref=1 + lot % len(centres))
    angles, shifts = pose.perturbed(
        truth.angles, truth.shifts_xyz_px, settings.start.angle_error_deg, settings.start.shift_error_px, start
    )
    wedge = Wedge(1, boxes.tilt_range_deg)
    noise = float(np.mean([volume.std() for volume in volumes])) / np.sqrt(boxes.snr)
    stream = Stream(
        tags=truth.tags,
        box_px=boxes.box_px,
        pixel_size_A=boxes.pixel_size_A,
        boxes=particle_boxes(settings, centres, truth, wedge, noise),
    )
    maps: dict[str, Volume] = {}
    for number, volume in enumerate(volumes, start=1):
        smooth = lowpass(volume, settings.start.template_lowpass_fpx)
        for item, data in (("object", volume), ("template", smooth)):
            path = item if len(volumes) == 1 else of_reference(number, item)
            maps[path] = Volume(data, boxes.pixel_size_A)
    return {
        "particles": stream,
        "table": truth.with_poses(angles, shifts).with_columns(ref=1),
        "truth": truth,
        **maps,
        "summary": {
            "particles": boxes.count,
            "box (px)": boxes.box_px,
            "SNR": boxes.snr,
            "median start error (deg)": float(
                np.median(euler.angular_distance_deg(euler.matrices(angles), euler.matrices(truth.angles)))
            ),
        },
    }


def object_centres(form: Object, generator: np.random.Generator) -> list[np.ndarray]:
    """Blob centres (n, 3) of the whole object in each conformation; a symmetric one has its subunit off the axes."""
    operators = symmetry.operators(form.symmetry)
    if len(operators) == 1:
        return conformations(form, blobs.chiral_chain(form.blobs, form.radius_px, generator))
    reach, place = (
        (0.4, symmetry.OFF_ALL_AXES) if symmetry.is_polyhedral(form.symmetry) else (0.5, np.array([1.0, 0.0, 0.0]))
    )
    chain = blobs.chiral_chain(form.blobs, reach * form.radius_px, generator)
    subunits = [one + (1 - reach) * form.radius_px * place for one in conformations(form, chain)]
    return [np.concatenate([subunit @ operator.T for operator in operators]) for subunit in subunits]


def conformations(form: Object, chain: np.ndarray) -> list[np.ndarray]:
    """The chain (n, 3) with the domain at its end turned about z through the chain's centre, further each time."""
    first = round(len(chain) * (1 - form.domain_fraction))
    turned = []
    for number in range(form.conformations):
        moved = chain.copy()
        moved[first:] = chain[first:] @ euler.matrices(np.array([[number * form.domain_turn_deg, 0.0, 0.0]]))[0].T
        turned.append(moved)
    return turned


def true_table(boxes: Boxes, generator: np.random.Generator) -> Table:
    """Uniformly random orientations, shifts inside a ball, the wedge written down."""
    direction = generator.normal(size=(boxes.count, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    shifts = direction * boxes.shift_px * generator.uniform(size=(boxes.count, 1)) ** (1 / 3)
    low, high = boxes.tilt_range_deg
    table = Table.blank(boxes.count, ftype=1, ymintilt=low, ymaxtilt=high, tomo=1, apix=boxes.pixel_size_A)
    return table.with_poses(euler.random(boxes.count, generator), shifts)


def particle_boxes(
    settings: Made, centres: list[np.ndarray], truth: Table, wedge: Wedge, noise: float
) -> Iterator[np.ndarray]:
    """Each particle: the object rendered at its pose, plus white noise of its own seed, without the missing wedge."""
    box_px = settings.boxes.box_px
    kept = measured(half_frequencies(box_px), wedge)
    form = truth["ref"].astype(int) - 1
    poses = zip(truth.tags, form, euler.matrices(truth.angles), truth.shifts_xyz_px, strict=True)
    for tag, which, rotation, shift in poses:
        generator = np.random.default_rng([settings.seed, 3, int(tag)])
        clean = blobs.render(centres[which] @ rotation.T + shift, settings.object.blob_sigma_px, box_px)
        noisy = clean + noise * generator.standard_normal(clean.shape, dtype=np.float32)
        yield from_spectrum(spectrum(noisy) * kept, box_px)
