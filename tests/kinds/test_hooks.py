"""Hooks: a function of the campaign's own goes over each iteration's average and table, and is part of the key."""

import sys
from pathlib import Path

import numpy as np
import pytest

import engine
from engine.check import check
from engine.faults import EngineError
from engine.plan import plan
from engine.project import load

TRUTH = """\
kind = "phantom"
[object]
blobs = 20
radius_px = 5
[boxes]
box_px = 20
count = 8
shift_px = 1
snr = 1
[start]
shift_error_px = 1
"""
PROJECT = """\
kind = "alignment"
[data]
particles = "truth:particles"
table = "truth:table"
template = "truth:template"
HALVES
[hooks]
after_iteration = "mine:change"
[[rounds]]
iterations = 2
cone = { range_deg = 0 }
azimuth = { range_deg = 0 }
shifts = { limits_xyz_px = [1, 1, 1] }
bandpass = { lowpass_fpx = 7 }
"""
MASKING = """\
import numpy as np


def change(average, table, at):
    z, y, x = np.indices(average.shape) - average.shape[0] // 2
    return average * (x**2 + y**2 + z**2 < 36), None
"""
EDITING = """\
import numpy as np


def change(average, table, at):
    if at.ite == 1:
        return None, table.with_columns(annotation=table["tag"] + 100 * at.round, aligned=(table["tag"] != 3))
"""


def campaign(folder: Path, hook: str | bytes | None, halves: str = "") -> Path:
    (folder / "truth.toml").write_text(TRUTH, "utf-8")
    (folder / "pr_1.toml").write_text(PROJECT.replace("HALVES", halves), "utf-8")
    if hook is not None:
        (folder / "mine.py").write_text(hook, "utf-8")
    return folder / "pr_1.toml"


def value(path: Path, rest: str):
    return engine.query(f"{path.parent}/pr_1:{rest}").value


def test_a_hook_masks_the_average_that_the_next_iteration_reads(tmp_path):
    path = campaign(tmp_path, MASKING)
    engine.run([tmp_path])
    z, y, x = np.indices((20, 20, 20)) - 10
    outside = x**2 + y**2 + z**2 >= 36
    for ite in (1, 2):
        assert not value(path, f"average:ite={ite}").data[outside].any()
    assert value(path, "average_raw:ite=1").data[outside].any()
    # C1: the symmetrised average is the average.
    np.testing.assert_array_equal(value(path, "as:ite=1").data, value(path, "a:ite=1").data)
    told = value(path, "summary:ite=1")
    assert told["hook"] == "mine:change"
    assert "refs/001/average" in told["hook changed"]
    assert "table" not in told["hook changed"]
    unhooked = tmp_path / "plain"
    unhooked.mkdir()
    other = campaign(unhooked, None)
    other.write_text(other.read_text("utf-8").replace('[hooks]\nafter_iteration = "mine:change"\n', ""), "utf-8")
    engine.run([unhooked])
    np.testing.assert_array_equal(value(path, "table:ite=1")["dx"], value(other, "table:ite=1")["dx"])
    assert (value(path, "table:ite=2")["cc"] != value(other, "table:ite=2")["cc"]).any()


def test_a_hook_edits_the_table_and_the_next_iteration_obeys(tmp_path):
    path = campaign(tmp_path, EDITING)
    engine.run([tmp_path])
    first, second = (value(path, f"table:ite={ite}") for ite in (1, 2))
    np.testing.assert_array_equal(first["annotation"], first["tag"] + 100)
    rows = {int(tag): row for row, tag in enumerate(first.tags)}
    assert first["aligned"].sum() == 7
    assert second["cc"][rows[3]] == first["cc"][rows[3]]
    assert second["aligned"][rows[3]] == 0
    assert value(path, "summary:ite=1")["hook changed"] == "table: aligned, annotation in 8 of 8 rows"
    assert value(path, "summary:ite=2")["hook changed"] == "nothing"
    log = "\n".join(str(event) for event in engine.query(f"{tmp_path}/pr_1:log").events)
    assert "hook mine:change" in log
    assert "table: aligned, annotation" in log


def test_it_runs_in_each_half_and_knows_in_which(tmp_path):
    text = "def change(average, table, at):\n    assert at.half in ('odd', 'even'), at\n"
    text += "    return None, table.with_columns(eig1=at.ite + (0.5 if at.half == 'odd' else 0))\n"
    path = campaign(tmp_path, text, 'halves = "parity"')
    engine.run([tmp_path])
    table = value(path, "table:ite=2")
    np.testing.assert_array_equal(table["eig1"], 2 + 0.5 * (table.tags % 2))


def test_the_source_is_part_of_the_key_and_resume_keeps_what_was_done(tmp_path):
    path = campaign(tmp_path, EDITING)
    engine.run([tmp_path])
    assert {one.state for one in plan(load(path))} == {"keep"}
    (outcome,) = [one for one in engine.run([tmp_path]) if one.project == "pr_1"]
    assert outcome.stored == ()
    (tmp_path / "mine.py").write_text(EDITING + "# changed\n", "utf-8")
    states = {one.step.name: (one.state, one.reason) for one in plan(load(path))}
    assert states["ite_0000"][0] == "keep"
    assert states["ite_0001"] == ("stale", "input hook (mine.py) changed")
    path.write_text(path.read_text("utf-8").replace("mine:change", "mine:other"), "utf-8")
    assert "hook" in {one.step.name: one.reason for one in plan(load(path))}["ite_0001"]


