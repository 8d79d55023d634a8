"""Picking from a catalogue: names, sizes and pixel sizes come from it, and each may be picked and searched by itself."""

from __future__ import annotations

from pathlib import Path

import memory
import numpy as np
import pytest

import engine
from engine.check import check
from engine.data import Catalogue, Marks, TomogramFacts, Volume
from engine.each import first_tag
from engine.faults import EngineError
from engine.files import write_volume
from engine.forecast import forecast
from engine.project import load

CATALOGUE = Catalogue(
    (
        TomogramFacts(1, "a.mrc", "TS_01", 5.0, (300, 400, 400)),
        TomogramFacts(3, "b.mrc", "", 10.0, (150, 200, 200)),
    )
)
SPHERES = Marks(
    np.array([[200.0, 190, 150], [100.0, 95, 75], [300.0, 100, 150]]),
    np.array([1, 1, 2]),
    np.array([90.0, 45, 30]),
    tomograms=("TS_01", "3", "TS_01"),
)
MODEL = {"model": "spheres", "file": "m.csv", "spacing_A": 60}


def run(*models, catalogue=CATALOGUE, marks=SPHERES, **values):
    values = {"data": {"catalogue": "tomos:tomograms"}, "models": list(models), **values}
    return memory.run("picking", values, {"tomos:tomograms": catalogue, "m.csv": marks})["points"]


def test_a_catalogue_says_what_typed_tomograms_do():
    typed = [
        {"number": 1, "name": "TS_01", "size_xyz_px": [400, 400, 300], "pixel_size_A": 5.0},
        {"number": 3, "size_xyz_px": [200, 200, 150], "pixel_size_A": 10.0},
    ]
    borders = {"box_px": 70}
    made = run(MODEL, borders=borders)
    same = memory.run("picking", {"tomograms": typed, "models": [MODEL], "borders": borders}, {"m.csv": SPHERES})
    assert made["table"].equals(same["points"]["table"])
    assert made["dropped"].equals(same["points"]["dropped"])
    assert len(made["dropped"]) > 10
    assert set(made["table"]["apix"]) == {5, 10}


def test_each_tomogram_by_itself_has_the_points_that_it_has_among_all():
    """Its own part of the catalogue: the other tomograms' marks are left out, the same azimuths are drawn, tags are apart."""
    together = run(MODEL)["table"]
    for one in CATALOGUE:
        alone = run(MODEL, catalogue=Catalogue((one,)), each="tomogram")["table"]
        there = together.where(together["tomo"] == one.number)
        assert alone.tags.tolist() == list(range(first_tag(one.number), first_tag(one.number) + len(alone)))
        assert alone.with_columns(tag=there.tags).equals(there)


def test_what_does_not_say_its_tomogram_is_no_point_of_each():
    typed = {"model": "points", "points_xyz_px": [[50, 50, 50]]}
    third = Catalogue(CATALOGUE.tomograms[1:])
    with pytest.raises(EngineError, match=r"which of the tomograms are its points in\? .give tomo"):
        run(typed, catalogue=third, each="tomogram")
    with pytest.raises(EngineError, match="no model has points in tomogram 3"):
        run({**typed, "tomo": 1}, catalogue=third, each="tomogram")
    assert set(run({**typed, "tomo": 3}, catalogue=third, each="tomogram")["table"]["tomo"]) == {3}
    filled = run({"model": "lattice", "spacing_A": 500}, catalogue=third, each="tomogram")["table"]
    assert len(filled) == 4 * 4 * 3


SHAPE = (60, 80, 80)
TRUE = {1: (38, 35, 29, 24), 3: (41, 44, 31, 22)}


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two tomograms of one dark shell, at 20 A and 30 A."""
    folder = tmp_path_factory.mktemp("picked")
    z, y, x = np.meshgrid(*map(np.arange, SHAPE), indexing="ij", sparse=True)
    for (number, (cx, cy, cz, radius)), pixel_size_A in zip(TRUE.items(), (20.0, 30.0), strict=True):
        distance = np.sqrt((z - cz) ** 2 + (y - cy) ** 2 + (x - cx) ** 2)
        noise = 0.5 * np.random.default_rng(number).normal(size=SHAPE)
        shell = np.exp(-0.5 * ((distance - radius) / 3) ** 2)
        write_volume(Volume((noise - shell).astype(np.float32), pixel_size_A), folder / f"TS_0{number}.mrc")
    (folder / "tomos.toml").write_text(
        'kind = "catalogue"\nbinned = { bin_factors = [2] }\n'
        '[[tomograms]]\nnumber = 1\nname = "TS_01"\npath = "TS_01.mrc"\n'
        '[[tomograms]]\nnumber = 3\npath = "TS_03.mrc"\ntilt_range_deg = [-50, 55]\n',
        "utf-8",
    )
    return folder


def faults(folder: Path, name: str, text: str) -> list[str]:
    (folder / f"{name}.toml").write_text(text, "utf-8")
    (found,) = check([folder / f"{name}.toml"])
    return [f"{fault.line}: {fault.what} ({fault.advice})" for fault in found.faults]


EACH = 'kind = "picking"\neach = "tomogram"\n[data]\ncatalogue = "tomos:tomograms"\n'
SEARCH = "[finding]\nradius_A = [400, 750]\nthickness_A = 150\n"


@pytest.mark.parametrize("bin_factor", [1, 2])
def test_each_tomogram_is_searched_and_its_proposals_are_picked_in_all(campaign: Path, bin_factor: int) -> None:
    """The pixel sizes of the tomograms differ, those of the searched versions too: places come back in each one's own px."""
    name = f"found_{bin_factor}"
    assert faults(campaign, name, EACH + SEARCH + f"bin_factor = {bin_factor}\n") == []
    engine.run([campaign / "tomos.toml", campaign / f"{name}.toml"])
    told = forecast(load(campaign / f"{name}.toml"))
    assert told.steps == 2
    text = 'kind = "picking"\n[data]\ncatalogue = "tomos:tomograms"\n'
    model = f'[[models]]\nmodel = "spheres"\nfile = "{name}:proposals"\nspacing_A = 200\n'
    assert faults(campaign, "all", text + model) == []
    engine.run([campaign / "all.toml"], redo=["stale"])
    regions = engine.query("all:regions", folder=campaign).value
    assert regions["tomo"].tolist() == [1, 3]
    for row, (*centre, radius) in enumerate(TRUE.values()):
        np.testing.assert_allclose([regions[axis][row] for axis in "xyz"], centre, atol=1.5)
        assert regions["radius_A"][row] == pytest.approx((20, 30)[row] * radius, abs=60)
    assert faults(campaign, "apart", EACH + model) == []
    engine.run([campaign / "apart.toml"], redo=["stale"])
    alone = engine.query("apart:table:tomo=3", folder=campaign).value
    together = engine.query("all:table", folder=campaign, where="tomo == 3").value
    np.testing.assert_allclose(alone.positions_xyz_px, together.positions_xyz_px, atol=1e-9)
    np.testing.assert_allclose(alone.angles, together.angles, atol=1e-9)


