"""Averaging with Fourier compensation."""

import numpy as np
import pytest

from engine.geometry import euler
from engine.kernels import average, blobs, fsc, mask
from engine.kernels.fourier import block, from_spectrum, half_frequencies, spectrum, spectrum_block
from engine.kernels.wedge import Wedge, measured

N = 32
REACH = 15
WEDGE = Wedge(1, (-60, 60))
CHAIN = blobs.chiral_chain(50, 9, np.random.default_rng(3))
OBJECT = blobs.render(CHAIN, 1.2, N)


def summed(n_particles, wedge, seed=0):
    generator = np.random.default_rng(seed)
    total = average.empty_sum(N)
    kept = measured(half_frequencies(N), wedge)
    for angles in euler.random(n_particles, generator):
        rotation, shift = euler.matrices(angles), generator.uniform(-2, 2, 3)
        half = spectrum(blobs.render(CHAIN @ rotation.T + shift, 1.2, N)) * kept
        total = average.inserted(total, block(half, REACH), wedge, rotation, shift)
    return average.completed(total)


@pytest.fixture(scope="module")
def forty():
    return summed(40, WEDGE)


def test_the_compensated_average_of_wedged_particles_is_the_object(forty):
    curve = fsc.fsc(average.compensated(forty), OBJECT, mask.inscribed_ball(N))
    assert curve[: int(0.7 * N / 2)].min() > 0.995
    assert np.abs(average.compensated(forty) - OBJECT).max() < 0.15 * OBJECT.max()


def test_the_raw_average_lacks_what_the_wedges_took(forty):
    few = summed(3, WEDGE)
    compensated = fsc.fsc(average.compensated(few), OBJECT, mask.inscribed_ball(N))
    raw = fsc.fsc(average.raw(few, 3), OBJECT, mask.inscribed_ball(N))
    assert compensated[2:10].mean() > raw[2:10].mean()


def test_weights_count_the_particles_that_measured_a_voxel():
    total = summed(12, Wedge(0))
    shells = np.rint(np.linalg.norm(half_frequencies(N), axis=-1))
    assert total.weights[(shells > 3) & (shells < 12)].mean() == pytest.approx(12, rel=0.02)


def test_one_particle_turned_back_is_the_object():
    total = average.empty_sum(N)
    rotation, shift = euler.matrices([30, 40, 50]), np.array([1.0, -2.0, 0.5])
    particle = spectrum_block(blobs.render(CHAIN @ rotation.T + shift, 1.2, N), REACH)
    total = average.completed(average.inserted(total, particle, Wedge(0), rotation, shift))
    assert fsc.fsc(average.compensated(total), OBJECT, mask.inscribed_ball(N))[:12].min() > 0.97


def test_voxels_below_the_minimum_of_particles_are_empty(forty):
    full = np.abs(spectrum(average.compensated(forty))) > 1e-3
    strict = np.abs(spectrum(average.compensated(forty, minimum_weight=1000))) > 1e-3
    assert full.any()
    assert not strict.any()


def test_merging_two_averages_equals_averaging_all_at_once():
    first, second = summed(9, WEDGE, seed=1), summed(5, WEDGE, seed=2)
    merged, weights = average.merged(
        [average.compensated(first), average.compensated(second)], [first.weights, second.weights]
    )
    at_once = average.compensated(first + second)
    np.testing.assert_allclose(weights, (first + second).weights)
    assert fsc.fsc(merged, at_once)[:13].min() > 0.9999


def test_the_fourier_sum_of_a_constant_box_stays_constant():
    flat = from_spectrum(spectrum(np.ones((N,) * 3, dtype=np.float32)), N)
    total = average.completed(
        average.inserted(average.empty_sum(N), spectrum_block(flat, REACH), Wedge(0), np.eye(3), np.zeros(3))
    )
    inner = slice(N // 4, -N // 4)
    made = average.compensated(total) * 1.0
    assert made[inner, inner, inner].std() < 0.2 * made[inner, inner, inner].mean()
