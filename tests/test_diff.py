"""What differs: settings by key, numbers, poses by tag, maps shell by shell."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from small_campaign import ALIGNMENT, engine, run

from engine.data import Table, Volume
from engine.diff import Pair, _maps, _poses, diff
from engine.faults import EngineError


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A campaign that has been run, with a second alignment of another band."""
    folder = tmp_path_factory.mktemp("done")
    (folder / "pr_2.toml").write_text(ALIGNMENT.replace("lowpass_fpx = 5", "lowpass_fpx = 4"))
    return run(folder)


def test_two_projects_differ_in_a_setting_and_in_what_came_of_it(done: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(done)
    found = diff("pr_1", "pr_2.toml")
    assert found.settings == [Pair("rounds.1.bandpass.lowpass_fpx", 5, 4)]
    assert "mean cc" in {pair.name for pair in found.numbers}
    assert all(pair.differs for pair in found.numbers)
    assert found.poses is not None
    assert (found.poses.common, found.poses.only_a, found.poses.only_b) == (6, 0, 0)
    assert found.maps is not None
    everything = diff("pr_1", "pr_2", everything=True)
    assert {"kind", "rounds.1.cone.step_deg"} <= {pair.name for pair in everything.settings}
    text = engine("diff", "pr_1", "pr_2").stdout
    assert "rounds.1.bandpass.lowpass_fpx  5     4" in text
    assert "poses of 6 tags in both: " in text
    assert json.loads(engine("diff", "pr_1", "pr_2", "--json").stdout)["settings"][0]["a"] == 5


def test_a_project_does_not_differ_from_itself(done: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(done)
    found = diff("pr_1", "pr_1")
    assert (found.settings, found.numbers, found.notes) == ([], [], [])
    assert found.poses is not None
    assert (found.poses.angle_deg, found.poses.shift) == (pytest.approx(0, abs=1e-6), 0)
    result = engine("diff", "pr_1", "truth")
    assert result.exit_code == 0
    assert "kind" in result.stdout


def test_results_are_compared_by_their_kind(done: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(done)
    start = diff("pr_1:table:ite=0", "pr_1:table:ite=1")
    assert start.poses is not None
    assert start.poses.common == 6
    assert start.poses.angle_deg is not None
    assert start.poses.angle_deg > 0
    assert diff("pr_1:average", "pr_2:average").maps is not None
    assert "mean cc" in {pair.name for pair in diff("pr_1:summary", "pr_2:summary").numbers}
    for a, b, said in (
        ("pr_1", "pr_2:table", "or in none"),
        ("pr_1:table", "pr_1:average", "a table and a volume"),
        ("pr_1:fsc", "pr_2:fsc", "a curve is not compared"),
        ("pr_1:table:ite=*", "pr_2:table:ite=*", "name one"),
        ("pr_1", "pr_9", "there is no such file"),
    ):
        with pytest.raises(EngineError, match=said):
            diff(a, b)


def test_poses_are_compared_tag_by_tag_in_angstrom_and_up_to_symmetry() -> None:
    a = Table.blank(3, apix=2.0, x=[10.0, 20.0, 30.0], dx=0.0, narot=0.0)
    b = Table.blank(4, apix=4.0, x=[6.0, 11.0, 16.0, 1.0], dx=-0.5, narot=60.0)
    found = _poses(a, b, "C1")
    assert (found.common, found.only_a, found.only_b) == (3, 0, 1)
    assert found.angle_deg == pytest.approx(60)
    assert (found.shift, found.shift_unit) == (pytest.approx(2), "A")  # 2 A, 2 A and 2 A
    assert _poses(a, b, "C6").angle_deg == pytest.approx(0, abs=1e-5)
    unknown = _poses(a, b.with_columns(apix=0.0), "C1")
    assert (unknown.shift, unknown.shift_unit) == (pytest.approx(9.5), "px")  # 4.5, 9.5 and 14.5 px
    assert _poses(a, Table.blank(2, tag=[8, 9]), "C1").angle_deg is None


def test_maps_of_other_boxes_or_pixels_are_not_compared() -> None:
    noise = np.random.default_rng(1).normal(size=(2, 16, 16, 16)).astype(np.float32)
    notes: list[str] = []
    same = _maps(Volume(noise[0], 2.0), Volume(noise[0], 2.0), notes)
    assert same is not None
    assert (same.at_half, same.at_0143, same.unit) == (4.0, 4.0, "A")  # to Nyquist
    other = _maps(Volume(noise[0], 0.0), Volume(noise[1], 0.0), notes)
    assert other is not None
    assert other.unit == "Fourier px"
    assert other.at_half < 3
    assert _maps(Volume(noise[0], 2.0), Volume(noise[0], 3.0), notes) is None
    assert _maps(Volume(noise[0], 2.0), Volume(noise[0][:8], 2.0), notes) is None
    assert [note[:7] for note in notes] == ["no FSC:"] * 2
