"""What each format's input is given to: the door that a user's file, address or expression comes in by."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from faults import seeds
from faults.sealing import resealed

from engine.address import parse
from engine.check import check
from engine.data import Curve, Particles, Spectra, Volume
from engine.data.expression import rows
from engine.faults import EngineError
from engine.files import (
    as_marks,
    open_particles,
    open_tomogram,
    open_weights,
    read_catalogue,
    read_marks,
    read_residues,
    read_table,
    read_table_map,
    read_volume,
    volume_facts,
)
from engine.outputs import Stream
from engine.project import load
from engine.query import query
from engine.store import Store

PHANTOM = """kind = "phantom"
[object]
radius_px = 5
[boxes]
count = 4
box_px = 12
pixel_size_A = 4
"""


@dataclass(frozen=True)
class Target:
    """name is the file that the input becomes, in the scratch folder; read gets its path."""

    name: str
    read: Callable[[Path], Any]


def campaign(folder: Path) -> None:
    """Neighbours of projects and addresses: the quickstart and good files of tests/wrong, stored as if they had run."""
    folder.mkdir(parents=True, exist_ok=True)
    wrong = seeds.ROOT / "tests" / "wrong"
    for path in [*(seeds.ROOT / "projects" / "quickstart").glob("*.toml"), *wrong.glob("*.csv"), wrong / "pr_0.toml"]:
        shutil.copy(path, folder)
    for name in ("phantom", "truth"):
        (folder / f"{name}.toml").write_text(PHANTOM)
    for name in ("phantom", "pr_0", "pr_1"):
        project = load(folder / f"{name}.toml")
        for step in project.steps:
            whats = {
                item: getattr(project.items.get(item.rsplit("/", 1)[-1]), "what", "spectra") for item in step.makes
            }
            outputs = {item: _any(what) for item, what in whats.items()}
            Store(project.store_folder).write(step, project.kind, "k" * 32, {}, outputs, seeds.STARTED, 1.0, "CPU")


def _any(what: str) -> Any:
    """Some value of the kind that an item is."""
    match what:
        case "volume":
            return Volume(seeds.BOXES[0], 1.35)
        case "table":
            return seeds.TABLE
        case "particles":
            return Stream(np.arange(1, 4), 4, 1.35, iter(seeds.BOXES))
        case "curve":
            return Curve({"shell_fpx": np.arange(3.0), "fsc": np.ones(3)})
        case "spectra":
            return seeds.spectra()
        case "array":
            return np.ones((3, 4))
        case _:
            return {"mean cc": 0.5}


def _volume(path: Path) -> None:
    with suppress(EngineError):  # a header may be whole where the voxels are not
        volume_facts(path)
    found = read_volume(path)
    tomogram = open_tomogram(path)
    part = tomogram.read((0, 0, 0), (1, 1, 1))
    assert part.shape == (1, 1, 1)
    assert found.data.dtype == np.float32


def _boxes(path: Path) -> None:
    found = open_particles(path)
    for tag in found.tags[:3].tolist():
        assert found.read(tag).dtype == np.float32


def _weights(path: Path) -> None:
    found = open_weights(path)
    for tag in found.tags[:3].tolist():
        assert np.isfinite(found.read(tag)).all()


def _table(path: Path) -> None:
    found = read_table(path)
    as_marks(found, "a")
    rows("cc > 0 and tomo in (1, 3)", found)


def _marks(path: Path) -> None:
    found = read_marks(path)
    assert np.isfinite(found.in_px(2.0).points_xyz).all() or found.unit == "A"


def _step(path: Path) -> None:
    store = Store(path.parent)
    store.facts(path.stem)
    for item in store.items(path.stem).values():
        value = store.read(path.stem, item.path)
        if isinstance(value, Particles):
            value.read(int(value.tags[0]))
        elif isinstance(value, Spectra):
            value.block(1)
        elif item.what == "volume":
            store.tomogram(path.stem, item.path).read((0, 0, 0), (1, 1, 1))


def _resealed(path: Path) -> None:
    """With a seal that is true: what someone does who means harm."""
    resealed(path, [])
    _step(path)


def _project(path: Path) -> None:
    for one in check([path]):
        for text in [*map(str, one.faults), *one.notes]:
            assert len(text) < 20_000, "a fault of many thousand characters"


def _text(path: Path) -> str:
    """As the shell hands it over: bytes that are no UTF-8 are kept as surrogates."""
    return path.read_bytes().decode("utf-8", "surrogateescape")


def _address(path: Path) -> None:
    text = _text(path)
    with suppress(EngineError):
        parse(text)
    answer = query(text, folder=path.parent / "campaign")
    _ = [one.value for one in answer.found]


def _expression(path: Path) -> None:
    assert rows(_text(path), seeds.TABLE).shape == (len(seeds.TABLE),)


TARGETS: dict[str, Target] = {
    "toml": Target("campaign/fuzz.toml", _project),
    "address": Target("address.txt", _address),
    "expression": Target("expression.txt", _expression),
    "results": Target("results/ite_0001.h5", _step),
    "resealed": Target("sealed/ite_0001.h5", _resealed),
    "h5": Target("a.h5", _boxes),
    "em": Target("a.em", _volume),
    "mrc": Target("a.mrc", _volume),
    "bytes.mrc": Target("bytes.mrc", _volume),
    "mrc.gz": Target("a.mrc.gz", _volume),
    "npy": Target("a.npy", _volume),
    "tif": Target("a.tif", _volume),
    "mrcs": Target("a.mrcs", _boxes),
    "weights.mrcs": Target("weights.mrcs", _weights),
    "tbl": Target("a.tbl", _table),
    "tbl.gz": Target("a.tbl.gz", _table),
    "csv": Target("a.csv", _table),
    "star": Target("a.star", _table),
    "marks.star": Target("marks.star", _marks),
    "marks.csv": Target("marks.csv", _marks),
    "cmm": Target("a.cmm", _marks),
    "mod": Target("a.mod", _marks),
    "omd": Target("a.omd", _marks),
    "doc": Target("a.doc", read_table_map),
    "vll": Target("a.vll", read_catalogue),
    "catalogue.csv": Target("tomograms.csv", read_catalogue),
    "catalogue.star": Target("tomograms.star", read_catalogue),
    "pdb": Target("a.pdb", read_residues),
    "cif": Target("a.cif", read_residues),
}
