"""Numbers as text: read with their place named when they are none, written with as few digits as keep them."""

from __future__ import annotations

import math
import re

import numpy as np

from engine.faults import EngineError

LARGEST_WHOLE = 10**15
"""Whole numbers below are kept by float64, in which tables hold them."""
_REAL = r"[+-]?(?:nan|inf|(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?)"
_NUMBER = re.compile(rf"({_REAL})(?:(?=[+-]){_REAL}[ij])?", re.IGNORECASE)


def number(word: str, where: str) -> float:
    """The value of one word, of a MATLAB complex number (`0+1.2e-06i`) the real part. Text is an EngineError."""
    found = _NUMBER.fullmatch(word)
    if found is None:
        raise EngineError(f"{where}: {word[:40]!r} is not a number; correct or remove it")
    return float(found[1])


def finite(word: str, where: str) -> float:
    """The same, for what must not be NaN or beyond all numbers."""
    value = number(word, where)
    if not math.isfinite(value):
        raise EngineError(f"{where}: {word[:40]!r} is no finite number; correct or remove it")
    return value


def whole(word: str, where: str) -> int:
    """The same, for what is counted or is a name."""
    value = number(word, where)
    if not value.is_integer() or abs(value) >= LARGEST_WHOLE:
        raise EngineError(f"{where}: {word[:40]!r} is not a whole number of at most 15 digits; correct or remove it")
    return int(value)


def wholes(values: np.ndarray, where: str) -> np.ndarray:
    """int64 of float64 values, cut to whole numbers; what int64 cannot hold is an EngineError."""
    lost = values[~(np.abs(values) < LARGEST_WHOLE)]
    if len(lost):
        raise EngineError(f"{where}: {lost[0]:g} is not a whole number of at most 15 digits; correct or remove it")
    return values.astype(np.int64)


def shortest(value: float) -> str:
    """The shortest text that gives back the same bits; whole numbers without a point."""
    return str(int(value)) if value.is_integer() and abs(value) < LARGEST_WHOLE else repr(value)
