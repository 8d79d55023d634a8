"""FSC of parts: inside a small soft window of space, and inside a cone of directions of Fourier space."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from engine.devices import namespace, to_host
from engine.kernels.fourier import even_fast, half_frequencies, spectrum
from engine.kernels.fsc import correlation, crossing_fpx, fsc, shell_numbers
from engine.kernels.mask import ball
from engine.kernels.sharpen import corrected


def window_of(radius_px: float, edge_px: float) -> np.ndarray:
    """A soft ball in the smallest quick box that holds it: 1 to radius_px, a raised cosine over the next edge_px."""
    box_px = even_fast(2 * (radius_px + edge_px) + 2)
    return np.asarray(ball(box_px, radius_px + edge_px / 2, (box_px // 2,) * 3, edge_px))


def cut(volume: np.ndarray, centre_zyx: Sequence[int], box_px: int) -> np.ndarray:
    """The cube of box_px whose voxel box_px // 2 is the centre; 0 where it leaves the volume."""
    made = np.zeros((box_px,) * 3, dtype=np.float32)
    inside, within = overlap(volume.shape, centre_zyx, box_px)
    made[inside] = volume[within]
    return made


def overlap(shape: Sequence[int], centre_zyx: Sequence[int], box_px: int) -> tuple[Any, Any]:
    """The places, in the cube around a centre and in the volume, where both are."""
    first = [int(centre) - box_px // 2 for centre in centre_zyx]
    start = [max(0, low) for low in first]
    end = [min(size, low + box_px) for size, low in zip(shape, first, strict=True)]
    inside = tuple(slice(a - low, b - low) for a, b, low in zip(start, end, first, strict=True))
    return inside, tuple(slice(a, b) for a, b in zip(start, end, strict=True))


def local_shell(
    halves: Sequence[np.ndarray],
    randoms: Sequence[np.ndarray],
    window: np.ndarray,
    threshold: float,
    first_shell: float,
) -> float:
    """Where the corrected FSC inside a window falls below the threshold, in shells of the window's box, with a fraction.

    halves and randoms: two cubes each, of the window's shape, the randoms with random phases from first_shell on.
    """
    masked, random = fsc(halves[0], halves[1], window), fsc(randoms[0], randoms[1], window)
    return crossing_fpx(corrected(masked, random, int(np.ceil(first_shell))), threshold)


def directions(count: int) -> np.ndarray:
    """count unit vectors xyz spread evenly over half a sphere, (count, 3): a Fibonacci spiral."""
    number = np.arange(count) + 0.5
    z = 1 - number / count
    angle = np.pi * (1 + np.sqrt(5)) * number
    across = np.sqrt(1 - z**2)
    return np.column_stack([across * np.cos(angle), across * np.sin(angle), z])


class Cones:
    """Sums over shells and cones of two maps' spectra, for the FSC by direction (the 3-D FSC of Tan et al. 2017)."""

    def __init__(self, a: Any, b: Any, mask: Any) -> None:
        """a, b, mask: cubes of one shape."""
        xp = namespace(a)
        self._n = int(a.shape[-1])
        fa, fb = spectrum(a * mask), spectrum(b * mask)
        shell = shell_numbers(self._n, xp)
        held = (shell <= self._n // 2) & (shell > 0)
        self._shell = shell[held]
        self._products = [
            values[held].astype(xp.float64)
            for values in (fa.real * fb.real + fa.imag * fb.imag, xp.abs(fa) ** 2, xp.abs(fb) ** 2)
        ]
        k = xp.asarray(half_frequencies(self._n))[held]
        self._unit = k / xp.linalg.norm(k, axis=1, keepdims=True)
        self._all = self._curve(slice(None))

    def _curve(self, chosen: Any) -> np.ndarray:
        xp = namespace(self._shell)
        shell, length = self._shell[chosen], self._n // 2 + 1
        # of no voxels at all, bincount makes whole numbers
        sums = [to_host(xp.bincount(shell, values[chosen], length)).astype(float) for values in self._products]
        curve = correlation(*sums)
        curve[0] = 1.0
        return np.where(sums[1] * sums[2] > 0, curve, np.nan)

    def fsc(self, direction: np.ndarray, half_angle_deg: float) -> np.ndarray:
        """The FSC of the voxels within half_angle_deg of the direction xyz or its opposite.

        In a shell that has none there, it is the FSC of the whole shell.
        """
        xp = namespace(self._shell)
        along = xp.abs(self._unit @ xp.asarray(direction, dtype=self._unit.dtype))
        curve = self._curve(along >= np.cos(np.radians(half_angle_deg)) - 1e-6)  # 90 deg is all
        curve[0] = 1.0
        return np.nan_to_num(np.where(np.isnan(curve), self._all, curve))