def test_another_tomogram_searches_only_that_one(campaign: Path) -> None:
    assert faults(campaign, "again", EACH + SEARCH) == []
    engine.run([campaign / "tomos.toml", campaign / "again.toml"])
    text = (campaign / "tomos.toml").read_text("utf-8")
    write_volume(Volume(np.random.default_rng(9).normal(size=SHAPE).astype(np.float32), 20.0), campaign / "TS_09.mrc")
    (campaign / "tomos.toml").write_text(f'{text}[[tomograms]]\nnumber = 9\npath = "TS_09.mrc"\n', "utf-8")
    outcomes = engine.run([campaign / "tomos.toml", campaign / "again.toml"])
    (campaign / "tomos.toml").write_text(text, "utf-8")
    assert outcomes[-1].stored == ("tomo_009/finding",)


ONCE = 'kind = "picking"\n[data]\ncatalogue = "tomos:tomograms"\n'
POINTS = '[[models]]\nmodel = "points"\npoints_xyz_px = [[30, 30, 30]]\n'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (ONCE + POINTS, "4: which of the 2 tomograms are its points in"),
        (ONCE + POINTS + "tomo = 2\n", "7: there is no tomogram 2 (one of 1, 3)"),
        (EACH + POINTS, "which of the tomograms are its points in"),
        (EACH + POINTS + "tomo = 3\n", '4: no model has points in tomogram 1 (catalogue = "tomos:tomograms:tomo=[3]")'),
        (EACH + '[[models]]\nmodel = "points"\nfile = "a.csv"\n', "its points lie in TS_45, and no tomogram has that name"),
        (ONCE + '[[models]]\nmodel = "points"\nfile = "a.csv"\n', "its points lie in TS_45, and no tomogram has that name"),
        (ONCE + "[[tomograms]]\nnumber = 1\npixel_size_A = 5\n" + POINTS, "catalogue or are typed: both are given"),
        ('kind = "picking"\n' + POINTS, "catalogue or are typed: neither is given"),
        (ONCE + SEARCH, '4: each of the catalogue\'s tomograms is searched (write each = "tomogram", or give map)'),
        (EACH.partition("[data]")[0] + "[[tomograms]]\nnumber = 1\npixel_size_A = 5\n" + POINTS, "2: the tomograms are typed"),
        (EACH + SEARCH + 'map = "TS_01.mrc"\n', "one map, and each tomogram is searched"),
        (EACH + SEARCH + "tomo = 1\n", "is for a map; the catalogue has it"),
        (EACH + SEARCH.replace("400", "600") + "bin_factor = 4\n", "tomos, as it is set, makes no binned_4"),
        (EACH + SEARCH.replace("400", "100"), "100 A is 3.3 px of tomogram 3"),
        (ONCE + SEARCH + 'map = "TS_01.mrc"\n', "which tomogram does the map show? (one of 1, 3)"),
        (ONCE + SEARCH + 'map = "TS_01.mrc"\ntomo = 1\nbin_factor = 2\n', "is for the catalogue's tomograms"),
        (ONCE.replace("[data]", SEARCH + 'map = "TS_01.mrc"\ntomo = 1\n[data]'), ""),
        (EACH + "[gold]\npoints_xyz_px = [[1, 1, 1]]\ndistance_A = 9\n" + POINTS.replace("]]\nmodel", "]]\ntomo = 1\nmodel"),
         "which of the tomograms are its points in"),
    ],
)  # fmt: skip
def test_check_tells_what_does_not_fit_the_catalogue(campaign: Path, text: str, words: str) -> None:
    (campaign / "a.csv").write_text("x,y,z,tomo\n1,2,3,TS_45\n", "utf-8")
    engine.run([campaign / "tomos.toml"])
    found = faults(campaign, "wrong", text)
    (campaign / "wrong.toml").unlink()
    assert any(words in fault for fault in found) if words else not found, found