def failure(tmp_path: Path, hook: str) -> str:
    campaign(tmp_path, hook)
    with pytest.raises(EngineError) as error:
        engine.run([tmp_path])
    assert "\n" not in str(error.value)
    return str(error.value)


def test_an_error_in_a_hook_names_file_line_and_function(tmp_path):
    text = (
        "def helper(table):\n    return table['ccc']\n\n\ndef change(average, table, at):\n    return helper(table)\n"
    )
    assert failure(tmp_path, text) == (
        f"{tmp_path}/mine.py:2: the hook change failed: KeyError: 'ccc' (mend it, and run again)"
    )


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("return average[:10], table", "returned an average of shape (10, 20, 20), it was given (20, 20, 20)"),
        ("return average * float('nan'), table", "constant or holds voxels that are no numbers"),
        ("return 'no', table", "a str as the average"),
        ("return average", "returned a ndarray"),
        ("return average, table.where(table['tag'] > 2)", "a table with other rows"),
        ("return average, 3", "a int as the table"),
        ("return average, table.with_columns(averaged=0)", "no particle has averaged = 1"),
        ("average *= 2", "mine.py:2: the hook change failed: ValueError"),
        ("raise SystemExit(3)", "mine.py:2: the hook change failed: SystemExit: 3"),
        ("import nowhere_to_be_found", "ModuleNotFoundError"),
    ],
)
def test_what_cannot_take_the_place_of_an_average_or_a_table_is_one_error(tmp_path, body, words):
    assert words in failure(tmp_path, f"def change(average, table, at):\n    {body}\n")


def test_a_hook_is_read_from_the_campaign_folder_alone(tmp_path):
    (tmp_path / "beside.py").write_text("X = 1\n", "utf-8")
    before = list(sys.path), set(sys.modules)
    text = "import __future__\ndef change(average, table, at):\n    import beside\n"
    assert "mine.py:3: the hook change failed: ModuleNotFoundError" in failure(tmp_path, text)
    assert sys.path == before[0]
    assert not {name for name in set(sys.modules) - before[1] if "hook" in name or name in ("mine", "beside")}
    assert not list(tmp_path.rglob("__pycache__"))


def test_hooks_may_be_refused(tmp_path):
    campaign(tmp_path, EDITING)
    with pytest.raises(EngineError, match=r"hooks are refused, and there are some: pr_1 \(mine:change\)"):
        engine.run([tmp_path], hooks=False)
    assert not list(tmp_path.rglob("*.h5"))
    engine.run([tmp_path / "truth.toml"], hooks=False)


def checked(path: Path):
    (found,) = check([path])
    return found


def test_check_shows_a_hook_and_runs_nothing_of_it(tmp_path):
    path = campaign(tmp_path, "raise ValueError('never')\n" + EDITING)
    found = checked(path)
    assert found.faults == []
    assert found.notes[0] == "runs mine.py, function change, after each iteration (engine run --no-hooks refuses)"


@pytest.mark.parametrize(
    ("hook", "words"),
    [
        (None, "mine.py: no such file"),
        ("x = 1\n", "mine.py has no function change"),
        ("def chnage(average, table, at): pass\n", "it has chnage"),
        ("def change(average): pass\n", "line 1: change does not take (average, table, at)"),
        ("def change(average, table, at, *, more): pass\n", "does not take"),
        ("\ndef change(:\n", "mine.py: line 2: "),
    ],
)
def test_check_finds_what_is_wrong_with_a_hook(tmp_path, hook, words):
    (fault,) = checked(campaign(tmp_path, hook)).faults
    assert words in str(fault)
    assert fault.line == 8


def test_a_name_that_leaves_the_folder_is_a_fault(tmp_path):
    path = campaign(tmp_path, EDITING)
    for name in ("../mine:change", "mine", "a.b:change", "mine.py:change"):
        path.write_text(PROJECT.replace("HALVES", "").replace("mine:change", name), "utf-8")
        (fault,) = checked(path).faults
        assert fault.line == 8
        assert 'write "module:function"' in str(fault)


def test_the_command_line_refuses_and_fails_in_one_line(tmp_path):
    from typer.testing import CliRunner

    from engine.cli.commands import app

    campaign(tmp_path, "def change(average, table, at):\n    return 1 / 0\n")
    refused = CliRunner().invoke(app, ["run", str(tmp_path), "--no-hooks"])
    assert refused.exit_code == 1
    assert "hooks are refused" in refused.output
    failed = CliRunner().invoke(app, ["run", str(tmp_path)])
    assert failed.exit_code == 1
    assert "mine.py:2: the hook change failed: ZeroDivisionError" in failed.output
    assert "Traceback" not in failed.output
