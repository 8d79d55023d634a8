"""The workshop's own numbers: the campaign is checked, and its cost told, from the headers of the data."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import mrcfile
import numpy as np
import pytest

from engine.check import check
from engine.forecast import forecast

CAMPAIGN = Path(__file__).resolve().parents[2] / "projects" / "hiv1"
SIZE_XYZ = (4000, 4000, 2000)


def write_header(path: Path) -> None:
    """A tomogram of which nothing but the header is there: a hole on the disk."""
    with mrcfile.new(path) as mrc:
        mrc.set_data(np.zeros((1, 1, 1), dtype=np.float32))
        mrc.voxel_size = 1.35
    with path.open("r+b") as file:
        file.write(np.array(SIZE_XYZ, dtype="<i4").tobytes())
        file.seek(28)
        file.write(np.array(SIZE_XYZ, dtype="<i4").tobytes())
        file.seek(40)
        file.write((np.array(SIZE_XYZ, dtype="<f4") * np.float32(1.35)).tobytes())
        file.truncate(1024 + 4 * int(np.prod(SIZE_XYZ, dtype=np.int64)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hiv1")
    for path in CAMPAIGN.glob("*.toml"):
        shutil.copy(path, folder)
    (folder / "tomograms").mkdir()
    rows = ["tomo,region,x,y,z"]
    for number in (1, 3, 43, 45, 54):
        write_header(folder / "tomograms" / f"TS_{number:02d}.mrc")
        for region in range(1, 10):
            x, y = 700 + 1000 * ((region - 1) % 3), 700 + 1000 * ((region - 1) // 3)
            rows += [f"{number},{region},{x},{y},1000", f"{number},{region},{x + 350},{y},1000"]
    (folder / "dipoles.csv").write_text("\n".join(rows) + "\n")
    return folder


def test_it_has_no_faults_given_the_headers(folder):
    found = check([folder])
    assert [str(fault) for one in found for fault in one.faults] == []
    assert len(found) == len(list(CAMPAIGN.glob("*.toml")))


def test_nearly_all_of_its_cost_is_told_before_anything_ran(folder):
    costs = {one.path.stem: forecast(one.project) for one in check([folder])}
    lacking = {name for name, cost in costs.items() if cost.unknown}
    assert lacking == set()
    assert costs["pr_1"].particles == 900
    assert costs["pr_2"].particles == 7000
    assert costs["pr_eo"].particles == 17500
    assert costs["pr_eo_fine"].particles == 15000
    assert costs["pr_eo"].rotations > 2e7
    assert 4e11 < costs["crop_3"].disk_bytes < 6e11
    assert 1e9 < costs["pr_eo"].memory_bytes < 4e9


def test_eight_gpus_are_forecast_to_take_less_than_one(folder):
    (one,) = check([folder / "pr_eo.toml"])
    none, single, eight = (forecast(one.project, n_gpus=n) for n in (0, 1, 8))
    assert none.seconds > single.seconds > eight.seconds
    assert "was not measured" in " ".join(single.remarks)


def test_the_numbers_of_the_workshop_stand_in_it(folder):
    text = {path.stem: path.read_text() for path in folder.glob("*.toml")}
    assert re.findall(r"lowpass_fpx = (\d+)", text["pr_eo"]) == ["32"] * 3
    assert re.findall(r"lowpass_fpx = (\d+)", text["pr_eo_fine"]) == ["38"]
    assert re.findall(r"iterations = (\d)", text["pr_eo"]) == ["3"] * 3
    rounds = {name: text[name].split("[[rounds]]", 1)[1].split("[compute]")[0].rstrip() for name in ("pr_1", "pr_a")}
    assert rounds["pr_a"] == rounds["pr_1"]
    assert "radius_px = 87" in text["mask_eo"]
    assert "radius_px = 35" in text["mask_fsc"]
    assert "size_px = 192" in text["crop_3"]
    turns = re.findall(r"(cone|azimuth) = \{ range_deg = 0 \}", text["register"])
    assert (turns, "limits_xyz_px = [0, 0, 10]" in text["register"]) == (["cone", "azimuth"], True)
