"""What differs between two projects, or two results: settings, numbers, poses by tag, and the averages' FSC."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from engine.data import Table, Volume
from engine.faults import EngineError
from engine.geometry import euler, symmetry
from engine.kernels.fsc import fsc, resolution_A
from engine.project import Project, load
from engine.project_files import project_files
from engine.query import Found, query
from engine.status import numbers_of_each, status


@dataclass(frozen=True)
class Pair:
    """Something that both may have; None for the one that has it not."""

    name: str
    a: Any
    b: Any

    @property
    def differs(self) -> bool:
        return bool(self.a != self.b)


@dataclass(frozen=True)
class Poses:
    """How far the poses of two tables lie apart, tag by tag; medians. shift_unit is A where both know their pixel size."""

    common: int
    only_a: int
    only_b: int
    angle_deg: float | None = None
    shift: float | None = None
    shift_unit: str = "px"


@dataclass(frozen=True)
class Maps:
    """The FSC of two maps as they lie; resolutions in A where the pixel size is known, else in Fourier pixels."""

    at_half: float
    at_0143: float
    unit: str


@dataclass(frozen=True)
class Diff:
    """a and b are what was compared. settings and numbers hold what differs, or all; notes say why a part is missing."""

    a: str
    b: str
    settings: list[Pair] = field(default_factory=list)
    numbers: list[Pair] = field(default_factory=list)
    poses: Poses | None = None
    maps: Maps | None = None
    notes: list[str] = field(default_factory=list)


def diff(a: str, b: str, *, everything: bool = False) -> Diff:
    """What differs between two projects (names or files) or two addresses; everything: what is equal too."""
    if _has_item(a) != _has_item(b):
        raise EngineError(f"{a} and {b}: compare two projects, or two results (name an item in both, or in none)")
    one, two = _project(a), _project(b)
    settings = _pairs(_settings(one), _settings(two), everything)
    notes: list[str] = []
    if _has_item(a):
        left, right = _value(a), _value(b)
        numbers, poses, maps = _compared(left, right, one, two, everything, notes)
        if not (numbers or poses or maps or notes) and type(left) is not type(right):
            raise EngineError(f"{a} and {b}: a {_name(left)} and a {_name(right)} (compare two of the same kind)")
        return Diff(a, b, settings, numbers, poses, maps, notes)
    numbers = _pairs(_numbers(one), _numbers(two), everything)
    poses = maps = None
    for item in ("table", "average"):
        left, right = (_newest(project, item, notes) for project in (one, two))
        if left is None or right is None:
            continue
        _, found_poses, found_maps = _compared(left, right, one, two, everything, notes)
        poses, maps = poses or found_poses, maps or found_maps
    return Diff(a, b, settings, numbers, poses, maps, list(dict.fromkeys(notes)))


def _has_item(text: str) -> bool:
    return bool(text.partition(":")[2].strip(": "))


def _project(text: str) -> Project:
    name = text.partition(":")[0]
    files = project_files([name if name.endswith(".toml") else f"{name}.toml"])
    return load(files[0])


def _settings(project: Project) -> dict[str, Any]:
    """Every key of the form with its value, rounds and filters counted from 1: `rounds.2.bandpass.lowpass_A`."""
    return {"kind": project.kind, **dict(_flat(project.form.model_dump(mode="json"), ""))}


def _flat(value: Any, key: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for name, part in value.items():
            yield from _flat(part, f"{key}.{name}" if key else str(name))
    elif isinstance(value, list) and any(isinstance(part, dict) for part in value):
        for number, part in enumerate(value, start=1):
            yield from _flat(part, f"{key}.{number}")
    else:
        yield key, value


def _numbers(project: Project) -> dict[str, Any]:
    """How far it is, and the resolution and the plain values of the newest summary, of each tomogram by itself."""
    now = status(project)
    found: dict[str, Any] = {"steps done": now.n_done, "steps": now.n_steps}
    for tomo, (summary, resolution) in numbers_of_each(project).items():
        plain = {name: value for name, value in summary.items() if isinstance(value, str | int | float | bool)}
        told = {"FSC 0.143 at (A)": resolution, **plain}
        found |= {f"tomogram {tomo}: {name}" if tomo is not None else name: value for name, value in told.items()}
    return {name: value for name, value in found.items() if value is not None}


def _pairs(a: Mapping[str, Any], b: Mapping[str, Any], everything: bool) -> list[Pair]:
    pairs = [Pair(name, a.get(name), b.get(name)) for name in dict.fromkeys([*a, *b])]
    return [pair for pair in pairs if (everything or pair.differs) and (pair.a, pair.b) != (None, None)]


def _value(text: str) -> Any:
    answer = query(text)
    if len(answer.found) != 1:
        raise EngineError(f"{text}: names {len(answer.found) or 'no'} results (name one: {_named(answer.found)})")
    return answer.found[0].value


def _named(found: Sequence[Found]) -> str:
    """`one tomo, one ref`: what tells them apart."""
    apart = [name for name in ("tomo", "ite", "ref") if len({getattr(one, name) for one in found}) > 1]
    return ", ".join(f"one {name}" for name in apart) or "one that is there"


def _newest(project: Project, item: str, notes: list[str]) -> Any:
    """The newest of an item; None where the project makes none, or has not made it yet, or several."""
    if item not in project.items:
        return None
    try:
        found = query(f"{project.path}:{item}", folder=Path()).found
    except EngineError as error:
        notes.append(str(error))
        return None
    if len(found) != 1:
        notes.append(f"{project.name}:{item}: {len(found)} of them (compare two: {_named(found)})")
        return None
    return found[0].value


def _compared(
    a: Any, b: Any, one: Project, two: Project, everything: bool, notes: list[str]
) -> tuple[list[Pair], Poses | None, Maps | None]:
    if isinstance(a, Table) and isinstance(b, Table):
        return [], _poses(a, b, _symmetry(one, two)), None
    if isinstance(a, Volume) and isinstance(b, Volume):
        return [], None, _maps(a, b, notes)
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        return _pairs(_plain(a), _plain(b), everything), None, None
    if type(a) is type(b):
        raise EngineError(f"a {_name(a)} is not compared (compare tables, maps or summaries)")
    return [], None, None


def _plain(value: Mapping[str, Any]) -> dict[str, Any]:
    return json.loads(json.dumps(dict(value), default=str))


def _name(value: Any) -> str:
    return "summary" if isinstance(value, Mapping) else type(value).__name__.lower()


def _symmetry(one: Project, two: Project) -> str:
    """The group of the last rounds where both have the same; poses that differ by it are equal."""
    names = {_last_symmetry(project) for project in (one, two)}
    return names.pop() if len(names) == 1 else "C1"


def _last_symmetry(project: Project) -> str:
    rounds = getattr(project.form, "rounds", None)
    return str(getattr(rounds[-1] if rounds else project.form, "symmetry", None) or "C1")


def _poses(a: Table, b: Table, group: str) -> Poses:
    common, in_a, in_b = np.intersect1d(a.tags, b.tags, return_indices=True)
    lone = len(a) - len(common), len(b) - len(common)
    if not len(common):
        return Poses(0, *lone)
    rotations = euler.matrices(a.angles[in_a]), euler.matrices(b.angles[in_b])
    angle_deg = euler.angular_distance_deg(*rotations, symmetry.operators(group))
    sizes_A = a["apix"][in_a][:, None], b["apix"][in_b][:, None]
    is_known = all((sizes > 0).all() for sizes in sizes_A)
    scales = sizes_A if is_known else (1.0, 1.0)
    places = [
        (table.positions_xyz_px[rows] + table.shifts_xyz_px[rows]) * scale
        for table, rows, scale in ((a, in_a, scales[0]), (b, in_b, scales[1]))
    ]
    shift = float(np.median(np.linalg.norm(places[0] - places[1], axis=1)))
    return Poses(len(common), *lone, float(np.median(angle_deg)), shift, "A" if is_known else "px")


def _maps(a: Volume, b: Volume, notes: list[str]) -> Maps | None:
    if a.shape_zyx != b.shape_zyx or len(set(a.shape_zyx)) != 1:
        notes.append(f"no FSC: boxes of {_box(a)} and {_box(b)} px (it wants two cubes of one size)")
        return None
    sizes_A = a.pixel_size_A, b.pixel_size_A
    if abs(sizes_A[0] - sizes_A[1]) > 1e-3 * max(sizes_A):
        notes.append(f"no FSC: pixels of {sizes_A[0]:g} and {sizes_A[1]:g} A")
        return None
    curve, box_px = fsc(a.data, b.data), a.shape_zyx[0]
    half, low = (resolution_A(curve, threshold, box_px, sizes_A[0] or 1.0) for threshold in (0.5, 0.143))
    return Maps(half, low, "A") if sizes_A[0] else Maps(box_px / half, box_px / low, "Fourier px")


def _box(volume: Volume) -> str:
    return " x ".join(map(str, volume.shape_zyx[::-1]))
