"""RELION's particle columns to a Table and back: versions 3.0, 3.1, 4 and 5.

Orientation (RELION 5, verified on real data): r_tomogram = S A r_reference, S from rlnTomoSubtomogram*, A from
rlnAngle*; the particle's centre is coordinate − S·origin. Either set of angles may be absent and is then 0.

Coordinates are taken as 0-based pixels, voxel centres at integers. RELION 4.0 itself adds (1, 1, 1) to them before its
own projection matrices, which count from 1; RELION 5 does not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from engine.data import Table
from engine.faults import EngineError
from engine.files.blocks import Block, Column
from engine.files.particle_list import ParticleList, tomogram_numbers, trailing_numbers
from engine.geometry import euler

Version = Literal["relion3.1", "relion4", "relion5"]
Sizes = Mapping[str, Sequence[float]]

COORDINATES = [f"rlnCoordinate{axis}" for axis in "XYZ"]
CENTERED = [f"rlnCenteredCoordinate{axis}Angst" for axis in "XYZ"]
ORIGINS_A = [f"rlnOrigin{axis}Angst" for axis in "XYZ"]
ORIGINS_PX = [f"rlnOrigin{axis}" for axis in "XYZ"]
ANGLES = [f"rlnAngle{name}" for name in ("Rot", "Tilt", "Psi")]
SUBTOMOGRAM_ANGLES = [f"rlnTomoSubtomogram{name}" for name in ("Rot", "Tilt", "Psi")]


@np.errstate(invalid="ignore", over="ignore")  # what is no number stays none, and is told where the table is checked
def from_relion(
    particles: Block, optics: Block | None, tomogram_sizes_xyz: Sizes | None, pixel_size_A: float | None
) -> ParticleList:
    """The list of a RELION file; see `read_star`."""
    coordinate_A, image_A = _pixel_sizes_A(particles, optics)
    pixel_A = np.full(len(particles), pixel_size_A) if pixel_size_A else np.where(image_A > 0, image_A, coordinate_A)
    numbers = tomogram_numbers(_tomogram_names(particles))
    angles, subtomogram = _orientations(particles)
    origins = _origins_px(particles, image_A, pixel_A)
    positions = _positions_px(particles, coordinate_A, pixel_A, tomogram_sizes_xyz)
    table = Table.blank(len(particles), tag=_tags(particles), apix=pixel_A).with_poses(
        angles, -np.einsum("nij,nj->ni", subtomogram, origins)
    )
    table = table.with_columns(**dict(zip("xyz", positions.T, strict=True)))
    if numbers:
        table = table.with_columns(tomo=[numbers[name] for name in _tomogram_names(particles)])
    for ours, theirs in {"half": "rlnRandomSubset", "class": "rlnClassNumber"}.items():
        if theirs in particles:
            table = table.with_columns(**{ours: particles.numbers(theirs)})
    files = particles.words("rlnImageName") if "rlnImageName" in particles else []
    is_centred = CENTERED[0] in particles and tomogram_sizes_xyz is None
    return ParticleList(table, tuple(map(Path, files)), {number: name for name, number in numbers.items()}, is_centred)


def to_relion(
    table: Table,
    version: Version,
    path: Path,
    *,
    particle_files: Sequence[str],
    tomogram_names: Sequence[str],
    tomogram_sizes_xyz: Sizes | None,
    pixel_size_A: float,
    optics: Mapping[str, float | str],
) -> dict[str, dict[str, Column]]:
    """The blocks of a RELION file; see `write_star`. All of the orientation goes into rlnAngle*, so S is 1."""
    name_column = "rlnMicrographName" if version == "relion3.1" else "rlnTomoName"
    columns: dict[str, Column] = {name_column: tomogram_names}
    if version != "relion3.1":
        columns["rlnTomoParticleName"] = [
            f"{name}/{tag}" for name, tag in zip(tomogram_names, table.tags.tolist(), strict=True)
        ]
    positions = table.positions_xyz_px
    if version == "relion5":
        centres = _centres_px(tomogram_names, tomogram_sizes_xyz, path)
        columns |= zip(CENTERED, ((positions - centres) * pixel_size_A).T, strict=True)
    else:
        columns |= zip(COORDINATES, positions.T, strict=True)
    columns |= zip(ANGLES, euler.to_relion(table.angles).T, strict=True)
    columns |= zip(ORIGINS_A, (-table.shifts_xyz_px * pixel_size_A + 0.0).T, strict=True)
    columns["rlnClassNumber"] = table["class"]
    columns["rlnOpticsGroup"] = np.ones(len(table))
    if table["half"].any():
        columns["rlnRandomSubset"] = table["half"]
    if particle_files:
        columns["rlnImageName"] = particle_files
    return {"optics": _optics(version, pixel_size_A, optics), "particles": columns}


def _optics(version: Version, pixel_size_A: float, optics: Mapping[str, float | str]) -> dict[str, Column]:
    values: dict[str, float | str] = {
        "rlnOpticsGroup": 1,
        "rlnOpticsGroupName": "optics1",
        "rlnImageDimensionality": 3,
        "rlnImagePixelSize": pixel_size_A,
    }
    if version != "relion3.1":
        values["rlnTomoTiltSeriesPixelSize"] = pixel_size_A
    return {name: [value] for name, value in {**values, **optics}.items()}


def _pixel_sizes_A(particles: Block, optics: Block | None) -> tuple[np.ndarray, np.ndarray]:
    """(n,) of the pixel that coordinates count in, and of the particle images; 0 where the file does not tell."""

    def told(*names: str) -> np.ndarray | None:
        return next((found for name in names if (found := _of_rows(name, particles, optics)) is not None), None)

    unknown = np.zeros(len(particles))
    tilt_series = told("rlnTomoTiltSeriesPixelSize", "rlnMicrographPixelSize", "rlnMicrographOriginalPixelSize")
    image = told("rlnImagePixelSize", "rlnPixelSize")
    detector_um, magnification = told("rlnDetectorPixelSize"), told("rlnMagnification")
    if image is None and detector_um is not None and magnification is not None:
        image = detector_um * 1e4 / np.maximum(magnification, 1)
    if image is None:
        binning = told("rlnTomoSubtomogramBinning")
        image = unknown if tilt_series is None else tilt_series * (1.0 if binning is None else binning)
    return image if tilt_series is None else tilt_series, image


def _of_rows(name: str, particles: Block, optics: Block | None) -> np.ndarray | None:
    """(n,) a value per particle, from the particle or from its optics group."""
    if name in particles:
        return particles.numbers(name)
    if optics is None or name not in optics:
        return None
    values = optics.numbers(name)
    if len(values) == 1 and not ("rlnOpticsGroup" in particles and "rlnOpticsGroup" in optics):
        return np.full(len(particles), values[0])
    known, groups = optics.numbers("rlnOpticsGroup").tolist(), particles.numbers("rlnOpticsGroup").tolist()
    value_of = dict(zip(known, values.tolist(), strict=True))
    if len(value_of) < len(known):
        double = next(group for group in known if known.count(group) > 1)
        raise EngineError(f"{particles.path}: optics group {double:g} is in data_optics twice; remove one row")
    for lost in set(groups) - set(value_of):
        raise EngineError(f"{particles.path}: optics group {lost:g} is not in data_optics; add its row")
    return np.array([value_of[group] for group in groups])


def _positions_px(
    particles: Block, coordinate_A: np.ndarray, pixel_A: np.ndarray, tomogram_sizes_xyz: Sizes | None
) -> np.ndarray:
    """(n, 3) 0-based positions, in pixels of the table."""
    centred_A = particles.triples(CENTERED)
    scale = _ratio(coordinate_A, pixel_A)
    if centred_A is None:
        return np.asarray(np.column_stack([particles.numbers(name) for name in COORDINATES]) * scale)
    _refuse_unknown(particles, pixel_A, CENTERED[0])
    relative = centred_A / pixel_A[:, None]
    if tomogram_sizes_xyz is None:
        return np.asarray(relative)
    centres = _centres_px(_tomogram_names(particles), tomogram_sizes_xyz, particles.path)
    return np.asarray(relative + scale * centres)


def _centres_px(names: Sequence[str], tomogram_sizes_xyz: Sizes | None, path: Path) -> np.ndarray:
    """(n, 3) half the size of each row's tomogram."""
    if tomogram_sizes_xyz is None:
        raise EngineError(f"{path}: RELION 5 counts from the centre of the tomogram; give tomogram_sizes_xyz")
    for lost in sorted(set(names) - set(tomogram_sizes_xyz)):
        raise EngineError(f"{path}: the size of tomogram {lost!r} is not known; give it in tomogram_sizes_xyz")
    return np.array([tomogram_sizes_xyz[name] for name in names], dtype=np.float64).reshape(-1, 3) / 2


