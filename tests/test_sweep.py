"""Sweeps: the files that are written, what is refused before any is, and runs that go on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from small_campaign import ALIGNMENT, TRUTH, engine, written

from engine.faults import EngineError
from engine.sweep import variants, write

KEY = "rounds.*.bandpass.lowpass_fpx"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return written(tmp_path)


def test_every_combination_is_a_file_beside_the_project_that_differs_in_its_settings_alone(folder: Path) -> None:
    base = folder / "pr_1.toml"
    base.write_text(ALIGNMENT.replace("lowpass_fpx = 5 }", "lowpass_fpx = 5 } # of the band"))
    found = variants(base, [f"{KEY}=4,5", "rounds.1.symmetry=C1,C2", "compute.seed=7"])
    assert [one.name for one in found] == [f"pr_1_sweep_00{number}" for number in (1, 2, 3, 4)]
    assert [tuple(one.settings.values()) for one in found] == [(4, "C1", 7), (4, "C2", 7), (5, "C1", 7), (5, "C2", 7)]
    write(found)
    text = (folder / "pr_1_sweep_002.toml").read_text()
    assert "lowpass_fpx = 4 } # of the band" in text
    assert 'symmetry = "C2"' in text
    assert text.endswith("[compute]\nseed = 7\n")
    assert base.read_text() == ALIGNMENT.replace("lowpass_fpx = 5 }", "lowpass_fpx = 5 } # of the band")


def test_a_combination_keeps_its_number_and_nothing_is_ever_replaced(folder: Path) -> None:
    base = folder / "pr_1.toml"
    write(variants(base, [f"{KEY}=4,5"]))
    again = variants(base, [f"{KEY}=3,5,4"])
    assert [(one.name, one.is_new) for one in again] == [
        ("pr_1_sweep_003", True),
        ("pr_1_sweep_002", False),
        ("pr_1_sweep_001", False),
    ]
    base.write_text(ALIGNMENT.replace("iterations = 1", "iterations = 2"))
    (folder / "pr_1_sweep_007").mkdir()  # results whose file is gone
    assert [one.name for one in variants(base, [f"{KEY}=4"])] == ["pr_1_sweep_008"]


@pytest.mark.parametrize(
    ("sets", "said"),
    [
        ([], "--set is missing"),
        (["symmetry"], "write KEY=VALUE,VALUE"),
        (["rounds.3.symmetry=C1"], "'3' is none of 1"),
        (["rounds.0.symmetry=C1"], "'0' is none of 1"),
        (["filters.*.by=cc"], "the project has no filters"),
        (["data.template.x=1"], "no table"),
        ([f"compute.seed={','.join(map(str, range(1000)))}"], "at most 999"),
    ],
)
def test_what_cannot_be_varied_is_said(folder: Path, sets: list[str], said: str) -> None:
    with pytest.raises(EngineError, match=said):
        variants(folder / "pr_1.toml", sets)


def test_with_a_fault_in_any_nothing_is_written(folder: Path) -> None:
    before = sorted(path.name for path in folder.iterdir())
    result = engine("sweep", "pr_1.toml", "--set", f"{KEY}=4,wide")
    assert result.exit_code == 2
    assert "nothing was written or run" in result.stderr
    assert "pr_1_sweep_002: must be a number" in result.stderr
    assert engine("sweep", "pr_1.toml", "--set", "rounds.1.lowpass=4").exit_code == 2
    assert sorted(path.name for path in folder.iterdir()) == before
    result = engine("sweep", "pr_1.toml", "--plan", "--set", f"{KEY}=4,5")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[1].split() == ["pr_1_sweep_001", "4", "new"]
    assert sorted(path.name for path in folder.iterdir()) == before


def test_a_sweep_is_run_compared_and_goes_on(folder: Path) -> None:
    assert engine("run", "truth.toml", "--gpus", "none").exit_code == 0
    (folder / "pr_1.toml").write_text(f"{ALIGNMENT}[compute]\ngpus = []\n")
    words = ("sweep", "pr_1.toml", "--set", f"{KEY}=4,5")
    result = engine(*words)
    assert result.exit_code == 0, result.output
    rows = [line.split() for line in result.stdout.splitlines()[-3:]]
    assert rows[0][:2] == ["project", KEY]
    assert [row[:2] for row in rows[1:]] == [["pr_1_sweep_001", "4"], ["pr_1_sweep_002", "5"]]
    stored = {path: path.stat().st_mtime_ns for path in folder.rglob("*.h5")}
    again = json.loads(engine(*words, "--json").stdout)
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*.h5")} == stored
    assert [(one["n_done"], one["n_steps"], one["averaged"]) for one in again] == [(2, 2, 6), (2, 2, 6)]
    assert again[0]["mean_cc"] != again[1]["mean_cc"]
    assert float(rows[1][2]) == pytest.approx(again[0]["mean_cc"], rel=1e-4)


def test_ctrl_c_names_the_sweep_to_go_on_with(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from importlib import import_module

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(import_module("engine.run"), "run", interrupted)
    (folder / "truth.toml").write_text(TRUTH)
    result = engine("sweep", "truth.toml", "--set", "boxes.count=6,7", "--workers", "2")
    assert result.exit_code == 4
    assert "engine sweep truth.toml --set boxes.count=6,7 --workers 2\n" in result.stderr
