"""Names of columns as people write them, with their units; whether their values differ."""

from __future__ import annotations

import numpy as np

from engine.steering import made_visible

_ROUNDING = 1e-9
_UNITS = {"_fpx": "Fourier px", "_px": "px", "_deg": "deg", "_per_A2": "1/Å²", "_A2": "Å²", "_A": "Å"}


def plain(name: str) -> str:
    """The name as it stands, where a picture would take it for a formula."""
    return made_visible(name).replace("$", r"\$")


def has_spread(values: np.ndarray) -> bool:
    """Whether finite values differ by more than what rounding leaves: only then can an axis show them apart."""
    return bool(len(values)) and float(np.ptp(values)) > _ROUNDING * float(np.abs(values).max())


def unit_of(name: str) -> str:
    """`Fourier px` of `shell_fpx`; empty where the name tells none."""
    return next((unit for ending, unit in _UNITS.items() if name.endswith(ending)), "")


def label(name: str) -> str:
    """`shell_fpx` as `shell (Fourier px)`."""
    for ending, unit in _UNITS.items():
        if name.endswith(ending):
            return f"{name.removesuffix(ending).replace('_', ' ')} ({unit})"
    return name.replace("_", " ")
