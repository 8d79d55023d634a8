"""Numbers as text: read with their place named when they are none, written with as few digits as keep them."""

from __future__ import annotations

import re

from engine.faults import EngineError

_REAL = r"[+-]?(?:nan|inf|(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)"
_NUMBER = re.compile(rf"({_REAL})(?:(?=[+-]){_REAL}[ij])?", re.IGNORECASE)


def number(word: str, where: str) -> float:
    """The value of one word, of a MATLAB complex number (`0+1.2e-06i`) the real part. Text is an EngineError."""
    found = _NUMBER.fullmatch(word)
    if found is None:
        raise EngineError(f"{where}: {word[:40]!r} is not a number; correct or remove it")
    return float(found[1])


def shortest(value: float) -> str:
    """The shortest text that gives back the same bits; whole numbers without a point."""
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
