"""An alignment project's results under Dynamo's names: results/ite_0001/averages/average_ref_001_ite_0001.em."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from engine.address import is_address
from engine.data import Curve
from engine.faults import EngineError
from engine.files import write_table, write_volume
from engine.files.raw import write_text, writing
from engine.project import Project, load
from engine.store import Store

Writer = Callable[[Any, Path], None]
REF = "ref_001"


def lay_out(project: str | Path, folder: str | Path) -> list[Path]:
    """The files written, in order. The folder must be new or empty: an EngineError otherwise.

    As in Dynamo: settings/ has what was started from; results/ite_NNNN/averages/ the starting and refined tables, the
    starting reference, the averages and the FSC of each stored iteration; the folder after the last one has only what it
    would start from. Half-sets are projects of their own, below half_odd and half_even. Left out are the plain mean, the
    Fourier weight and the summary; cards and virtual_project.mat are not made, so scripts find the files, ddb does not.
    """
    folder = Path(folder)
    made = _load(project)
    if made.kind != "alignment":
        raise EngineError(f"{made.path}: is of kind {made.kind}; only alignment projects have Dynamo's layout (use -o)")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise EngineError(f"{folder}: is there already and not empty (give a new folder)")
    store = Store(made.store_folder)
    stored = set(store.step_names())
    runs = {"": folder, **{f"half_{half}/": folder / f"half_{half}" for half in ("odd", "even")}}
    jobs = [job for prefix, place in runs.items() for job in _jobs(made, stored, prefix, place)]
    if not jobs:
        raise EngineError(f"{made.name} has no results yet: engine run {made.path}")
    for step, item, path, write in jobs:
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        write(store.read(step, item), path)
    return [path for _, _, path, _ in jobs]


def _load(project: str | Path) -> Project:
    text = str(project)
    if is_address(text):
        raise EngineError(f"{text}: the whole project is laid out (name it alone: {text.partition(':')[0]})")
    path = Path(text if text.endswith(".toml") else f"{text}.toml")
    return load(path)


def _jobs(project: Project, stored: set[str], prefix: str, folder: Path) -> Iterator[tuple[str, str, Path, Writer]]:
    """(step, item, file, writer) of each file of one run: the whole project's, or a half-set's."""
    makes = {step.name: set(step.makes) for step in project.steps}
    names = [f"{prefix}ite_{number:04d}" for number in range(len(makes))]
    done = [name for name in names if name in makes and name in stored]
    start = names[0]
    if start not in done:
        return
    for item, name, write in (
        ("refs/001/starting_reference", f"template_initial_{REF}.em", write_volume),
        ("starting_table", f"table_initial_{REF}.tbl", write_table),
        ("mask", "mask.em", write_volume),
        ("fsc_mask", "smoothing_mask.em", write_volume),
    ):
        if item in makes[start]:
            yield start, item, folder / "settings" / name, write
    for step in done:
        number = int(step[-4:])
        if number:
            yield from _ended(step, makes[step], folder, number)
        yield from _started(step, folder, number + 1)


def _ended(step: str, makes: set[str], folder: Path, number: int) -> Iterator[tuple[str, str, Path, Writer]]:
    for item, name, write in (
        ("table", "refined_table_{}.tbl", write_table),
        ("refs/001/average", "average_{}.em", write_volume),
        ("refs/001/average_symmetrized", "average_symmetrized_{}.em", write_volume),
        ("refs/001/fsc", "eo_fsc_{}.fsc", _write_fsc),
    ):
        if item in makes:
            yield step, item, _place(folder, number, name), write


def _started(step: str, folder: Path, number: int) -> Iterator[tuple[str, str, Path, Writer]]:
    """What the iteration starts from is what the one before ended with."""
    yield step, "table", _place(folder, number, "starting_table_{}.tbl"), write_table
    yield step, "refs/001/average", _place(folder, number, "starting_reference_{}.em"), write_volume


def _place(folder: Path, number: int, name: str) -> Path:
    ite = f"ite_{number:04d}"
    return folder / "results" / ite / "averages" / name.format(f"{REF}_{ite}")


def _write_fsc(curve: Curve, path: Path) -> None:
    """The values of shells 1, 2, 3 …, in a line each: Dynamo leaves out the mean."""
    values = np.asarray(curve["fsc"])[1:]
    write_text("".join(f"{value:.6g}\n" for value in values), path)
