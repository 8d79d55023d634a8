"""A Dynamo project becomes a project of the engine, and nothing of its card is lost without a word."""

from __future__ import annotations

import json
import struct
import tomllib
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import made_up_dynamo as made_up
import numpy as np
import pytest
from scipy.io import loadmat, savemat
from scipy.io.matlab import MatlabObject
from typer.testing import CliRunner

from engine.check import check
from engine.cli.commands import app
from engine.data import Volume
from engine.dynamo.card import Entry, read_card
from engine.dynamo.importing import Imported, import_dynamo, translated
from engine.dynamo.rounds import ROUND_KEYS, round_of
from engine.faults import EngineError
from engine.files import write_volume
from engine.project import read


def imported(folder: Path, **changes: Any) -> tuple[dict[str, Any], Imported]:
    """The TOML's values, and what is said of the rest."""
    made = import_dynamo(made_up.project(folder, **changes), folder / "engine" / "pr_0.toml")
    return tomllib.loads(made.path.read_text("utf-8")), made


def reasons(made: Imported, *, matters: bool = True) -> dict[str, str]:
    return {one.field: one.reason for one in made.left if one.matters == matters}


def test_a_fresh_project_is_carried_whole_and_passes_check(tmp_path: Path) -> None:
    values, made = imported(tmp_path, apix=2.7)
    (one,) = check(made.path)
    assert not one.faults
    assert one.project is not None
    assert reasons(made) == {}
    assert values["data"] == {
        "particles": "../data",
        "table": "../pr_0/settings/table_initial_ref_001.tbl",
        "template": "../pr_0/settings/template_initial_ref_001.em",
        "pixel_size_A": 2.7,
    }
    assert values["masks"] == {"alignment": "../pr_0/settings/mask.em", "fsc": "../pr_0/settings/smoothing.em"}
    assert values["compute"] == {"workers": 2, "gpus": [0, 1]}
    assert values["rounds"] == [
        {
            "iterations": 3,
            "cone": {"range_deg": 360, "step_deg": 45, "flip": "none"},
            "azimuth": {"range_deg": 360, "step_deg": 45, "flip": "none"},
            "search": "fast",
            "refine": {"levels": 5, "factor": 2},
            "shifts": {"limits_xyz_px": [4, 4, 4], "origin": "box-centre"},
            "bandpass": {"highpass_fpx": 2, "lowpass_fpx": 10},
            "symmetry": "C1",
            "separation_px": 0,
            "select": {"rule": "all", "value": 0.2},
        }
    ]


def test_every_field_is_carried_or_named(tmp_path: Path) -> None:
    folder = made_up.project(tmp_path, ite_r2=2.0, odd_one_r2=5.0)
    made = import_dynamo(folder, tmp_path / "engine" / "pr_0.toml")
    carried = {
        "data",
        "table",
        "template",
        "mask",
        "smask",
        "fmask",
        "cores",
        "gpus",
        "dst",
        "name_project",
        *ROUND_KEYS,
    }
    named = {one.field for one in made.left}
    for entry in read_card(folder).entries:
        skipped = f"*_r{entry.round_number}" in named
        assert entry.name in carried or entry.field in named or skipped, entry.field


def test_short_names_and_numbers_of_choices_are_understood(tmp_path: Path) -> None:
    shorts = {"cr": 20.0, "cs": 5.0, "ir": 30.0, "is": 5.0, "cf": 2.0, "if": 1.0}
    longs = ("cone_range", "cone_sampling", "cone_flip", "inplane_range", "inplane_sampling", "inplane_flip")
    changes: dict[str, Any] = {f"{name}_r2": value for name, value in shorts.items()}
    changes |= {f"{name}_r2": None for name in longs}
    changes |= {"area_search_r2": 6.0, "area_search_modus_r2": 2.0, "sym_r2": "c6", "ite_r2": 2.0}
    changes |= {"threshold_modus_r2": 51.0, "threshold_r2": 0.9, "separation_in_tomogram_r2": 4.0}
    values, _ = imported(tmp_path, **changes)
    second = values["rounds"][1]
    assert second["cone"] == {"range_deg": 20, "step_deg": 5, "flip": "every-level"}
    assert second["azimuth"] == {"range_deg": 30, "step_deg": 5, "flip": "first-level"}
    assert second["shifts"] == {"limits_xyz_px": [6, 6, 6], "origin": "last-iteration"}
    assert second["symmetry"] == "C6"
    assert second["separation_px"] == 4
    assert second["select"] == {"rule": "best-fraction", "value": 0.9, "reject_from_alignment": True}


