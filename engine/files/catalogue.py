"""Lists of tomograms: Dynamo's .vll and .doc, RELION's tomograms.star (versions 4 and 5), .csv."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from engine.data import Catalogue, TomogramFacts
from engine.faults import EngineError
from engine.files.blocks import Block, read_blocks
from engine.files.doc import read_table_map
from engine.files.limits import LARGEST_LIST_BYTES
from engine.files.numbers import finite, shortest, whole, wholes
from engine.files.particle_list import tomogram_numbers
from engine.files.raw import ending, is_there, listed, reading, text_of, write_text
from engine.steering import steers

STAR_COLUMN = "rlnTomoReconstructedTomogram"
TILT_LISTS = "rlnTomoTiltSeriesStarFile"
TEXTS = ("path", "name")
CSV_NAMES = {
    "number": ("number",),
    "path": ("path",),
    "name": ("name",),
    "pixel_size_A": ("pixel_size_A",),
    "tilt_range_deg": ("tilt_low_deg", "tilt_high_deg"),
    "tilt_axis_deg": ("tilt_axis_deg",),
    "defocus_um": ("defocus_um",),
    "dose_e_A2": ("dose_e_A2",),
    "voltage_kV": ("voltage_kV",),
    "spherical_aberration_mm": ("spherical_aberration_mm",),
    "amplitude_contrast": ("amplitude_contrast",),
    "handedness": ("handedness",),
}
"""Facts and the columns of a .csv that hold them."""
VLL_NAMES = {
    "index": "number",
    "label": "name",
    "apix": "pixel_size_A",
    "ytilt": "tilt_range_deg",
    "defocus": "defocus_um",
}
"""Attributes of a .vll that are kept. Dynamo does not say the unit of defocus; it is taken to be um."""
Facts = dict[str, Any]


def read_catalogue(path: str | Path, column: str = STAR_COLUMN) -> Catalogue:
    """The tomograms of a list, by its ending. Paths are as written. column: of a STAR list, the one with the files.

    Numbers: those of .doc and .csv; of .vll the attribute index, else the place in the list; of STAR the digits in
    the names, as in particle lists. Two of one number, and whatever else is wrong, are EngineErrors.
    """
    path = Path(path)
    readers: dict[str, Callable[[Path], list[Facts]]] = {
        ".vll": _vll,
        ".doc": _doc,
        ".csv": _csv,
        ".star": lambda star: _star(star, column),
    }
    if ending(path) not in readers:
        raise EngineError(f"{path}: tomograms are listed in {' '.join(readers)}, not {path.suffix or 'no ending'}")
    rows = sorted(readers[ending(path)](path), key=lambda row: int(row["number"]))
    if not rows:
        raise EngineError(f"{path}: names no tomogram")
    for one, other in pairwise(rows):
        if one["number"] == other["number"]:
            raise EngineError(
                f"{path}: tomogram {one['number']} is there twice ({listed([one['path'], other['path']])})"
            )
    return Catalogue(tuple(TomogramFacts(**row) for row in rows))


def write_catalogue(catalogue: Catalogue, path: Path) -> None:
    """Writes a .csv that `read_catalogue` reads again; shapes are left to the headers."""
    lines = [[name for names in CSV_NAMES.values() for name in names]]
    for row in catalogue.rows():
        parts = [value for name in CSV_NAMES for value in _cells(row[name], len(CSV_NAMES[name]))]
        for name in (row["path"], row["name"]):
            if steers(name) or name != name.strip():
                raise EngineError(
                    f"{path}: {name!r} would not be read back (rename it, without line breaks and outer blanks)"
                )
        lines.append(
            ["" if part is None else shortest(part) if isinstance(part, float) else str(part) for part in parts]
        )
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(lines)
    write_text(text.getvalue(), path)


def _cells(value: Any, count: int) -> list[Any]:
    return list(value) if isinstance(value, tuple) else [value] * count


def _doc(path: Path) -> list[Facts]:
    return [{"number": at, "path": str(file)} for at, file in read_table_map(path).items()]


def _vll(path: Path) -> list[Facts]:
    """Lines of paths, each with lines `* key = value` after it; other lines of Dynamo's (>, !, #) are left out."""
    rows: list[Facts] = []
    for line, text in enumerate(text_of(path, "a volume list", LARGEST_LIST_BYTES).splitlines(), start=1):
        words = text.strip()
        if not words or words[0] in "#>!":
            continue
        if words[0] != "*":
            rows.append({"number": len(rows) + 1, "path": words})
            continue
        key, equals, value = (part.strip() for part in words[1:].partition("="))
        if not equals or not rows:
            raise EngineError(f"{path}:{line}: {words[:60]!r} belongs to no tomogram, or is not `* key = value`")
        if key in VLL_NAMES:
            rows[-1] |= _fact(VLL_NAMES[key], value.strip("\"'[]").replace(",", " ").split(), f"{path}:{line}")
    return rows


