"""Small valid inputs of every format, made by our writers; and real ones, where the folder of real data is there.

The made ones are the same bytes each time, dates in headers blanked: a case of a campaign is known by its number alone.
"""

from __future__ import annotations

import gzip
import io
import struct
from collections.abc import Callable, Iterable
from pathlib import Path

import h5py
import mrcfile
import numpy as np
import tifffile
import toy
from faults.sealing import unsealed
from imod_model import chunk, imod_model
from scipy.io import savemat

from engine.data import Catalogue, Curve, ParticleArray, Table, TomogramFacts, Volume
from engine.files import (
    Markers,
    write_catalogue,
    write_markers,
    write_particle_stack,
    write_star,
    write_table,
    write_table_map,
    write_volume,
)
from engine.outputs import SpectraStream, Stream
from engine.step import Step
from engine.store import Store

ROOT = Path(__file__).resolve().parents[2]
LONGEST_REAL_BYTES = 60_000
STARTED = "2026-11-22T10:00:00+00:00"

BOXES = np.random.default_rng(5).normal(size=(3, 4, 4, 4)).astype(np.float32)
TABLE = Table.blank(5, x=np.arange(5), y=7, z=9.5, tomo=[1, 1, 3, 3, 3], apix=1.35, reg=2, cc=[0.5, 0.1, -0.2, 0.3, 1])
RELION5 = """
# version 50001

data_optics

loop_
_rlnOpticsGroup #1
_rlnOpticsGroupName #2
_rlnTomoTiltSeriesPixelSize #3
_rlnImagePixelSize #4
1 "optics 1" 1.35 2.7

data_particles

loop_
_rlnTomoName #1
_rlnCenteredCoordinateXAngst #2
_rlnCenteredCoordinateYAngst #3
_rlnCenteredCoordinateZAngst #4
_rlnOriginXAngst #5
_rlnOriginYAngst #6
_rlnOriginZAngst #7
_rlnAngleRot #8
_rlnAngleTilt #9
_rlnAnglePsi #10
_rlnTomoSubtomogramRot #11
_rlnTomoSubtomogramTilt #12
_rlnTomoSubtomogramPsi #13
_rlnOpticsGroup #14
_rlnRandomSubset #15
_rlnImageName #16
TS_01 30 -60 9 3 6 -9 10 20 30 40 50 60 1 1 a/000001@b.mrcs
TS_43 -30.5 60 0 0 0 0 1e1 -20 nan 0 0 0 1 2 a/000002@b.mrcs
"""
SPHERES = """
data_

loop_
_rlnTomoName #1
_rlnCoordinateX #2
_rlnCoordinateY #3
_rlnCoordinateZ #4
_rlnSphereRadius #5
TS_01 10 20 30 5
TS_01 40 50 60.5 7
TS_03 1 2 3 4
"""
TOMOGRAMS = """
data_global

loop_
_rlnTomoName #1
_rlnVoltage #2
_rlnSphericalAberration #3
_rlnAmplitudeContrast #4
_rlnTomoHand #5
_rlnTomoTiltSeriesPixelSize #6
_rlnTomoTomogramBinning #7
_rlnTomoReconstructedTomogram #8
TS_03 300 2.7 0.1 -1 1.35 4 tomograms/rec_TS_03.mrc
TS_01 300 2.7 0.1 -1 1.35 4 tomograms/rec_TS_01.mrc

data_TS_01

loop_
_rlnTomoYTilt #1
_rlnDefocusU #2
_rlnDefocusV #3
_rlnMicrographPreExposure #4
-57 30000 20000 0
60 30000 30000 3
"""
WORDS = """
data_optics

_rlnOpticsGroup 1
_rlnImagePixelSize 2.5

data_particles

loop_
_rlnCoordinateX
_rlnCoordinateY
_rlnCoordinateZ
_rlnOpticsGroup
10\t20 30 1
'1' "2" 3 1
"""
VLL = "# a list\nTS_01.rec\n* ytilt = -57 60\n* apix = 1.35\n* label = first\n\nTS_43.rec\n* index = 43\n> old.tbl\n"
MARKS_CSV = "region,x,y,z,radius,tomo\n3,10,20,30,4,TS_1\n3,11.5,21,32,4,TS_1\n"
DIPOLES_CSV = "x_A,y_A,z_A,north_x_A,north_y_A,north_z_A,pixel_size_A\n10,20,30,40,50,60,2\n1,2,3,4,5,6,2\n"
PDB = (
    "CRYST1   40.000   40.000   40.000  90.00  90.00  90.00 P 1           1\n"
    "ATOM      1  C   ALA A   1       1.000   0.000   0.000  1.00  0.00           C\n"
    "ATOM      2  O   ALA A   1       2.000   0.000   0.000  1.00  0.00           O\n"
    "ATOM      3  CA  GLY B   7       0.000   5.000   0.000  1.00  0.00           C\n"
    "HETATM    4  O   HOH W   9      50.000  50.000  50.000  1.00  0.00           O\nEND\n"
)
CIF = """data_x
_entry.id x
loop_
_atom_site.group_PDB
_atom_site.id
_atom_site.type_symbol
_atom_site.label_atom_id
_atom_site.label_alt_id
_atom_site.label_comp_id
_atom_site.label_asym_id
_atom_site.label_entity_id
_atom_site.label_seq_id
_atom_site.Cartn_x
_atom_site.Cartn_y
_atom_site.Cartn_z
_atom_site.auth_asym_id
_atom_site.pdbx_PDB_model_num
ATOM 1 C CA . ALA A 1 1 1.0 0.0 0.0 A 1
ATOM 2 O O . ALA A 1 1 2.0 0.0 0.0 A 1
ATOM 3 C CA A GLY B 1 7 0.0 5.0 0.0 B 1
"""
ADDRESSES = """phantom:particles
phantom:table
phantom:t:tag=3
phantom:particles:tag=2
phantom:template:ite=last
pr_1:table:ite=0:last
pr_1:average:ite=[1,3]
pr_1:a:ref=1
pr_1:as:ref=*
pr_1:fsc:ite=*
pr_1:cc:ite=2
pr_1:data:tag=1
pr_0:t:half=even:ite=1:2
tomos:tomograms:tomo=3
phantom:log
phantom:
phantom
phantom.toml:table"""
EXPRESSIONS = """cc > 0.2 and tomo in (1, 3)
0.2 < cc <= 0.5 or not (tag == 1)
dx*dx + dy*dy < 4e1
tomo not in (1,3) and -dx / 2 >= .5
((((cc)))) != 1 - 2 - 3
not not cc == cc
"""


