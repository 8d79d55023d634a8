"""The score: a particle against the turned reference, in Fourier space, inside a window of shifts.

With F the spectrum of mask * (reference - mean), W = h b^2 w (h = 2 for the half that is not stored, b the bandpass, w the
missing wedge, 0 or 1) and the particle's spectrum p:

    CC(R, s) = sum_k Re[ conj(F(R^-1 k)) W p(k) exp(2 pi i k.s / n) ] / sqrt( sum W |F(R^-1 k)|^2  sum W |p|^2 )

The reference is masked before the wedge is applied: the matched filter of a masked object. It ranks poses; the number that
is reported is `exact_cc`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.devices import namespace, to_host
from engine.kernels.fourier import EDGE_FPX, passband
from engine.kernels.reference import SpectrumTable, sample
from engine.kernels.wedge import Wedge, measured

POINTS_AT_ONCE = 1 << 16
"""Frequencies sampled in one go: what a core's cache holds of the intermediate arrays."""


@dataclass(frozen=True, eq=False)
class Band:
    """The measured frequencies between the cuts, in the stored half space.

    k_xyz (3, n) float32, in ascending order of kz; amplitude (n,) is the bandpass b; weight (n,) is W = h b^2; voxel (n,) is
    the place in a half spectrum of the box, cell (n,) the place in a dense (2 reach + 1, 2 reach + 1, reach + 1) block.
    planes, one row for each kz, on the host: kz, its first point, how many there are, the largest |ky|, the largest kx.
    """

    box_px: int
    reach: int
    k_xyz: Any
    amplitude: Any
    weight: Any
    voxel: Any
    cell: Any
    planes: np.ndarray