def _origins_px(particles: Block, image_A: np.ndarray, pixel_A: np.ndarray) -> np.ndarray:
    """(n, 3) rlnOrigin, in pixels of the table."""
    origins_A, origins_px = particles.triples(ORIGINS_A), particles.triples(ORIGINS_PX)
    if origins_A is not None and origins_px is not None:
        raise EngineError(
            f"{particles.path}: mixes RELION 3.0 (_{ORIGINS_PX[0]}, in px) and 3.1 (_{ORIGINS_A[0]}, in Å); "
            "remove the columns that do not hold"
        )
    if origins_A is not None:
        if origins_A.any():
            _refuse_unknown(particles, pixel_A, ORIGINS_A[0])
        return np.asarray(origins_A / np.where(pixel_A > 0, pixel_A, 1.0)[:, None])
    if origins_px is None:
        return np.zeros((len(particles), 3))
    return np.asarray(origins_px * _ratio(image_A, pixel_A))


def _ratio(from_A: np.ndarray, to_A: np.ndarray) -> np.ndarray:
    """(n, 1) factor from one pixel to the other, 1 where either is not known."""
    known = (from_A > 0) & (to_A > 0)
    ratio: np.ndarray = np.where(known, from_A, 1.0) / np.where(known, to_A, 1.0)
    return ratio[:, None]


