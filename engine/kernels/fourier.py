"""Spectra of boxes: transforms about the box centre, blocks of low frequencies, Fourier cropping, shells and bandpass.

A block of reach r holds a spectrum's coefficients around zero frequency, (2 r + 1, 2 r + 1, r + 1): kz and ky from -r to r, kx
from 0 to r. It has the same numbers as the whole half spectrum, in less room.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy

from engine.devices import namespace

EDGE_FPX = 2.0
"""Width of a bandpass's soft edges in Fourier pixels (Dynamo's)."""


def spectrum(volume: Any) -> Any:
    """The half spectrum (n, n, n // 2 + 1) complex64 of a cubic box, with phases counted from the voxel n // 2.

    Frequencies in rfftn layout, zero in the corner. Any device.
    """
    xp = namespace(volume)
    shifted = xp.fft.ifftshift(volume.astype(xp.float32, copy=False))
    if xp is np:
        return scipy.fft.rfftn(shifted)
    return xp.fft.rfftn(shifted).astype(xp.complex64, copy=False)


def from_spectrum(half: Any, box_px: int) -> Any:
    """The cubic box (n, n, n) float32 of a half spectrum: the inverse of `spectrum`."""
    xp = namespace(half)
    shape = (box_px, box_px, box_px)
    volume = scipy.fft.irfftn(half, shape) if xp is np else xp.fft.irfftn(half, shape)
    return xp.fft.fftshift(volume).astype(xp.float32, copy=False)


def spectrum_block(volume: Any, reach: int) -> Any:
    """The block of a cubic box's spectrum, complex64: what an alignment knows of a particle."""
    return block(spectrum(volume), reach)


def block(half: Any, reach: int) -> Any:
    """The coefficients of a half spectrum (n, n, n // 2 + 1) out to a reach below n / 2."""
    n = half.shape[0]
    if not 0 <= reach <= (n - 1) // 2:
        raise ValueError(f"a spectrum of a box of {n} px has no block of reach {reach}")
    side = 2 * reach + 1
    made = namespace(half).empty((side, side, reach + 1), dtype=half.dtype)
    for in_block, in_half in _quadrants(reach, n):
        made[in_block] = half[in_half]
    return made


def spread(inner: Any, box_px: int) -> Any:
    """The half spectrum (n, n, n // 2 + 1) that has this block and nothing beyond it."""
    half = namespace(inner).zeros((box_px, box_px, box_px // 2 + 1), dtype=inner.dtype)
    for in_block, in_half in _quadrants(inner.shape[-1] - 1, box_px):
        half[in_half] = inner[in_block]
    return half


def shrunk(outer: Any, reach: int) -> Any:
    """The block of a smaller reach inside a block; a view."""
    middle = outer.shape[-1] - 1
    rows = slice(middle - reach, middle + reach + 1)
    return outer[rows, rows, : reach + 1]


def block_frequencies(reach: int) -> np.ndarray:
    """The frequencies (kx, ky, kz) of a block's places in their order, (3, places) int64."""
    axis = np.arange(-reach, reach + 1)
    kz, ky, kx = np.meshgrid(axis, axis, np.arange(reach + 1), indexing="ij")
    return np.stack([kx.ravel(), ky.ravel(), kz.ravel()])


def block_variance(inner: Any, box_px: int) -> float:
    """The variance of a box's voxels that lies inside the block of its spectrum (Parseval)."""
    power = inner.real**2 + inner.imag**2
    reach = inner.shape[-1] - 1
    total = 2 * power.sum(dtype=np.float64) - power[:, :, 0].sum(dtype=np.float64) - power[reach, reach, 0]
    return float(total) / box_px**6


def _quadrants(reach: int, n: int) -> list[tuple[Any, Any]]:
    """The four parts in which a block lies in a half spectrum: (place in the block, place in the half spectrum)."""
    along = [(slice(reach, None), slice(0, reach + 1)), (slice(0, reach), slice(n - reach, n))]
    kx = slice(0, reach + 1)
    return [((z, y, kx), (in_z, in_y, kx)) for z, in_z in along for y, in_y in along]


def indices(n: int) -> np.ndarray:
    """The integer frequencies of an axis of n samples, zero first: 0, 1, … , -2, -1. int64."""
    return np.fft.ifftshift(np.arange(n) - n // 2)


def shells(box_px: int, xp: Any = np) -> Any:
    """The radius in Fourier pixels of every voxel of a half spectrum, (n, n, n // 2 + 1) float32."""
    axis = xp.asarray(indices(box_px), dtype=xp.float32)
    last = xp.arange(box_px // 2 + 1, dtype=xp.float32)
    return xp.sqrt(axis[:, None, None] ** 2 + axis[None, :, None] ** 2 + last**2)


def half_frequencies(box_px: int) -> np.ndarray:
    """The frequency (kx, ky, kz) of every voxel of a half spectrum, (n, n, n // 2 + 1, 3) float32."""
    axis = indices(box_px).astype(np.float32)
    last = np.arange(box_px // 2 + 1, dtype=np.float32)
    kz, ky, kx = np.meshgrid(axis, axis, last, indexing="ij")
    return np.stack([kx, ky, kz], axis=-1)


def passband(radius_fpx: Any, highpass_fpx: float, lowpass_fpx: float, edge_fpx: float = EDGE_FPX) -> Any:
    """The bandpass's amplitude at each radius, 0 to 1: one between the cuts, raised-cosine edges outside them.

    Zero frequency is always 0, also for highpass_fpx = 0.
    """
    xp = namespace(radius_fpx)
    below = xp.clip((highpass_fpx - radius_fpx) / edge_fpx, 0, 1)
    above = xp.clip((radius_fpx - lowpass_fpx) / edge_fpx, 0, 1)
    amplitude = 0.25 * (1 + xp.cos(np.pi * below)) * (1 + xp.cos(np.pi * above))
    return xp.where(radius_fpx > 0, amplitude, 0).astype(xp.float32)


def bandpass(volume: Any, highpass_fpx: float, lowpass_fpx: float, edge_fpx: float = EDGE_FPX) -> Any:
    """The cubic box with only the shells between the cuts (in Fourier pixels of the box), same shape and device."""
    n = volume.shape[-1]
    radius = shells(n, namespace(volume))
    return from_spectrum(spectrum(volume) * passband(radius, highpass_fpx, lowpass_fpx, edge_fpx), n)


def lowpass(volume: Any, lowpass_fpx: float, edge_fpx: float = EDGE_FPX) -> Any:
    """The cubic box without the shells above the cut; its mean is kept."""
    n = volume.shape[-1]
    above = namespace(volume).clip((shells(n, namespace(volume)) - lowpass_fpx) / edge_fpx, 0, 1)
    return from_spectrum(spectrum(volume) * (0.5 * (1 + namespace(volume).cos(np.pi * above))), n)


def masked_spectrum(volume: Any, mask: Any) -> Any:
    """The cubic box (n, n, n) float32 with its Fourier voxels multiplied by a mask (n, n, n), zero frequency at n // 2.

    A real box has no say in k without -k: where the mask differs between them, their mean counts.
    """
    xp = namespace(volume)
    n = volume.shape[-1]
    of_k = xp.fft.ifftshift(mask)
    of_minus_k = xp.roll(of_k[::-1, ::-1, ::-1], (1, 1, 1), axis=(0, 1, 2))
    weight = ((of_k + of_minus_k) / 2)[:, :, : n // 2 + 1].astype(xp.float32)
    return from_spectrum(spectrum(volume) * weight, n)


def even_fast(n: float) -> int:
    """The smallest even length >= n whose transform is quick."""
    length = int(np.ceil(n))
    while True:
        length = int(scipy.fft.next_fast_len(length, real=True))
        if length % 2 == 0:
            return length
        length += 1


def cropped(volume: Any, box_px: int) -> Any:
    """The cubic box resampled to box_px (smaller, even or odd) by cutting its spectrum; the centre stays at n // 2.

    Densities keep their height. Components at the new Nyquist frequency of an even box are dropped.
    """
    n = volume.shape[-1]
    if box_px == n:
        return volume
    if box_px > n:
        raise ValueError(f"cannot crop a box of {n} px to {box_px} px")
    return box_of_block(spectrum_block(volume, (box_px - 1) // 2), n, box_px)


def box_of_block(inner: Any, box_px: int, small_px: int) -> Any:
    """The cubic box of small_px that a block of the spectrum of a box of box_px is, densities keeping their height."""
    return from_spectrum(spread(inner, small_px), small_px) * np.float32((small_px / box_px) ** 3)