def seeds(folder: Path) -> dict[str, list[bytes]]:
    """Format to inputs. folder is scratch, used to write them."""
    made: dict[str, list[bytes]] = {name: [write(folder)] for name, write in _FILES.items()}
    made["mrc.gz"] = [gzip.compress(made["mrc"][0], mtime=0)]
    made["tbl.gz"] = [gzip.compress(made["tbl"][0], mtime=0)]
    made["tif"] += [_tif(imagej=True), _tif(compression="zlib")]
    made["h5"] += [_hdf5(chunks=(1, 4, 4, 4), compression="gzip")]
    made["star"] = [_star(folder, name) for name in ("dynamo", "relion3.1", "relion4")] + _encoded(RELION5, WORDS)
    made["marks.star"] = _encoded(SPHERES, RELION5)
    made["marks.csv"] = _encoded(MARKS_CSV, DIPOLES_CSV)
    made["mod"] = _imod_models()
    made["omd"] = _matlab_models()
    made["catalogue.star"] = _encoded(TOMOGRAMS)
    made["vll"] = _encoded(VLL)
    made["pdb"], made["cif"] = _encoded(PDB), _encoded(CIF)
    made["toml"] = [path.read_bytes() for path in _tomls()]
    made["resealed"] = [unsealed(made["results"][0])]
    made["address"] = _encoded(*ADDRESSES.splitlines())
    made["expression"] = _encoded(*EXPRESSIONS.splitlines())
    return made


