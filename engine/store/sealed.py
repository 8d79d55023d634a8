"""Results files that have proved to be as they were written, and what they tell of themselves: all of it without HDF5."""

from __future__ import annotations

import io
import math
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from engine.faults import EngineError
from engine.store import seal

ADVICE = "engine verify tells what else is damaged; with --mend it is set aside, and the next run makes it anew"
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
WHATS = ("volume", "table", "curve", "particles", "spectra", "array", "summary", "catalogue")
_AXES = {"volume": 3, "table": 2, "curve": 2, "particles": 4, "spectra": 5}


class Unjudged(EngineError):
    """A results file that may well be whole: a newer engine wrote it, or the system does not hand out its bytes."""


@dataclass(frozen=True)
class StoredStep:
    """The facts of a stored step: the attributes of its file."""

    path: Path
    layout: int
    engine: str
    key: str
    kind: str
    step: str
    function: str
    version: int
    settings: Mapping[str, Any]
    inputs: Mapping[str, str]
    labels: Mapping[str, int | str]
    pixel_size_A: float
    started: str
    seconds: float
    devices: str


@dataclass(frozen=True)
class StoredItem:
    """One item of a stored step; shape is rows by columns for a table or a curve, (n, z, y, x) for particles.

    pixel_size_A: 0 where it is not known, or the item has none. notes: those of a curve; of a summary all of it.
    """

    path: str
    what: str
    shape: tuple[int, ...]
    pixel_size_A: float = 0.0
    notes: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.shape) != _AXES.get(self.what, len(self.shape)):
            raise ValueError(f"{self.path}: no {self.what} has the shape {self.shape}")


@dataclass(frozen=True)
class About:
    """What a results file tells of itself: its facts, and its items by their paths."""

    step: StoredStep
    items: Mapping[str, StoredItem]

    def plain(self) -> dict[str, Any]:
        """The same as JSON can hold it, in a seal."""
        step = {name: value for name, value in asdict(self.step).items() if name != "path"}
        items = {
            path: {name: value for name, value in asdict(one).items() if name != "path"}
            for path, one in self.items.items()
        }
        return {"step": step, "items": items}


def about(path: Path) -> About | None:
    """What the file tells of itself; None of one of layout 2, whose seal says nothing."""
    raw, plain = _checked(path)
    with raw:
        n_bytes = os.fstat(raw.fileno()).st_size
    if plain is None:
        return None
    try:
        refuse_newer(plain["step"]["layout"], path)
        items = {name: _item(name, told, n_bytes) for name, told in sorted(plain["items"].items())}
        return About(_step(path, plain["step"]), items)
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise EngineError(f"{path}: not a whole results file of the engine ({ADVICE})") from error


def refuse_newer(layout: Any, path: Path) -> None:
    """An Unjudged for a file of a layout that this engine does not know yet."""
    if int(layout) > seal.LAYOUT:
        raise Unjudged(
            f"{path}: layout {layout} is newer than this engine, which reads up to {seal.LAYOUT} (update the engine)"
        )


def sealed(path: Path) -> io.FileIO:
    """The file, open and as it was written; an EngineError where it is not, an Unjudged where the system refuses it."""
    return _checked(path)[0]


def _checked(path: Path) -> tuple[io.FileIO, Any]:
    """The file, and the plain values that its seal says of it."""
    try:
        if not path.is_file():
            raise EngineError(f"{path}: not a results file of the engine ({ADVICE})")
        raw = io.FileIO(path)
    except OSError as error:
        raise refused(path, error) from error
    try:
        size = os.fstat(raw.fileno()).st_size
        return raw, seal.check(lambda offset, n_bytes: os.pread(raw.fileno(), n_bytes, offset), size)
    except seal.BrokenSeal as error:
        raw.close()
        raise EngineError(f"{path}: not a whole results file of the engine: {error} ({ADVICE})") from error
    except OSError as error:
        raw.close()
        raise refused(path, error) from error
    except BaseException:
        raw.close()
        raise


def _step(path: Path, told: Mapping[str, Any]) -> StoredStep:
    """The facts, of which there may be more than this engine knows; a ValueError where one is not of its type."""
    kinds = {
        str: ("engine", "key", "kind", "step", "function", "started", "devices"),
        int: ("layout", "version"),
        dict: ("settings", "inputs", "labels"),
    }
    if not all(isinstance(told[name], kind) for kind, names in kinds.items() for name in names):
        raise ValueError("a fact is not of its type")
    if not all(isinstance(value, str) for value in told["inputs"].values()):
        raise ValueError("the key of an input is no text")
    numbers = {name: float(told[name]) for name in ("pixel_size_A", "seconds")}
    if not all(isinstance(value, int | str) for value in told["labels"].values()):
        raise ValueError("a label is neither a number nor a text")
    if not math.isfinite(numbers["seconds"]):
        raise ValueError("the seconds are none")
    known = {one.name: told[one.name] for one in fields(StoredStep) if one.name != "path"}
    return StoredStep(path=path, **{**known, **numbers})


def _item(path: str, told: Mapping[str, Any], most_bytes: int) -> StoredItem:
    """What is told of an item; a ValueError where it cannot be one of a file of so many bytes."""
    what, shape, notes = told["what"], tuple(told["shape"]), told["notes"]
    if what not in WHATS or not all(map(NAME.fullmatch, path.split("/"))) or not isinstance(notes, dict):
        raise ValueError(f"{path!r} is no item")
    if not all(isinstance(size, int) and size >= 0 for size in shape) or math.prod(shape) > most_bytes:
        raise ValueError(f"{path!r} has no shape")
    return StoredItem(path, what, shape, float(told["pixel_size_A"]), notes)


def refused(path: Path, error: OSError) -> Unjudged:
    return Unjudged(
        f"{path}: cannot be read: {error.strerror or error} (get the right to read it, or look after the disk)"
    )
