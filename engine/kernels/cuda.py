"""The score, its slopes and the insertion on a GPU: what `score.cu` holds, behind the signatures of the array code.

The source is compiled when first needed (NVRTC; CuPy keeps the result on disk), once for each of a few sizes of the window.
Every sum runs in a fixed order or in integers: one card gives the same bits at every call.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from importlib.resources import files
from threading import Lock
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from engine.devices import namespace, to_host
from engine.kernels import correlate
from engine.kernels.average import FourierSum, Placed, measured_frequencies
from engine.kernels.correlate import Band, Window
from engine.kernels.reference import SpectrumTable
from engine.kernels.wedge import Wedge

WARPS, LANES = 8, 32
SLOPE_THREADS = 128
MOMENTS = 11

SLOTS = (2, 4, 6, 8, 12, 16)
"""Sizes of the window along y, counted from its middle, for which the search is compiled."""

WIDEST = 31
"""Most samples of a window along x and y: a warp's lanes, and its registers, hold no more."""

FURTHEST = 511
"""Largest frequency that fits into a packed point."""

SHARES = 16
"""Blocks among which one rotation's slopes are divided: few rotations are asked for at once."""

HALF_TOP = 2.0**14
"""Where the largest number of a float16 table is put, the greatest being 65504."""


def best_of_each(
    table: SpectrumTable, selection: Band, particle: Any, energy: float, rotations: np.ndarray, where: Window
) -> tuple[np.ndarray, np.ndarray]:
    """The highest CC of each rotation and its flat place in the window, like `correlate.best_of_each`.

    No map of correlations leaves a block. A window of more than WIDEST samples along x or y, or one that does not fit into
    the card's shared memory, goes to the array code.
    """
    return _best_of_each(table, selection, particle, energy, rotations, where, "float32")


def screened(
    table: SpectrumTable, selection: Band, particle: Any, energy: float, rotations: np.ndarray, where: Window
) -> tuple[np.ndarray, np.ndarray]:
    """`best_of_each` from a table in float16, half the bytes to gather: for choosing rotations, not for reporting.

    Its CC lies within 5e-5 of that of `best_of_each` (1e-5 measured, noise against noise): a number keeps eleven bits, and
    over a band the errors nearly cancel. Its gain has not been timed on a card.
    """
    return _best_of_each(table, selection, particle, energy, rotations, where, "float16")


