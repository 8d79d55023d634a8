"""Spectra of boxes."""

import numpy as np
import pytest

from engine.kernels import fourier

GENERATOR = np.random.default_rng(7)


@pytest.mark.parametrize("n", [16, 17])
def test_a_bright_voxel_at_the_centre_has_no_phase(n):
    volume = np.zeros((n, n, n), dtype=np.float32)
    volume[n // 2, n // 2, n // 2] = 1
    np.testing.assert_allclose(fourier.spectrum(volume), 1, atol=1e-6)


@pytest.mark.parametrize("n", [16, 17])
def test_a_box_comes_back_from_its_spectrum(n):
    volume = GENERATOR.normal(size=(n, n, n)).astype(np.float32)
    np.testing.assert_allclose(fourier.from_spectrum(fourier.spectrum(volume), n), volume, atol=1e-5)


def test_a_wave_passes_exactly_when_its_shell_lies_between_the_cuts():
    n = 32
    x = np.arange(n) - n // 2
    for shell, kept in [(2, 0.0), (5, 1.0), (8, 1.0), (11, 0.0)]:
        wave = np.broadcast_to(np.cos(2 * np.pi * shell * x / n), (n, n, n)).astype(np.float32)
        np.testing.assert_allclose(fourier.bandpass(wave, 4, 9), kept * wave, atol=1e-5)


def test_the_edge_of_a_passband_is_half_way_up_one_pixel_outside_the_cut():
    np.testing.assert_allclose(
        fourier.passband(np.array([0.0, 3.0, 4.0, 9.0, 10.0, 11.0]), 4, 9), [0, 0.5, 1, 1, 0.5, 0], atol=1e-6
    )


@pytest.mark.parametrize(("n", "small"), [(32, 16), (32, 17), (31, 16), (33, 21)])
def test_fourier_cropping_keeps_the_centre_and_the_height(n, small):
    def blob(size, scale):
        z, y, x = (np.indices((size,) * 3) - size // 2) * scale
        return np.exp(-((x - 1) ** 2 + (y + 2) ** 2 + z**2) / (2 * 3.0**2))

    made = fourier.cropped(blob(n, 1.0).astype(np.float32), small)
    np.testing.assert_allclose(made, blob(small, n / small), atol=0.01)


def test_cropping_to_a_larger_box_is_refused():
    with pytest.raises(ValueError, match="16 px to 20"):
        fourier.cropped(np.zeros((16, 16, 16), dtype=np.float32), 20)


def test_a_lowpass_keeps_the_mean():
    volume = GENERATOR.normal(size=(16, 16, 16)).astype(np.float32) + 3
    assert fourier.lowpass(volume, 4).mean() == pytest.approx(volume.mean(), rel=1e-5)


def test_even_fast_lengths_are_even_and_not_shorter():
    for n in (7, 12.5, 48, 101, 191):
        length = fourier.even_fast(n)
        assert length >= n
        assert length % 2 == 0
