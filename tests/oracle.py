"""The slow exact twin of the alignment: real-space, full-box, masked and locally normalised correlation (Roseman 2003)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from engine.kernels.wedge import Wedge, measured


@dataclass(frozen=True)
class Found:
    rotation: int
    shift_xyz_px: np.ndarray
    cc: float


def turned(volume: np.ndarray, rotation: np.ndarray, order: int) -> np.ndarray:
    """volume(R^-1 (x - c) + c), by interpolation at explicit coordinates."""
    n = volume.shape[-1]
    centre = n // 2
    z, y, x = np.indices(volume.shape) - centre
    back = np.tensordot(rotation.T, np.stack([x, y, z]), axes=1)
    return ndimage.map_coordinates(volume, back[::-1] + centre, order=order, mode="constant")


def filtered(
    volume: np.ndarray,
    wedge: Wedge,
    highpass_fpx: float,
    lowpass_fpx: float,
    own: np.ndarray | None = None,
) -> np.ndarray:
    """The volume inside the passband (2 px raised-cosine edges outside the cuts) and the measured wedge; full complex FFT.

    own: what else each Fourier voxel is multiplied with, (n, n, n) with zero frequency at n // 2.
    """
    n = volume.shape[-1]
    axis = np.fft.fftfreq(n) * n
    kz, ky, kx = np.meshgrid(axis, axis, axis, indexing="ij")
    radius = np.sqrt(kx**2 + ky**2 + kz**2)
    low = 0.5 * (1 + np.cos(np.pi * np.clip((radius - lowpass_fpx) / 2, 0, 1)))
    high = 0.5 * (1 + np.cos(np.pi * np.clip((highpass_fpx - radius) / 2, 0, 1)))
    weight = low * high * measured(np.stack([kx, ky, kz], axis=-1), wedge) * (radius > 0) * (radius < n / 2)
    if own is not None:
        weight = weight * np.fft.ifftshift(own)
    return np.fft.ifftn(np.fft.fftn(volume) * weight).real


def cc_map(particle: np.ndarray, template: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Locally normalised correlation at every integer shift, (n, n, n) with shift zero at n // 2."""
    total = weight.sum()
    centred = weight * (template - (weight * template).sum() / total)
    norm = (centred * (template - (weight * template).sum() / total)).sum()

    def correlated(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.fft.fftshift(np.fft.ifftn(np.conj(np.fft.fftn(a)) * np.fft.fftn(b)).real)

    variance = correlated(weight, particle**2) - correlated(weight, particle) ** 2 / total
    return correlated(centred, particle) / np.sqrt(norm * np.maximum(variance, 1e-12))


def align(
    particle: np.ndarray,
    reference: np.ndarray,
    mask: np.ndarray,
    wedge: Wedge,
    band_fpx: tuple[float, float],
    rotations: np.ndarray,
    radius_px: float,
    own: np.ndarray | None = None,
) -> Found:
    """The rotation and integer shift with the highest correlation, every rotation in the full box.

    own: the particle's own weight, zero frequency at n // 2, the same at k and -k: the template is multiplied by it, and
    what it leaves out is taken from the particle.
    """
    seen = filtered(particle, wedge, *band_fpx, own=None if own is None else own > 0)
    n = particle.shape[-1]
    z, y, x = np.indices(particle.shape) - n // 2
    allowed = x**2 + y**2 + z**2 <= radius_px**2
    best = Found(0, np.zeros(3), -np.inf)
    for number, rotation in enumerate(rotations):
        template = filtered(turned(reference, rotation, order=3), wedge, *band_fpx, own=own)
        weight = np.clip(turned(mask, rotation, order=1), 0, 1)
        values = np.where(allowed, cc_map(seen, template, weight), -np.inf)
        place = np.unravel_index(values.argmax(), values.shape)
        if values[place] > best.cc:
            best = Found(number, np.array([place[2], place[1], place[0]]) - n // 2, float(values[place]))
    return best
