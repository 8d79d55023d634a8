"""Files cut anywhere, or with bytes changed anywhere, are read or told as an EngineError: nothing else comes out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile

from engine.data import ParticleArray, Table, Volume
from engine.faults import EngineError
from engine.files import (
    Markers,
    open_particles,
    read_markers,
    read_table,
    read_table_map,
    read_volume,
    write_markers,
    write_particle_stack,
    write_star,
    write_table,
    write_table_map,
    write_volume,
)

BOXES = np.random.default_rng(5).normal(size=(3, 4, 4, 4)).astype(np.float32)
TABLE = Table.blank(5, x=np.arange(5), tomo=3, apix=1.35)


def write_h5(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["particles"], file["tags"] = BOXES, np.arange(1, 4)


def write_tif(path: Path) -> None:
    tifffile.imwrite(path, BOXES[0], photometric="minisblack")


def read_boxes(path: Path) -> list[np.ndarray]:
    particles = open_particles(path)
    return [particles.read(tag) for tag in particles.tags.tolist()]


FORMATS: dict[str, tuple[Callable, Callable]] = {
    "a.em": (lambda path: write_volume(Volume(BOXES[0]), path), read_volume),
    "a.mrc": (lambda path: write_volume(Volume(BOXES[0], 1.5), path), read_volume),
    "a.npy": (lambda path: write_volume(Volume(BOXES[0]), path), read_volume),
    "a.tif": (write_tif, read_volume),
    "a.tbl": (lambda path: write_table(TABLE, path), read_table),
    "a.csv": (lambda path: write_table(TABLE, path), read_table),
    "a.star": (lambda path: write_table(TABLE, path), read_table),
    "relion.star": (lambda path: write_star(TABLE, path, "relion4"), read_table),
    "a.mrcs": (lambda path: write_particle_stack(ParticleArray.numbered(BOXES), path), read_boxes),
    "a.h5": (write_h5, read_boxes),
    "a.cmm": (lambda path: write_markers(Markers(BOXES[0, 0, :, :3], np.ones(4), np.arange(4)), path), read_markers),
    "a.doc": (lambda path: write_table_map({1: Path("a.rec"), 2: Path("b.rec")}, path), read_table_map),
}


@pytest.mark.parametrize("name", FORMATS)
def test_a_spoilt_file_is_read_or_told(tmp_path: Path, name) -> None:
    path = tmp_path / name
    write, read = FORMATS[name]
    write(path)
    read(path)
    whole, generator = path.read_bytes(), np.random.default_rng(7)
    told: list[str] = []
    for trial in range(90):
        raw = bytearray(whole)
        if trial % 3 == 0:
            raw = raw[: generator.integers(len(raw))]
        else:
            reach = min(len(raw), 1100) if trial % 3 == 1 else len(raw)  # headers lie within the first 1100 bytes
            for place in generator.integers(0, reach, generator.integers(1, 6)):
                raw[place] = generator.integers(256)
        path.write_bytes(raw)
        try:
            read(path)
        except EngineError as error:
            told.append(str(error))
    assert told
    assert all(str(path) in text for text in told)
