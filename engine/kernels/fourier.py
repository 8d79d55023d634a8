"""Spectra of boxes: transforms about the box centre, Fourier cropping, shells and bandpass."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.fft

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
    xp = namespace(volume)
    reach = (box_px - 1) // 2
    kept = xp.asarray(np.r_[0 : reach + 1, -reach:0])
    last = xp.arange(reach + 1)
    out = xp.zeros((box_px, box_px, box_px // 2 + 1), dtype=xp.complex64)
    out[xp.ix_(kept % box_px, kept % box_px, last)] = spectrum(volume)[xp.ix_(kept % n, kept % n, last)]
    return from_spectrum(out, box_px) * xp.float32((box_px / n) ** 3)
