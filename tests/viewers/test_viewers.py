"""What viewers are given: the same places and the same hand in each of them, by the rules of that program."""

from __future__ import annotations

import json
import os
import shlex
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from engine import viewers
from engine.data import Marks, Table, Volume
from engine.faults import EngineError
from engine.files import read_markers, write_volume

SIZE_A, ORIGIN_A = 2.5, (10.0, -5.0, 3.5)
CORNER, ALONG_X, ALONG_Y, ALONG_Z = (4, 5, 6), (20, 5, 6), (4, 18, 6), (4, 5, 16)
PLACES = np.array([CORNER, ALONG_X, ALONG_Y, ALONG_Z])
"""xyz of four bright voxels, the brighter the earlier: a right-handed corner that no turn brings onto its mirror image."""


@pytest.fixture
def chiral() -> Volume:
    data = np.zeros((22, 24, 28), dtype=np.float32)
    for value, (x, y, z) in zip((9, 7, 5, 3), PLACES, strict=True):
        data[z, y, x] = value
    return Volume(data, SIZE_A, ORIGIN_A)


@pytest.fixture
def table() -> Table:
    """Particles at the four voxels, shifts and binned positions included; their axes lie along x, y, z and x."""
    shifts = np.array([0.25, -0.5, 1.0])
    x, y, z = ((PLACES - shifts) / 2).T
    dx, dy, dz = shifts / 2
    angles = {"tdrot": [90, 0, 0, 90], "tilt": [90, 90, 0, 90]}
    return Table.blank(4, x=x, y=y, z=z, dx=dx, dy=dy, dz=dz, apix=2 * SIZE_A, tomo=3, tag=[11, 12, 13, 14], **angles)


def laid(
    folder: Path, viewer: str, volume: Volume | Path | None, points: Table | Marks | None, **named
) -> viewers.Laid:
    return viewers.lay_out(viewers.scene_of("scene", volume, points, **named), viewer, folder)


def hand(corner: np.ndarray) -> float:
    """Above 0 where the arms along x, y, z are right-handed."""
    return float(np.linalg.det(corner[1:] - corner[0]))


def brightest(data: np.ndarray) -> np.ndarray:
    """xyz of the four brightest voxels of a zyx array, the brightest first."""
    return np.array(np.unravel_index(np.argsort(data, axis=None)[::-1][:4], data.shape)).T[:, ::-1]


def mrc_in_A(path: Path) -> np.ndarray:
    """Where the header of an MRC puts its four brightest voxels, read byte by byte."""
    raw = path.read_bytes()
    n = struct.unpack_from("<3i", raw)
    samples, cell, axes = struct.unpack_from("<3i", raw, 28), struct.unpack_from("<3f", raw, 40), raw[64:76]
    assert struct.unpack("<3i", axes) == (1, 2, 3)  # columns are x
    origin = np.array(struct.unpack_from("<3f", raw, 196))
    data = np.frombuffer(raw, "<f4", offset=1024).reshape(n[::-1])
    return origin + brightest(data) * np.array(cell) / samples


def test_chimerax_opens_the_map_and_markers_on_its_voxels(tmp_path: Path, chiral: Volume, table: Table) -> None:
    found = laid(tmp_path, "chimerax", chiral, table)
    assert [path.name for path in found.written] == ["scene.mrc", "scene_points.cmm", "scene_axes.cmm", "scene.cxc"]
    assert found.command[1:] == (str(tmp_path / "scene.cxc"),)
    lines = [shlex.split(line, comments=False) for line in (tmp_path / "scene.cxc").read_text().splitlines()[1:]]
    opened = [line[1] for line in lines if line[0] == "open"]
    assert opened == ["scene.mrc", "scene_points.cmm", "scene_axes.cmm"]
    in_A = mrc_in_A(tmp_path / "scene.mrc")
    np.testing.assert_allclose(in_A, PLACES * SIZE_A + ORIGIN_A, atol=1e-5)
    assert hand(in_A) > 0
    markers = read_markers(tmp_path / "scene_points.cmm")
    np.testing.assert_allclose(markers.points_xyz_A, in_A, atol=1e-4)
    assert markers.ids.tolist() == [11, 12, 13, 14]
    axes = read_markers(tmp_path / "scene_axes.cmm")
    arrows = axes.points_xyz_A[axes.links[:, 1] - 1] - axes.points_xyz_A[axes.links[:, 0] - 1]
    np.testing.assert_allclose(arrows / np.linalg.norm(arrows, axis=1)[:, None], np.eye(3)[[0, 1, 2, 0]], atol=1e-9)


