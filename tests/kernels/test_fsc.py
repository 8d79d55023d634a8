"""Fourier shell correlation."""

import numpy as np
import pytest

from engine.kernels import fsc

GENERATOR = np.random.default_rng(5)


def noise(n=32):
    return GENERATOR.normal(size=(n, n, n)).astype(np.float32)


def test_a_map_correlates_with_itself():
    volume = noise()
    np.testing.assert_allclose(fsc.fsc(volume, 3 * volume), 1, atol=1e-6)


def test_independent_noise_scatters_around_zero_as_its_voxels_allow():
    curve = fsc.fsc(noise(), noise())
    shell = np.arange(4, 16)
    assert np.abs(curve[4:16]).max() < 5 / np.sqrt(2 * np.pi * shell.min() ** 2)
    assert abs(curve[8:16].mean()) < 0.05


def test_equal_signal_and_noise_give_one_half():
    signal = noise()
    curve = fsc.fsc(signal + noise(), signal + noise())
    assert curve[6:16].mean() == pytest.approx(0.5, abs=0.05)


def test_a_crossing_lies_between_shells():
    curve = np.array([1, 0.9, 0.6, 0.4, 0.0])
    assert fsc.crossing_fpx(curve, 0.5) == pytest.approx(2.5)
    assert fsc.crossing_fpx(np.ones(9), 0.5) == 8


@pytest.mark.parametrize(("shell", "angstrom"), [(32, 8.10), (38, 6.82)])
def test_the_workshops_shells_are_its_resolutions(shell, angstrom):
    curve = np.ones(97)
    curve[shell:] = 0.143
    curve[shell + 1 :] = 0
    assert fsc.resolution_A(curve, 0.143 + 1e-9, 192, 1.35) == pytest.approx(angstrom, abs=0.005)
