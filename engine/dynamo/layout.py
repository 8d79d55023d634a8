"""An alignment project's results under Dynamo's names: results/ite_0001/averages/average_ref_001_ite_0001.em."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from engine.address import is_address
from engine.data import Curve
from engine.faults import EngineError
from engine.files import write_table, write_volume
from engine.files.raw import write_text, writing
from engine.project import Project, load
from engine.step import of_reference, reference_of
from engine.store import Store

Writer = Callable[[Any, Path], None]
Job = tuple[str, str, Path, Writer]
"""Step, item, file and writer."""


def lay_out(project: str | Path, folder: str | Path) -> list[Path]:
    """The files written, in order. The folder must be new or empty: an EngineError otherwise.

    As in Dynamo: settings/ has what was started from; results/ite_NNNN/averages/ the starting and refined tables, the
    starting reference, the averages and the FSC of each stored iteration; the folder after the last one has only what it
    would start from. Tables of several references hold every particle, with its reference in column 34, and
    currently_surviving_references_ite_NNNN.txt names those that have particles. Half-sets are projects of their own, below
    half_odd and half_even. Left out are the plain mean, the Fourier weight and the summary; cards and virtual_project.mat
    are not made, so scripts find the files, ddb does not.
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


def _jobs(project: Project, stored: set[str], prefix: str, folder: Path) -> Iterator[Job]:
    """Each file of one run: the whole project's, or a half-set's."""
    makes = {step.name: set(step.makes) for step in project.steps}
    names = [f"{prefix}ite_{number:04d}" for number in range(len(makes))]
    done = [name for name in names if name in makes and name in stored]
    start = names[0]
    if start not in done:
        return
    references = sorted({ref for item in makes[start] if (ref := reference_of(item)) is not None})
    for ref in references:
        for item, name, write in (
            (of_reference(ref, "starting_reference"), f"template_initial_ref_{ref:03d}.em", write_volume),
            (_table(makes[start], ref, "starting_table"), f"table_initial_ref_{ref:03d}.tbl", write_table),
        ):
            yield start, item, folder / "settings" / name, write
    for item in ("mask", "classification_mask", "fsc_mask"):
        if item in makes[start]:
            yield start, item, folder / "settings" / f"{item.replace('fsc', 'smoothing')}.em", write_volume
    for step in done:
        number = int(step[-4:])
        for ref in references:
            if number:
                yield from _ended(step, makes[step], folder, ref, number)
            yield from _started(step, makes[step], folder, ref, number + 1)
        if number and len(references) > 1:
            name = f"currently_surviving_references_ite_{number:04d}.txt"
            yield step, "summary", folder / "results" / f"ite_{number:04d}" / name, _write_surviving


def _ended(step: str, makes: set[str], folder: Path, ref: int, number: int) -> Iterator[Job]:
    for item, name, write in (
        (_table(makes, ref), "refined_table_{}.tbl", write_table),
        (of_reference(ref, "average"), "average_{}.em", write_volume),
        (of_reference(ref, "average_symmetrized"), "average_symmetrized_{}.em", write_volume),
        (of_reference(ref, "fsc"), "eo_fsc_{}.fsc", _write_fsc),
    ):
        if item in makes:
            yield step, item, _place(folder, ref, number, name), write


def _started(step: str, makes: set[str], folder: Path, ref: int, number: int) -> Iterator[Job]:
    """What the iteration starts from is what the one before ended with."""
    yield step, _table(makes, ref), _place(folder, ref, number, "starting_table_{}.tbl"), write_table
    yield step, of_reference(ref, "average"), _place(folder, ref, number, "starting_reference_{}.em"), write_volume


def _table(makes: set[str], ref: int, item: str = "table") -> str:
    """The table that Dynamo has of a reference: every particle aligned to it, with its reference in column 34."""
    paths = [of_reference(ref, name) for name in ("poses", item)]
    return next((path for path in paths if path in makes), item)


def _place(folder: Path, ref: int, number: int, name: str) -> Path:
    ite = f"ite_{number:04d}"
    return folder / "results" / ite / "averages" / name.format(f"ref_{ref:03d}_{ite}")


def _write_surviving(summary: Mapping[str, Any], path: Path) -> None:
    """The numbers of the references that have particles, in a line."""
    write_text(str(summary["surviving references"]).replace(",", "") + "\n", path)


def _write_fsc(curve: Curve, path: Path) -> None:
    """The values of shells 1, 2, 3 …, in a line each: Dynamo leaves out the mean."""
    values = np.asarray(curve["fsc"])[1:]
    write_text("".join(f"{value:.6g}\n" for value in values), path)
