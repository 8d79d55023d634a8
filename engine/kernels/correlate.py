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
from engine.kernels.fourier import EDGE_FPX, block_frequencies, passband
from engine.kernels.reference import SpectrumTable, sample
from engine.kernels.wedge import Wedge, measured

POINTS_AT_ONCE = 1 << 16
"""Frequencies sampled in one go: what a core's cache holds of the intermediate arrays."""

SECOND = ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2))
"""Pairs of axes, in the order in which second derivatives are given."""


@dataclass(frozen=True, eq=False)
class Band:
    """The measured frequencies between the cuts, in the stored half space.

    k_xyz (3, n) float32, in ascending order of kz; amplitude (n,) is the bandpass b; weight (n,) is W = h b^2. voxel (n,) is
    the place in a particle's block, which has block_reach; cell (n,) the place in a block of the band's own reach.
    On the host: planes, one row for each kz that occurs: kz, its first point, how many there are, the largest |ky|, its first
    run and how many there are; runs, neighbours along kx: ky, the first kx, the first point, how many.
    """

    box_px: int
    reach: int
    block_reach: int
    k_xyz: Any
    amplitude: Any
    weight: Any
    voxel: Any
    cell: Any
    planes: np.ndarray
    runs: np.ndarray


def band(
    box_px: int, highpass_fpx: float, lowpass_fpx: float, wedge: Wedge, xp: Any = np, block_reach: int | None = None
) -> Band:
    """The frequencies that a comparison uses: one for all particles of a tomogram.

    block_reach: reach of the blocks that hold the particles' coefficients; omitted: the band's own.
    """
    reach = min(int(np.floor(lowpass_fpx + EDGE_FPX)), (box_px - 1) // 2)
    block_reach = reach if block_reach is None else block_reach
    if block_reach < reach:
        raise ValueError(f"blocks of reach {block_reach} do not hold a band that reaches to {reach}")
    kx, ky, kz = block_frequencies(reach)
    amplitude = passband(np.sqrt(kx**2 + ky**2 + kz**2).astype(np.float32), highpass_fpx, lowpass_fpx)
    inside = (kx**2 + ky**2 + kz**2 <= reach**2) & (amplitude > 0) & measured(np.stack([kx, ky, kz], axis=-1), wedge)
    if not inside.any():
        raise ValueError(f"nothing is measured between {highpass_fpx:g} and {lowpass_fpx:g} Fourier pixels by {wedge}")
    k = np.stack([kx[inside], ky[inside], kz[inside]])
    chosen = amplitude[inside]
    multiplicity = np.where(k[0] == 0, np.float32(1), np.float32(2))
    rows = 2 * block_reach + 1
    voxel = ((k[2] + block_reach) * rows + k[1] + block_reach) * (block_reach + 1) + k[0]
    return Band(
        box_px,
        reach,
        block_reach,
        xp.asarray(k, dtype=xp.float32),
        xp.asarray(chosen),
        xp.asarray(multiplicity * chosen**2),
        xp.asarray(voxel),
        xp.asarray(np.flatnonzero(inside)),
        *_planes(k),
    )


def _planes(k: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`Band.planes` and `Band.runs` of frequencies (3, n) in ascending order of kz, ky, kx."""
    kx, ky, kz = k
    starts = np.flatnonzero(np.r_[True, (np.diff(kz) != 0) | (np.diff(ky) != 0) | (np.diff(kx) != 1)])
    runs = np.column_stack([ky[starts], kx[starts], starts, np.diff(np.r_[starts, len(kx)])])
    heights, first, count = np.unique(kz, return_index=True, return_counts=True)
    reach_y = np.maximum.reduceat(np.abs(ky), first)
    first_run, n_runs = np.unique(kz[starts], return_index=True, return_counts=True)[1:]
    planes = np.column_stack([heights, first, count, reach_y, first_run, n_runs])
    return planes.astype(np.int64), runs.astype(np.int64)


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


def coefficients(selection: Band, block: Any) -> Any:
    """The coefficients p of a particle's block (see `fourier.block`) on the band, (n,) complex64."""
    if block.shape[-1] - 1 != selection.block_reach:
        raise ValueError(f"a block of reach {block.shape[-1] - 1}, {selection.block_reach} announced")
    return block.ravel()[selection.voxel]


def weighted(selection: Band, block: Any) -> tuple[Any, float]:
    """W p of a particle's block, (n,) complex64, and its energy sum W |p|^2."""
    values = coefficients(selection, block)
    energy = float((selection.weight * (values.real**2 + values.imag**2)).sum(dtype=np.float64))
    return selection.weight * values, energy


def shifted(selection: Band, weighted_particle: Any, shift_xyz_px: np.ndarray) -> Any:
    """The coefficients with the given shift taken as the new origin of shifts: times exp(2 pi i k.s / n)."""
    xp = namespace(weighted_particle)
    turn = xp.asarray(np.asarray(shift_xyz_px) * (2 * np.pi / selection.box_px), dtype=xp.float32) @ selection.k_xyz
    return weighted_particle * (xp.cos(turn) + 1j * xp.sin(turn)).astype(xp.complex64)


def on_device(particle: Any, rotations: np.ndarray) -> Any:
    """The rotations as float32 where the particle lives."""
    xp = namespace(particle)
    return xp.asarray(rotations, dtype=xp.float32)


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


def slopes(table: SpectrumTable, selection: Band, particle: Any, energy: float, rotations: np.ndarray) -> np.ndarray:
    """CC of each rotation at the particle's origin of shifts, and how it changes with the shift: (k, 10) float64.

    Columns: CC; its derivatives by x, y, z, per px; its second derivatives by xx, yy, zz, xy, xz, yz. With X = conj(F) W p and
    q = 2 pi k / n they are sums of Re X, -q Im X and -q q' Re X, over the norm of the CC.
    """
    xp = namespace(particle)
    turned = on_device(particle, rotations)
    k = selection.k_xyz.astype(xp.float64)
    second = xp.stack([xp.ones_like(k[0]), *(k[a] * k[b] for a, b in SECOND)], axis=1)
    at_once = max(1, POINTS_AT_ONCE // max(1, particle.shape[0]))
    moments, norms = np.empty((len(turned), 10)), np.empty(len(turned))
    for first in range(0, len(turned), at_once):
        part = slice(first, first + at_once)
        template = sample(table, selection.k_xyz, turned[part])
        product = xp.conj(template) * particle
        even, odd = product.real.astype(xp.float64) @ second, product.imag.astype(xp.float64) @ k.T
        moments[part] = to_host(xp.concatenate([even[:, :1], odd, even[:, 1:]], axis=1))
        norms[part] = to_host((xp.abs(template) ** 2).astype(xp.float64) @ selection.weight)
    return scaled_moments(moments, norms, energy, selection.box_px)


def scaled_moments(moments: np.ndarray, norms: np.ndarray, energy: float, box_px: int) -> np.ndarray:
    """The `slopes` from sums over k of Re X, k_a Im X and k_a k_b Re X (n, 10), and sum W |F|^2 (n,)."""
    kappa = 2 * np.pi / box_px
    units = np.array([1.0] + [-kappa] * 3 + [-(kappa**2)] * 6)
    return moments * units / np.sqrt(np.maximum(norms * energy, np.finfo(np.float32).tiny))[:, None]


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
