"""A Dynamo project becomes an alignment project: a commented TOML, and the names of all that it does not carry."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.dynamo.card import Card, Value, read_card
from engine.dynamo.inputs import Inputs, inputs_of
from engine.dynamo.left import Left
from engine.dynamo.names import Told, keys
from engine.dynamo.rounds import Given, round_of, spread, unknown
from engine.faults import EngineError
from engine.kinds.form import Round
from engine.new import comment, folders_up, in_toml, write_new
from engine.project import fault_of_stem
from engine.steering import made_visible

_TELLS = {"data", "table", "template", "mask", "smask", "fmask", "apix", "cores", "gpus", "dst", "name_project"}
"""Names of the project, not of a round, that are carried."""
_WIDTH = 64
_SHOWN = 60
_SEARCH = 'search = "fast"'
_WAYS = '"grid" scores every rotation of every level, as Dynamo does'


@dataclass(frozen=True)
class Imported:
    """The file that was written; left names the fields that were not carried, or not as they stand."""

    path: Path
    rounds: int
    left: tuple[Left, ...]


def import_dynamo(project: str | Path, output: str | Path | None = None) -> Imported:
    """Writes the alignment project that a Dynamo project amounts to.

    project: its folder, or its virtual_project.mat. output: the file; default: the project's name, here. What is there
    is never overwritten, and neither may the engine's results fall into Dynamo's folder: both are EngineErrors.
    """
    card = read_card(project)
    path = _output(card, output)
    text, n_rounds, left = translated(card, path)
    write_new(path, text)
    return Imported(path, n_rounds, tuple(left))


def _output(card: Card, output: str | Path | None) -> Path:
    path = Path(output) if output is not None else Path(f"{card.name}.toml")
    path = path.with_name(f"{path.name.removesuffix('.toml')}.toml")
    if output is None and path.with_suffix("").resolve() == card.folder:
        path = path.with_name(f"{path.stem}_engine.toml")
    if fault := fault_of_stem(path.stem):
        raise EngineError(f"{path}: {fault} (name another file with -o)")
    if path.with_suffix("").resolve() == card.folder:
        raise EngineError(f"{path}: its results would go into Dynamo's own folder {card.folder} (give another name)")
    return path


def translated(card: Card, path: Path) -> tuple[str, int, list[Left]]:
    """The TOML of the project, seen from path; how many rounds it has; what is left."""
    rounds, general, left = spread(card)
    active = {number: given for number, given in rounds.items() if _is_active(given)}
    if not active:
        raise EngineError(f"{card.path}: has no round with iterations (ite of all rounds is 0): nothing to carry")
    inputs = inputs_of(card, general, path.absolute().parent, left)
    written = [round_of(given, inputs.box_px, left) for given in active.values()]
    compute = _compute(general, left)
    unknown({name: entry for name, entry in general.items() if name not in _TELLS}, left)
    for given in active.values():
        unknown(given, left)
    for number, given in rounds.items():
        if number not in active:
            reason = f"Dynamo skips round {number}, its ite is 0 ({len(given)} fields)"
            left += [Left(f"*_r{number}", None, reason, matters=False)] if given else []
    left.sort(key=lambda one: not one.matters)
    return "\n".join(_lines(card, path, inputs, written, compute, left)) + "\n", len(written), left


def _is_active(given: Given) -> bool:
    ite = given.get("ite")
    return ite is not None and isinstance(ite.value, int | float) and ite.value > 0


def _compute(general: Given, left: list[Left]) -> dict[str, Any]:
    """Threads and GPUs; a destination without GPU is the CPU."""
    made: dict[str, Any] = {}
    cores, gpus, destination = (general.get(name) for name in ("cores", "gpus", "dst"))
    if cores:
        if isinstance(cores.value, int) and 1 <= cores.value <= 1024:
            made["workers"] = cores.value
        else:
            left.append(Left(cores.field, cores.value, "compute.workers is 1", matters=False))
    where = str(destination.value) if destination else ""
    if where and "gpu" not in where.lower():
        made["gpus"] = []
    if gpus:
        listed = gpus.value if isinstance(gpus.value, tuple) else (gpus.value,)
        if "gpus" in made:
            left.append(Left(gpus.field, gpus.value, f"the destination {where} uses none", matters=False))
        elif listed and all(isinstance(one, int) and one >= 0 for one in listed):
            made["gpus"] = list(listed)
        else:
            left.append(Left(gpus.field, gpus.value, 'compute.gpus is "all"', matters=False))
    return made


def _lines(
    card: Card,
    path: Path,
    inputs: Inputs,
    rounds: Iterable[Mapping[str, Any]],
    compute: Mapping[str, Any],
    left: list[Left],
) -> Iterator[str]:
    told = {one.path: one for one in keys("alignment")}
    yield f"#:schema {'../' * folders_up(path)}schemas/alignment.schema.json"
    yield from _header(left)
    yield 'kind = "alignment"'
    yield f"title = {in_toml(f'From the Dynamo project {made_visible(card.name)}')}"
    for name, values in (("data", inputs.data), ("masks", inputs.masks), ("compute", compute)):
        if values:
            yield f"\n[{name}]"
            yield from _keys(values, (name,), told)
    for one in rounds:
        yield "\n[[rounds]]"
        ordered = {name: one[name] for name in Round.model_fields if name in one}
        yield from _keys(ordered, ("rounds",), told)
        yield f"{_SEARCH:<{_WIDTH}} # {_WAYS}"


def _keys(values: Mapping[str, Any], path: tuple[str, ...], told: Mapping[tuple[str, ...], Told]) -> Iterator[str]:
    for name, value in values.items():
        inner = [(*path, name, part) for part in value] if isinstance(value, dict) else [(*path, name)]
        names = dict.fromkeys(one.name for at in inner if at in told and (one := told[at].dynamo))
        line = f"{name} = {in_toml(value)}"
        yield f"{line:<{_WIDTH}} # {', '.join(names)}".rstrip(" #")


def _header(left: list[Left]) -> Iterator[str]:
    """The fields that were not carried, as a comment; nothing in a card can end the comment."""
    yield "# Written by engine import-dynamo. Behind each key: Dynamo's short names (engine explain NAME)."
    for matters, words in ((True, "Not carried, or not as it stands:"), (False, "Not carried, and of no consequence:")):
        if rows := grouped(one for one in left if one.matters == matters):
            yield "#"
            yield f"# {words}"
            for fields, value, reason in rows:
                yield from comment(f"  {fields}{f' = {value}' if value else ''}: {reason}")
    yield ""


def grouped(left: Iterable[Left]) -> list[tuple[str, str, str]]:
    """Fields, value and reason in words; fields of one reason and one value stand together."""
    rows: dict[tuple[str, str], list[str]] = {}
    for one in left:
        value = "" if one.value is None else shown(one.value)
        rows.setdefault((one.reason, value), []).append(one.field)
    return [(", ".join(map(_cleaned, fields)), value, _cleaned(reason)) for (reason, value), fields in rows.items()]


def shown(value: Value) -> str:
    """A value in a line that holds no control character."""
    text = json.dumps(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def _cleaned(text: str) -> str:
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in text)