def test_chimerax_sees_the_map_from_the_side_at_a_level_without_specks(tmp_path: Path, chiral: Volume) -> None:
    laid(tmp_path, "chimerax", chiral, None, fraction=3.5 / chiral.data.size)
    lines = (tmp_path / "scene.cxc").read_text().splitlines()
    level = float(next(line for line in lines if line.startswith("volume #1")).split("level ")[1])
    assert (chiral.data > level).sum() == 4
    assert f"surface dust #1 size {5 * SIZE_A:g}" in lines
    ends = next(line for line in lines if line.startswith("shape cylinder")).split()
    low, high = (np.array(ends[ends.index(key) + 1].split(","), float) for key in ("fromPoint", "toPoint"))
    np.testing.assert_allclose((low + high) / 2, np.array([14, 12, 11]) * SIZE_A + ORIGIN_A)
    assert (high - low)[2] > chiral.shape_zyx[0] * SIZE_A
    assert lines.index("view orient") < lines.index("turn x -90")


def test_the_level_in_deviations(chiral: Volume) -> None:
    scene = viewers.scene_of("scene", chiral, None, sigma=2)
    assert scene.level == pytest.approx(chiral.data.mean() + 2 * chiral.data.std())
    assert viewers.scene_of("scene", chiral, None, is_inverted=True, fraction=0.5).level == 0


def test_3dmod_gets_a_model_on_the_voxels(tmp_path: Path, chiral: Volume, table: Table) -> None:
    found = laid(tmp_path, "3dmod", chiral, table)
    assert found.command[1:] == (str(tmp_path / "scene.mrc"), str(tmp_path / "scene.mod"))
    from engine.files import read_marks

    marks = read_marks(tmp_path / "scene.mod")
    of_points = marks.points_xyz[marks.groups == 1]
    np.testing.assert_allclose(of_points, PLACES, atol=1e-5)
    assert marks.pixel_size_A == pytest.approx(SIZE_A)
    raw = (tmp_path / "scene.mod").read_bytes()
    at = raw.index(b"CONT") + 20
    x, y, z = np.frombuffer(raw, ">f4", 12, at).reshape(4, 3).T
    # 3dmod: a pixel spans x to x + 1, a section lies at its number
    assert chiral.data[np.rint(z).astype(int), np.floor(y).astype(int), np.floor(x).astype(int)].tolist() == [
        9,
        7,
        5,
        3,
    ]
    arrows = marks.points_xyz[marks.groups > 1].reshape(4, 2, 3)
    directions = (arrows[:, 1] - arrows[:, 0]) / 12
    np.testing.assert_allclose(directions, np.eye(3)[[0, 1, 2, 0]], atol=1e-6)


FAKE_NAPARI = """
import json, os
from types import SimpleNamespace
import numpy as np

class Viewer:
    def __init__(self, **named):
        self.camera = SimpleNamespace(orientation=None)
        self.layers = [("viewer", [], named)]
        Viewer.last = self
    def __getattr__(self, name):
        def add(data, **named):
            self.layers.append((name, np.asarray(data).tolist(), named))
        return add
    def reset_view(self):
        pass

def run():
    told = {"layers": Viewer.last.layers, "orientation": Viewer.last.camera.orientation}
    open(os.environ["TOLD"], "w").write(json.dumps(told))
"""


def napari_told(script: Path, folder: Path) -> dict:
    """What a script tells napari, run elsewhere than it lies."""
    (folder / "fake").mkdir()
    (folder / "fake" / "napari.py").write_text(FAKE_NAPARI)
    environment = {**os.environ, "PYTHONPATH": str(folder / "fake"), "TOLD": str(folder / "told.json")}
    subprocess.run([sys.executable, str(script)], check=True, env=environment, cwd="/", timeout=60)
    return json.loads((folder / "told.json").read_text())


DIRECTIONS = {
    "right": (1, 0, 0),
    "left": (-1, 0, 0),
    "up": (0, 1, 0),
    "down": (0, -1, 0),
    "towards": (0, 0, 1),
    "away": (0, 0, -1),
}


