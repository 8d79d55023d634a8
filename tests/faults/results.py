"""What two runs are compared by."""

from __future__ import annotations

from pathlib import Path

import h5py

VOLATILE = ("started", "seconds", "devices")
"""Attributes that differ from run to run."""


def stored(folder: Path) -> dict[str, object]:
    """Everything in the results below a folder but times, by file and item."""
    found: dict[str, object] = {}
    for path in sorted(folder.rglob("*.h5")):
        name = path.relative_to(folder).as_posix()
        with h5py.File(path) as file:
            found |= {f"{name}@{key}": str(value) for key, value in file.attrs.items() if key not in VOLATILE}
            items: list[str] = []
            file.visit(items.append)
            data = {item: file[item] for item in items if isinstance(file[item], h5py.Dataset)}
            found |= {f"{name}/{item}": values[()].tobytes() for item, values in data.items()}
    return found
