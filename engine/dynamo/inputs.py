"""What a card reads: its paths, found again where the project lies now, and written as seen from the new file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from engine.dynamo.card import Card, Entry
from engine.dynamo.left import Left
from engine.dynamo.rounds import Given
from engine.faults import EngineError
from engine.files import particle_facts, read_table, read_volume
from engine.kernels.wedge import CUSTOM
from engine.kinds import sense

COPIES = {
    "table": "table_initial_ref_001.tbl",
    "template": "template_initial_ref_001.em",
    "fmask": "fmask_initial_ref_001.em",
}
"""Names of the copies that a project keeps in its settings."""
ONES = 0.999
PLACEHOLDER_A = 1.0
"""Dynamo's apix where nobody gave one."""


@dataclass(frozen=True)
class Inputs:
    """The tables [data] and [masks] as TOML has them; the particles' box where it can be read."""

    data: dict[str, Any]
    masks: dict[str, Any]
    box_px: int | None


def inputs_of(card: Card, given: Given, folder: Path, left: list[Left]) -> Inputs:
    """What the project reads, seen from the folder of the new file; what is not there is added to left."""
    places = {
        name: _place(card, given.get(name), name, left)
        for name in ("data", "table", "template", "mask", "smask", "fmask")
    }
    named = {name: _seen_from(folder, place) for name, place in places.items() if place is not None}
    data: dict[str, Any] = {
        "particles": named.get("data", "particles"),
        "table": named.get("table", COPIES["table"]),
        **({"template": named["template"]} if "template" in named else {}),
    }
    masks = {key: named[name] for key, name in (("alignment", "mask"), ("fsc", "smask")) if name in named}
    if (place := places["fmask"]) and _masks_something(place, given, "template" in named, left):
        masks["fourier"] = named["fmask"]
    box_px, sizes_A = None, []
    if (place := places["data"]) and place.exists():
        try:
            facts = particle_facts(place)
            box_px, sizes_A = facts.box_px, [facts.pixel_size_A]
        except EngineError as error:
            left.append(_of(given, "data", f"cannot be read: {error}"))
    if (place := places["table"]) and place.exists():
        try:
            table = read_table(place)
            sizes_A.append(sense.table_pixel_size(table))
            if (table["ftype"] == CUSTOM).any() and (source := places["data"]) and any(source.glob("pfmask_*")):
                data["weights"] = named["data"]
        except EngineError as error:
            left.append(_of(given, "table", f"cannot be read: {error}"))
    data |= _pixel_size(given.get("apix"), [size for size in sizes_A if size], left)
    return Inputs(data, masks, box_px)


def _masks_something(place: Path, given: Given, has_template: bool, left: list[Left]) -> bool:
    """Whether the Fourier mask is to be carried: one of ones, Dynamo's default, loses nothing."""
    try:
        is_one = bool(read_volume(place).data.min() > ONES)
    except EngineError as error:
        left.append(_of(given, "fmask", f"cannot be read: {error}"))
        return False
    if is_one:
        if "fmask" in given:
            left.append(replace(_of(given, "fmask", "is 1 everywhere"), matters=False))
        return False
    if not has_template:
        left.append(_of(given, "fmask", "masks the spectrum of the template, and there is none"))
    return has_template


def _place(card: Card, entry: Entry | None, name: str, left: list[Left]) -> Path | None:
    """Where the thing lies now; the path of the card where it is not found; None when there is none."""
    text = str(entry.value) if entry and entry.value != () else ""
    found = _found(card, text) if text else None
    copy = card.folder / "settings" / COPIES[name] if name in COPIES else None
    if found and copy and (found.is_dir() or found.suffix == ".sel"):
        inside = sorted(found.glob("*ref_001*")) if found.is_dir() else []
        found = next(iter(inside), copy if copy.is_file() else None)
    if found is None and copy and copy.is_file():
        found = copy
    if found is not None and ":" not in str(found):
        if entry and Path(text).is_absolute() and found != Path(text):
            left.append(Left(entry.field, text, f"is not there; {found} was found by its end", matters=False))
        return found
    if name in ("data", "table"):
        left.append(Left(entry.field if entry else name, text, _WHERE))
        return card.folder / (_last(text) or COPIES.get(name, name))
    if text:
        instead = {
            "template": "the average of the table",
            "mask": "a ball that fills the box",
            "smask": "that of masks.alignment",
            "fmask": "none",
        }
        left.append(Left(entry.field if entry else name, text, f"{_MISSING}: {instead[name]} takes its place"))
    return None


_MISSING = "was not found, neither there nor below the project (nor may a path hold a colon)"
_WHERE = f"{_MISSING}: put the path into the file"


def _found(card: Card, text: str) -> Path | None:
    """Where the path leads, as it stands, or by its end below the project's folder or the folder around it."""
    if not text.isprintable():
        return None
    for place in _candidates(card, text.replace("\\", "/")):
        try:
            if place.is_file() or place.is_dir():
                return place
        except OSError:  # a name longer than the disk takes
            continue
    return None


def _candidates(card: Card, text: str) -> Iterator[Path]:
    around = (card.folder.parent, card.folder)
    if text.startswith("/"):
        yield Path(text)
    parts = [part for part in PurePosixPath(text).parts if part != "/"]
    for at in range(len(parts)):
        for folder in around:
            yield folder.joinpath(*parts[at:])


def _last(text: str) -> str:
    name = PurePosixPath(text.replace("\\", "/")).name
    return name if name.isprintable() and ":" not in name else ""


def _seen_from(folder: Path, place: Path) -> str:
    return Path(os.path.relpath(place.resolve(), folder.resolve())).as_posix()


def _pixel_size(entry: Entry | None, known_A: list[float], left: list[Left]) -> dict[str, float]:
    """The card's pixel size, unless it is the one that Dynamo writes unasked, or the data say otherwise."""
    if entry is None or entry.value in ((), "", 0):
        return {}
    value = entry.value
    if not isinstance(value, int | float) or not 0 < value < float("inf"):
        left.append(Left(entry.field, value, "is no pixel size: data.pixel_size_A is left out"))
    elif known_A and any(abs(value / size - 1) > sense.SAME_PIXEL for size in known_A):
        told = ", ".join(f"{size:g}" for size in known_A)
        left.append(Left(entry.field, value, f"the data say {told} A, which is taken", matters=False))
    elif value == PLACEHOLDER_A and not known_A:
        left.append(Left(entry.field, value, "Dynamo writes 1 unasked: data.pixel_size_A is left out, set it"))
    else:
        return {"pixel_size_A": float(value)}
    return {}


def _of(given: Given, name: str, reason: str) -> Left:
    entry = given.get(name)
    return Left(entry.field if entry else name, entry.value if entry else None, reason)