def test_napari_shows_the_points_on_the_voxels_and_the_true_hand(tmp_path: Path, chiral: Volume, table: Table) -> None:
    found = laid(tmp_path / "there", "napari", chiral, table)
    told = napari_told(Path(found.command[1]), tmp_path)
    layers = {name: (np.array(data), named) for name, data, named in told["layers"]}
    voxels, place = layers["add_image"]
    np.testing.assert_array_equal(voxels, chiral.data)
    assert place["iso_threshold"] == pytest.approx(np.quantile(chiral.data, 0.99))
    points, named = layers["add_points"]
    assert (named["scale"], named["translate"]) == (place["scale"], place["translate"])
    np.testing.assert_allclose(points[:, ::-1], PLACES, atol=1e-9)
    in_A = points * place["scale"] + place["translate"]
    np.testing.assert_allclose(in_A[:, ::-1], PLACES * SIZE_A + ORIGIN_A)
    vectors, _ = layers["add_vectors"]
    np.testing.assert_allclose(vectors[:, 1, ::-1] / 12, np.eye(3)[[0, 1, 2, 0]], atol=1e-9)
    on_screen = np.array(
        [DIRECTIONS[word] for word in told["orientation"]]
    )  # of z, y, x: right, up, towards the viewer
    assert hand(in_A @ on_screen) > 0


def test_a_tomogram_is_opened_where_it_lies(tmp_path: Path, chiral: Volume, table: Table) -> None:
    path = tmp_path / "TS 01; exit.mrc"
    write_volume(chiral, path)
    laid(tmp_path / "x", "chimerax", path, table)
    assert f'open "{path}"' in (tmp_path / "x" / "scene.cxc").read_text().splitlines()
    assert not list((tmp_path / "x").glob("*.mrc"))
    assert laid(tmp_path / "m", "3dmod", path, table).command[1] == str(path)
    found = laid(tmp_path / "n", "napari", path, table)
    told = napari_told(Path(found.command[1]), tmp_path)
    image = next(data for name, data, _ in told["layers"] if name == "add_image")
    np.testing.assert_array_equal(np.array(image), chiral.data)
    assert told["layers"][0][2]["ndisplay"] == 2


def test_marks_in_A_fall_on_the_voxels_too(tmp_path: Path, chiral: Volume) -> None:
    marks = Marks(PLACES * SIZE_A + ORIGIN_A, np.ones(4), np.zeros(4), "A")
    scene = viewers.scene_of("scene", chiral, marks)
    assert scene.points is not None
    np.testing.assert_allclose(scene.points.centres_xyz_px, PLACES)
    assert scene.points.axes_xyz is None


@pytest.mark.parametrize("name", ['a"b.mrc', "a\nclose all.mrc", "a\\b.mrc"])
def test_a_name_that_could_become_a_command_is_refused(tmp_path: Path, chiral: Volume, name: str) -> None:
    write_volume(chiral, path := tmp_path / name)
    with pytest.raises(EngineError, match="rename it"):
        laid(tmp_path / "x", "chimerax", path, None)


def test_what_cannot_be_shown_is_said(tmp_path: Path, chiral: Volume, table: Table) -> None:
    with pytest.raises(EngineError, match='2 tomograms, 3, 4; choose one: --where "tomo == 3"'):
        viewers.scene_of("scene", chiral, table.with_columns(tomo=[3, 3, 4, 4]))
    with pytest.raises(EngineError, match="no point to show"):
        viewers.scene_of("scene", chiral, table.where(table.tags > 99))
    with pytest.raises(EngineError, match="no place or no pixel size, NaN"):
        viewers.scene_of("scene", chiral, table.with_columns(x=np.nan))
    with pytest.raises(EngineError, match="--map"):
        laid(tmp_path, "3dmod", None, table)
    with pytest.raises(EngineError, match="no finite voxel"):
        viewers.scene_of("scene", Volume(np.full((4, 4, 4), np.nan, dtype=np.float32)), None)


def test_a_link_is_not_written_through(tmp_path: Path, chiral: Volume) -> None:
    (tmp_path / "mine").write_text("mine")
    (tmp_path / "scene.cxc").symlink_to(tmp_path / "mine")
    with pytest.raises(EngineError, match="is a link"):
        laid(tmp_path, "chimerax", chiral, None)
    assert (tmp_path / "mine").read_text() == "mine"


@pytest.mark.parametrize(
    ("address", "stem"),
    [
        ("projects/quickstart/pr_1:average:ite=2", "pr_1_average_ite_2"),
        ("--cmd:a", "cmd_a"),
        ('x"; close all', "x_close_all"),
        ("ö:é", "shown"),
    ],
)
def test_names_of_files_are_plain(address: str, stem: str) -> None:
    assert viewers.stem_of(address) == stem
