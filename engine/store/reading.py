"""HDF5 becomes values: nothing is accepted but what the layout of schemas/results.md declares."""

from __future__ import annotations

import json
import math
import os
import weakref
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import h5py
import numpy as np

from engine.data import Catalogue, Curve, Table, Volume
from engine.data.tomogram import Corner, between
from engine.faults import EngineError
from engine.step import as_json
from engine.store.sealed import ADVICE, NAME, WHATS, About, StoredItem, StoredStep, about, refuse_newer, refused, sealed

_DEEPEST = 8
_MOST_OBJECTS = 3_000

MOST_OPEN = 100
"""Files that are held open at a time in a process; systems allow 256 to 1024."""


def hdf5_version() -> str:
    return h5py.version.hdf5_version


class _Held:
    """An item that is read part by part. Its file stays open in each process as long as the object is there, or until
    MOST_OPEN others were opened after it.

    Workers are forked: what they inherit is the caller's, whose place in the file would move with theirs. Each process opens
    the file itself, and HDF5 is handed the open file rather than its path, by which it would find the inherited one again.
    Threads may share it, since h5py lets one in at a time.
    """

    _open: ClassVar[deque[weakref.ref[_Held]]] = deque()

    def __init__(self, path: Path, item_path: str, key: str) -> None:
        self._path, self._item_path, self._key = path, item_path, key
        self._item: Any = None
        self._process = 0

    def read(self, where: Any) -> np.ndarray:
        """float32, what the indices name; an EngineError where the file is broken, or another one than when it was found."""
        with _reading(self._path):
            return np.asarray(self._opened()[where], dtype=np.float32)

    def _opened(self) -> Any:
        item, process = self._item, self._process
        if item is not None and process == os.getpid():
            return item
        raw = sealed(self._path)
        try:
            file = h5py.File(raw, "r")
            if text_of(file.attrs["key"]) != self._key:
                raise EngineError(f"{self._path}: was replaced while it was being read (start again)")
            item = file[self._item_path]
        except BaseException:
            raw.close()
            raise
        weakref.finalize(item, raw.close)
        self._item, self._process = item, os.getpid()
        _Held._open.append(weakref.ref(self))
        while len(_Held._open) > MOST_OPEN:
            if oldest := _Held._open.popleft()():
                oldest._item = None
        return item


class StoredParticles:
    """Particles of a stored step, read one by one."""

    def __init__(self, path: Path, item_path: str) -> None:
        with opened(path) as file:
            item = item_in(file, path, item_path, "particles")
            self.tags = np.asarray(item.parent["tags"][()], dtype=np.int64)
            self.box_px = int(item.shape[-1])
            self.pixel_size_A = float(item.attrs["pixel_size_A"])
            self._held = _Held(path, item_path, text_of(file.attrs["key"]))
        self._row = {int(tag): row for row, tag in enumerate(self.tags)}

    def __repr__(self) -> str:
        return f"StoredParticles({len(self.tags)} boxes of {self.box_px} px)"

    def read(self, tag: int) -> np.ndarray:
        return self._held.read(self._row[int(tag)])


class StoredTomogram:
    """A stored volume, read part by part."""

    def __init__(self, path: Path, item_path: str) -> None:
        with opened(path) as file:
            item = item_in(file, path, item_path, "volume")
            z, y, x = (int(n) for n in item.shape)
            self.shape_zyx = (z, y, x)
            self.pixel_size_A = float(item.attrs["pixel_size_A"])
            self._held = _Held(path, item_path, text_of(file.attrs["key"]))
        self._path = path

    def __repr__(self) -> str:
        return f"StoredTomogram({self._path}, {self.shape_zyx})"

    def read(self, low_zyx: Corner, high_zyx: Corner) -> np.ndarray:
        return self._held.read(between(self.shape_zyx, low_zyx, high_zyx))


