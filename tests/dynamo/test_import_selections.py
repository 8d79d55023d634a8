"""import-dynamo carries the second selection, and particles' own Fourier masks."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import made_up_dynamo as made_up
import numpy as np
import pytest

from engine.check import check
from engine.data import Volume
from engine.dynamo.explain import explain
from engine.dynamo.importing import import_dynamo
from engine.files import read_table, write_table, write_volume


def imported(folder: Path, **changes: Any) -> tuple[dict[str, Any], dict[str, str]]:
    made = import_dynamo(made_up.project(folder, **changes), folder / "engine" / "pr_0.toml")
    assert not check(made.path)[0].faults
    return tomllib.loads(made.path.read_text("utf-8")), {one.field: one.reason for one in made.left}


@pytest.mark.parametrize(
    ("modus", "threshold", "expected"),
    [
        (2.0, 0.8, {"rule": "cc-above-mean-times", "value": 0.8}),
        (51.0, 0.5, {"rule": "best-fraction", "value": 0.5, "reject_from_alignment": True}),
    ],
)
def test_a_second_selection_is_carried(tmp_path: Path, modus: float, threshold: float, expected: Any) -> None:
    values, left = imported(tmp_path, threshold2_modus_r1=modus, threshold2_r1=threshold)
    assert values["rounds"][0]["select_again"] == expected
    assert not [field for field in left if field.startswith("threshold2")]


def test_without_its_rule_there_is_no_second_selection(tmp_path: Path) -> None:
    values, left = imported(tmp_path)
    assert "select_again" not in values["rounds"][0]
    assert left["threshold2_r1"] == "there is no second selection"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"threshold2_modus_r1": 34.0}, "threshold2_modus_r1"),
        ({"threshold2_modus_r1": 5.0, "threshold2_r1": 3.0}, "threshold2_r1"),
    ],
)
def test_a_second_selection_that_cannot_be_is_named(tmp_path: Path, changes: dict[str, float], field: str) -> None:
    values, left = imported(tmp_path, **changes)
    assert "select_again" not in values["rounds"][0]
    assert field in left


def test_their_names_lead_to_their_keys() -> None:
    for word, key in (
        ("thr2", "rounds.select_again.value"),
        ("threshold2_modus", "rounds.select_again.rule"),
        ("fmask", "masks.fourier"),
    ):
        assert key in {one.key for one in explain(word)}


def test_a_fourier_mask_of_no_template_is_named(tmp_path: Path) -> None:
    folder = made_up.project(tmp_path, file_template_initial=None)
    (folder / "settings" / "template_initial_ref_001.em").unlink()
    half = np.ones((made_up.BOX,) * 3, np.float32)
    half[:5] = 0
    write_volume(Volume(half), folder / "settings" / "fmask_initial_ref_001.em")
    made = import_dynamo(folder, tmp_path / "engine" / "pr_0.toml")
    assert "fourier" not in tomllib.loads(made.path.read_text("utf-8")).get("masks", {})
    assert "there is none" in {one.field: one.reason for one in made.left}["file_fmask_initial"]
    assert not check(made.path)[0].faults


def test_custom_masks_beside_the_particles_are_their_weights(tmp_path: Path) -> None:
    folder = made_up.project(tmp_path)
    place = folder / "settings" / "table_initial_ref_001.tbl"
    write_table(read_table(place).with_columns(ftype=5), place)
    for tag in range(1, 5):
        write_volume(Volume(np.ones((made_up.BOX,) * 3, np.float32)), tmp_path / "data" / f"pfmask_{tag:05d}.em")
    made = import_dynamo(folder, tmp_path / "engine" / "pr_0.toml")
    data = tomllib.loads(made.path.read_text("utf-8"))["data"]
    assert data["weights"] == data["particles"]
    assert not check(made.path)[0].faults
