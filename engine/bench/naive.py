"""Two plain engines, as fast as their plan allows: turn the reference in real space, transform the whole box, every time.

`locally_normalised`: masked correlation with the variance of the particle under the turned mask at every shift (Roseman
2003): 2 rotations and 7 transforms per orientation. `globally_normalised`: the least that finds a peak, 1 rotation and 2
transforms. Rotations are trilinear and compiled; transforms are those of scipy.fft, real and in single precision.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.fft
from numba import njit

from engine.kernels.fourier import half_frequencies, passband, shells
from engine.kernels.reference import masked
from engine.kernels.wedge import Wedge, measured

_ROUNDING = np.float32(1e-4)
"""Coordinates this far outside the box, in px, count as inside: float32 rounds them there."""


@dataclass(frozen=True, eq=False)
class Problem:
    """A particle and a reference as the naive engines need them: all that does not depend on the orientation.

    filter is bandpass times wedge on a half spectrum, multiplicity how often each of its voxels counts in the whole one;
    seen and seen_squared are the spectra of the filtered particle and of its square, seen_energy its sum of squares.
    Shifts are whole pixels, at most reach_px along each axis.
    """

    reference: np.ndarray
    template: np.ndarray
    mask: np.ndarray
    filter: np.ndarray
    multiplicity: np.ndarray
    seen: np.ndarray
    seen_squared: np.ndarray
    seen_energy: float
    reach_px: int


@dataclass(frozen=True)
class Best:
    """The highest correlation of one orientation and the shift at which it lies."""

    cc: float
    shift_xyz_px: np.ndarray


def problem(
    particle: np.ndarray,
    reference: np.ndarray,
    mask: np.ndarray,
    wedge: Wedge,
    band_fpx: tuple[float, float],
    reach_px: int,
) -> Problem:
    """What is prepared once for a particle; band_fpx is high-pass and low-pass in Fourier pixels."""
    n = particle.shape[-1]
    kept = passband(shells(n), *band_fpx) * measured(half_frequencies(n), wedge)
    seen = scipy.fft.rfftn(particle) * kept
    filtered = scipy.fft.irfftn(seen, particle.shape)
    multiplicity = np.full(n // 2 + 1, 2, dtype=np.float32)
    multiplicity[[0, -1]] = 1
    return Problem(
        reference,
        masked(reference, mask),
        mask,
        kept,
        multiplicity,
        seen,
        scipy.fft.rfftn(filtered**2),
        float((filtered**2).sum(dtype=np.float64)),
        reach_px,
    )


def locally_normalised(task: Problem, rotation: np.ndarray) -> Best:
    """The best shift by the masked, locally normalised correlation."""
    shape = task.reference.shape
    weight = turned(task.mask, rotation)
    total = weight.sum(dtype=np.float64)
    template = scipy.fft.irfftn(scipy.fft.rfftn(turned(task.reference, rotation)) * task.filter, shape)
    template -= np.float32((weight * template).sum(dtype=np.float64) / total)
    centred = weight * template
    norm = (centred * template).sum(dtype=np.float64)
    weight_spectrum = np.conj(scipy.fft.rfftn(weight))
    numerator = _near(scipy.fft.irfftn(np.conj(scipy.fft.rfftn(centred)) * task.seen, shape), task.reach_px)
    squares = _near(scipy.fft.irfftn(weight_spectrum * task.seen_squared, shape), task.reach_px)
    sums = _near(scipy.fft.irfftn(weight_spectrum * task.seen, shape), task.reach_px)
    variance = np.maximum(squares - sums**2 / total, np.finfo(np.float32).tiny)
    return _best(numerator / np.sqrt(norm * variance), task.reach_px)


def globally_normalised(task: Problem, rotation: np.ndarray) -> Best:
    """The best shift by the correlation of the masked reference with the whole particle."""
    shape = task.reference.shape
    template = scipy.fft.rfftn(turned(task.template, rotation))
    template *= task.filter
    energy = (task.multiplicity * (template.real**2 + template.imag**2)).sum(dtype=np.float64) / task.reference.size
    np.conj(template, out=template)
    template *= task.seen
    numerator = _near(scipy.fft.irfftn(template, shape), task.reach_px)
    return _best(numerator / np.sqrt(energy * task.seen_energy), task.reach_px)


def _near(values: np.ndarray, reach_px: int) -> np.ndarray:
    """The samples at shifts -reach … reach along each axis of a map whose shift zero is in the corner, float64."""
    shifts = np.arange(-reach_px, reach_px + 1)
    return values[np.ix_(shifts, shifts, shifts)].astype(np.float64)


def _best(values: np.ndarray, reach_px: int) -> Best:
    z, y, x = np.unravel_index(int(values.argmax()), values.shape)
    return Best(float(values[z, y, x]), np.array([x, y, z]) - reach_px)


def turned(volume: np.ndarray, rotation: np.ndarray) -> np.ndarray:
    """The cubic box turned about n // 2, (n, n, n) float32, trilinear; what comes from outside is 0."""
    out = np.empty_like(volume, dtype=np.float32)
    back_zyx = np.ascontiguousarray(np.asarray(rotation).T[::-1, ::-1], dtype=np.float32)
    _turn(np.ascontiguousarray(volume, dtype=np.float32).ravel(), back_zyx, out)
    return out