def _csv(path: Path) -> list[Facts]:
    with reading(path, "a CSV list of tomograms"):
        lines = csv.reader(io.StringIO(text_of(path, "a CSV list of tomograms", LARGEST_LIST_BYTES)))
        header = [name.strip() for name in next(lines, [])]
        known = [name for names in CSV_NAMES.values() for name in names]
        for name in header:
            if name not in known or header.count(name) > 1:
                raise EngineError(f"{path}:1: no column {name[:40]!r}, or twice; known are {', '.join(known)}")
        if not {"number", "path"} <= set(header):
            raise EngineError(f"{path}:1: the columns number and path are needed")
        return [_csv_row(header, row, f"{path}:{lines.line_num}") for row in lines if row]


def _csv_row(header: list[str], row: list[str], where: str) -> Facts:
    if len(row) != len(header):
        raise EngineError(f"{where}: {len(row)} values where the header names {len(header)}; repair the line")
    cells = {name: word.strip() for name, word in zip(header, row, strict=True)}
    for name in ("number", "path"):
        if not cells[name]:
            raise EngineError(f"{where}: {name} is empty; fill it in, or remove the line")
    facts: Facts = {}
    for fact, names in CSV_NAMES.items():
        words = [cells[name] for name in names if cells.get(name)]
        if words:
            facts |= _fact(fact, words, where)
    return facts


def _fact(name: str, words: list[str], where: str) -> Facts:
    """A fact from its words; what is no number where one belongs is an EngineError."""
    if name in TEXTS:
        return {name: " ".join(words)}
    wanted = 2 if name == "tilt_range_deg" else 1
    if len(words) != wanted:
        raise EngineError(f"{where}: {name} has {len(words)} numbers, not {wanted}")
    if name in ("number", "handedness"):
        return {name: whole(words[0], f"{where}: {name}")}
    numbers = [finite(word, f"{where}: {name}") for word in words]
    return {name: (numbers[0], numbers[1]) if wanted == 2 else numbers[0]}


def _star(path: Path, column: str) -> list[Facts]:
    blocks = read_blocks(path)
    tomograms = next((block for block in blocks.values() if "rlnTomoName" in block and "rlnTomoHand" in block), None)
    if tomograms is None:
        raise EngineError(f"{path}: none of its blocks ({listed(blocks)}) lists tomograms; RELION's has _rlnTomoName")
    if column not in tomograms:
        files = [name for name in tomograms.columns if "Tomogram" in name and "Binning" not in name]
        have = (
            f"it has {listed(files)}" if files else "it names no reconstructed tomogram (see rows typed in the project)"
        )
        raise EngineError(
            f"{path}: the column _{column} is missing; {have}: name the one with the files in data.column"
        )
    names = tomograms.words("rlnTomoName")
    numbers = tomogram_numbers(names)
    single = _singles(tomograms)
    hands = wholes(tomograms.numbers("rlnTomoHand"), f"{path}: _rlnTomoHand")
    rows = []
    for row, name in enumerate(names):
        facts: Facts = {"number": numbers[name], "name": name, "path": tomograms.words(column)[row]}
        facts |= {fact: float(values[row]) for fact, values in single.items()}
        facts["handedness"] = int(hands[row])
        rows.append(facts | _tilts(path, tomograms, row, blocks.get(name)))
    return rows