def _refuse_unknown(particles: Block, pixel_A: np.ndarray, column: str) -> None:
    if not (pixel_A > 0).all():
        raise EngineError(f"{particles.path}: _{column} is in Å and no pixel size is told; give pixel_size_A")


def _orientations(particles: Block) -> tuple[np.ndarray, np.ndarray]:
    """(n, 3) Dynamo angles of S A, and (n, 3, 3) S."""
    n = len(particles)
    angles, subtomogram = particles.triples(ANGLES), particles.triples(SUBTOMOGRAM_ANGLES)
    dynamo = euler.from_relion(np.zeros((n, 3)) if angles is None else angles)
    if subtomogram is None:
        return dynamo, np.broadcast_to(np.eye(3), (n, 3, 3))
    outer = euler.matrices(euler.from_relion(subtomogram))
    return euler.angles(outer @ euler.matrices(dynamo)), outer


def _tomogram_names(particles: Block) -> list[str]:
    """One name per row, or none."""
    column = next((name for name in ("rlnTomoName", "rlnMicrographName") if name in particles), None)
    return particles.words(column) if column else []


def _tags(particles: Block) -> np.ndarray:
    """The numbers at the end of the particles' or files' names where they tell the rows apart, else 1, 2, 3 …"""
    named = trailing_numbers(particles.words("rlnTomoParticleName")) if "rlnTomoParticleName" in particles else None
    if named is None and "rlnImageName" in particles:
        named = trailing_numbers([Path(name).stem for name in particles.words("rlnImageName")])
    return np.arange(1, len(particles) + 1) if named is None else named
