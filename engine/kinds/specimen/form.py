"""The TOML form of a specimen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import numpy as np
from pydantic import Field, Strict

from engine.faults import Fault
from engine.kinds import sense
from engine.kinds.form import Form, Look, ProjectForm, ResiduesReference, Vector

Size = Annotated[int, Field(ge=32, le=4096)]
Sizes = Annotated[tuple[Size, Size, Size], Strict(False)]
Range = Annotated[tuple[float, float], Strict(False)]

MEMBRANE_A = 120.0
"""How far the middle of the membrane lies outside the lattice's sphere."""

FURTHEST_A = 150.0
"""Distance of a model's chains from its origin beyond which this is taken for a slip."""


class Tomograms(Form):
    """The tomograms that are made."""

    count: int = Field(default=5, ge=1, le=999, description="Number of tomograms")
    size_xyz_px: Sizes = Field(default=(320, 320, 160), description="Their size in px")
    pixel_size_A: float = Field(default=10.8, gt=0, description="Pixel size in A")
    tilt_range_deg: Range = Field(default=(-60.0, 60.0), description="Measured tilts about y in deg")
    tilt_jitter_deg: float = Field(
        default=3.0,
        ge=0,
        le=20,
        description="Largest change of either end of the range from tomogram to tomogram, in deg",
    )
    snr: float = Field(
        default=0.5, gt=0, description="Variance of the clean density over that of the noise, in the lattices' shells"
    )
    is_dark: bool = Field(default=True, description="Density is dark, as in a tomogram; false: bright")


class Particles(Form):
    """Virus-like particles: spheres with a hexagonal lattice inside a membrane."""

    per_tomogram: int = Field(default=3, ge=1, le=50, description="Number of particles in a tomogram")
    radius_A: Range = Field(default=(430.0, 560.0), description="Least and greatest radius of the lattice in A")
    spacing_A: float = Field(default=73.0, gt=0, description="Distance of neighbouring hexamers in A")
    coverage: float = Field(
        default=0.67, gt=0, le=1, description="Share of the sphere that the lattice covers, cracks not counted"
    )
    cracks: int = Field(default=3, ge=0, le=20, description="Cracks in each lattice: arcs without hexamers")


class Model(Form):
    """An atomic model whose residues, each a bead, take the place of the built-in hexamer."""

    file: ResiduesReference = Field(description="PDB or mmCIF, as it is or packed (.gz); read by gemmi")
    chains: Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Strict(False)] = Field(
        default=(), description="Chains that are taken; omitted: all"
    )
    origin_xyz_A: Vector = Field(
        description="A point on the symmetry axis, which runs along z of the file: where the axis meets the lattice's sphere"
    )
    is_upside_down: bool = Field(default=False, description="z of the file points inward")
    symmetry: str = Field(default="C6", description="Symmetric copies of these chains: Cn, Dn, T, O, I")


class Hexamer(Form):
    """The unit cell: six two-domain subunits above a six-helix bundle."""

    sigma_A: float = Field(default=6.0, gt=0, description="Width of the beads that it is made of, in A")
    model: Model | None = Field(default=None, description="An atomic model in place of the built-in coordinates")
    is_mirrored: bool = Field(default=False, description="The mirror image instead, to see whether a campaign notices")
    box_px: int = Field(default=32, ge=8, le=512, description="Side of the item `unit_cell` in px")


class Others(Form):
    """What else lies in the tomograms, outside the particles."""

    gold: int = Field(default=6, ge=0, le=1000, description="Gold beads in a tomogram")
    gold_radius_A: float = Field(default=50.0, gt=0, description="Their radius in A")
    junk: int = Field(default=12, ge=0, le=1000, description="Clumps of protein in a tomogram")


class Marks(Form):
    """What a person would have marked."""

    error_A: float = Field(default=54.0, ge=0, description="Largest error of a marked centre or surface point, in A")


class Project(ProjectForm):
    """Tomograms of virus-like particles with a known lattice: seeded, with missing wedge and noise stated."""

    tomograms: Tomograms = Field(default=Tomograms.plain(), description="The tomograms")
    particles: Particles = Field(default=Particles.plain(), description="The virus-like particles")
    hexamer: Hexamer = Field(default=Hexamer.plain(), description="The unit cell")
    others: Others = Field(default=Others.plain(), description="What else is there")
    marks: Marks = Field(default=Marks.plain(), description="What a person would have marked")


def check(project: Project, look: Look) -> Iterator[Fault]:
    """What is wrong between fields."""
    form, where = project.particles, project.tomograms
    low, high = where.tilt_range_deg
    if not -90 <= low < high <= 90:
        yield Fault(
            ("tomograms", "tilt_range_deg"), f"[{low:g}, {high:g}] is no range of tilts", "as in [-60, 60]", code="E307"
        )
    least, most = form.radius_A
    if not 3 * form.spacing_A <= least <= most:
        yield Fault(
            ("particles", "radius_A"),
            f"[{least:g}, {most:g}] is no range of radii of a lattice with {form.spacing_A:g} A between hexamers",
            f"from {3 * form.spacing_A:g} on, the lesser first",
            code="E307",
        )
    yield from _model_faults(project.hexamer.model, look)
    needed = 2 * (most + MEMBRANE_A + 4 * where.pixel_size_A) / where.pixel_size_A
    if needed > min(where.size_xyz_px):
        yield Fault(
            ("tomograms", "size_xyz_px"),
            f"a particle of radius {most:g} A with its membrane takes {needed:.0f} px, one side has {min(where.size_xyz_px)}",
            "make the tomogram larger or particles.radius_A smaller",
            code="E309",
            also=(("particles", "radius_A"),),
        )


def _model_faults(model: Model | None, look: Look) -> Iterator[Fault]:
    if model is None:
        return
    key = ("hexamer", "model")
    yield from sense.symmetry_name(model.symmetry, (*key, "symmetry"))
    residues = look.residues(model.file)
    if residues is None:
        return
    have = list(dict.fromkeys(residues.chains))
    if lost := [chain for chain in model.chains if chain not in have]:
        yield Fault(
            (*key, "chains"), f"there is no chain {lost[0]}", f"the file has {', '.join(have[:12])}", code="E409"
        )
        return
    points = residues.of(model.chains).points_xyz_A - model.origin_xyz_A
    if (apart := float(np.linalg.norm(points.mean(axis=0)))) > FURTHEST_A:
        what = f"the chains lie {apart:.0f} A from this point"
        yield Fault(
            (*key, "origin_xyz_A"), what, "give the point of their axis at the height of the lattice", code="E409"
        )
