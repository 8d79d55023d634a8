"""Foreign formats in and out. Conventions are converted here and nowhere else: xyz to zyx, counting from 1 to from 0,
RELION's angles to Dynamo's. Whatever is wrong with a file is one EngineError that names it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from engine.data import Source, Table, Volume, VolumeFacts
from engine.faults import EngineError
from engine.files.catalogue import found_beside, read_catalogue, tilt_lists, write_catalogue
from engine.files.cmm import Markers, read_markers, write_markers
from engine.files.comma import read_csv, write_csv
from engine.files.doc import read_table_map, write_table_map
from engine.files.em import em_shape, read_em, write_em
from engine.files.fsc import is_fsc, write_fsc_star, write_fsc_xml
from engine.files.marks import as_marks, read_marks
from engine.files.mrc import read_mrc, read_mrc_header, write_mrc
from engine.files.npy import npy_shape, read_npy, write_npy
from engine.files.particle_list import ParticleList
from engine.files.particles import (
    ParticleFiles,
    open_particles,
    particle_facts,
    write_particle_folder,
    write_particle_stack,
)
from engine.files.raw import ending, reading
from engine.files.residues import read_residues
from engine.files.star import read_star, write_star
from engine.files.tbl import read_tbl, write_tbl
from engine.files.tif import read_tif, tif_facts
from engine.files.tomogram import open_tomogram
from engine.files.weights import WeightBoxes, WeightFiles, open_weights, weight_facts

__all__ = [
    "Markers",
    "ParticleFiles",
    "ParticleList",
    "WeightBoxes",
    "WeightFiles",
    "as_marks",
    "found_beside",
    "is_fsc",
    "open_particles",
    "open_tomogram",
    "open_weights",
    "particle_facts",
    "read_catalogue",
    "read_markers",
    "read_marks",
    "read_residues",
    "read_source",
    "read_star",
    "read_table",
    "read_table_map",
    "read_volume",
    "tilt_lists",
    "volume_facts",
    "weight_facts",
    "write_catalogue",
    "write_fsc_star",
    "write_fsc_xml",
    "write_markers",
    "write_particle_folder",
    "write_particle_stack",
    "write_star",
    "write_table",
    "write_table_map",
    "write_volume",
]

Door = TypeVar("Door")

MRC = (".mrc", ".map", ".rec")
TIF = (".tif", ".tiff")

_VOLUME_READERS: dict[str, Callable[[Path], Volume]] = {
    **dict.fromkeys(MRC, read_mrc),
    ".em": read_em,
    ".npy": read_npy,
    **dict.fromkeys(TIF, read_tif),
}
_VOLUME_WRITERS: dict[str, Callable[[Volume, Path], None]] = {
    **dict.fromkeys(MRC, write_mrc),
    ".em": write_em,
    ".npy": write_npy,
}
_TABLE_READERS: dict[str, Callable[[Path], Table]] = {
    ".tbl": read_tbl,
    ".star": lambda path: read_star(path).table,
    ".csv": read_csv,
}
_TABLE_WRITERS: dict[str, Callable[[Table, Path], None]] = {
    ".tbl": write_tbl,
    ".star": write_star,
    ".csv": write_csv,
}


def read_volume(path: str | Path) -> Volume:
    """The volume of a file, by its ending: .mrc .map .rec .em (also packed as .gz or .bz2), .npy, .tif .tiff."""
    path = Path(path)
    return _by_ending(_VOLUME_READERS, path, ending(path), "volumes are read from")(path)


def write_volume(volume: Volume, path: str | Path) -> None:
    """Writes a volume as its ending says: .mrc .map .rec keep pixel size and origin, .em and .npy only the voxels."""
    path = Path(path)
    _by_ending(_VOLUME_WRITERS, path, path.suffix.lower(), "volumes are written to")(volume, path)


def read_table(path: str | Path) -> Table:
    """The table of a file, by its ending: .tbl, .star (Dynamo's or RELION's) or .csv, also packed as .gz or .bz2."""
    path = Path(path)
    return _by_ending(_TABLE_READERS, path, ending(path), "tables are read from")(path)


def write_table(table: Table, path: str | Path) -> None:
    """Writes a table as its ending says: .csv and .star (Dynamo's dialect) keep all, .tbl has no place for `half`."""
    path = Path(path)
    _by_ending(_TABLE_WRITERS, path, path.suffix.lower(), "tables are written to")(table, path)


def read_source(path: str | Path) -> Source:
    """A Python file's bytes; none of it is run."""
    path = Path(path)
    with reading(path, "a Python file"):
        return Source(path, path.read_bytes())


def volume_facts(path: str | Path) -> VolumeFacts:
    """Shape zyx and pixel size in Å (0 when not told), from the header alone."""
    path = Path(path)
    match ending(path):
        case ".em":
            return VolumeFacts(em_shape(path), 0.0)
        case ".npy":
            return VolumeFacts(npy_shape(path), 0.0)
        case suffix if suffix in TIF:
            return VolumeFacts(*tif_facts(path))
        case suffix:
            _by_ending(_VOLUME_READERS, path, suffix, "volumes are read from")
            header = read_mrc_header(path)
            return VolumeFacts(header.shape_zyx, header.pixel_size_A)


def _by_ending(doors: dict[str, Door], path: Path, suffix: str, what: str) -> Door:
    if suffix not in doors:
        raise EngineError(f"{path}: {what} {' '.join(doors)}, not {suffix or 'no ending'}; rename or convert it")
    return doors[suffix]
