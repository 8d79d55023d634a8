"""What of a Dynamo card becomes a table of its own: a second selection, a helix; and numbers that Dynamo takes otherwise."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import made_up_dynamo as made_up
import numpy as np
import pytest

from engine.address import parse
from engine.check import check
from engine.data import Volume
from engine.dynamo.explain import explain
from engine.dynamo.importing import Imported, import_dynamo
from engine.files import write_volume


def imported(folder: Path, **changes: Any) -> tuple[dict[str, Any], Imported]:
    """The only round's values, and what is said of the rest; the file has no faults."""
    made = import_dynamo(made_up.project(folder, **changes), folder / "engine" / "pr_0.toml")
    assert not check(made.path)[0].faults
    return tomllib.loads(made.path.read_text("utf-8"))["rounds"][0], made


def told(made: Imported, field: str) -> str:
    (reason,) = [one.reason for one in made.left if one.field == field]
    return reason


@pytest.mark.parametrize(
    ("modus", "value", "expected"),
    [
        (5.0, 0.9, {"rule": "best-fraction", "value": 0.9}),
        (31.0, 0.5, {"rule": "cc-above-mean-plus-std", "value": 0.5, "reject_from_alignment": True}),
        (4.0, 3.0, {"rule": "best-count", "value": 3}),
    ],
)
def test_the_second_threshold_is_the_second_selection(
    tmp_path: Path, modus: float, value: float, expected: dict[str, Any]
) -> None:
    values, made = imported(tmp_path, threshold2_modus_r1=modus, threshold2_r1=value)
    assert values["select_again"] == expected
    assert not [one for one in made.left if one.field.startswith("threshold2") and one.matters]


def test_a_second_threshold_that_is_off_is_no_table(tmp_path: Path) -> None:
    values, made = imported(tmp_path, threshold2_modus_r1=0.0, threshold2_r1=0.9)
    assert "select_again" not in values
    assert not [one for one in made.left if one.field.startswith("threshold2") and one.matters]


def test_a_second_threshold_that_cannot_be_is_told(tmp_path: Path) -> None:
    values, made = imported(tmp_path, threshold2_modus_r1=5.0, threshold2_r1=7.0)
    assert "select_again" not in values
    assert "select_again is left out" in told(made, "threshold2_r1")


@pytest.mark.parametrize(
    ("name", "turn_deg", "rise_px"),
    [("h60,5", 60, 5), ("h[60,5]", 60, 5), ("H[-22.03, 1.5]", -22.03, 1.5), ("h200,4", -160, 4), ("h60,-5", -60, 5)],
)
def test_a_helix_is_a_table(tmp_path: Path, name: str, turn_deg: float, rise_px: float) -> None:
    values, made = imported(tmp_path, sym_r1=name)
    assert values["symmetry"] == "C1"
    assert values["helix"]["turn_deg"] == pytest.approx(turn_deg)
    assert values["helix"]["rise_px"] == rise_px
    assert "compare both signs" in told(made, "sym_r1")


@pytest.mark.parametrize("name", ["h60,0", "h60", "h60,5,3,2", "hello"])
def test_what_is_no_helix_is_told(tmp_path: Path, name: str) -> None:
    values, made = imported(tmp_path, sym_r1=name)
    assert "helix" not in values
    assert 'symmetry is "C1"' in told(made, "sym_r1")


@pytest.mark.parametrize(("name", "group"), [("ico", "I1, I2, I3 or I4"), ("cbo", "O")])
def test_a_polyhedron_is_told_with_what_may_be_meant(tmp_path: Path, name: str, group: str) -> None:
    _, made = imported(tmp_path, sym_r1=name)
    assert f"write {group} where the axes fit" in told(made, "sym_r1")


def test_a_range_beyond_the_whole_is_the_whole(tmp_path: Path) -> None:
    values, made = imported(tmp_path, cone_range_r1=400.0, inplane_range_r1=720.0)
    assert (values["cone"]["range_deg"], values["azimuth"]["range_deg"]) == (360, 360)
    assert not [one for one in made.left if one.matters and "range" in one.field]


def test_numbers_between_bars_are_numbers(tmp_path: Path) -> None:
    values, _ = imported(tmp_path, low_r1=None, low="9|12")
    assert values["bandpass"]["lowpass_fpx"] == 9


def test_a_fourier_mask_without_a_template_is_told(tmp_path: Path) -> None:
    folder = made_up.project(tmp_path, file_template_initial="")
    (folder / "settings" / "template_initial_ref_001.em").unlink()
    write_volume(Volume(np.zeros((made_up.BOX,) * 3, np.float32)), folder / "settings" / "fmask_initial_ref_001.em")
    made = import_dynamo(folder, tmp_path / "engine" / "pr_0.toml")
    assert "there is none" in told(made, "file_fmask_initial")
    assert "fourier" not in tomllib.loads(made.path.read_text("utf-8"))["masks"]


@pytest.mark.parametrize(
    ("word", "key"),
    [
        ("thr2", "rounds.select_again.value"),
        ("threshold2_modus", "rounds.select_again.rule"),
        ("thr2m_r3", "rounds.select_again.rule"),
    ],
)
def test_the_second_threshold_is_explained(word: str, key: str) -> None:
    assert key in [one.key for one in explain(word)]
    assert all(one.key.startswith("rounds.select_again.") for one in explain(word))
    assert "rounds.select_again.value" not in [one.key for one in explain("thr")]


@pytest.mark.parametrize(
    "word", ["cone_freeze_reference", "limit_xy_check_peak", "rings_random", "convergence_type_r2", "dynamic_mask"]
)
def test_what_dynamo_does_not_document_is_known_as_such(word: str) -> None:
    (one,) = explain(word)
    assert "not documented by Dynamo" in one.meaning


@pytest.mark.parametrize(
    ("word", "item"), [("r", "starting_reference"), ("refined_table", "table"), ("eo_fsc", "fsc"), ("rt", "table")]
)
def test_dynamos_names_of_items_are_taken(word: str, item: str) -> None:
    assert parse(f"pr_1:{word}:ite=2").item == item
