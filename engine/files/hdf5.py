"""Datasets of foreign HDF5 files, taken only where their values lie in the file itself."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from engine.faults import EngineError
from engine.files.limits import MOST_PACKED_TIMES


def dataset(file: Any, name: str, path: Path) -> Any:
    """The dataset of real numbers of this name at the top of an open h5py file.

    Links, values kept in other files, filters that HDF5 would look for on the disk, and sizes that the file cannot hold are
    EngineErrors.
    """
    import h5py

    if name not in file:
        there = f"only {', '.join(list(file)[:12])}" if len(file) else "nor any other"
        raise EngineError(f"{path}: has no dataset {name!r}, {there}; write it")
    if not isinstance(file.get(name, getlink=True), h5py.HardLink):
        raise EngineError(f"{path}: {name!r} is a link to elsewhere; copy the values into the file")
    found = file[name]
    if not isinstance(found, h5py.Dataset) or found.dtype.kind not in "fiu":
        raise EngineError(f"{path}: {name!r} is no dataset of real numbers; write it as one")
    made = found.id.get_create_plist()
    if found.is_virtual or made.get_external_count():
        raise EngineError(f"{path}: {name!r} takes its values from another file; copy them into the file")
    known = {h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32, h5py.h5z.FILTER_LZF}
    if {made.get_filter(number)[0] for number in range(made.get_nfilters())} - known:
        raise EngineError(f"{path}: {name!r} is packed in another way than gzip or lzf; write it plain or with gzip")
    if math.prod(found.shape) * found.dtype.itemsize > MOST_PACKED_TIMES * path.stat().st_size:
        raise EngineError(f"{path}: {name!r} of shape {found.shape} is not in a file of this size; write it anew")
    return found
