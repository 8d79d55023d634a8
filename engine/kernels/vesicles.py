"""Spherical vesicles in a tomogram, found by a radial Hough transform: shells of every radius, matched everywhere.

The shells are compared as the tilts show them: a shell without its missing wedge has no caps. All transforms are of one
small map, whose voxels are told from the smallest radius: memory is bounded whatever the tomogram's size.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import scipy

from engine.data import Tomogram
from engine.geometry.even import directions
from engine.kernels import wedge

SMALLEST_RADIUS_PX = 10.0
"""What the smallest radius measures in the small map."""

PART_BYTES = 64 << 20
"""What is read of the tomogram at a time, where a layer of blocks is not more."""

CLIPPED_SIGMA = 3.0
"""Beyond so many deviations from the median, as robustly told, voxels are cut off: gold and ice."""

SECTORS = 200
"""Directions in which a shell is looked for once its centre is known."""

ROUNDS = 8
"""Times that centre and radius are put right."""

OVERLAP = 0.8
"""Two spheres whose centres are nearer than this share of the sum of their radii are one, the better."""


class Vesicle(NamedTuple):
    """centre_xyz and radius in px of the map; score: deviations of the background; coverage: share of the seen directions
    in which the shell stands out."""

    centre_xyz: tuple[float, float, float]
    radius: float
    score: float
    coverage: float


def find(
    tomogram: Tomogram,
    radii: tuple[float, float],
    thickness: float,
    tilt_range_deg: tuple[float, float],
    *,
    dark: bool = True,
    lowest_score: float = 6.0,
    lowest_coverage: float = 0.75,
    most: int = 100,
) -> list[Vesicle]:
    """The vesicles of a tomogram, the best first.

    radii: the smallest and largest that are looked for, and thickness of the shell, in px of the map. dark: the shell has
    lower values than what is around it. A sphere that reaches out of the map is found where its centre is inside.
    """
    factor = factor_of(radii[0])
    small = clipped(block_means(tomogram, factor))
    if dark:
        small = -small
    flattened = small - scipy.ndimage.uniform_filter(small, max(3, round(4 * radii[1] / factor)), mode="nearest")
    tried = steps(radii[0] / factor, radii[1] / factor)
    score, which = best_shells(flattened, tried, thickness / factor, tilt_range_deg)
    found: list[Vesicle] = []
    for centre, value in peaks(score, lowest_score):
        radius = tried[which[tuple(np.rint(centre).astype(int))]]
        near = [
            np.linalg.norm(centre - np.array(one.centre_xyz)[::-1]) < OVERLAP * (radius + one.radius) for one in found
        ]
        if any(near):
            continue
        coverage, radius, centre = looked_at(flattened, centre, radius, thickness / factor, tilt_range_deg)
        if coverage >= lowest_coverage:
            z, y, x = centre
            found.append(Vesicle((float(x), float(y), float(z)), float(radius), value, coverage))
        if len(found) == most:
            break
    return [one._replace(centre_xyz=_in_map(one.centre_xyz, factor), radius=one.radius * factor) for one in found]


def factor_of(smallest_radius: float) -> int:
    """How many voxels of the map a voxel of the small map is long, for a smallest radius in px of the map."""
    return max(1, math.floor(smallest_radius / SMALLEST_RADIUS_PX))


def block_means(tomogram: Tomogram, factor: int) -> np.ndarray:
    """The means of blocks of factor^3 voxels, float32; what is left over at the far sides is cut off. Read in layers."""
    nz, ny, nx = (n // factor for n in tomogram.shape_zyx)
    small = np.empty((nz, ny, nx), dtype=np.float32)
    depth = max(1, PART_BYTES // (4 * ny * nx * factor**3))
    for z in range(0, nz, depth):
        end = min(z + depth, nz)
        layer = tomogram.read((z * factor, 0, 0), (end * factor, ny * factor, nx * factor))
        small[z:end] = layer.reshape(end - z, factor, ny, factor, nx, factor).mean(axis=(1, 3, 5))
    return small


def clipped(volume: np.ndarray) -> np.ndarray:
    """Median 0, deviation 1 as the median of distances tells it, cut off at CLIPPED_SIGMA; what is no number is 0."""
    finite = np.where(np.isfinite(volume), volume, np.nan)
    centred = np.nan_to_num(finite - np.nanmedian(finite))
    deviation = float(np.median(np.abs(centred))) * 1.4826
    return np.clip(centred / (deviation or 1.0), -CLIPPED_SIGMA, CLIPPED_SIGMA).astype(np.float32)


def steps(smallest: float, largest: float) -> np.ndarray:
    """The radii that are tried, half a voxel apart."""
    return np.linspace(smallest, largest, max(1, math.ceil((largest - smallest) / 0.5)) + 1)


def best_shells(
    volume: np.ndarray, radii: np.ndarray, thickness: float, tilt_range_deg: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray]:
    """At every voxel the highest score of a shell around it, in deviations of the background, and which radius has it."""
    reach = math.ceil(radii[-1] + 2 * thickness)
    shape = tuple(scipy.fft.next_fast_len(n + reach, real=True) for n in volume.shape)
    spectrum = scipy.fft.rfftn(volume, shape).astype(np.complex64)
    frequencies = np.meshgrid(
        *(scipy.fft.fftfreq(n) for n in shape[:2]), scipy.fft.rfftfreq(shape[2]), indexing="ij", sparse=True
    )
    seen = measured(frequencies, tilt_range_deg)
    length = np.sqrt(sum(one.astype(np.float32) ** 2 for one in frequencies))
    best = np.full(volume.shape, -np.inf, dtype=np.float32)
    which = np.zeros(volume.shape, dtype=np.int16)
    region = tuple(slice(0, n) for n in volume.shape)
    for number, radius in enumerate(radii):
        template = shell_spectrum(length, radius, thickness) * seen
        power = float((np.abs(template) ** 2).sum())
        score = scipy.fft.irfftn(spectrum * (template / math.sqrt(power)), shape)[region]
        score = (score - np.median(score)) / (1.4826 * np.median(np.abs(score - np.median(score))) or 1.0)
        better = score > best
        best[better], which[better] = score[better], number
    return best, which


def shell_spectrum(length: np.ndarray, radius: float, thickness: float) -> np.ndarray:
    """The transform of a shell about 0 with a Gaussian profile, at frequencies of these lengths in 1/px; without its mean.

    sin(2 pi k r) / (2 pi k r) is that of a thin shell; the profile's half width is half the thickness.
    """
    sigma = thickness / 2.355
    spectrum = np.sinc(2 * length * radius) * np.exp(-2 * (np.pi * sigma * length) ** 2)
    wide = np.exp(-2 * (np.pi * radius * length / 2) ** 2)
    return np.asarray((spectrum * (1 - wide)).astype(np.float32))


def measured(frequencies_zyx: Sequence[np.ndarray], tilt_range_deg: tuple[float, float]) -> np.ndarray:
    """1 where a tilt about y within the range measured, else 0."""
    k_xyz = np.stack(np.broadcast_arrays(*reversed(frequencies_zyx)), axis=-1).astype(np.float32)
    return np.asarray(wedge.measured(k_xyz, wedge.Wedge(1, tilt_range_deg)), dtype=np.float32)


def peaks(score: np.ndarray, lowest: float) -> list[tuple[np.ndarray, float]]:
    """Places (zyx) and values of the voxels that are higher than their 26 neighbours, the highest first."""
    is_peak = (score == scipy.ndimage.maximum_filter(score, 3)) & (score >= lowest)
    places = np.argwhere(is_peak)
    values = score[is_peak]
    order = np.lexsort((*places.T, -values))
    return [(places[number].astype(float), float(values[number])) for number in order]


def looked_at(
    volume: np.ndarray, centre: np.ndarray, radius: float, thickness: float, tilt_range_deg: tuple[float, float]
) -> tuple[float, float, np.ndarray]:
    """Coverage, radius and centre (zyx), the latter two put right by where the shell is brightest in each direction.

    Only the directions are looked in whose surface the tilts show: those within the tilt range of the plane of the axes.
    """
    step = np.arange(-1.5 * thickness, 1.5 * thickness + 0.25, 0.5)
    nearness = np.exp(-0.5 * (step / thickness) ** 2)
    for _ in range(ROUNDS):
        rays = inside(volume.shape, centre, radius, seen_directions(tilt_range_deg))
        if len(rays) < SECTORS // 8:
            return 0.0, radius, centre
        profile = scipy.ndimage.gaussian_filter1d(
            radial(volume, centre, rays, radius + step), thickness / 2.355 / 0.5, axis=1
        )
        weights = np.maximum(profile, 0.0) ** 2 * nearness
        offset = (weights @ step) / np.maximum(weights.sum(axis=1), 1e-9)
        trust = np.sqrt(np.maximum(profile.max(axis=1), 0.0))
        matrix = np.column_stack([rays, np.ones(len(rays))]) * trust[:, None]
        # A shift that the seen directions hardly tell is damped, not taken at its word.
        damped = np.concatenate([matrix, 0.1 * math.sqrt(float((trust**2).sum())) * np.eye(4)[:3]])
        *shift, growth = np.linalg.lstsq(damped, np.concatenate([offset * trust, np.zeros(3)]), rcond=None)[0]
        centre = centre + np.clip(shift[::-1], -1.0, 1.0)
        radius = radius + float(np.clip(growth, -1.0, 1.0))
    rays = inside(volume.shape, centre, radius, seen_directions(tilt_range_deg))
    inner, on, outer = (
        radial(volume, centre, rays, radius + np.array(where) * thickness)
        for where in ((-1.5, -1.25, -1.0), (-0.25, 0.0, 0.25), (1.0, 1.25, 1.5))
    )
    contrast = on.mean(axis=1) - 0.5 * (inner.mean(axis=1) + outer.mean(axis=1))
    return float((contrast > 0).mean()) if len(rays) else 0.0, radius, centre


def inside(shape: tuple[int, ...], centre: np.ndarray, radius: float, rays: np.ndarray) -> np.ndarray:
    """Those of the rays (n, 3) xyz that meet the sphere within the map."""
    places = centre + radius * rays[:, ::-1]
    return np.asarray(rays[np.all((places >= 0) & (places <= np.array(shape) - 1), axis=1)])


def seen_directions(tilt_range_deg: tuple[float, float]) -> np.ndarray:
    """(n, 3) unit vectors xyz, normals of surfaces that the tilts show: their own frequency is measured."""
    rays = directions(SECTORS)
    seen = measured([rays[:, 2], rays[:, 1], rays[:, 0]], tilt_range_deg) > 0
    return np.asarray(rays[seen])


def radial(volume: np.ndarray, centre: np.ndarray, rays: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """(rays, lengths) values of the map at these distances from the centre (zyx); 0 outside of it."""
    places = centre[:, None, None] + rays.T[::-1][:, :, None] * lengths
    return np.asarray(scipy.ndimage.map_coordinates(volume, places, order=1, mode="constant", cval=0.0))


def _in_map(centre_xyz: tuple[float, float, float], factor: int) -> tuple[float, float, float]:
    """From px of block means to px of the map: the middle of a block."""
    x, y, z = (factor * one + (factor - 1) / 2 for one in centre_xyz)
    return x, y, z