def test_a_list_without_a_round_is_one_value_for_each(tmp_path: Path) -> None:
    listed = {"ite": np.array([4.0, 5.0]), "sym": "c1|c8", "lim": np.array([3.0, 4.0, 5.0])}
    gone = {f"{name}_r{number}": None for name in ("ite", "sym", "area_search") for number in (1, 2)}
    values, _ = imported(tmp_path, **listed, **gone)
    assert [one["iterations"] for one in values["rounds"]] == [4, 5]
    assert [one["symmetry"] for one in values["rounds"]] == ["C1", "C8"]
    assert values["rounds"][0]["shifts"]["limits_xyz_px"] == [3, 4, 5]


def test_a_search_that_is_left_out_needs_no_step(tmp_path: Path) -> None:
    values, made = imported(tmp_path, cone_range_r1=0.0, cone_sampling_r1=0.0)
    assert values["rounds"][0]["cone"] == {"range_deg": 0, "flip": "none"}
    assert not [one for one in made.left if one.field == "cone_sampling_r1"]
    assert not check(made.path)[0].faults


@pytest.mark.parametrize(
    ("changes", "field", "reason", "where", "written"),
    [
        ({"sym_r1": "ico"}, "sym_r1", 'symmetry is "C1"', ("symmetry",), None),
        ({"cone_sampling_r1": 300.0}, "cone_sampling_r1", "at most 180", ("cone", "step_deg"), None),
        ({"cone_range_r1": 20.0, "cone_sampling_r1": 15.0}, "cone_sampling_r1", "10", ("cone", "step_deg"), 10),
        ({"low_r1": 40.0, "dim_r1": None}, "low_r1", "Nyquist", ("bandpass", "lowpass_fpx"), 12),
        ({"low_r1": np.nan}, "low_r1", "finite", ("bandpass", "lowpass_fpx"), 12),
        ({"low_r1": None}, "low_r1", "not in the card", ("bandpass", "lowpass_fpx"), 12),
        ({"area_search_r1": 12.0}, "area_search_r1", "reaches out", ("shifts", "limits_xyz_px"), [11, 11, 11]),
        ({"area_search_r1": np.array([1.0, 2.0])}, "area_search_r1", "nothing that", ("shifts", "limits_xyz_px"), None),
        ({"area_search_modus_r1": 7.0}, "area_search_modus_r1", "nothing that", ("shifts", "origin"), None),
        ({"threshold_modus_r1": 5.0, "threshold_r1": 3.0}, "threshold_r1", "all are averaged", ("select",), None),
        ({"low_r1": 11.0, "dim_r1": None, "dim": 16.0}, "low_r1", "no more than 8", ("bandpass", "lowpass_fpx"), 8),
        ({"threshold_modus_r1": 34.0}, "threshold_modus_r1", "nothing that", ("select", "rule"), None),
        ({"threshold_modus_r1": 61.0}, "threshold_modus_r1", "nothing that", ("select", "rule"), None),
        ({"refine_r1": 2.5}, "refine_r1", "whole number", ("refine", "levels"), None),
    ],
)
def test_what_the_engine_does_not_take_is_named_and_the_rest_passes_check(
    tmp_path: Path, changes: dict[str, Any], field: str, reason: str, where: tuple[str, ...], written: Any
) -> None:
    values, made = imported(tmp_path, **changes)
    assert any(reason in one.reason for one in made.left if one.field == field)
    value = values["rounds"][0]
    for part in where:
        value = value.get(part) if value else None
    assert value == written
    assert not check(made.path)[0].faults


