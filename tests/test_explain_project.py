"""The values of a project, where each is from, and lengths in both units."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from engine.cli.commands import app
from engine.data import Volume
from engine.explain import Resolved, resolved
from engine.faults import EngineError, InvalidProject
from engine.files import write_volume
from engine.geometry.search import Search, n_rotations

PROJECT = """\
kind = "alignment"
[data]
particles = "boxes"
table = "t.csv"
pixel_size_A = 4
[[rounds]]
bandpass = { lowpass_fpx = 8 }
[[rounds]]
search = "grid"
cone = { range_deg = 40, step_deg = 10 }
shifts = { limits_xyz_px = [2, 3, 4] }
bandpass = { highpass_A = 64, lowpass_A = 16 }
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "boxes").mkdir()
    for tag in (1, 2):
        volume = Volume(np.random.default_rng(tag).normal(size=(32, 32, 32)).astype(np.float32), 4.0)
        write_volume(volume, tmp_path / "boxes" / f"particle_{tag:05d}.mrc")
    (tmp_path / "t.csv").write_text("tag,tdrot,tilt,narot\n1,0,0,0\n2,0,0,0\n", "utf-8")
    path = tmp_path / "pr_1.toml"
    path.write_text(PROJECT, "utf-8")
    return path


def told(found: Resolved) -> dict[str, tuple]:
    return {one.key: (one.value, one.line, one.other) for one in found.values}


def test_values_tell_their_line_or_that_they_are_defaults_and_the_other_unit(path: Path) -> None:
    found = resolved(path)
    assert (found.box_px, found.pixel_size_A, found.faults) == (32, 4.0, [])
    values = told(found)
    assert values["data.particles"] == ("boxes", 3, "")
    assert values["data.pixel_size_A"] == (4.0, 5, "")
    assert values["rounds.1.bandpass.lowpass_fpx"] == (8.0, 7, "16 A")
    assert values["rounds.1.bandpass.highpass_fpx"] == (2.0, 0, "64 A")
    assert values["rounds.2.bandpass.lowpass_A"] == (16.0, 12, "8 Fourier px")
    assert values["rounds.2.bandpass.highpass_A"] == (64.0, 12, "2 Fourier px")
    assert values["rounds.2.shifts.limits_xyz_px"] == ((2.0, 3.0, 4.0), 11, "[8, 12, 16] A")
    assert values["rounds.2.cone.step_deg"] == (10.0, 10, "")
    assert values["rounds.2.cone.flip"] == ("none", 0, "")
    assert "rounds.2.bandpass.highpass_fpx" not in values


def test_orientations_are_those_of_the_search(path: Path) -> None:
    assert resolved(path).orientations[2] == n_rotations(Search(40, 10, 30, 5), 4, 2)


def test_a_key_or_a_table_is_told_alone(path: Path) -> None:
    assert set(told(resolved(path, "rounds.2.cone"))) == {
        f"rounds.2.cone.{name}" for name in ("range_deg", "step_deg", "flip")
    }
    assert set(told(resolved(path, "[data]"))) == {
        f"data.{n}" for n in ("particles", "table", "halves", "pixel_size_A")
    }
    assert set(told(resolved(path, "step_deg"))) >= {"rounds.1.cone.step_deg", "rounds.2.azimuth.step_deg"}
    with pytest.raises(EngineError, match=r'did you mean "rounds\.2\.cone"'):
        resolved(path, "rounds.2.cones")


def test_what_cannot_be_read_is_a_fault_beside_the_values(path: Path) -> None:
    path.write_text(PROJECT.replace('"boxes"', '"boxen"'), "utf-8")
    found = resolved(path)
    assert (found.box_px, found.orientations, [fault.code for fault in found.faults]) == (0, {}, ["E201"])
    path.write_text(PROJECT.replace("table =", "tabel ="), "utf-8")
    with pytest.raises(InvalidProject):
        resolved(path)


def test_explain_tells_by_what_it_is_given(path: Path) -> None:
    run = CliRunner().invoke
    for name in (str(path), str(path.with_suffix(""))):
        line = next(one for one in run(app, ["explain", name]).stdout.split("\n") if "lowpass_fpx" in one)
        assert line.split() == ["rounds.1.bandpass.lowpass_fpx", "8", "=", "16", "A", "line", "7"]
    assert "cone.range_deg" in run(app, ["explain", "cr"]).stdout
    values = json.loads(run(app, ["explain", str(path), "data", "--json"]).stdout)["values"]
    assert values[0] == {"key": "data.particles", "value": "boxes", "line": 3, "other": ""}
    absent = run(app, ["explain", "absent.toml"])
    assert (absent.exit_code, absent.stderr.count("\n")) == (1, 1)