class StoredSpectra:
    """Spectra of a stored step, read one by one."""

    def __init__(self, path: Path, item_path: str) -> None:
        with opened(path) as file:
            item = item_in(file, path, item_path, "spectra")
            self.box_px = int(item.attrs["box_px"])
            self.reach = int(item.shape[3]) - 1
            tags, variances = item.parent["tags"][()].tolist(), item.parent["variance"][()].tolist()
            self._held = _Held(path, item_path, text_of(file.attrs["key"]))
        self._known = {tag: (row, variance) for row, (tag, variance) in enumerate(zip(tags, variances, strict=True))}

    def __repr__(self) -> str:
        return f"StoredSpectra({len(self._known)} blocks of reach {self.reach})"

    def __contains__(self, tag: int) -> bool:
        return int(tag) in self._known

    def block(self, tag: int) -> np.ndarray:
        row, _ = self._known[int(tag)]
        return self._held.read(row).view(np.complex64)[..., 0]

    def variance(self, tag: int) -> float:
        return float(self._known[int(tag)][1])


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """The open HDF5 file, once its seal has proved to be whole."""
    with _reading(path), sealed(path) as raw, h5py.File(raw, "r") as file:
        refuse_newer(file.attrs["layout"], path)
        yield file


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Turns what h5py raises on a broken or foreign file into one line."""
    try:
        yield
    except (OSError, RuntimeError, LookupError, ValueError, TypeError, AttributeError, ArithmeticError) as error:
        raise EngineError(f"{path}: not a whole results file of the engine ({ADVICE})") from error


def about_of(path: Path) -> About:
    """What a file tells of itself, from its HDF5 alone."""
    with opened(path) as file:
        items = {name: entry_of(name, item) for name, item in items_in(file, path).items()}
        return About(facts_in(file, path), items)


def value_of(path: Path, item_path: str) -> Any:
    """The value of an item; particles and their spectra stay on disk and are read one by one."""
    with opened(path) as file:
        item = item_in(file, path, item_path)
        what = what_is(item)
        if what not in ("particles", "spectra"):
            return decoded(item)
    return StoredParticles(path, item_path) if what == "particles" else StoredSpectra(path, item_path)


def damage_of(path: Path) -> str:
    """What is wrong with a file, all of whose values are read; empty where nothing is."""
    with opened(path) as file:
        for name, item in datasets_in(file, path).items():
            if item.chunks is None and item.size:
                return f"{name} has no checksum"
            if not matches_checksums(item, path):
                return f"values of {name} do not match their checksum"
        items = items_in(file, path)
        for name in items:
            if what_is(file[name]) not in ("particles", "spectra", "volume"):
                decoded(file[name])
        stands = About(facts_in(file, path), {name: entry_of(name, item) for name, item in items.items()})
        if (told := about(path)) and as_json(told.plain()) != as_json(stands.plain()):
            return "its seal tells something else than what stands in it"
    return ""


def facts_in(file: Any, path: Path) -> StoredStep:
    attrs = file.attrs
    labels = _mapping(attrs["labels"], int, str)
    seconds, version = attrs["seconds"], attrs["version"]
    if not (isinstance(version, int | np.integer) and math.isfinite(seconds)):
        raise ValueError(f"version {version!r}, seconds {seconds!r}")
    return StoredStep(
        path=path,
        layout=int(attrs["layout"]),
        engine=text_of(attrs["engine"]),
        key=text_of(attrs["key"]),
        kind=text_of(attrs["kind"]),
        step=text_of(attrs["step"]),
        function=text_of(attrs["function"]),
        version=int(version),
        settings=_mapping(attrs["settings"]),
        inputs=_mapping(attrs["inputs"], str),
        labels=labels,
        pixel_size_A=float(attrs.get("pixel_size_A", 0.0)),
        started=text_of(attrs["started"]),
        seconds=float(seconds),
        devices=text_of(attrs["devices"]),
    )


def _mapping(value: Any, *types: type) -> dict[str, Any]:
    """The JSON object that an attribute holds; its values are of the types, where any are named."""
    found = json.loads(text_of(value))
    if not isinstance(found, dict) or (types and not all(isinstance(one, types) for one in found.values())):
        raise ValueError(f"{found!r} is no mapping to {types}")
    return found


def entry_of(path: str, item: Any) -> StoredItem:
    """What an item tells without its values; of a summary all of it."""
    what = what_is(item)
    notes: Any = {}
    if what == "curve":
        notes = json.loads(text_of(item.attrs["notes"]))
    elif what == "summary":
        notes = decoded(item)
    return StoredItem(path, what, shape_of(item), float(item.attrs.get("pixel_size_A", 0.0)), notes)


def item_in(file: Any, path: Path, item_path: str, what: str = "") -> Any:
    items = items_in(file, path)
    if item_path not in items:
        raise EngineError(f"{path}: no item {item_path!r}; it has {', '.join(items)}")
    if what and what_is(items[item_path]) != what:
        raise EngineError(f"{path}: {item_path} is a {what_is(items[item_path])}, not a {what}")
    return items[item_path]


def items_in(file: Any, path: Path) -> dict[str, Any]:
    """Item path to dataset, once the whole file has proved to hold nothing but what the layout declares."""
    found = {full: item for full, item in datasets_in(file, path).items() if "what" in item.attrs}
    for full, item in found.items():
        if what_is(item) not in WHATS:
            raise EngineError(
                f"{path}: {full} is said to be {what_is(item)!r}, which the layout does not know ({ADVICE})"
            )
    return dict(sorted(found.items()))


def datasets_in(file: Any, path: Path) -> dict[str, Any]:
    """Path to dataset, also of those that belong to an item beside them."""
    found: dict[str, Any] = {}
    waiting = [("", file, 0)]
    n_seen = 0
    while waiting:
        name, group, depth = waiting.pop()
        for part in group:
            n_seen += 1
            full = f"{name}/{part}".lstrip("/")
            if (
                n_seen > _MOST_OBJECTS
                or depth > _DEEPEST
                or not isinstance(group.get(part, getlink=True), h5py.HardLink)
            ):
                raise EngineError(f"{path}: {full} is a link to elsewhere, which no results file holds ({ADVICE})")
            if not NAME.fullmatch(part):
                raise EngineError(f"{path}: {part!r} is no name of an item ({ADVICE})")
            item = group[part]
            if isinstance(item, h5py.Datatype):
                raise EngineError(f"{path}: {full} is neither a group nor a dataset ({ADVICE})")
            if isinstance(item, h5py.Dataset):
                _check_dataset(item, path, full)
                found[full] = item
            else:
                waiting.append((full, item, depth + 1))
    return found


def _check_dataset(dataset: Any, path: Path, name: str) -> None:
    made = dataset.id.get_create_plist()
    filters = {made.get_filter(number)[0] for number in range(made.get_nfilters())}
    if dataset.is_virtual or made.get_external_count():
        raise EngineError(f"{path}: {name} takes its values from another file, which no results file does ({ADVICE})")
    if (
        dataset.dtype.kind not in "fiuS"
        or filters - {h5py.h5z.FILTER_FLETCHER32}
        or dataset.nbytes > path.stat().st_size
    ):
        raise EngineError(f"{path}: {name} is not stored as the layout says ({ADVICE})")


def matches_checksums(item: Any, path: Path) -> bool:
    """Reads all values of an item or of what belongs to one, part by part: HDF5 compares the checksum of every chunk."""
    try:
        if item.size:
            depth = item.chunks[0]
            for first in range(0, item.shape[0], depth):
                item[first : first + depth]
    except OSError as error:
        if error.errno is not None:  # the system's; HDF5's own complaints have no number
            raise refused(path, error) from error
        return False
    return True


def decoded(item: Any) -> Volume | Table | Curve | Catalogue | dict[str, Any] | np.ndarray:
    what, values = what_is(item), item[()]
    if what == "volume":
        x, y, z = (float(value) for value in item.attrs["origin_xyz_A"])
        return Volume(np.asarray(values, dtype=np.float32), float(item.attrs["pixel_size_A"]), (x, y, z))
    if what == "table":
        columns = dict(zip(json.loads(text_of(item.attrs["columns"])), values.T, strict=True))
        known = Table({}, 0)
        return Table({name: column for name, column in columns.items() if name in list(known)}, len(values))
    if what == "curve":
        names = json.loads(text_of(item.attrs["columns"]))
        return Curve(dict(zip(names, values.T.copy(), strict=True)), json.loads(text_of(item.attrs["notes"])))
    if what in ("summary", "catalogue"):
        summary = json.loads(text_of(values[0]))
        if not isinstance(summary, dict):
            raise ValueError(f"a {what} is a mapping, not {summary!r}")
        return summary if what == "summary" else Catalogue.of_rows(summary["tomograms"])
    return np.asarray(values).astype(bool) if int(item.attrs["truth"]) else np.asarray(values)


def what_is(item: Any) -> str:
    return text_of(item.attrs["what"])


def shape_of(item: Any) -> tuple[int, ...]:
    return tuple(int(size) for size in item.shape)


def text_of(value: Any) -> str:
    """The text of an attribute or a dataset; what is no UTF-8 text is a ValueError."""
    if not isinstance(value, bytes | str):
        raise ValueError(f"{value!r} is no text")
    return value.decode() if isinstance(value, bytes) else value.encode().decode()