@pytest.mark.parametrize(
    ("changes", "field", "reason"),
    [
        ({"mra_r1": 1.0}, "mra_r1", "one reference is carried over"),
        ({"nref_r1": 2.0}, "nref_r1", "one reference is carried over"),
        ({"plugin_post_r1": 1.0}, "plugin_post_r1", "MATLAB plugins"),
        ({"adaptive_bandpass": 1.0}, "adaptive_bandpass", "data.halves"),
        ({"never_heard_r1": 3.0}, "never_heard_r1", "no such parameter"),
        ({"cr_r1": 90.0}, "cr_r1", "cone_range_r1 says 360"),
    ],
)
def test_what_would_change_the_answer_is_told_apart(
    tmp_path: Path, changes: dict[str, Any], field: str, reason: str
) -> None:
    _, made = imported(tmp_path, **changes)
    assert reason in reasons(made)[field]
    assert any(field in line for line in made.path.read_text("utf-8").splitlines() if line.startswith("#"))


def test_a_fourier_mask_counts_only_where_it_masks(tmp_path: Path) -> None:
    folder = made_up.project(tmp_path)
    half = np.ones((made_up.BOX,) * 3, np.float32)
    half[:5] = 0
    write_volume(Volume(half), folder / "settings" / "fmask_initial_ref_001.em")
    made = import_dynamo(folder, tmp_path / "engine" / "pr_0")
    assert "file_fmask_initial" not in reasons(made)
    masks = tomllib.loads(made.path.read_text("utf-8"))["masks"]
    assert masks["fourier"] == "../pr_0/settings/fmask_initial_ref_001.em"
    assert not check(made.path)[0].faults


def test_data_that_are_gone_are_named_and_found_by_check(tmp_path: Path) -> None:
    values, made = imported(tmp_path, folder_data="/gone/elsewhere/particles_b4", file_mask="/gone/mask_9.em")
    assert "put the path into the file" in reasons(made)["folder_data"]
    assert "was found by its end" in reasons(made, matters=False)["file_table_initial"]
    assert "a ball that fills the box" in reasons(made)["file_mask"]
    assert values["data"]["particles"] == "../pr_0/particles_b4"
    assert "alignment" not in values["masks"]
    assert [fault.key for fault in check(made.path)[0].faults] == [("data", "particles")]


def test_a_destination_without_gpu_is_the_cpu(tmp_path: Path) -> None:
    values, _ = imported(tmp_path, destination="matlab_parfor")
    assert values["compute"]["gpus"] == []


def test_dynamos_placeholder_is_no_pixel_size(tmp_path: Path) -> None:
    values, made = imported(tmp_path)
    assert "pixel_size_A" not in values["data"]
    assert "2.7 A, which is taken" in reasons(made, matters=False)["apix"]


def test_a_card_without_rounds_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="no round with iterations"):
        imported(tmp_path, ite_r1=0.0)


def test_any_value_in_any_field_gives_a_project_of_the_right_form(tmp_path: Path) -> None:
    odd = [None, 0, 1, -1, 2.5, 1e9, np.nan, np.inf, "", "c6", "x|y", (), (1, 2), (1, -2, 3), ("c1", "c2"), 41, 5]
    generator = np.random.default_rng(11)
    folder = made_up.project(tmp_path)
    whole = read_card(folder)
    for number in range(200):
        entries = [entry for entry in whole.entries if entry.round_number in (None, 1)]
        for at in generator.integers(0, len(entries), 6):
            value = odd[generator.integers(len(odd))]
            if entries[at].name not in ("ite", "data", "table"):
                entries[at] = replace(entries[at], value=value if value is not None else "")
        gone = {entries[at].field for at in generator.integers(0, len(entries), 3)} - {"ite_r1"}
        card = replace(whole, entries=tuple(entry for entry in entries if entry.field not in gone))
        path = tmp_path / f"pr_{number}_.toml"
        text, *_ = translated(card, path)
        path.write_text(text, "utf-8")
        project, faults = read(path)
        assert not faults
        assert project is not None


def test_a_default_limit_that_the_box_does_not_hold_is_cut() -> None:
    given = {"ite": Entry("ite_r1", "ite", 1, 2), "low": Entry("low_r1", "low", 1, 4)}
    assert round_of(given, 16, [])["shifts"]["limits_xyz_px"] == [7, 7, 7]


