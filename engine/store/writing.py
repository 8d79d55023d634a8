"""Values become HDF5: the layout of schemas/results.md, written."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from engine.data import Catalogue, Curve, Table, Volume
from engine.devices import to_host
from engine.memory import available_bytes
from engine.outputs import Item, Outputs, SpectraStream, Stream, VolumeStream
from engine.step import Step
from engine.store import seal
from engine.store.chunks import writer
from engine.store.disk import disk
from engine.store.plain import plain
from engine.store.reading import entry_of, facts_in
from engine.store.sealed import About, StoredItem
from engine.store.sink import Sink
from engine.version import engine_version

FORMAT = ("v110", "v110")  # HDF5 1.10: its metadata carry checksums, the default format's do not
_CUBE = 32
"""Longest side in voxels of the equal parts that a volume is stored in: boxes are cut from it without reading it all."""

_CHUNK_BYTES = 64 << 20

_BOX_CHUNK_BYTES = 4 << 20
"""Of boxes: buffers of more are mapped anew for every chunk, which took three times as long as the writing."""


HUGE_SHARE = 0.25
"""Of the memory that is left: more than that would push out of the system's cache what other steps read."""


def write(handle: int, facts: Mapping[str, Any], outputs: Outputs, seconds: float | Callable[[], float]) -> None:
    """Writes a results file, of which no more than a part is ever in memory, and its seal."""
    left = available_bytes()
    sink = Sink(handle, is_huge=left is not None and stream_bytes(outputs) > HUGE_SHARE * left)
    try:
        with h5py.File(sink, "w", libver=FORMAT) as file:
            fill(file, facts, outputs, seconds, sink.check)
            file.flush()
            extents, about = seal.extents_of(file), about_of(file)
    finally:
        sink.finish()
    disk().write(handle, seal.seal(sink.read_at, sink.size, extents, about.plain()), sink.size)


def stream_bytes(outputs: Outputs) -> int:
    """What outputs take that are written part by part, and are never whole in memory."""
    return sum(value.n_bytes for value in outputs.values() if isinstance(value, Stream | SpectraStream | VolumeStream))


def facts_of(
    step: Step, kind: str, key: str, input_keys: Mapping[str, str], outputs: Outputs, started: str, devices: str
) -> dict[str, Any]:
    labels = dict(step.labels)
    facts: dict[str, Any] = {
        "layout": seal.LAYOUT,
        "engine": engine_version(),
        "key": key,
        "kind": kind,
        "step": step.name,
        "function": step.function_name,
        "version": step.version,
        "settings": step.settings_json,
        "inputs": json.dumps(dict(input_keys), sort_keys=True),
        "labels": json.dumps(labels, sort_keys=True),
        "started": started,
        "devices": devices,
    }
    if double := sorted(set(labels) & {*facts, "seconds", "pixel_size_A"}):
        raise ValueError(f"step {step.name}: {double[0]!r} cannot be a label")
    sizes = [
        float(value.pixel_size_A) for value in outputs.values() if isinstance(value, Volume | VolumeStream | Stream)
    ]
    known = [size for size in sizes if size > 0]
    return {**facts, **labels, **({"pixel_size_A": known[0]} if known else {})}


def fill(
    file: Any,
    facts: Mapping[str, Any],
    outputs: Outputs,
    seconds: float | Callable[[], float],
    check: Callable[[], None],
) -> None:
    """Facts and outputs into an open file; check() is called after each part of a stream."""
    _set(file, **facts)
    for name in sorted(outputs):
        _encode(file, name, outputs[name], check)
    _set(file, seconds=float(seconds() if callable(seconds) else seconds))


def about_of(file: Any) -> About:
    """What an open file tells, for its seal."""
    items: dict[str, StoredItem] = {}

    def visit(name: str, item: Any) -> None:
        if "what" in item.attrs:
            items[name] = entry_of(name, item)

    file.visititems(visit)
    return About(facts_in(file, Path()), items)


def _set(place: Any, **attributes: Any) -> None:
    """Texts are stored at a fixed length: those of variable length lie in a heap without checksum."""
    for name, value in attributes.items():
        if isinstance(value, str):
            text = value.encode()
            kind = h5py.string_dtype("utf-8", max(len(text), 1))
            place.attrs.create(name, np.bytes_(text), dtype=kind)
        else:
            place.attrs[name] = value


def _encode(file: Any, name: str, value: Item, check: Callable[[], None]) -> None:
    if isinstance(value, Volume):
        made = _dataset(file, name, np.asarray(to_host(value.data), dtype=np.float32))
        _set(made, what="volume", unit="arbitrary", axes="zyx", pixel_size_A=float(value.pixel_size_A))
        _set(made, origin_xyz_A=np.asarray(value.origin_xyz_A, dtype=np.float64))
    elif isinstance(value, Table):
        made = _dataset(file, name, np.column_stack([value[column] for column in value]))
        _set(made, what="table", unit="by column", columns=json.dumps(list(value)))
    elif isinstance(value, Curve):
        made = _dataset(
            file, name, np.column_stack([np.asarray(values, np.float64) for values in value.columns.values()])
        )
        notes = json.dumps(dict(value.notes), default=plain, sort_keys=True)
        _set(made, what="curve", unit="by column", columns=json.dumps(list(value.columns)), notes=notes)
    elif isinstance(value, Stream):
        _encode_stream(file, name, value, check)
    elif isinstance(value, SpectraStream):
        _encode_spectra(file, name, value, check)
    elif isinstance(value, VolumeStream):
        _encode_parts(file, name, value, check)
    elif isinstance(value, Catalogue):
        _encode_text(file, name, {"tomograms": value.rows()}, "catalogue")
    elif isinstance(value, Mapping):
        _encode_text(file, name, dict(value), "summary")
    else:
        array = to_host(value)
        if array.dtype.kind not in "fiub":
            raise ValueError(f"{name}: an array of {array.dtype} cannot be stored")
        made = _dataset(file, name, array.astype(np.uint8) if array.dtype == bool else array)
        _set(made, what="array", unit="arbitrary", truth=int(array.dtype == bool))


