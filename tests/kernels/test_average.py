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
        particle = average.Placed(block(half, REACH), wedge, rotation, shift)
        total = average.inserted(total, particle)
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


@pytest.mark.parametrize(("n", "reach"), [(31, 15), (32, 15), (32, 9)])
@pytest.mark.parametrize("wedge", [WEDGE, Wedge(0), Wedge(4, (-50, 60), (-40, 60))])
def test_the_compiled_sum_equals_its_twin(n, reach, wedge):
    generator = np.random.default_rng(5)
    boxes = generator.normal(size=(6, n, n, n)).astype(np.float32)
    poses = zip(euler.matrices(euler.random(6, generator)), generator.normal(size=(6, 3)), strict=True)
    particles = [
        average.Placed(spectrum_block(box, reach), wedge, *pose) for box, pose in zip(boxes, poses, strict=True)
    ]
    slow = average.empty_sum(n)
    for particle in particles:
        slow = average.inserted(slow, particle)
    quick = average.sum_of(n, particles)
    np.testing.assert_allclose(quick.values, slow.values, atol=1e-5 * np.abs(slow.values).max())
    np.testing.assert_allclose(quick.weights, slow.weights, atol=1e-5 * slow.weights.max())


def test_weights_count_the_particles_that_measured_a_voxel():
    total = summed(12, Wedge(0))
    shells = np.rint(np.linalg.norm(half_frequencies(N), axis=-1))
    assert total.weights[(shells > 3) & (shells < 12)].mean() == pytest.approx(12, rel=0.02)


def test_one_particle_turned_back_is_the_object():
    total = average.empty_sum(N)
    rotation, shift = euler.matrices([30, 40, 50]), np.array([1.0, -2.0, 0.5])
    particle = spectrum_block(blobs.render(CHAIN @ rotation.T + shift, 1.2, N), REACH)
    total = average.completed(average.inserted(total, average.Placed(particle, Wedge(0), rotation, shift)))
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
    placed = average.Placed(spectrum_block(flat, REACH), Wedge(0), np.eye(3), np.zeros(3))
    total = average.completed(average.sum_of(N, [placed]))
    inner = slice(N // 4, -N // 4)
    made = average.compensated(total) * 1.0
    assert made[inner, inner, inner].std() < 0.2 * made[inner, inner, inner].mean()
