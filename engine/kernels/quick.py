"""Where arrays live decides how things are done: compiled loops on the CPU; on a GPU CUDA kernels for the score, or array code.

Each function has a twin of array code, named in its docstring, that gives the same. The compiler is loaded at the first use.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

import numpy as np

from engine.devices import namespace
from engine.kernels import correlate, rotate
from engine.kernels.correlate import Band, Window
from engine.kernels.reference import SpectrumTable

SLOW_S = 1.5
"""Loading the compiled loops takes less; compiling them, more."""


def search(
    table: SpectrumTable, selection: Band, particle: Any, energy: float, rotations: np.ndarray, where: Window
) -> tuple[np.ndarray, np.ndarray]:
    """`correlate.best_of_each`: the highest CC of each rotation, and its place in the window."""
    return _compiled_or_cuda(particle).best_of_each(table, selection, particle, energy, rotations, where)


def screen(
    table: SpectrumTable, selection: Band, particle: Any, energy: float, rotations: np.ndarray, where: Window
) -> tuple[np.ndarray, np.ndarray]:
    """As `search`, where scores only choose what is scored again: on a GPU the reference has half precision."""
    asked = table, selection, particle, energy, rotations, where
    if namespace(particle) is np:
        return search(*asked)
    from engine.kernels import cuda

    return cuda.screened(*asked)


def slopes(table: SpectrumTable, selection: Band, particle: Any, energy: float, rotations: np.ndarray) -> np.ndarray:
    """`correlate.slopes`: CC and its derivatives by the shift, for each rotation."""
    return _compiled_or_cuda(particle).slopes(table, selection, particle, energy, rotations)


def shifted(selection: Band, particle: Any, shift_xyz_px: np.ndarray) -> Any:
    """`correlate.shifted`: a particle's coefficients with another origin of shifts."""
    if namespace(particle) is not np:
        return correlate.shifted(selection, particle, shift_xyz_px)
    from engine.kernels import compiled

    return compiled.shifted(selection, particle, shift_xyz_px)


def mean_and_deviation(
    box: Any, mask: Any, rotation: np.ndarray, shift_xyz_px: np.ndarray, radius_px: float
) -> tuple[float, float]:
    """`rotate.mean_and_deviation`: under a mask that is turned and shifted, and 0 further than radius_px from its centre."""
    if namespace(box) is not np:
        return rotate.mean_and_deviation(box, mask, rotation, shift_xyz_px)
    from engine.kernels import compiled

    return compiled.mean_and_deviation(box, mask, rotation, shift_xyz_px, radius_px)


def correlation_under(mask: Any, rotation: np.ndarray, a: Any, b: Any) -> float:
    """`rotate.correlation_under`: of two boxes under a turned mask."""
    if namespace(a) is not np:
        return rotate.correlation_under(mask, rotation, a, b)
    from engine.kernels import compiled

    return compiled.correlation_under(mask, rotation, a, b)


def symmetrized(volume: Any, operators: np.ndarray) -> Any:
    """`rotate.symmetrized`: the mean of a box turned by every operator of a group."""
    if namespace(volume) is not np or len(operators) == 1:
        return rotate.symmetrized(volume, operators)
    from engine.kernels import compiled

    return compiled.mean_over(volume, operators)


def sum_of_moved(volume: Any, rotations: np.ndarray, shifts_xyz_px: np.ndarray) -> Any:
    """`rotate.sum_of_moved`: the sum of a box moved by several rotations and shifts."""
    if namespace(volume) is not np:
        return rotate.sum_of_moved(volume, rotations, shifts_xyz_px)
    from engine.kernels import compiled

    return compiled.sum_of_moved(volume, rotations, shifts_xyz_px)


def ready(slow: Callable[[], None]) -> None:
    """Returns when the compiled loops can be called; calls slow() first where they are being compiled, once on a machine."""
    from engine.kernels.compiled.warm import warm_up

    with ThreadPoolExecutor(1) as pool:
        warming = pool.submit(warm_up)
        if wait([warming], timeout=SLOW_S).not_done:
            slow()
        warming.result()


def is_ready() -> bool:
    """Whether the loops were compiled on this machine before, and are only to be loaded."""
    from engine.kernels import compiled

    return compiled.are_kept()


def _compiled_or_cuda(array: Any) -> Any:
    """The module of loops for where the array lives."""
    if namespace(array) is np:
        from engine.kernels import compiled

        return compiled
    from engine.kernels import cuda

    return cuda
