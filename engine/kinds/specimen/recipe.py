"""A specimen's items and steps: one for the unit cell, one for each tomogram."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from engine.data import Curve, Table, Volume
from engine.devices import Work
from engine.each import first_tag
from engine.geometry import euler, hexagons
from engine.kernels.wedge import Wedge
from engine.kinds.form import Form, reads
from engine.kinds.measuring import piece_s
from engine.kinds.specimen import density
from engine.kinds.specimen.form import Hexamer, Marks, Others, Particles, Project, Tomograms
from engine.kinds.specimen.hexamer import unit_cell_beads
from engine.kinds.specimen.scene import Scene, Vesicle, direction, scene
from engine.outputs import Outputs
from engine.step import Cost, Named, Share, Step

ITEMS = {
    "tomogram": Named("volume", "the tomogram"),
    "truth": Named("table", "every unit cell: x, y, z, orientation, particle (reg), missing wedge"),
    "vesicles": Named("curve", "centre and radius of each particle's lattice"),
    "dipoles": Named(
        "table", "what a person would have marked: of each particle (reg) its centre, then a point of its shell"
    ),
    "gold": Named("table", "the middles of the gold beads"),
    "unit_cell": Named("volume", "a hexamer amid its neighbours, below the membrane: the true density of an average"),
    "summary": Named("summary", "what was made"),
}

HOLDING_BYTES = 24
"""Held for a voxel while a tomogram is made, as was measured."""

PIECES_PER_VOXEL, PIECES_PER_VOXEL_OF_A_PARTICLE = 1.6e-4, 1.05e-4
"""What one core takes for a tomogram, as was measured: in the time of a fixed piece of work (`measuring.piece_s`)."""

_SCENE, _CLUMPS, _NOISE, _TILTS, _MARKS = range(5)
"""Streams of random numbers, each seeded by the project's seed and the tomogram's number."""


class MadeTomogram(Form):
    """All that decides a tomogram."""

    number: int
    tomograms: Tomograms
    particles: Particles
    hexamer: Hexamer
    others: Others
    marks: Marks
    seed: int


class MadeCell(Form):
    """All that decides the unit cell."""

    pixel_size_A: float
    particles: Particles
    hexamer: Hexamer


def unfold(project: Project) -> list[Step]:
    """The unit cell, then the tomograms."""
    where, hexamer = project.tomograms, project.hexamer
    beads = hexamer.model_copy(update={"box_px": Hexamer().box_px})  # that of the unit cell alone
    cell = MadeCell(pixel_size_A=where.pixel_size_A, particles=project.particles, hexamer=hexamer)
    inputs = {"model": reads("residues", hexamer.model.file)} if hexamer.model else {}
    steps = [Step("unit_cell", unit_cell, 3, cell, ("unit_cell",), inputs)]
    n_voxels = int(np.prod(where.size_xyz_px))
    for number in range(1, where.count + 1):
        settings = MadeTomogram(
            number=number,
            tomograms=where.model_copy(update={"count": 1}),  # how many others there are decides nothing
            particles=project.particles,
            hexamer=beads,
            others=project.others,
            marks=project.marks,
            seed=project.compute.seed,
        )
        steps.append(
            Step(
                name=f"tomo_{number:03d}/specimen",
                function=tomogram,
                version=3,
                settings=settings,
                makes=("tomogram", "truth", "vesicles", "dipoles", "gold", "summary"),
                inputs=inputs,
                labels={"tomo": number},
                cost=Cost(whole=lambda box_px, pixel_A: share_of(project), box=round(n_voxels ** (1 / 3))),
                pixel_size_A=where.pixel_size_A,
            )
        )
    return steps


def share_of(project: Project) -> Share:
    """What a tomogram costs; it is made as a whole."""
    n_voxels = int(np.prod(project.tomograms.size_xyz_px))
    pieces = PIECES_PER_VOXEL + PIECES_PER_VOXEL_OF_A_PARTICLE * project.particles.per_tomogram
    return Share(shared_bytes=HOLDING_BYTES * n_voxels, once_seconds=n_voxels * pieces * piece_s())


def unit_cell(settings: MadeCell, inputs: Mapping[str, Any], work: Work) -> Outputs:
    """The true density around a hexamer with six neighbours, on a sphere of the mean radius; z outward, bright."""
    form, hexamer, pixel_A = settings.particles, settings.hexamer, settings.pixel_size_A
    radius_A = float(np.mean(form.radius_A))
    points, frames, n_neighbours = hexagons.on_sphere(radius_A, form.spacing_A)
    five = points[n_neighbours == 5]
    apart = np.linalg.norm(points[:, None] - five, axis=2).min(axis=1)
    chosen = int(np.argmax(np.where(n_neighbours == 6, apart, 0)))
    back = frames[chosen].T
    middle = np.full(3, hexamer.box_px // 2 * pixel_A)
    near = np.linalg.norm(points - points[chosen], axis=1) < hexamer.box_px * pixel_A
    centres = (points[near] - points[chosen]) @ back.T + middle
    one = Vesicle(middle - [0, 0, radius_A], radius_A, centres, back @ frames[near])
    sizes = density.Sizes((hexamer.box_px,) * 3, pixel_A, hexamer.sigma_A, 1.0)
    nothing = np.zeros((0, 3))
    half = density.clean(
        Scene((one,), nothing, nothing), unit_cell_beads(hexamer, inputs.get("model")), sizes, np.random.default_rng(0)
    )
    return {"unit_cell": Volume(density.of_spectrum(half, (hexamer.box_px,) * 3), pixel_A)}


def tomogram(settings: MadeTomogram, inputs: Mapping[str, Any], work: Work) -> Outputs:
    """One tomogram, and the truth of it."""
    where, pixel_A = settings.tomograms, settings.tomograms.pixel_size_A

    def stream(number: int) -> np.random.Generator:
        return np.random.default_rng([settings.seed, settings.number, number])

    made = scene(where, settings.particles, settings.others, stream(_SCENE))
    work.check()
    sizes = density.Sizes(where.size_xyz_px, pixel_A, settings.hexamer.sigma_A, settings.others.gold_radius_A)
    half = density.clean(made, unit_cell_beads(settings.hexamer, inputs.get("model")), sizes, stream(_CLUMPS))
    work.check()
    shape = where.size_xyz_px[::-1]
    sign = -1.0 if where.is_dark else 1.0
    clean = density.of_spectrum(half, shape)
    noise = np.sqrt(density.shell_variance(clean, made.vesicles, pixel_A) / where.snr)
    seen = clean + np.float32(noise) * stream(_NOISE).standard_normal(shape, dtype=np.float32)
    wedge = wedge_of(where, stream(_TILTS))
    half = density.through_wedge(density.spectrum_of(seen), shape, wedge)
    work.check()
    truth = true_table(settings.number, made, wedge, pixel_A)
    return {
        "tomogram": Volume(np.float32(sign) * density.of_spectrum(half, shape), pixel_A),
        "truth": truth,
        "vesicles": vesicles(settings.number, made, pixel_A),
        "dipoles": dipoles(settings.number, made, settings.marks, pixel_A, stream(_MARKS)),
        "gold": placed(settings.number, made.gold_A, pixel_A),
        "summary": {
            "particles": len(made.vesicles),
            "unit cells": len(truth),
            "tilts from (deg)": wedge.y_range_deg[0],
            "tilts to (deg)": wedge.y_range_deg[1],
            "noise over clean density": float(noise / clean.std()),
        },
    }


def wedge_of(where: Tomograms, generator: np.random.Generator) -> Wedge:
    """The tilts of a tomogram, in whole degrees."""
    low, high = (end + generator.uniform(-1, 1) * where.tilt_jitter_deg for end in where.tilt_range_deg)
    return Wedge(1, (max(-90.0, float(np.round(low))), min(90.0, float(np.round(high)))))


def true_table(number: int, made: Scene, wedge: Wedge, pixel_A: float) -> Table:
    """A row for every unit cell, particle after particle; positions to the part of a voxel, no shifts."""
    regions = np.concatenate([np.full(len(one.centres_A), n) for n, one in enumerate(made.vesicles, start=1)])
    frames = np.concatenate([one.frames for one in made.vesicles])
    table = placed(number, np.concatenate([one.centres_A for one in made.vesicles]), pixel_A)
    low, high = wedge.y_range_deg
    table = table.with_columns(reg=regions, ftype=1, ymintilt=low, ymaxtilt=high)
    return table.with_poses(euler.angles(frames), np.zeros((len(table), 3)))


def placed(number: int, points_A: np.ndarray, pixel_A: float) -> Table:
    """A table of points in a tomogram; no two tomograms share a tag."""
    x, y, z = points_A.T / pixel_A
    tags = first_tag(number) + np.arange(len(points_A))
    return Table.blank(len(points_A), tag=tags, tomo=number, x=x, y=y, z=z, apix=pixel_A)


def vesicles(number: int, made: Scene, pixel_A: float) -> Curve:
    """Tomogram, particle, centre in px and radius in A of every particle."""
    x, y, z = np.array([one.centre_A for one in made.vesicles]).T / pixel_A
    columns = {
        "tomo": np.full(len(made.vesicles), float(number)),
        "reg": np.arange(1.0, len(made.vesicles) + 1),
        "x_px": x,
        "y_px": y,
        "z_px": z,
        "radius_A": np.array([one.radius_A for one in made.vesicles]),
    }
    return Curve(columns, {})


def dipoles(number: int, made: Scene, marks: Marks, pixel_A: float, generator: np.random.Generator) -> Table:
    """Two rows for every particle, both off by at most the error: its centre, and a point where its lattice's sphere is."""
    points, regions = [], []
    for region, one in enumerate(made.vesicles, start=1):
        outward = direction(generator) * one.radius_A
        for point in (one.centre_A, one.centre_A + outward):
            points.append(point + direction(generator) * marks.error_A * generator.uniform() ** (1 / 3))
            regions.append(region)
    return placed(number, np.array(points), pixel_A).with_columns(reg=np.array(regions, dtype=float))