def _best_of_each(
    table: SpectrumTable,
    selection: Band,
    particle: Any,
    energy: float,
    rotations: np.ndarray,
    where: Window,
    number: str,
) -> tuple[np.ndarray, np.ndarray]:
    xp = namespace(particle)
    size_z, size_y, size_x = where.allowed.shape
    if not fits(xp, selection.reach, where.allowed.shape):
        return correlate.best_of_each(table, selection, particle, energy, rotations, where)
    slots, rows, _ = shape_of(selection.reach, where.allowed.shape)
    planes, tiles = _tiles(selection, LANES // _width(size_x) * rows)
    turned = correlate.on_device(particle, rotations)
    highest, places = xp.empty(len(turned), dtype=xp.float32), xp.empty(len(turned), dtype=xp.int32)
    if len(turned):
        launch(
            xp,
            "search",
            (f"-DSLOTS={slots}", f"-DROWS={rows}", f"-DHALF_TABLE={int(number == 'float16')}"),
            (len(turned), 1),
            WARPS * LANES,
            shared_bytes(selection.reach, where.allowed.shape),
            *_template(table, number),
            xp.ascontiguousarray(turned),
            _points(selection),
            xp.ascontiguousarray(particle),
            np.float32(energy),
            planes,
            np.int32(len(planes)),
            tiles,
            np.int32(selection.reach),
            where.phase_x,
            where.phase_y,
            where.phase_z,
            xp.ascontiguousarray(where.allowed),
            np.int32(size_x),
            np.int32(size_y),
            np.int32(size_z),
            highest,
            places,
        )
    return to_host(highest), to_host(places).astype(np.int64)


def slopes(table: SpectrumTable, selection: Band, particle: Any, energy: float, rotations: np.ndarray) -> np.ndarray:
    """CC, gradient and second derivatives (k, 10) float64 at the particle's origin of shifts, like `correlate.slopes`."""
    if selection.reach > FURTHEST:
        return correlate.slopes(table, selection, particle, energy, rotations)
    xp = namespace(particle)
    turned = correlate.on_device(particle, rotations)
    sums = xp.zeros((len(turned), SHARES, MOMENTS), dtype=xp.float64)
    if len(turned):
        launch(
            xp,
            "moments",
            (),
            (len(turned), SHARES),
            SLOPE_THREADS,
            8 * MOMENTS * SLOPE_THREADS,
            *_template(table, "float32"),
            xp.ascontiguousarray(turned),
            _points(selection),
            xp.ascontiguousarray(particle),
            np.int32(len(particle)),
            sums,
        )
    total = to_host(sums).sum(axis=1)
    return correlate.scaled_moments(total[:, :-1], total[:, -1], energy, selection.box_px)


def inserted(total: FourierSum, particle: Placed) -> FourierSum:
    """The sum with one more particle, like `average.inserted`.

    A particle's contributions, float32 products as in the array code, are added as 64-bit integers, in any order to the
    same bits. Their unit is 2^-56 of the power of two at or above the largest coefficient m (2^-56 itself for weights). A
    contribution is off by half a unit at most; a voxel holds 2^7 of the largest, more than the coefficients within reach
    of it can add up to. Numbers that are not finite make NaN of the voxels that the particle touches.
    """
    xp = namespace(particle.block)
    n, reach = total.values.shape[0], particle.block.shape[-1] - 1
    block = xp.ascontiguousarray(particle.block, dtype=xp.complex64)
    measured = _measured_places(xp, _device(xp), reach, particle.wedge)
    peak = xp.abs(block.view(xp.float32)).max().reshape(1)
    turn = (np.asarray(particle.shift_xyz_px) * (2 * np.pi / n)).astype(np.float32)
    sums = xp.zeros((*total.weights.shape, 3), dtype=xp.int64)
    result = FourierSum(xp.empty_like(total.values), xp.empty_like(total.weights))
    threads = WARPS * LANES
    launch(
        xp,
        "insert",
        (),
        (-(-len(measured) // threads), 1),
        threads,
        0,
        block,
        measured,
        np.int32(len(measured)),
        np.int32(reach),
        np.int32(n),
        xp.asarray(np.ascontiguousarray(particle.rotation, dtype=np.float32)),
        *turn,
        peak,
        sums,
    )
    n_voxels = total.weights.size
    launch(
        xp,
        "settle",
        (),
        (-(-n_voxels // threads), 1),
        threads,
        0,
        xp.ascontiguousarray(total.values),
        xp.ascontiguousarray(total.weights),
        sums,
        peak,
        np.int32(n_voxels),
        result.values,
        result.weights,
    )
    return result


def launch(
    xp: Any, name: str, options: tuple[str, ...], blocks: tuple[int, int], threads: int, shared: int, *arguments: Any
) -> None:
    """Runs a kernel of score.cu on the current device: device arrays go as pointers, NumPy scalars by value."""
    kernel = _kernel(xp, _device(xp), name, options)
    if shared > kernel.max_dynamic_shared_size_bytes:
        kernel.max_dynamic_shared_size_bytes = shared
    kernel(blocks, (threads,), arguments, shared_mem=shared)


@lru_cache(maxsize=256)
def _kernel(xp: Any, device: int, name: str, options: tuple[str, ...]) -> Any:
    return xp.RawModule(code=source(), options=("-std=c++17", *options)).get_function(name)


@lru_cache(maxsize=1)
def source() -> str:
    """The text of score.cu."""
    return files("engine.kernels").joinpath("score.cu").read_text(encoding="utf-8")


def _device(xp: Any) -> int:
    return -1 if xp is np else int(xp.cuda.Device().id)


def fits(xp: Any, reach: int, sides: tuple[int, int, int]) -> bool:
    """True where the fused search can hold a window of these sides (z, y, x) for a band of this reach."""
    if max(sides[1:]) > WIDEST or reach > FURTHEST:
        return False
    return shared_bytes(reach, sides) <= shared_limit(xp, _device(xp))


@lru_cache(maxsize=64)
def shared_limit(xp: Any, device: int) -> int:
    """Bytes of shared memory that a block may ask for on the current device, whose number is given."""
    return int(xp.cuda.Device().attributes["MaxSharedMemoryPerBlockOptin"])


def _width(size_x: int) -> int:
    """Lanes that sum a row along kx: one for each cosine and sine of the shifts 0 to half."""
    return 2 * (size_x // 2 + 1)


def shape_of(reach: int, sides: tuple[int, int, int]) -> tuple[int, int, int]:
    """What the search is compiled for, SLOTS and ROWS, and the complex numbers of a warp's scratch."""
    _, size_y, size_x = sides
    width = _width(size_x)
    n_groups = LANES // width
    slots = next(size for size in SLOTS if size > size_y // 2)
    rows = 1 << int(np.log2(max(1, 8 // n_groups)))
    return slots, rows, max(n_groups * rows * 2 * (reach // 2 + 1), size_y * width)


def shared_bytes(reach: int, sides: tuple[int, int, int]) -> int:
    """Shared memory of a block of the search: scratch of each warp, phases, the map, and the reductions."""
    slots, _, scratch = shape_of(reach, sides)
    n_rows = 2 * reach + 1
    phases = (reach // 2 + 1) * _width(sides[2]) + n_rows * slots + n_rows * sides[0]
    return 8 * (WARPS * scratch + phases) + 4 * int(np.prod(sides)) + 8 * WARPS * LANES


def _remembered(make: Callable[..., Any]) -> Callable[..., Any]:
    """make(holder, *more), made once and kept as long as the holder lives."""
    kept: WeakKeyDictionary[Any, dict[tuple[Any, ...], Any]] = WeakKeyDictionary()
    lock = Lock()

    def get(holder: Any, *more: Any) -> Any:
        with lock:
            of_holder = kept.setdefault(holder, {})
            if more not in of_holder:
                of_holder[more] = make(holder, *more)
            return of_holder[more]

    return get


@_remembered
def _template(table: SpectrumTable, number: str) -> tuple[Any, np.int32, np.float32]:
    """The table as the kernels read it, each voxel with its neighbour along x (..., 4) float32 or float16; reach, scale.

    A float16 table is multiplied by a power of two, which changes no CC.
    """
    xp = namespace(table.values)
    pairs = xp.zeros((*table.values.shape, 2), dtype=xp.complex64)
    pairs[..., 0] = table.values
    pairs[..., :-1, 1] = table.values[..., 1:]
    numbers = pairs.view(xp.float32)
    if number == "float16":
        top = float(xp.abs(numbers).max())
        numbers = numbers * np.float32(2.0 ** np.floor(np.log2(HALF_TOP / top)) if top > 0 else 1)
    return numbers.astype(number), np.int32(table.reach), np.float32(table.scale)


@_remembered
def _points(selection: Band) -> Any:
    """The band's points (n, 2) int32: the bits of W, and the frequency packed as score.cu reads it."""
    xp = namespace(selection.k_xyz)
    kx, ky, kz = selection.k_xyz.astype(xp.int32)
    weight = xp.ascontiguousarray(selection.weight, dtype=xp.float32)
    return xp.stack([weight.view(xp.int32), kx | (ky + 512) << 10 | (kz + 512) << 20], axis=1)


@_remembered
def _tiles(selection: Band, n_rows: int) -> tuple[Any, Any]:
    """The planes of constant kz and their tiles of n_rows rows of ky, (., 4) int32 each as score.cu reads them."""
    xp = namespace(selection.k_xyz)
    kx, ky, kz = to_host(selection.k_xyz).astype(np.int64)
    first_ky = np.repeat([ky[first] for first in selection.planes[:, 1]], selection.planes[:, 2])
    number = (ky - first_ky) // n_rows
    _, first, count = np.unique((kz + selection.reach) * 2048 + number, return_index=True, return_counts=True)
    pairs = np.maximum.reduceat(kx, first) // 2 + 1
    start = first_ky[first] + number[first] * n_rows + selection.reach
    tiles = np.column_stack([start, first, count, pairs])
    row, first_tile, n_tiles = np.unique(kz[first] + selection.reach, return_index=True, return_counts=True)
    planes = np.column_stack([row, first_tile, n_tiles, np.zeros_like(row)])
    return xp.asarray(planes.astype(np.int32)), xp.asarray(tiles.astype(np.int32))


@lru_cache(maxsize=16)
def _measured_places(xp: Any, device: int, reach: int, wedge: Wedge) -> Any:
    """Places of the measured frequencies in a block, int32, on the device."""
    return xp.asarray(measured_frequencies(reach, wedge)[1].astype(np.int32))