def test_nothing_in_a_card_leaves_its_comment(tmp_path: Path) -> None:
    values, made = imported(tmp_path, note='x\n[data]\n"\x1b[31m\u2028', sym_r1='c1"\n[evil]')
    assert "evil" not in values
    text = made.path.read_text("utf-8")
    assert text.splitlines() == text.split("\n")[:-1]
    assert "\x1b" not in text


def test_results_never_fall_into_dynamos_folder_and_no_file_is_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = made_up.project(tmp_path)
    monkeypatch.chdir(tmp_path)
    made = import_dynamo(folder)
    assert made.path == Path("pr_0_engine.toml")
    with pytest.raises(EngineError, match="Dynamo's own folder"):
        import_dynamo(folder, tmp_path / "pr_0.toml")
    with pytest.raises(EngineError, match="is there already"):
        import_dynamo(folder)


def test_the_command_tells_what_is_left_in_words_and_in_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = made_up.project(tmp_path, mra_r1=1.0)
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["import-dynamo", str(folder)], catch_exceptions=False)
    assert done.exit_code == 0
    assert "pr_0_engine.toml written, 1 round\n" in done.stdout
    assert "  mra_r1 = 1: one reference is carried over" in done.stdout
    assert done.stdout.endswith("Then: engine check pr_0_engine.toml\n")
    done = CliRunner().invoke(app, ["import-dynamo", f"{folder}/settings/virtual_project.mat", "-o", "b", "--json"])
    told = json.loads(done.stdout)
    assert told["path"] == "b.toml"
    assert told["left"][0]["field"] == "mra_r1"
    assert told["left"][0]["matters"] is True


def write_card(folder: Path, content: bytes) -> Path:
    path = folder / "virtual_project.mat"
    path.write_bytes(content)
    return path


def packed(size: int) -> bytes:
    """A .mat whose one element unpacks to so many bytes of nothing."""
    content = zlib.compress(bytes(size), 9)
    return b"MATLAB 5.0".ljust(124) + b"\x00\x01IM" + struct.pack("<II", 15, len(content)) + content


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty or far larger"),
        (b"ite = 3\n" * 40, "no MATLAB file of version 5 to 7"),
        (b"MATLAB 7.3 MAT-file".ljust(512), "version 7.3"),
        (b"\x89HDF\r\n\x1a\n".ljust(512), "version 7.3"),
        (packed(80 << 20), "unpacks to far more"),
        (packed(1000), "virtual_project.mat"),
    ],
)
def test_what_is_no_card_is_one_error(tmp_path: Path, content: bytes, reason: str) -> None:
    with pytest.raises(EngineError, match=reason):
        read_card(write_card(tmp_path, content))


def test_a_mat_of_something_else_is_one_error(tmp_path: Path) -> None:
    path = tmp_path / "virtual_project.mat"
    for variables, reason in (
        ({"vpr": {"a": 1}}, "no variable card, only vpr"),
        ({"card": np.zeros(3)}, "not one struct"),
        ({"card": MatlabObject(np.zeros((1, 1), dtype=[("ite_r1", "O")]), "dpkproject")}, "object of a class"),
    ):
        savemat(path, variables)
        with pytest.raises(EngineError, match=reason):
            read_card(path)
    with pytest.raises(EngineError, match="is no Dynamo project"):
        read_card(tmp_path)
    with pytest.raises(EngineError, match="no such file"):
        read_card(tmp_path / "absent.mat")


def test_a_damaged_card_is_an_error_or_another_card_never_a_traceback(tmp_path: Path) -> None:
    path = made_up.project(tmp_path) / "settings" / "virtual_project.mat"
    savemat(path, {"card": loadmat(path, simplify_cells=True)["card"]}, do_compression=True)
    whole = path.read_bytes()
    generator = np.random.default_rng(5)
    for number in range(150):
        damaged = bytearray(whole[: generator.integers(100, len(whole))] if number % 2 else whole)
        for at in generator.integers(0, len(damaged), 3):
            damaged[at] = generator.integers(256)
        path.write_bytes(damaged)
        output = tmp_path / "engine" / f"pr_{number}"
        try:
            made = import_dynamo(path, output)
        except EngineError:
            continue
        tomllib.loads(made.path.read_text("utf-8"))
