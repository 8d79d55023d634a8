"""The values of a project as they are in force: what was typed and what is a default, and lengths in both units."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from engine.check import check
from engine.faults import EngineError, Fault, Key
from engine.kinds import sense
from engine.kinds.form import Bandpass
from engine.look import FileLook
from engine.new import in_toml
from engine.project import Project, load
from engine.wording import nearest


@dataclass(frozen=True)
class Value:
    """One key with what is in force. line: where it was typed, 0 for a default; other: the same in the other unit."""

    key: str
    value: Any
    line: int
    other: str = ""


@dataclass(frozen=True)
class Resolved:
    """A project's values. box_px and pixel_size_A are 0 where they are not known.

    orientations: of each round, at most so many are scored for a particle; empty where nothing is searched.
    """

    project: str
    kind: str
    box_px: int
    pixel_size_A: float
    values: list[Value]
    orientations: dict[int, int]
    faults: list[Fault]


def resolved(path: Any, part: str = "") -> Resolved:
    """The values of a project's file, or of the key or table named by part, tables of an array counted from 1.

    A part that no key begins with means every key that has it: `lowpass_A` those of all rounds. A file of the wrong form is an
    InvalidProject, a part that the project has not an EngineError.
    """
    project = load(path)
    box_px, pixel_size_A = _scale(project)
    asked = re.sub(r"[\[\]]+", ".", part).strip(".")
    values = [
        Value(_text(key), value, _line(project, key), _other_unit(key, value, box_px, pixel_size_A))
        for key, value in _values(project.form, ())
    ]
    meant = [one for one in values if not asked or f"{one.key}.".startswith(f"{asked}.")]
    meant = meant or [one for one in values if f".{asked}." in f".{one.key}."]
    if not meant:
        near = nearest(asked, {one.key for one in values} | {one.key.rpartition(".")[0] for one in values})
        raise EngineError(f"{project.path.name} has no {part}" + (f" ({near})" if near else " (rounds count from 1)"))
    faults = [fault for one in check(project.path) for fault in one.faults]
    rounds = {int(one.key.split(".")[1]) for one in meant if re.match(r"rounds\.\d", one.key)}
    return Resolved(
        project.name,
        project.kind,
        box_px,
        pixel_size_A,
        meant,
        {} if faults else {number: count for number, count in _orientations(project).items() if number in rounds},
        faults,
    )


def _values(form: BaseModel, key: Key) -> Iterator[tuple[Key, Any]]:
    """Every key below, with its value; keys that are left out and have none are not told."""
    for name in type(form).model_fields:
        yield from _inside((*key, name), getattr(form, name))
    if isinstance(form, Bandpass) and form.highpass_fpx is None and form.highpass_A is None:
        yield (*key, "highpass_fpx"), form.shells(1, 1.0)[0]


def _inside(key: Key, value: Any) -> Iterator[tuple[Key, Any]]:
    if isinstance(value, BaseModel):
        yield from _values(value, key)
    elif isinstance(value, tuple) and any(isinstance(one, BaseModel) for one in value):
        for number, one in enumerate(value):
            yield from _inside((*key, number), one)
    elif value is not None:
        yield key, value


def _text(key: Key) -> str:
    return ".".join(str(part + 1) if isinstance(part, int) else part for part in key)


def _line(project: Project, key: Key) -> int:
    """The line where the key was typed; 0 where it is a default."""
    return project.spans.values[key].line if key in project.spans.values else 0


def _scale(project: Project) -> tuple[int, float]:
    """Box and pixel size of the project's data, as far as files and neighbours tell: else 0."""
    data, look = getattr(project.form, "data", None), FileLook(project)
    box_px, pixel_size_A = getattr(data, "box_px", None) or 0, getattr(data, "pixel_size_A", None) or 0.0
    try:
        if isinstance(text := getattr(data, "particles", None), str) and (particles := look.particles(text)):
            tables = [look.table(one) for one in getattr(data, "tables", ())]
            table = tables[0] if tables else None
            return particles.box_px, sense.chosen_pixel_size(pixel_size_A, particles.pixel_size_A, table)
        if isinstance(text := getattr(data, "map", None), str) and (volume := look.volume(text)):
            return volume.shape_zyx[-1], pixel_size_A or volume.pixel_size_A or 0.0
    except (EngineError, OSError):
        pass  # what is wrong with it is told beside the values, as check tells it
    return box_px, pixel_size_A


def _other_unit(key: Key, value: Any, box_px: int, pixel_size_A: float) -> str:
    """`8.1 A` of 32 Fourier pixels, `32 Fourier px` of 8.1 A, and lengths in px and A; nothing where it cannot be told."""
    name = str(key[-1])
    if not pixel_size_A or name.startswith("pixel_size") or isinstance(value, str):
        return ""
    if name in ("lowpass_fpx", "highpass_fpx", "lowpass_A", "highpass_A"):
        if not box_px or not value:
            return ""
        return f"{box_px * pixel_size_A / value:.4g} {'A' if name.endswith('_fpx') else 'Fourier px'}"
    factor, unit = {"px": (pixel_size_A, "A"), "A": (1 / pixel_size_A, "px")}.get(name.rpartition("_")[2], (0.0, ""))
    if not factor:
        return ""
    if isinstance(value, tuple):
        flat = [one for one in value if isinstance(one, int | float)]
        return f"[{', '.join(f'{one * factor:.4g}' for one in flat)}] {unit}" if len(flat) == len(value) else ""
    return f"{value * factor:.4g} {unit}"


def _orientations(project: Project) -> dict[int, int]:
    """Round to the orientations that are scored for a particle in one of its iterations."""
    return {
        int(step.labels["round"]): step.cost.rotations
        for step in project.steps
        if "round" in step.labels and step.cost and step.cost.rotations
    }


def in_words(value: Value) -> tuple[str, str, str]:
    """Key, value as TOML writes it with the other unit, and where it is from."""
    other = f"  = {value.other}" if value.other else ""
    return value.key, f"{in_toml(value.value)}{other}", f"line {value.line}" if value.line else "default"
