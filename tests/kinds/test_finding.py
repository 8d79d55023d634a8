"""Vesicles are proposed, looked at, and picked: through files, as people do it."""

import csv

import numpy as np
import pytest

import engine
from engine.check import check
from engine.data import Volume
from engine.export import export
from engine.files import write_volume

SHAPE = (90, 120, 120)
TRUE = np.array([[40, 35, 45, 26], [85, 88, 44, 24]])

SEARCH = """
kind = "picking"
[[tomograms]]
number = 7
size_xyz_px = [480, 480, 360]
pixel_size_A = 5

[finding]
map = "binned.mrc"
tomo = 7
radius_A = [420, 600]
thickness_A = 130
"""
MODELS = """
[[models]]
model = "spheres"
file = "{file}"
spacing_A = 150
"""


@pytest.fixture(scope="module")
def campaign(tmp_path_factory):
    folder = tmp_path_factory.mktemp("finding")
    volume = 0.8 * np.random.default_rng(0).normal(size=SHAPE).astype(np.float32)
    z, y, x = np.meshgrid(*map(np.arange, SHAPE), indexing="ij", sparse=True)
    for cx, cy, cz, radius in TRUE:
        distance = np.sqrt((z - cz) ** 2 + (y - cy) ** 2 + (x - cx) ** 2)
        volume -= np.exp(-0.5 * ((distance - radius) / 3) ** 2)
    write_volume(Volume(volume, 20.0), folder / "binned.mrc")
    (folder / "pick.toml").write_text(SEARCH, "utf-8")
    (checked,) = check(folder)
    assert checked.faults == []
    engine.run([folder])
    return folder


def test_proposals_come_with_their_pixel_size(campaign):
    proposals = engine.query("pick:proposals", folder=campaign).value
    assert len(proposals) == 2
    order = np.argsort(proposals["x"])
    for axis, true in zip(("x", "y", "z", "radius"), TRUE.T, strict=True):
        np.testing.assert_allclose(proposals[axis][order], true, atol=1.5)
    assert set(proposals["pixel_size_A"]) == {20}
    assert set(proposals["tomo"]) == {7}
    assert engine.query("pick:found", folder=campaign).value["spheres"] == 2


@pytest.mark.parametrize("ending", ["csv", "cmm"])
def test_what_was_accepted_is_picked_in_the_full_pixels(campaign, ending):
    """The person exports, takes one sphere out, and names the file; the search is not done again."""
    value = engine.query("pick:proposals", folder=campaign).value
    path = export(value, campaign / f"found.{ending}")
    lines = path.read_text("utf-8").splitlines()
    if ending == "csv":
        first = [float(word) for word in next(csv.reader(lines[1:2]))]
        path.write_text("\n".join(lines[:2]) + "\n", "utf-8")
    else:
        first = [1, 7, *(value[axis][0] for axis in "xyz"), value["radius"][0]]
        path.write_text("\n".join(line for line in lines if 'id="2"' not in line) + "\n", "utf-8")
    (campaign / "pick.toml").write_text(SEARCH + MODELS.format(file=path.name), "utf-8")
    assert [str(fault) for one in check(campaign) for fault in one.faults] == []
    engine.run([campaign], redo=["points"])
    regions = engine.query("pick:regions", folder=campaign).value
    assert len(regions) == 1
    assert [regions[axis][0] for axis in "xyz"] == pytest.approx([4 * one for one in first[2:5]], abs=1e-6)
    assert regions["radius_A"][0] == pytest.approx(20 * first[5], rel=1e-6)
    assert len(engine.query("pick:proposals", folder=campaign).value) == 2


def test_another_project_takes_all_proposals_by_their_address(campaign):
    text = SEARCH.split("[finding]")[0] + MODELS.format(file="pick:proposals")
    (campaign / "all.toml").write_text(text, "utf-8")
    assert [str(fault) for one in check(campaign / "all.toml") for fault in one.faults] == []
    engine.run([campaign / "all.toml"])
    assert len(engine.query("all:regions", folder=campaign).value) == 2
    (campaign / "wrong.toml").write_text(text.replace("pick:proposals", "all:regions"), "utf-8")
    (checked,) = check(campaign / "wrong.toml")
    assert "all:regions is not marked points" in str(checked.faults[0])
    assert "all has table, dropped" in str(checked.faults[0])
    (campaign / "wrong.toml").unlink()


def test_the_forecast_of_a_search_is_told_from_the_header(campaign):
    from engine.forecast import forecast
    from engine.project import load

    (campaign / "later.toml").write_text(SEARCH, "utf-8")
    told = forecast(load(campaign / "later.toml"))
    assert told.unknown == [one for one in told.unknown if "GPU" in one]
    assert 0 < told.seconds < 60
    assert told.memory_bytes > 250 << 20
    (campaign / "later.toml").unlink()
