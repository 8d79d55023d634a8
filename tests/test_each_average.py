"""Averages of the tomograms, together and one by one: collected as particles, registered, and their tables moved."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import two_tomograms
from two_tomograms import CHAIN, NUMBERS

import engine
from engine.check import check
from engine.data import Table, Volume
from engine.files import write_table, write_volume
from engine.kernels import blobs

UP_PX = {1: 2.0, 3: -1.0}

FILES = {
    **two_tomograms.FILES,
    "means": 'kind = "collection"\n[data]\nmaps = "mean:average:tomo=*"\n',
    "reg": """kind = "registration"
each = "tomogram"
[data]
map = "mean:average"
onto = "object.mrc"
[search]
cone = { range_deg = 0 }
azimuth = { range_deg = 0 }
limits_xyz_px = [0, 0, 4]
bandpass = { lowpass_fpx = 7 }
""",
    "moved": """kind = "transform"
each = "tomogram"
[data]
table = "crop:table"
[[operations]]
do = "move"
transform = "reg:transform"
""",
    "cells": """kind = "transform"
each = "tomogram"
[data]
table = "moved:table"
[[operations]]
do = "subbox"
offsets_xyz_px = [[2, 0, 0], [0, 2, 0]]
symmetry = "C2"
""",
    "crop_cells": """kind = "extraction"
each = "tomogram"
[data]
catalogue = "tomos:tomograms"
table = "cells:table"
[box]
size_px = 8
""",
    "all_cells": 'kind = "average"\n[data]\nparticles = "crop_cells:particles"\ntable = "crop_cells:table"\n',
    "upright": """kind = "transform"
each = "tomogram"
[data]
table = "crop:table"
[[operations]]
do = "compose"
poses = "means:table"
by = "tomo"
""",
}


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two tomograms of four upright copies of one object each, marked too low by UP_PX."""
    folder = tmp_path_factory.mktemp("averages")
    write_volume(Volume(blobs.render(CHAIN, 1.2, 16), 4.0), folder / "object.mrc")
    tables = []
    for place, number in enumerate(NUMBERS):
        at = np.array([[16, 16], [36, 16], [16, 36], [36, 36]])
        data = np.random.default_rng(number).normal(scale=0.01, size=(32, 52, 52)).astype(np.float32)
        high = blobs.render(CHAIN + [0, 0, UP_PX[number]], 1.2, 24)
        for x, y in at:
            data[4:28, y - 12 : y + 12, x - 12 : x + 12] += high
        write_volume(Volume(data, 4.0), folder / f"TS_{number}.mrc")
        tags = 4 * place + np.arange(1, 5)
        tables.append(Table.blank(4, tag=tags, x=at[:, 0], y=at[:, 1], z=16, tomo=number))
    write_table(tables[0].joined(tables[1]), folder / "picks.csv")
    for name, text in FILES.items():
        (folder / f"{name}.toml").write_text(text, "utf-8")
    engine.run([folder])
    return folder


def made(folder: Path, name: str, old: str, new: str, item: str):
    """An item of a project written anew."""
    path = folder / f"other_{name}.toml"
    path.write_text(FILES[name].replace(old, new), "utf-8")
    engine.run([path])
    value = engine.query(f"{path.stem}:{item}", folder=folder).value
    path.unlink()
    return value


def faults(folder: Path, name: str, old: str, new: str) -> list[str]:
    (folder / "other.toml").write_text(FILES[name].replace(old, new), "utf-8")
    (found,) = check([folder / "other.toml"])
    (folder / "other.toml").unlink()
    return [str(fault) for fault in found.faults]


def test_the_averages_of_all_tomograms_are_collected_by_one_address(campaign: Path) -> None:
    table = engine.query("means:table", folder=campaign).value
    assert table.tags.tolist() == table["tomo"].tolist() == [1, 3]
    for number in NUMBERS:
        box = engine.query(f"means:particles:tag={number}", folder=campaign).value
        own = engine.query(f"mean:average:tomo={number}", folder=campaign).value
        np.testing.assert_array_equal(box.data, own.data)


def test_averages_that_are_named_one_by_one_have_their_tomograms_numbers(campaign: Path) -> None:
    table = made(campaign, "means", '"mean:average:tomo=*"', '["mean:average:tomo=3", "mean:average:tomo=1"]', "table")
    assert table.tags.tolist() == [1, 3]


def test_numbers_are_counted_against_the_maps_of_all_tomograms(campaign: Path) -> None:
    assert faults(campaign, "means", "[data]", "[data]\nnumbers = [7, 8]") == []
    (fault,) = faults(campaign, "means", "[data]", "[data]\nnumbers = [7]")
    assert "1 numbers for 2 maps" in fault


def test_each_tomogram_is_moved_by_its_own_registration(campaign: Path) -> None:
    assert [str(fault) for one in check(campaign) for fault in one.faults] == []
    for number in NUMBERS:
        table = engine.query(f"moved:table:tomo={number}", folder=campaign).value
        assert len(table) == 4
        np.testing.assert_allclose(table["dz"], UP_PX[number], atol=0.2)


def test_the_move_of_one_tomogram_may_serve_all(campaign: Path) -> None:
    table = made(campaign, "moved", "reg:transform", "reg:transform:tomo=3", "table:tomo=1")
    np.testing.assert_allclose(table["dz"], UP_PX[3], atol=0.2)


def test_moves_of_several_tomograms_want_a_project_of_each(campaign: Path) -> None:
    (fault,) = faults(campaign, "moved", 'each = "tomogram"\n', "")
    assert "reg:transform names 2 results, one of each tomogram" in fault


def test_subboxes_made_tomogram_by_tomogram_are_read_as_one(campaign: Path) -> None:
    table = engine.query("all_cells:table", folder=campaign).value
    assert len(np.unique(table.tags)) == 2 * 4 * 4
    np.testing.assert_array_equal(table["tomo"], np.repeat(NUMBERS, 16))
    np.testing.assert_array_equal(table["otag"], np.repeat(np.arange(1, 9), 4))


def test_tables_of_tomograms_that_share_tags_are_to_be_merged_by_a_list(campaign: Path) -> None:
    write_table(Table.blank(2, tag=1, x=16, y=16, z=16, tomo=NUMBERS), campaign / "shared.csv")
    (campaign / "shared.toml").write_text(FILES["crop"].replace("picks.csv", "shared.csv"), "utf-8")
    engine.run([campaign / "shared.toml"])
    (fault,) = faults(campaign, "cells", 'each = "tomogram"\n[data]\ntable = "moved', '[data]\ntable = "shared')
    assert "has a tag in several rows (name its tomograms one by one, as in a list that ends with :tomo=3" in fault


@pytest.mark.parametrize("old", ["", 'each = "tomogram"\n'])
def test_particles_of_all_averages_are_not_taken_for_those_of_the_first(campaign: Path, old: str) -> None:
    text = FILES["upright"].replace('by = "tomo"\n', "")
    (fault,) = faults(campaign, "upright", FILES["upright"], text.replace(old, "") if old else text)
    assert 'crop:table is one table, so all of its particles would belong to the average of tag 1 (by = "tomo"' in fault