def real(data: Path) -> dict[str, list[bytes]]:
    """Real inputs of the formats that there are any of, cut to their first part; nothing where the folder is absent."""
    if not data.is_dir():
        return {}
    relion = data / "hiv10164" / "relion5"
    tables = data / "dynamo_tables"
    return {
        "tbl": [_head(path) for path in sorted(tables.glob("dynamotable*.tbl*"))],
        "star": [_head(path) for path in sorted(relion.glob("Refine3D/*/run_data.star.gz"))],
        "marks.star": [_head(path) for path in sorted(relion.glob("Picks/*/annotations/*.star*"))],
        "catalogue.star": [_head(path) for path in sorted(relion.glob("*/*/tomograms.star"))],
        "pdb": [_head(path) for path in sorted(data.glob("hiv10164/model/*.pdb.gz"))],
        "cif": [_head(path) for path in sorted(data.glob("hiv10164/model/*.cif.gz"))],
    }


def _written(write: Callable[[Path], None], name: str) -> Callable[[Path], bytes]:
    def bytes_written(folder: Path) -> bytes:
        path = folder / name
        write(path)
        return path.read_bytes()

    return bytes_written


def _without_labels(write: Callable[[Path], bytes]) -> Callable[[Path], bytes]:
    """An MRC file without the label that tells when it was written."""
    return lambda folder: (raw := write(folder))[:220] + bytes(804) + raw[1024:]


def _write_bytes_as_mrc(path: Path) -> None:
    with mrcfile.new(path) as mrc:
        mrc.set_data(np.arange(24, dtype=np.int8).reshape(2, 3, 4))
        mrc.set_extended_header(np.zeros(8, dtype="V16"))


def _write_weights(path: Path) -> None:
    write_particle_stack(ParticleArray.numbered(np.abs(BOXES), 1.5), path)


def _write_step(path: Path) -> None:
    outputs = {
        "refs/001/average": Volume(BOXES[0], 1.35, (1.0, 2.0, 3.0)),
        "table": TABLE,
        "fsc": Curve({"shell_fpx": np.arange(3.0), "fsc": np.array([1, 0.5, np.nan])}, {"gold": True}),
        "summary": {"mean cc": 0.25, "note": "größer"},
        "weights": np.arange(12, dtype=np.int32).reshape(3, 4),
        "tomograms": Catalogue((TomogramFacts(3, "a.rec", "TS_03", 1.35, (4, 5, 6)),)),
        "particles": Stream(np.arange(1, 4), 4, 1.35, iter(BOXES)),
        "cache/spectra": SpectraStream(
            np.arange(1, 3), 4, 1, iter([(np.ones((3, 3, 2), dtype=np.complex64), 1.0)] * 2)
        ),
    }
    step = Step("ite_0001", toy.iterate, 1, toy.Settings(), tuple(outputs), labels={"ite": 1})
    store = Store(path.parent / "store")
    written = store.write(step, "toy", "k" * 32, {}, outputs, STARTED, 1.0, "CPU")
    path.write_bytes(written.read_bytes())


def spectra() -> SpectraStream:
    return SpectraStream(np.arange(1, 3), 4, 1, iter([(np.ones((3, 3, 2), dtype=np.complex64), 1.0)] * 2))


def _star(folder: Path, dialect: str) -> bytes:
    path = folder / "dialect.star"
    write_star(TABLE, path, dialect, particle_files=[f"p/particle_{tag:05d}.em" for tag in TABLE.tags])
    return path.read_bytes().partition(b"\n")[2]  # the first line tells when it was written


def _tif(**options: object) -> bytes:
    held = io.BytesIO()
    ours = {"metadata": {"spacing": 1.5, "unit": "nm", "axes": "ZYX"}} if options.get("imagej") else {}
    tifffile.imwrite(held, BOXES[0], photometric="minisblack", **ours, **options)
    return held.getvalue()


