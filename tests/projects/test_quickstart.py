"""projects/quickstart: killed at any moment and resumed, it ends with the bits of an undisturbed run."""

import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import engine
from engine.store import Store

PROJECTS = Path(__file__).resolve().parents[2] / "projects"
KILLS = 20


def smaller(folder):
    """The quickstart's one alignment with 24 particles, so that a step lasts about two seconds."""
    folder.mkdir()
    for name in ("phantom", "pr_1", "truth"):
        shutil.copy(PROJECTS / "quickstart" / f"{name}.toml", folder)
    phantom = folder / "phantom.toml"
    phantom.write_text(phantom.read_text().replace("= 120", "= 24", 1))
    assert "= 24" in phantom.read_text()
    return folder


def run(folder):
    command = [sys.executable, "-m", "engine", "run", str(folder)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def values(folder):
    """Every array that the campaign stored, by project, step and item."""
    found = {}
    for project in ("phantom", "pr_1", "truth"):
        store = Store(folder / project)
        for step in store.step_names():
            for item in store.items(step).values():
                value = store.read(step, item.path)
                if item.what == "table":
                    value = np.column_stack([value[name] for name in value])
                elif item.what == "curve":
                    value = np.column_stack(list(value.columns.values()))
                elif item.what == "particles":
                    value = np.stack([value.read(tag) for tag in value.tags])
                elif item.what == "spectra":
                    value = np.array(value.reach)  # there are none: the boxes are small
                elif item.what == "volume":
                    value = value.data
                found[project, step, item.path] = value
    return found


@pytest.mark.slow
def test_kill_9_at_twenty_random_moments_costs_nothing_but_time(tmp_path):
    undisturbed = smaller(tmp_path / "undisturbed")
    start = time.monotonic()
    assert run(undisturbed).wait() == 0
    whole = time.monotonic() - start
    killed = smaller(tmp_path / "killed")
    moments = random.Random(0)
    n_killed = 0
    while n_killed < KILLS:
        process = run(killed)
        time.sleep(moments.uniform(0.2, 0.6 * whole))
        process.send_signal(signal.SIGKILL)
        if process.wait() == 0:
            shutil.rmtree(killed / "pr_1")  # it was done before the signal came: begin the alignment again
        n_killed += 1
    assert run(killed).wait() == 0
    expected, found = values(undisturbed), values(killed)
    assert expected.keys() == found.keys()
    for place, value in expected.items():
        np.testing.assert_array_equal(found[place], value, err_msg=str(place))


def test_a_finished_campaign_has_nothing_to_do(quickstart):
    outcomes = engine.run([quickstart / "projects" / "quickstart"])
    assert [len(outcome.stored) for outcome in outcomes] == [0, 0, 0, 0, 0, 0]
    assert [len(outcome.kept) for outcome in outcomes] == [1, 5, 10, 1, 1, 1]


def test_the_halves_end_where_both_agree(quickstart):
    """Random phases do not agree, the two resolutions are those of 60 particles each: 10 to 13 A in these 120."""
    told = engine.query(f"{quickstart}/projects/quickstart/post_1:summary").value
    assert told["mask"] == "used"
    assert abs(told["FSC of random phases at the resolution"]) < 0.1
    assert 9 < told["final resolution (A)"] <= told["resolution at FSC 0.143, unmasked (A)"] < 14
    assert told["B-factor (A2)"] < 0