def band(box_px: int, highpass_fpx: float, lowpass_fpx: float, wedge: Wedge, xp: Any = np) -> Band:
    """The frequencies that a comparison uses: one for all particles of a tomogram."""
    reach = min(int(np.floor(lowpass_fpx + EDGE_FPX)), (box_px - 1) // 2)
    axis = np.arange(-reach, reach + 1)
    kz, ky, kx = np.meshgrid(axis, axis, np.arange(reach + 1), indexing="ij")
    amplitude = passband(np.sqrt(kx**2 + ky**2 + kz**2).astype(np.float32), highpass_fpx, lowpass_fpx)
    inside = (kx**2 + ky**2 + kz**2 <= reach**2) & (amplitude > 0) & measured(np.stack([kx, ky, kz], axis=-1), wedge)
    k = np.stack([kx[inside], ky[inside], kz[inside]])
    chosen = amplitude[inside]
    multiplicity = np.where(k[0] == 0, np.float32(1), np.float32(2))
    voxel = ((k[2] % box_px) * box_px + k[1] % box_px) * (box_px // 2 + 1) + k[0]
    return Band(
        box_px,
        reach,
        xp.asarray(k, dtype=xp.float32),
        xp.asarray(chosen),
        xp.asarray(multiplicity * chosen**2),
        xp.asarray(voxel),
        xp.asarray(np.flatnonzero(inside.ravel())),
        _planes(k),
    )


def _planes(k: np.ndarray) -> np.ndarray:
    """The rows of `Band.planes` for frequencies (3, n) in ascending order of kz."""
    kz, first, count = np.unique(k[2], return_index=True, return_counts=True)
    reach_y = np.maximum.reduceat(np.abs(k[1]), first)
    return np.column_stack([kz, first, count, reach_y, np.maximum.reduceat(k[0], first)]).astype(np.int64)


@dataclass(frozen=True, eq=False)
class Window:
    """The shifts that are tried: s = centre + step * (jx, jy, jz), where allowed (jz, jy, jx) is true.

    allowed has odd sides; its middle is the centre. Phases along each axis are kept as matrices.
    """

    step_px: float
    allowed: Any
    phase_x: Any
    phase_y: Any
    phase_z: Any


def window(selection: Band, step_px: float, allowed: np.ndarray) -> Window:
    """The window whose allowed samples are given, (sz, sy, sx) bool with odd sides."""
    xp = namespace(selection.k_xyz)
    rows = xp.arange(-selection.reach, selection.reach + 1)
    size_z, size_y, size_x = allowed.shape

    def phases(k: Any, size: int) -> Any:
        shifts = (xp.arange(size) - size // 2) * step_px
        return xp.exp(2j * np.pi / selection.box_px * k[:, None] * shifts).astype(xp.complex64)

    return Window(
        step_px,
        xp.asarray(allowed),
        phases(xp.arange(selection.reach + 1), size_x),
        xp.ascontiguousarray(phases(rows, size_y).T),
        xp.ascontiguousarray(phases(rows, size_z).T),
    )


def offset_px(where: Window, place: int) -> np.ndarray:
    """The shift (x, y, z) in px from the window's centre of a flat place in it."""
    index = np.array(np.unravel_index(place, where.allowed.shape))
    return np.asarray((index - np.array(where.allowed.shape) // 2)[::-1] * where.step_px)


def shift_step_px(selection: Band) -> float:
    """Spacing of shift samples that cannot miss a peak: four to the shortest period of the band, never under 1 px."""
    return max(1.0, selection.box_px / (4.0 * selection.reach))


def weighted(selection: Band, half_spectrum: Any) -> tuple[Any, float]:
    """W p of a particle's half spectrum, (n,) complex64, and its energy sum W |p|^2."""
    values = half_spectrum.ravel()[selection.voxel]
    energy = float((selection.weight * (values.real**2 + values.imag**2)).sum(dtype=np.float64))
    return selection.weight * values, energy


def shifted(selection: Band, weighted_particle: Any, shift_xyz_px: np.ndarray) -> Any:
    """The coefficients with the given shift taken as the new origin of shifts: times exp(2 pi i k.s / n)."""
    xp = namespace(weighted_particle)
    turn = xp.asarray(np.asarray(shift_xyz_px) * (2 * np.pi / selection.box_px), dtype=xp.float32) @ selection.k_xyz
    return weighted_particle * (xp.cos(turn) + 1j * xp.sin(turn)).astype(xp.complex64)


@dataclass(frozen=True)
class Peak:
    """The best of many rotations: which one, its CC, and the shift from the window's centre, refined below a sample."""

    rotation: int
    cc: float
    shift_xyz_px: np.ndarray


def best_pose(
    table: SpectrumTable, selection: Band, particle: Any, energy: float, rotations: np.ndarray, where: Window
) -> Peak:
    """The rotation and shift of the highest CC; among equals the first.

    particle: W p with the window's centre as origin (see `shifted`); rotations (k, 3, 3) template to particle.
    """
    highest, places = search(table, selection, particle, energy, rotations, where)
    winner = int(highest.argmax())
    place = np.unravel_index(int(places[winner]), where.allowed.shape)
    turned = on_device(particle, rotations[winner : winner + 1])
    around = correlation_maps(table, selection, particle, energy, turned, where)[0]
    return Peak(winner, float(highest[winner]), _refined(around, place, where.step_px))


def on_device(particle: Any, rotations: np.ndarray) -> Any:
    """The rotations as float32 where the particle lives."""
    xp = namespace(particle)
    return xp.asarray(rotations, dtype=xp.float32)


def search(
    table: SpectrumTable, selection: Band, particle: Any, energy: float, rotations: np.ndarray, where: Window
) -> tuple[np.ndarray, np.ndarray]:
    """`best_of_each` by the quickest means for where the particle lives; the compiler is loaded when first needed."""
    if namespace(particle) is not np:
        return best_of_each(table, selection, particle, energy, rotations, where)
    from engine.kernels import compiled

    return compiled.best_of_each(table, selection, particle, energy, rotations, where)


def best_of_each(
    table: SpectrumTable, selection: Band, particle: Any, energy: float, rotations: np.ndarray, where: Window
) -> tuple[np.ndarray, np.ndarray]:
    """The highest CC of each rotation among the allowed samples, (k,) float32, and its flat place in the window (k,)."""
    xp = namespace(particle)
    turned = on_device(particle, rotations)
    at_once = max(1, POINTS_AT_ONCE // max(1, particle.shape[0]))
    highest, places = [], []
    for first in range(0, len(turned), at_once):
        maps = correlation_maps(table, selection, particle, energy, turned[first : first + at_once], where)
        flat = xp.where(where.allowed, maps, -xp.inf).reshape(len(maps), -1)
        highest.append(flat.max(axis=1))
        places.append(flat.argmax(axis=1))
    return to_host(xp.concatenate(highest)), to_host(xp.concatenate(places))


def correlation_maps(
    table: SpectrumTable, selection: Band, particle: Any, energy: float, rotations: Any, where: Window
) -> Any:
    """CC (b, sz, sy, sx) of each rotation at each sample of the window, also outside the allowed ones."""
    xp = namespace(particle)
    template = sample(table, selection.k_xyz, rotations)
    norm = (selection.weight * (template.real**2 + template.imag**2)).sum(axis=1)
    product = xp.conj(template, out=template)
    product *= particle
    n_rows = 2 * selection.reach + 1
    n_last = selection.reach + 1
    dense = xp.zeros((len(product), n_rows * n_rows * n_last), dtype=xp.complex64)
    dense[:, selection.cell] = product
    size_z, size_y, size_x = where.allowed.shape
    along_x = dense.reshape(-1, n_last) @ where.phase_x
    along_y = where.phase_y @ along_x.reshape(-1, n_rows, size_x)
    along_z = where.phase_z @ along_y.reshape(-1, n_rows, size_y * size_x)
    maps = along_z.real.reshape(-1, size_z, size_y, size_x)
    scale = 1 / xp.sqrt(xp.maximum(norm * energy, np.finfo(np.float32).tiny))
    return maps * scale[:, None, None, None].astype(xp.float32)


def _refined(values: Any, place: tuple[Any, ...], step_px: float) -> np.ndarray:
    """The peak's shift (x, y, z) in px from the window's centre, by a parabola along each axis where it has neighbours."""
    offsets = []
    for axis, index in enumerate(place):
        size = values.shape[axis]
        offset = 0.0
        if 0 < index < size - 1:
            line = [float(values[(*place[:axis], index + d, *place[axis + 1 :])]) for d in (-1, 0, 1)]
            curvature = line[0] - 2 * line[1] + line[2]
            if curvature < 0:
                offset = float(np.clip(0.5 * (line[0] - line[2]) / curvature, -0.5, 0.5))
        offsets.append((int(index) - size // 2 + offset) * step_px)
    return np.array(offsets[::-1])