def _encode_text(file: Any, name: str, value: dict[str, Any], what: str) -> None:
    text = json.dumps(value, default=plain).encode()
    made = _dataset(file, name, np.array([text], dtype=f"S{len(text)}"))
    _set(made, what=what, unit="by name")


def _encode_parts(file: Any, name: str, stream: VolumeStream, check: Callable[[], None]) -> None:
    """A volume of which no more than a part is in memory."""
    chunks = tuple(min(chunk, n) for chunk, n in zip(stream.chunk_zyx, stream.shape_zyx, strict=True))
    made = file.create_dataset(
        name, shape=stream.shape_zyx, dtype=np.float32, track_times=False, chunks=chunks, fletcher32=True
    )
    _set(made, what="volume", unit="arbitrary", axes="zyx", pixel_size_A=float(stream.pixel_size_A))
    _set(made, origin_xyz_A=np.zeros(3))
    n_written = 0
    for corner, values in stream.parts:
        where = tuple(slice(low, low + n) for low, n in zip(corner, values.shape, strict=True))
        made[where] = np.asarray(values, dtype=np.float32)
        check()
        n_written += values.size
    if 4 * n_written != stream.n_bytes:
        raise ValueError(f"{name}: {n_written} voxels of {stream.shape_zyx}")


def _encode_stream(file: Any, name: str, stream: Stream, check: Callable[[], None]) -> None:
    """The boxes as one dataset, in chunks of their slices, and beside it a dataset `tags`."""
    side, count = stream.box_px, len(stream.tags)
    depth = _box_depth(side)
    chunked: dict[str, Any] = {"chunks": (1, depth, side, side), "fletcher32": True} if count else {}
    boxes = file.create_dataset(name, shape=(count, side, side, side), dtype=np.float32, track_times=False, **chunked)
    _set(boxes, what="particles", unit="arbitrary", axes="zyx", pixel_size_A=float(stream.pixel_size_A))
    _dataset(boxes.parent, "tags", np.asarray(stream.tags, dtype=np.int64))
    write, n_written = writer(boxes), 0
    for box in stream.boxes:
        if np.shape(box) != (side,) * 3 or n_written == count:
            raise ValueError(
                f"{name}: box {n_written + 1} of {count} has the shape {np.shape(box)}, {side} px announced"
            )
        values = np.asarray(to_host(box), dtype=np.float32)
        for z in range(0, side, depth):
            write((n_written, z, 0, 0), values[z : z + depth])
        check()
        n_written += 1
    if n_written != count:
        raise ValueError(f"{name}: {count} tags but {n_written} boxes")


def _box_depth(side: int) -> int:
    """Slices of a box in a chunk: as many as fit, in equal parts without a rest."""
    most = max(1, _BOX_CHUNK_BYTES // (4 * side**2))
    return max(depth for depth in range(1, min(most, side) + 1) if side % depth == 0)


def _encode_spectra(file: Any, name: str, stream: SpectraStream, check: Callable[[], None]) -> None:
    """The blocks as one dataset of real and imaginary parts, a chunk each; beside it datasets `tags` and `variance`."""
    shape, count = (2 * stream.reach + 1, 2 * stream.reach + 1, stream.reach + 1), len(stream.tags)
    chunked: dict[str, Any] = {"chunks": (1, *shape, 2), "fletcher32": True} if count else {}
    blocks = file.create_dataset(name, shape=(count, *shape, 2), dtype=np.float32, track_times=False, **chunked)
    _set(blocks, what="spectra", unit="arbitrary", axes="zyx", box_px=stream.box_px)
    _dataset(blocks.parent, "tags", np.asarray(stream.tags, dtype=np.int64))
    variances: list[float] = []
    for block, variance in stream.spectra:
        if np.shape(block) != shape or len(variances) == count:
            raise ValueError(
                f"{name}: block {len(variances) + 1} of {count} has the shape {np.shape(block)}, {shape} announced"
            )
        parts = np.ascontiguousarray(to_host(block), dtype=np.complex64)
        blocks[len(variances)] = parts.view(np.float32).reshape(*shape, 2)
        check()
        variances.append(variance)
    if len(variances) != count:
        raise ValueError(f"{name}: {count} tags but {len(variances)} blocks")
    _dataset(blocks.parent, "variance", np.array(variances, dtype=np.float64))


def _dataset(place: Any, name: str, values: np.ndarray) -> Any:
    """A dataset whose chunks carry checksums: parts of a volume, whole leading slices of at most 64 MiB of anything else."""
    chunked: dict[str, Any] = {}
    if values.ndim == 3 and values.size:
        chunked = {"chunks": tuple(-(-n // -(-n // _CUBE)) for n in values.shape), "fletcher32": True}
    elif values.ndim and values.size:
        slice_bytes = values.nbytes // len(values)
        chunked = {
            "chunks": (max(1, min(len(values), _CHUNK_BYTES // slice_bytes)), *values.shape[1:]),
            "fletcher32": True,
        }
    return place.create_dataset(name, data=values, track_times=False, **chunked)
