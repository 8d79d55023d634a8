"""A Dynamo project's card: settings/virtual_project.mat, one flat struct of numbers and texts. Nothing in it is run."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from engine.dynamo.names import short
from engine.faults import EngineError
from engine.files import matlab
from engine.files.raw import reading

PLACE = Path("settings") / "virtual_project.mat"
MAX_ROUNDS = 8
_MAX_FILE_BYTES = 16 << 20
_MAX_UNPACKED_BYTES = 64 << 20
"""A card takes some 100 kB; more is another file, or one made to fill the memory."""
_ROUND = re.compile(r"(.+)_r([1-8])", re.IGNORECASE)
_WHAT = "a Dynamo project (virtual_project.mat)"

Value = float | int | str | tuple[Any, ...]


@dataclass(frozen=True)
class Entry:
    """One field of the card: its name there, Dynamo's short name in lower case, and its value.

    round_number is None for what the name says of no round: it is of the project, or of round 1.
    """

    field: str
    name: str
    round_number: int | None
    value: Value


@dataclass(frozen=True)
class Card:
    """What a project says. folder is the project's own, in which settings/ lies."""

    path: Path
    folder: Path
    entries: tuple[Entry, ...]

    @property
    def name(self) -> str:
        return self.folder.name


def read_card(project: str | Path) -> Card:
    """The card of a project's folder, or of the .mat itself. Whatever is no such file is an EngineError."""
    path = Path(project)
    if path.is_dir():
        path = path / PLACE
        if not path.is_file():
            raise EngineError(f"{project}: is no Dynamo project, {PLACE} is not in it (name the project's folder)")
    elif path.is_file() and path.suffix.lower() != ".mat":
        raise EngineError(f"{path}: is no .mat (name the folder of a Dynamo project, or its {PLACE})")
    folder = path.resolve().parent
    struct = _struct(path)
    entries = tuple(_entry(name, value) for name, value in struct.items())
    return Card(path, folder.parent if folder.name == PLACE.parent.name else folder, entries)


def _entry(field: str, value: Any) -> Entry:
    match = _ROUND.fullmatch(field)
    name, number = (match[1], int(match[2])) if match else (field, None)
    return Entry(field, short(name), number, _plain(value))


def _struct(path: Path) -> Mapping[str, Any]:
    """The struct `card`."""
    from scipy.io import loadmat, whosmat

    with reading(path, _WHAT):
        content = path.read_bytes() if path.stat().st_size <= _MAX_FILE_BYTES else b""
    if not content:
        raise EngineError(f"{path}: is empty or far larger than a card; name the virtual_project.mat of a project")
    if matlab.is_version_7_3(content):
        raise EngineError(f'{path}: is a .mat of version 7.3 (in MATLAB: load it, then save(…, "card", "-v7"))')
    with reading(path, _WHAT):
        matlab.refuse_other(content, path, _WHAT, _MAX_UNPACKED_BYTES)
    with reading(path, _WHAT), warnings.catch_warnings(action="ignore"):
        classes = {name: kind for name, _, kind in whosmat(path)}
        found = loadmat(path, variable_names=["card"], simplify_cells=True, verify_compressed_data_integrity=True)
    if classes.get("card") == "object" or ("card" not in classes and "opaque" in classes.values()):
        raise EngineError(f"{path}: its card is an object of a class, which only MATLAB opens (save struct(card))")
    card = found.get("card")
    if card is None:
        names = ", ".join(classes)
        raise EngineError(f"{path}: has no variable card{f', only {names}' if names else ''}; is it a project's?")
    if not isinstance(card, dict) or not card:
        raise EngineError(f"{path}: its card is not one struct; is it a virtual_project.mat?")
    return card


def _plain(value: Any) -> Value:
    """Numbers, texts, and tuples of them; what is neither becomes a text that tells what it is."""
    match value:
        case str():
            return value.strip()
        case bool() | np.bool_():
            return int(value)
        case np.ndarray() if value.dtype.kind in "biufOU":
            return tuple(_plain(part) for part in value.ravel().tolist())
        case list() | tuple():
            return tuple(_plain(part) for part in value)
        case int() | float() | np.integer() | np.floating():
            number = float(value)
            return int(number) if math.isfinite(number) and number.is_integer() else number
        case dict():
            return f"a struct of {len(value)} fields"
        case _:
            return f"a {type(value).__name__}"
