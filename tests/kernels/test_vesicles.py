"""Vesicles in a noisy tomogram with a missing wedge are found, and nothing is found where nothing is."""

import tracemalloc

import numpy as np
import pytest
from scipy import fft

from engine.data import HeldTomogram, Volume
from engine.kernels import vesicles

SHAPE = (100, 200, 200)
RADII, THICKNESS, TILTS = (24.0, 36.0), 8.0, (-60.0, 60.0)


def held(volume):
    return HeldTomogram(Volume(volume))


def missing_wedge(volume):
    spectrum = fft.rfftn(volume)
    frequencies = np.meshgrid(
        *(fft.fftfreq(n) for n in volume.shape[:2]), fft.rfftfreq(volume.shape[2]), indexing="ij", sparse=True
    )
    return fft.irfftn(spectrum * vesicles.measured(frequencies, TILTS), volume.shape).astype(np.float32)


def scene(seed, snr, n=6, gold=8):
    """Dark shells that do not overlap, gold, white noise, without the missing wedge; and their centres (zyx) and radii."""
    generator = np.random.default_rng(seed)
    volume = np.zeros(SHAPE, dtype=np.float32)
    grid = np.meshgrid(*map(np.arange, SHAPE), indexing="ij", sparse=True)
    true = []
    while len(true) < n:
        centre = np.array([generator.uniform(38, SHAPE[0] - 38), *generator.uniform(15, SHAPE[1] - 15, 2)])
        radius = generator.uniform(26, 34)
        if all(np.linalg.norm(centre - other) > 1.05 * (radius + size) for other, size in true):
            true.append((centre, radius))
            distance = np.sqrt(sum((axis - at) ** 2 for axis, at in zip(grid, centre, strict=True)))
            volume -= np.exp(-0.5 * ((distance - radius) / 3) ** 2)
    noise = volume.std() / np.sqrt(snr)
    for _ in range(gold):
        at = generator.uniform(0, 1, 3) * SHAPE
        volume[sum((axis - one) ** 2 for axis, one in zip(grid, at, strict=True)) < 16] -= 8
    volume += noise * generator.normal(size=SHAPE)
    return missing_wedge(volume), true


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("snr", [0.2, 0.02])
def test_vesicles_are_found_with_their_radii(seed, snr):
    volume, true = scene(seed, snr)
    found = vesicles.find(held(volume), RADII, THICKNESS, TILTS)
    distances, errors = [], []
    for centre, radius in true:
        away = [float(np.linalg.norm(np.array(one.centre_xyz)[::-1] - centre)) for one in found]
        nearest = int(np.argmin(away))
        distances.append(away[nearest])
        errors.append(abs(found[nearest].radius - radius))
    is_hit = np.array(distances) < 9  # a shell and its middle are one thing up to a third of the radius
    print(f"recall {is_hit.mean():.2f}, found {len(found)} of {len(true)}")
    print(f"centre {np.median(distances):.1f} px, radius {np.median(errors):.1f} px")
    assert is_hit.mean() >= 5 / 6
    assert is_hit.sum() / len(found) >= 5 / 6
    assert np.median(distances) < 4
    assert np.median(errors) < 2


def test_nothing_is_found_in_noise_nor_in_gold():
    generator = np.random.default_rng(7)
    noise = missing_wedge(generator.normal(size=SHAPE).astype(np.float32))
    assert vesicles.find(held(noise), RADII, THICKNESS, TILTS) == []
    volume, _ = scene(3, 0.05, n=1, gold=30)
    assert len(vesicles.find(held(volume), RADII, THICKNESS, TILTS)) <= 2


def test_bright_shells_are_found_when_asked_for():
    volume, true = scene(0, 0.2)
    assert vesicles.find(held(-volume), RADII, THICKNESS, TILTS, dark=False) == vesicles.find(
        held(volume), RADII, THICKNESS, TILTS
    )
    assert len(vesicles.find(held(volume), RADII, THICKNESS, TILTS, dark=False)) < len(true)


def test_block_means_keep_places():
    """A shell about a known voxel of the large map is found about that voxel."""
    centre = np.array([50.0, 90.0, 110.0])
    grid = np.meshgrid(*map(np.arange, SHAPE), indexing="ij", sparse=True)
    distance = np.sqrt(sum((axis - at) ** 2 for axis, at in zip(grid, centre, strict=True)))
    volume = missing_wedge(-np.exp(-0.5 * ((distance - 31) / 3) ** 2))
    volume += 0.4 * np.random.default_rng(0).normal(size=SHAPE).astype(np.float32)
    (found,) = vesicles.find(held(volume), RADII, THICKNESS, TILTS)
    np.testing.assert_allclose(found.centre_xyz, centre[::-1], atol=1.5)
    assert found.radius == pytest.approx(31, abs=1.5)


def test_memory_is_bounded_by_the_small_map():
    volume = scene(0, 0.2)[0]
    tracemalloc.start()
    vesicles.find(held(volume), RADII, THICKNESS, TILTS)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    small = volume.size / 2**3
    print(f"{peak / small:.0f} bytes for each voxel of the small map")
    assert peak < 140 * small
