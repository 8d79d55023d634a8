"""Fourier binning axis by axis: the whole-array crop's voxels, and voxel j on voxel factor·j."""

from __future__ import annotations

import numpy as np
import pytest

from engine.data import HeldTomogram, Volume
from engine.devices import Work
from engine.kernels import fourier
from engine.kernels.binning import binned, binned_along, binned_shape
from engine.kinds import binning


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize(("side", "factor"), [(24, 2), (24, 3), (32, 4), (48, 6)])
def test_a_cube_becomes_what_the_crop_of_its_whole_spectrum_is(side: int, factor: int) -> None:
    """Sides that are multiples of twice the factor: there the centres n // 2 of both lie on each other."""
    box = noise(side, side, side)
    np.testing.assert_allclose(binned(box, factor), fourier.cropped(box, side // factor), atol=2e-6)


@pytest.mark.parametrize("n", [64, 67, 69, 72])
def test_voxel_j_lies_on_voxel_factor_times_j_for_any_length(n: int) -> None:
    """A smooth bump keeps height and place; its deviation of 8 px keeps it far below the new Nyquist frequency."""
    bump = np.exp(-((np.arange(n) - 32) ** 2) / (2 * 8.0**2)).astype(np.float32)
    small = binned_along(bump, 4, 0)
    assert len(small) == binned_shape((n, 4, 4), 4)[0] == -(-n // 4)
    np.testing.assert_allclose(small, bump[::4], atol=1e-3)


def test_a_constant_stays_what_it_is() -> None:
    np.testing.assert_allclose(binned(np.full((7, 9, 13), 3, np.float32), 3), 3, rtol=1e-6)


@pytest.mark.parametrize("part_bytes", [4, 4 * 30 * 41 * 3, 1 << 30])
@pytest.mark.parametrize("workers", [1, 2])
def test_a_tomogram_in_parts_becomes_the_same_as_in_one_piece(
    monkeypatch: pytest.MonkeyPatch, part_bytes: int, workers: int
) -> None:
    """To rounding: transforms of many rows at once may round otherwise than those of a few."""
    monkeypatch.setattr(binning, "PART_BYTES", part_bytes)
    volume = noise(22, 30, 41)
    stream = binning.binned_stream(HeldTomogram(Volume(volume, 2.0)), 4, 8.0, Work(workers=workers))
    made = np.full(stream.shape_zyx, np.nan, np.float32)
    for (z, y, x), part in stream.parts:
        made[z : z + part.shape[0], y : y + part.shape[1], x : x + part.shape[2]] = part
    assert stream.shape_zyx == (6, 8, 11)
    np.testing.assert_allclose(made, binned(volume, 4), atol=1e-6)


def test_bits_do_not_depend_on_the_number_of_workers() -> None:
    def made(workers: int) -> bytes:
        stream = binning.binned_stream(HeldTomogram(Volume(noise(22, 30, 41))), 3, 1.0, Work(workers=workers))
        return b"".join(part.tobytes() for _, part in stream.parts)

    assert made(1) == made(2)