def _hdf5(**options: object) -> bytes:
    held = io.BytesIO()
    with h5py.File(held, "w") as file:
        file.create_dataset("particles", data=BOXES, **options).attrs["pixel_size_A"] = 1.5
        file["tags"] = np.arange(1, 4)
    return held.getvalue()


def _imod_models() -> list[bytes]:
    points = np.array([[10.0, 20.0, 30.0], [11.5, 21.0, 32.0], [40.0, 5.0, 7.0]])
    mesh = b"MESH" + struct.pack(">2i I 2h", 2, 3, 0, 0, 0) + bytes(24 + 12)
    minx = chunk(b"MINX", struct.pack(">18f", *[1, 1, 1, 200, 100, 50, 0, 0, 0, 2, 2, 2, *[0] * 6]))
    return [
        imod_model([points, points[:1]], size=3, scattered=True, sizes=[1, 2, 3], pixel=(1.35, -9)),
        imod_model([points], flags=1 << 14, minx=minx, mesh=mesh),
    ]


def _matlab_models() -> list[bytes]:
    points = np.arange(9.0).reshape(3, 3)
    model = {"points": points, "group_labels": np.array([2.0, 2, 9])}
    dipole = {"center": points[0], "north": points[1], "label": 4.0}
    found = []
    for value, is_packed in ((model, False), (model, True), ({"dipoles": [dipole, dipole]}, True)):
        held = io.BytesIO()
        savemat(held, {"m": value}, do_compression=is_packed)
        raw = held.getvalue()
        found.append(b"MATLAB 5.0 MAT-file".ljust(124) + raw[124:])
    return found


def _encoded(*texts: str) -> list[bytes]:
    return [text.encode() for text in texts]


def _tomls() -> Iterable[Path]:
    return sorted([*(ROOT / "projects").glob("*/*.toml"), *(ROOT / "tests" / "wrong").glob("*.toml")])


def _head(path: Path) -> bytes:
    """The first part of a file, unpacked, up to the end of a line."""
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as stream:
        found = stream.read(LONGEST_REAL_BYTES)
    return found[: found.rfind(b"\n") + 1] if len(found) == LONGEST_REAL_BYTES else found


_FILES: dict[str, Callable[[Path], bytes]] = {
    "em": _written(lambda path: write_volume(Volume(BOXES[0]), path), "a.em"),
    "mrc": _without_labels(_written(lambda path: write_volume(Volume(BOXES[0], 1.5), path), "a.mrc")),
    "bytes.mrc": _without_labels(_written(_write_bytes_as_mrc, "bytes.mrc")),
    "npy": _written(lambda path: write_volume(Volume(BOXES[0]), path), "a.npy"),
    "tif": lambda folder: _tif(),
    "tbl": _written(lambda path: write_table(TABLE, path), "a.tbl"),
    "csv": _written(lambda path: write_table(TABLE, path), "a.csv"),
    "mrcs": _without_labels(
        _written(lambda path: write_particle_stack(ParticleArray.numbered(BOXES, 1.5), path), "a.mrcs")
    ),
    "weights.mrcs": _without_labels(_written(_write_weights, "weights.mrcs")),
    "h5": lambda folder: _hdf5(),
    "cmm": _written(
        lambda path: write_markers(Markers(BOXES[0, 0, :, :3], np.ones(4), np.arange(4), np.array([[0, 1]])), path),
        "a.cmm",
    ),
    "doc": _written(lambda path: write_table_map({1: Path("a.rec"), 2: Path("b c.rec")}, path), "a.doc"),
    "catalogue.csv": _written(
        lambda path: write_catalogue(
            Catalogue((TomogramFacts(1, "a.rec", "TS_01", 1.35, None, (-60.0, 57.0)), TomogramFacts(3, "b.rec"))), path
        ),
        "t.csv",
    ),
    "results": _written(_write_step, "results.h5"),
}
