"""Names of columns as people write them, with their units."""

from __future__ import annotations

_UNITS = {"_fpx": "Fourier px", "_px": "px", "_deg": "deg", "_per_A2": "1/Å²", "_A2": "Å²", "_A": "Å"}


def unit_of(name: str) -> str:
    """`Fourier px` of `shell_fpx`; empty where the name tells none."""
    return next((unit for ending, unit in _UNITS.items() if name.endswith(ending)), "")


def label(name: str) -> str:
    """`shell_fpx` as `shell (Fourier px)`."""
    for ending, unit in _UNITS.items():
        if name.endswith(ending):
            return f"{name.removesuffix(ending).replace('_', ' ')} ({unit})"
    return name.replace("_", " ")
