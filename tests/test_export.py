"""Values become files that other programs read."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from engine.data import Curve, ParticleArray, Table, Volume
from engine.export import as_json, export
from engine.faults import EngineError
from engine.files import open_particles, read_markers, read_star, read_table, read_volume

VOLUME = Volume(np.random.default_rng(1).normal(size=(6, 8, 10)).astype(np.float32), 1.35)
TABLE = Table.blank(3, x=[10, 20, 30], dx=[0.5, 0, -0.5], z=[1, 2, 3], cc=[0.1, 0.2, 0.3], tag=[4, 7, 9])
CURVE = Curve({"shell": np.arange(3.0), "fsc": np.array([1.0, 0.4, np.nan])}, {"resolution_A": 8.1})


@pytest.mark.parametrize("ending", [".mrc", ".em", ".npy"])
def test_a_volume_comes_back_from_its_file(tmp_path: Path, ending: str) -> None:
    back = read_volume(export(VOLUME, tmp_path / f"maps/average{ending}"))
    assert np.array_equal(back.data, VOLUME.data)
    assert ending != ".mrc" or back.pixel_size_A == pytest.approx(1.35)


@pytest.mark.parametrize("ending", [".tbl", ".star", ".csv"])
def test_a_table_comes_back_from_its_file(tmp_path: Path, ending: str) -> None:
    back = read_table(export(TABLE, tmp_path / f"table{ending}"))
    assert back.tags.tolist() == [4, 7, 9]
    assert np.allclose(back.positions_xyz_px, TABLE.positions_xyz_px)
    assert np.allclose(back["cc"], TABLE["cc"])


def test_markers_lie_at_the_refined_centres_in_angstrom(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="pixel size must be given"):
        export(TABLE, tmp_path / "centres.cmm")
    markers = read_markers(export(TABLE, tmp_path / "centres.cmm", pixel_size_A=2.0))
    assert markers.ids.tolist() == [4, 7, 9]
    assert np.allclose(markers.points_xyz_A, [[21, 0, 2], [40, 0, 4], [59, 0, 6]])
    sized = read_markers(export(TABLE.with_columns(apix=4.0), tmp_path / "sized.cmm"))
    assert sized.points_xyz_A[0].tolist() == [42, 0, 4]


@pytest.mark.parametrize("value", [VOLUME, TABLE, CURVE])
def test_pictures_are_drawn(tmp_path: Path, value: object) -> None:
    picture = export(value, tmp_path / "picture.png").read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert len(picture) > 3000


def test_curves_and_arrays_become_columns(tmp_path: Path) -> None:
    assert export(CURVE, tmp_path / "fsc.csv").read_text().splitlines() == ["shell,fsc", "0,1", "1,0.4", "2,nan"]
    assert np.load(export(CURVE, tmp_path / "fsc.npy")).shape == (3, 2)
    array = np.array([0.5, 1.25])
    assert np.loadtxt(export(array, tmp_path / "cc.csv")).tolist() == array.tolist()
    assert np.load(export(array, tmp_path / "cc.npy")).tolist() == array.tolist()


def test_json_has_null_for_what_is_no_number(tmp_path: Path) -> None:
    text = export(CURVE, tmp_path / "fsc.json").read_text()
    assert json.loads(text) == {"columns": {"shell": [0, 1, 2], "fsc": [1, 0.4, None]}, "notes": {"resolution_A": 8.1}}
    summary = {"mean cc": np.float32(0.5), "best": float("inf"), "tags": np.arange(2)}
    assert as_json(summary) == {"mean cc": 0.5, "best": None, "tags": [0, 1]}
    assert as_json(VOLUME)["shape_zyx"] == [6, 8, 10]


@pytest.mark.parametrize(
    ("value", "name", "says"),
    [
        (VOLUME, "a.star", "a volume can become .mrc .em .npy .png .pdf .svg .json, not .star"),
        (CURVE, "a.mrc", "a curve can become .csv .npy .png .pdf .svg .json"),
        ({"a": 1}, "a.csv", "a summary can become .json"),
        (np.zeros(3), "a.mrc", "an array can become .npy .json .csv"),
        (
            ParticleArray.numbered(np.zeros((1, 8, 8, 8))),
            "a.em",
            "can become a folder (a name without ending) .mrcs .mrc",
        ),
        (VOLUME, "folder/", "a volume can become .mrc .em .npy .png .pdf .svg .json, not a folder"),
    ],
)
def test_what_a_value_cannot_become_is_told_with_what_it_can(
    tmp_path: Path, value: object, name: str, says: str
) -> None:
    with pytest.raises(EngineError) as caught:
        export(value, f"{tmp_path}/{name}")
    assert says in str(caught.value)
    assert not (tmp_path / name).exists()


@pytest.mark.parametrize("name", ["boxes", "dotted.name/", "there.already", "stack.mrcs", "stack.mrc"])
def test_a_set_of_particles_comes_back_from_its_folder_or_stack(tmp_path: Path, name: str) -> None:
    (tmp_path / "there.already").mkdir()
    particles = ParticleArray.numbered(np.random.default_rng(2).normal(size=(3, 8, 8, 8)).astype(np.float32))
    back = open_particles(export(particles, f"{tmp_path}/{name}"))
    assert back.tags.tolist() == [1, 2, 3]
    assert all(np.array_equal(back.read(tag), particles.read(tag)) for tag in (1, 2, 3))


@pytest.mark.parametrize("dialect", ["relion3.1", "relion4"])
def test_a_relion_list_takes_the_pixel_size_where_the_table_has_none(tmp_path: Path, dialect: str) -> None:
    """Origins are in Å: a wrong pixel size gives other shifts back."""
    for table, size_A in ((TABLE, 2.0), (TABLE.with_columns(apix=4.0), 4.0)):
        back = read_star(export(table, tmp_path / "p.star", 2.0, dialect)).table
        assert np.allclose(back["apix"], size_A)
        assert np.allclose(back.shifts_xyz_px, TABLE.shifts_xyz_px)
    with pytest.raises(EngineError, match=r"no \.star dialect 'relion9'; there are dynamo, relion3.1, relion4"):
        export(TABLE, tmp_path / "q.star", 2.0, "relion9")