def _singles(tomograms: Block) -> dict[str, np.ndarray]:
    """The facts that are one number for a tomogram; pixel sizes are those of the binned tomograms."""
    columns = {
        "voltage_kV": "rlnVoltage",
        "spherical_aberration_mm": "rlnSphericalAberration",
        "amplitude_contrast": "rlnAmplitudeContrast",
    }
    found = {fact: tomograms.numbers(column) for fact, column in columns.items() if column in tomograms}
    if "rlnTomoTiltSeriesPixelSize" in tomograms:
        binning = tomograms.numbers("rlnTomoTomogramBinning") if "rlnTomoTomogramBinning" in tomograms else 1.0
        found["pixel_size_A"] = tomograms.numbers("rlnTomoTiltSeriesPixelSize") * binning
    return found


def _tilts(path: Path, tomograms: Block, row: int, version4: Block | None) -> Facts:
    """What the tilts tell: RELION 5 keeps them in a file for each tilt series, RELION 4 in a block."""
    tilts = version4
    if tilts is None and (file := _tilt_list(path, tomograms, row)):
        tilts = next(iter(read_blocks(file).values()))
    if not tilts:
        return {}
    facts: Facts = {}
    angles = next((one for one in ("rlnTomoYTilt", "rlnTomoNominalStageTiltAngle") if one in tilts), None)
    axes = next((one for one in ("rlnTomoZRot", "rlnTomoNominalTiltAxisAngle") if one in tilts), None)
    if angles:
        facts["tilt_range_deg"] = float(tilts.numbers(angles).min()), float(tilts.numbers(angles).max())
    if axes:
        facts["tilt_axis_deg"] = float(tilts.numbers(axes).mean())
    if "rlnDefocusU" in tilts:
        both = [tilts.numbers(one) for one in ("rlnDefocusU", "rlnDefocusV") if one in tilts]
        facts["defocus_um"] = float(np.median(np.mean(both, axis=0))) * 1e-4
    if "rlnMicrographPreExposure" in tilts:
        facts["dose_e_A2"] = float(tilts.numbers("rlnMicrographPreExposure").max())
    return facts


def _tilt_list(path: Path, tomograms: Block, row: int) -> Path | None:
    """RELION 5's file of a tilt series, sought beside the list and in the folders above it."""
    if TILT_LISTS not in tomograms:
        return None
    name = Path(tomograms.words(TILT_LISTS)[row])
    return next((place / name for place in path.absolute().parents if is_there(place / name)), None)


def tilt_lists(path: str | Path) -> list[Path]:
    """The files of tilt series that are read with a list of tomograms."""
    path = Path(path)
    blocks = read_blocks(path).values() if ending(path) == ".star" else ()
    listing = next((block for block in blocks if TILT_LISTS in block), None)
    rows = range(len(listing)) if listing else ()
    return [file for row in rows if listing and (file := _tilt_list(path, listing, row))]


def found_beside(listed: Mapping[int, str], listing: Path, campaign: Path) -> dict[int, str]:
    """The listed paths, relative to the campaign: sought beside the list and in the folders above it, then in the campaign."""

    def place(file: str) -> str:
        folders = [*listing.absolute().parents, campaign.absolute()]
        found = next((folder / file for folder in folders if is_there(folder / file)), folders[0] / file)
        return str(found.relative_to(campaign.absolute()) if campaign.absolute() in found.parents else found)

    return {number: place(file) for number, file in listed.items()}
