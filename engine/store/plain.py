"""What json cannot write by itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def plain(value: Any) -> Any:
    """An array or one of its numbers as numbers and lists, a path as text: json's `default`."""
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, Path):
        return str(value)
    raise ValueError(f"{type(value).__name__} {value!r} is no number, text or list of them")
