"""How results look: a listing, the head of a table, the numbers of a map, the state of a project."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from engine import plots
from engine.cli import show
from engine.data import Catalogue, Curve, Particles, Table, Volume
from engine.data.table import SHOWN_COLUMNS
from engine.export import export
from engine.faults import EngineError
from engine.query import Answer, Found
from engine.verify import Verified

ROWS_ON_TERMINAL = 20
SUMMARIES_BESIDE = 8


def print_answer(answer: Answer) -> None:
    """Prints whatever the address means."""
    if answer.address is None:
        print_listing(answer)
    elif answer.events or not answer.found:
        for event in answer.events:
            known = {"time": event.get("time", ""), "event": event.get("event", "")}
            rest = {name: value for name, value in event.items() if name not in known and value not in ((), [], "")}
            show.say("  ".join([*map(str, known.values()), *(f"{name}={value}" for name, value in rest.items())]))
    elif len(answer.found) > 1 and all(isinstance(one.value, Mapping) for one in answer.found):
        _print_summaries(answer)
    else:
        for one in answer.found:
            if len(answer.found) > 1:
                show.say("", bold=f"{answer.project}:{answer.address.item}{_told(one, answer)}")
            print_value(one.value)


def _print_summaries(answer: Answer) -> None:
    """A column for each that has the same names as the one before; those of other names begin a new block."""
    blocks: list[tuple[list[str], list[Found]]] = []
    for one in answer.found:
        names = [name for name, part in one.value.items() if not isinstance(part, Mapping | list | tuple)]
        if blocks and blocks[-1][0] == names and len(blocks[-1][1]) < SUMMARIES_BESIDE:
            blocks[-1][1].append(one)
        else:
            blocks.append((names, [one]))
    item = f"{answer.project}:{answer.address.item}" if answer.address else answer.project
    for names, found in blocks:
        head = (item, *(_told(one, answer).removeprefix(":") for one in found))
        body = [(f"  {name}", *(show.number_text(one.value[name]) for one in found)) for name in names]
        show.rows([head, *body], right=range(1, len(head)))


def print_listing(answer: Answer) -> None:
    rows: list[Sequence[Any]] = []
    for one in answer.listing:
        is_map = one.what == "volume"
        shape = f"{' x '.join(map(str, one.shape[::-1]))} px" if is_map else " x ".join(map(str, one.shape))
        steps = one.steps[0] if len(one.steps) == 1 else f"{one.steps[0]} … {one.steps[-1]}"
        rows.append((f"{answer.project}:{one.item}", one.what, shape, steps, one.meaning))
    show.rows(rows)


def print_value(value: Any) -> None:
    """Prints a value: all of it into a pipe, its head on a terminal."""
    match value:
        case Table():
            reason = ("rejected_by",) if value["rejected_by"].any() else ()
            _print_columns({name: value[name] for name in (*SHOWN_COLUMNS, *reason)})
        case Curve():
            _print_columns(value.columns)
            show.rows([(f"  {name}", show.number_text(note)) for name, note in value.notes.items()])
        case Volume():
            data = value.data
            z, y, x = value.shape_zyx
            numbers = {"mean": data.mean(), "std": data.std(), "min": data.min(), "max": data.max()}
            size = f"{value.pixel_size_A:g} A" if value.pixel_size_A else "unknown"
            pairs = [("size xyz", f"{x} x {y} x {z} px"), ("pixel size", size)]
            show.rows(pairs + [(name, f"{float(number):.5g}") for name, number in numbers.items()])
        case Catalogue():
            _print_catalogue(value)
        case Mapping():
            show.rows([(name, show.number_text(part)) for name, part in value.items()], right=[1])
        case np.ndarray():
            for row in np.atleast_2d(value.T).T[: _limit(len(value))] if value.ndim <= 2 else [value.shape]:
                show.say("  ".join(f"{number:g}" for number in row))
        case Particles():
            size = f"{value.pixel_size_A:g} A" if value.pixel_size_A else "unknown"
            show.rows([("particles", len(value.tags)), ("box", f"{value.box_px} px"), ("pixel size", size)])
        case _:
            show.say(str(value))


def _print_catalogue(catalogue: Catalogue) -> None:
    """The columns that somebody has told something of."""
    rows = catalogue.rows()
    names = [name for name in rows[0] if any(row[name] not in (None, "") for row in rows)]
    titles = ["size xyz" if name == "shape_zyx" else name for name in names]
    show.rows([titles, *([_fact_text(row[name]) for name in names] for row in rows)])


def _fact_text(value: Any) -> str:
    if isinstance(value, tuple):
        return " to ".join(map(_fact_text, value)) if len(value) == 2 else " x ".join(map(_fact_text, value[::-1]))
    return "" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)


def _cell(value: float) -> str:
    """Six digits; all of a whole number, such as a tag."""
    return f"{value:.0f}" if float(value).is_integer() and abs(value) < 1e15 else f"{value:.6g}"


def _print_columns(columns: Mapping[str, np.ndarray]) -> None:
    n_rows = len(next(iter(columns.values()), ()))
    shown = _limit(n_rows)
    body = [
        [_cell(value) for value in row] for row in zip(*(values[:shown] for values in columns.values()), strict=True)
    ]
    show.rows([list(columns), *body], right=range(len(columns)))
    if shown < n_rows:
        show.say(f"… {n_rows - shown} more rows (-o FILE.csv writes all; --where and --columns choose)")


def _limit(n_rows: int) -> int:
    return ROWS_ON_TERMINAL if sys.stdout.isatty() and n_rows > ROWS_ON_TERMINAL + 2 else n_rows


def write(answer: Answer, name: str, star: str = "dynamo") -> list[Path]:
    """The files written: the one named, or one per iteration and reference with their numbers before the ending."""
    if not answer.found:
        return [export(answer.value, name, star=star)]
    if len(answer.found) == 1:
        return [_exported(answer.found[0], name, star)]
    path, slash = Path(name), "/" if name.endswith("/") else ""
    named = [path.with_name(f"{path.stem}{_numbers(one, answer)}{path.suffix}") for one in answer.found]
    return [_exported(one, f"{_no_link(path)}{slash}", star) for one, path in zip(answer.found, named, strict=True)]


def _no_link(path: Path) -> Path:
    """The path, which nobody typed: a link that lies there is not written through."""
    if path.is_symlink():
        raise EngineError(f"{path}: is a link, what it leads to would be overwritten (remove it, or give another name)")
    return path


def picture_of(answer: Answer, name: str | None) -> str:
    """The file that a picture goes to: the one named, or `pr_1_table_ite_3.png` in the current folder."""
    if not answer.found:
        raise EngineError(f"{answer.project}: name an item to draw, as in {answer.project}:table")
    if name is None:
        name = "_".join(re.findall(r"[\w.-]+", str(answer.address).rpartition("/")[2])) + ".png"
        _no_link(Path(name))
    if Path(name).suffix.lower() not in plots.ENDINGS:
        raise EngineError(f"{name}: pictures are {' '.join(plots.ENDINGS)} (give it one of these endings)")
    return name


def _told(one: Found, answer: Answer) -> str:
    """What tells this value from the others, as an address says it."""
    tomo = f":tomo={one.tomo}" if len({found.tomo for found in answer.found}) > 1 else ""
    ite = "" if one.ite is None else f":ite={one.ite}"
    return f"{tomo}{ite}:ref={one.ref}" if len({found.ref for found in answer.found}) > 1 else f"{tomo}{ite}"


def _numbers(one: Found, answer: Answer) -> str:
    """The same in the name of a file: `_ref_002_ite_0003` where there are several of both, as in Dynamo."""
    tomo = f"_tomo_{one.tomo:03d}" if len({found.tomo for found in answer.found}) > 1 else ""
    if len({found.ref for found in answer.found}) == 1:
        has_several = len({found.ite for found in answer.found}) > 1
        return f"{tomo}_ite_{one.ite:04d}" if tomo and has_several else tomo or f"_{one.ite or 0:04d}"
    ref = f"_ref_{one.ref:03d}"
    return f"{tomo}{ref}_ite_{one.ite:04d}" if len({found.ite for found in answer.found}) > 1 else f"{tomo}{ref}"


def _exported(found: Found, name: str, star: str) -> Path:
    if os.path.realpath(name) == os.path.realpath(found.path_of_file):
        raise EngineError(f"{name}: is what would be read (give another name)")
    return export(found.value, name, found.pixel_size_A, star)


def verified_lines(verified: Verified) -> list[str]:
    """One line of the project, one for each thing that is wrong."""
    told = f"{verified.project}: {show.counted(verified.n_steps, 'step')}, {show.size(verified.n_bytes)} read"
    state = "damaged" if verified.is_damaged else "nothing is damaged" if verified.is_whole else "not all could be read"
    lines = [f"{told}: {state}"]
    for one in verified.findings:
        moved = f" (set aside as {show.short(one.set_aside)})" if one.set_aside else ""
        lines.append(f"  {one.step}: {one.manner}: {one.what}{moved}")
    if verified.problem:
        lines.append(f"  what is stale cannot be told: {verified.problem}")
    return lines
