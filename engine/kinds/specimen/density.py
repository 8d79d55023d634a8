"""Densities of a scene: beads put on the grid, blurred in Fourier space, seen through a missing wedge and noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy

from engine.kernels import blobs
from engine.kernels.wedge import Wedge, measured
from engine.kinds.specimen.form import MEMBRANE_A
from engine.kinds.specimen.hexamer import Beads
from engine.kinds.specimen.scene import JUNK_A, Scene, Vesicle

LEAFLET_A, LEAFLET_SIGMA_A = 20.0, 9.0
"""Distance of a leaflet from the middle of the membrane, and its width."""

LEAFLET_BEADS = 0.022
"""Mass of a leaflet in beads to a square A: about as dense as the lattice."""

GOLD_BEADS = 0.02
"""Mass of gold in beads to a cubic A."""

JUNK_BEADS = 160
"""Beads of a clump."""

SHELL_A = (-70.0, 60.0)
"""Where the lattice lies, from its sphere outward: the variance of the clean density is told from there."""


@dataclass(frozen=True)
class Sizes:
    """Of a box: its sides and pixel; of what lies there: the width of a bead, the radius of gold."""

    size_xyz_px: tuple[int, int, int]
    pixel_A: float
    sigma_A: float
    gold_radius_A: float


def clean(
    scene: Scene,
    cell: Beads,
    sizes: Sizes,
    generator: np.random.Generator,
) -> np.ndarray:
    """The half spectrum (z, y, x // 2 + 1) complex64 of what lies in a box; density is positive, in beads a voxel."""
    pixel_A, shape = sizes.pixel_A, sizes.size_xyz_px[::-1]
    grid = np.zeros(shape, np.float32)
    for one in scene.vesicles:
        places_A = np.einsum("kij,bj->kbi", one.frames, cell.points_A) + one.centres_A[:, None]
        deposit(grid, places_A.reshape(-1, 3) / pixel_A, np.tile(cell.masses, len(places_A)))
    for centre in scene.junk_A:
        turn = scipy.spatial.transform.Rotation.random(random_state=int(generator.integers(2**31))).as_matrix()
        clump = blobs.chiral_chain(JUNK_BEADS, JUNK_A, generator) @ turn + centre
        deposit(grid, clump / pixel_A, np.ones(JUNK_BEADS))
    half = blurred(grid, sizes.sigma_A / pixel_A)
    bodies = np.zeros(shape, np.float32)
    for one in scene.vesicles:
        _add_membrane(bodies, one, pixel_A)
    for centre in scene.gold_A:
        _add_ball(bodies, centre, sizes.gold_radius_A, pixel_A)
    half += scipy.fft.rfftn(bodies)
    return half


def deposit(grid: np.ndarray, places_xyz_px: np.ndarray, masses: np.ndarray) -> None:
    """Adds masses (n,) at places (n, 3), each shared among the eight voxels around it; what lies outside is left out."""
    low = np.floor(places_xyz_px).astype(np.int64)
    part = places_xyz_px - low
    shape = np.array(grid.shape[::-1])
    flat = grid.reshape(-1)
    for corner in np.ndindex(2, 2, 2):
        at = low + corner
        share = masses * np.where(corner, part, 1 - part).prod(axis=1)
        inside = ((at >= 0) & (at < shape)).all(axis=1)
        x, y, z = at[inside].T
        flat += np.bincount((z * shape[1] + y) * shape[0] + x, share[inside], len(flat)).astype(flat.dtype)


def blurred(grid: np.ndarray, sigma_px: float) -> np.ndarray:
    """The half spectrum complex64 of deposited beads as Gaussians; what sharing among voxels has blurred is taken back."""
    half = scipy.fft.rfftn(grid)
    for axis, k in enumerate(frequencies(grid.shape)):
        factor = np.exp(-2 * (np.pi * sigma_px * k) ** 2) / np.sinc(k) ** 2
        half *= np.expand_dims(factor.astype(np.float32), tuple(other for other in range(3) if other != axis))
    return half


def frequencies(shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of a half spectrum along z, y, x, in cycles a voxel."""
    return np.fft.fftfreq(shape[0]), np.fft.fftfreq(shape[1]), np.fft.rfftfreq(shape[2])


def through_wedge(half: np.ndarray, shape: tuple[int, ...], wedge: Wedge) -> np.ndarray:
    """The spectrum without what the tilts have not measured, plane by plane."""
    k_z, k_y, k_x = frequencies(shape)
    for plane, z in zip(half, k_z, strict=True):
        y, x = np.meshgrid(k_y, k_x, indexing="ij")
        plane *= measured(np.stack([x, y, np.full_like(x, z)], axis=-1), wedge)
    return half


def spectrum_of(density: np.ndarray) -> np.ndarray:
    """The half spectrum of a density, complex64."""
    return np.asarray(scipy.fft.rfftn(density))


def of_spectrum(half: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The density (z, y, x) float32."""
    return np.asarray(scipy.fft.irfftn(half, shape), dtype=np.float32)


def shell_variance(density: np.ndarray, vesicles: tuple[Vesicle, ...], pixel_A: float) -> float:
    """The variance of the density where the lattices lie."""
    inside = np.zeros(density.shape, bool)
    for one in vesicles:
        place, apart_A = _around(density.shape, one.centre_A, one.radius_A + SHELL_A[1], pixel_A)
        inside[place] |= (apart_A > one.radius_A + SHELL_A[0]) & (apart_A < one.radius_A + SHELL_A[1])
    return float(density[inside].var(dtype=np.float64))


def _around(
    shape: tuple[int, ...], centre_A: np.ndarray, reach_A: float, pixel_A: float
) -> tuple[tuple[slice, ...], np.ndarray]:
    """The voxels that a ball reaches, and their distances from its centre in A."""
    low = np.maximum(np.floor((centre_A - reach_A) / pixel_A).astype(int), 0)
    high = np.minimum(np.ceil((centre_A + reach_A) / pixel_A).astype(int) + 1, shape[::-1])
    x, y, z = (np.arange(a, b) * pixel_A - c for a, b, c in zip(low, high, centre_A, strict=True))
    apart_A = np.sqrt(z[:, None, None] ** 2 + y[:, None] ** 2 + x**2)
    return tuple(slice(a, b) for a, b in zip(low[::-1], high[::-1], strict=True)), apart_A


def _add_membrane(bodies: np.ndarray, one: Vesicle, pixel_A: float) -> None:
    middle, sigma_A = one.radius_A + MEMBRANE_A, max(LEAFLET_SIGMA_A, 0.5 * pixel_A)
    place, apart_A = _around(bodies.shape, one.centre_A, middle + LEAFLET_A + 4 * sigma_A, pixel_A)
    height = LEAFLET_BEADS * pixel_A**3 / (np.sqrt(2 * np.pi) * sigma_A)
    for leaflet in (middle - LEAFLET_A, middle + LEAFLET_A):
        bodies[place] += height * np.exp(-0.5 * ((apart_A - leaflet) / sigma_A) ** 2)


def _add_ball(bodies: np.ndarray, centre_A: np.ndarray, radius_A: float, pixel_A: float) -> None:
    place, apart_A = _around(bodies.shape, centre_A, radius_A + 2 * pixel_A, pixel_A)
    bodies[place] += GOLD_BEADS * pixel_A**3 * np.clip((radius_A - apart_A) / pixel_A + 0.5, 0, 1)