@njit(nogil=True, cache=True, boundscheck=False, error_model="numpy", fastmath={"nnan", "nsz", "arcp", "contract"})
def _turn(flat: np.ndarray, back: np.ndarray, out: np.ndarray) -> None:
    """out(x) = in(back (x - c) + c), row by row: only the part of a row that comes from inside is interpolated."""
    n = out.shape[0]
    centre = np.float32(n // 2)
    last = np.int32(n - 2)
    one, two = np.uint64(1), np.uint64(n)
    three = np.uint64(n * n)
    for z in range(n):
        for y in range(n):
            dz, dy = np.float32(z) - centre, np.float32(y) - centre
            start_z = back[0, 0] * dz + back[0, 1] * dy - back[0, 2] * centre + centre
            start_y = back[1, 0] * dz + back[1, 1] * dy - back[1, 2] * centre + centre
            start_x = back[2, 0] * dz + back[2, 1] * dy - back[2, 2] * centre + centre
            first, end = _inside(start_z, back[0, 2], n, 0, n)
            first, end = _inside(start_y, back[1, 2], n, first, end)
            first, end = _inside(start_x, back[2, 2], n, first, end)
            row = out[z, y]
            row[:first] = 0
            row[end:] = 0
            for x in range(first, end):
                step = np.float32(x)
                at_z = start_z + back[0, 2] * step
                at_y = start_y + back[1, 2] * step
                at_x = start_x + back[2, 2] * step
                z0, y0, x0 = min(np.int32(at_z), last), min(np.int32(at_y), last), min(np.int32(at_x), last)
                fz, fy, fx = at_z - np.float32(z0), at_y - np.float32(y0), at_x - np.float32(x0)
                a = np.uint64((z0 * n + y0) * n + x0)
                b, c, d = a + two, a + three, a + three + two
                near_low = flat[a] + fx * (flat[a + one] - flat[a])
                near_high = flat[b] + fx * (flat[b + one] - flat[b])
                far_low = flat[c] + fx * (flat[c + one] - flat[c])
                far_high = flat[d] + fx * (flat[d + one] - flat[d])
                near = near_low + fy * (near_high - near_low)
                far = far_low + fy * (far_high - far_low)
                row[x] = near + fz * (far - near)


@njit(nogil=True, cache=True, inline="always")
def _inside(start: float, step: float, n: int, first: int, end: int) -> tuple[int, int]:
    """The part of first … end - 1 where start + step x lies in the box; empty as (first, first)."""
    low, high = -_ROUNDING, np.float32(n - 1) + _ROUNDING
    if abs(step) < np.float32(1e-6):
        return (first, end) if low <= start <= high else (first, first)
    one, other = (low - start) / step, (high - start) / step
    first = max(first, int(np.ceil(min(one, other))))
    end = min(end, int(np.floor(max(one, other))) + 1)
    return first, max(first, end)
