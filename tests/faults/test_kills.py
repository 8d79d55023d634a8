"""A campaign of the quickstart's size, killed at random times: what was stored stays, half steps are never shown."""

from __future__ import annotations

import os
import random
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from faults.results import stored

from engine.store import Store

QUICKSTART = Path(__file__).resolve().parents[2] / "projects" / "quickstart"
KILLS = 500 if os.environ.get("ENGINE_FAULTS") == "long" else 6

pytestmark = pytest.mark.slow


def written(folder: Path) -> Path:
    """The quickstart's projects; fewer particles, so that most of the time is spent between steps."""
    folder.mkdir(parents=True)
    for path in QUICKSTART.glob("*.toml"):
        shutil.copy(path, folder)
    text = (folder / "phantom.toml").read_text()
    (folder / "phantom.toml").write_text(re.sub(r"count +=\s*\d+", "count = 24", text))
    return folder


def command(folder: Path) -> list[str]:
    return [sys.executable, "-m", "engine", "run", str(folder), "--gpus", "none", "--workers", "2"]


def run(folder: Path) -> None:
    subprocess.run(command(folder), check=True, capture_output=True)


def stores(folder: Path) -> list[Store]:
    return [Store(path.with_suffix("")) for path in sorted(folder.glob("*.toml"))]


def announced(folder: Path) -> set[tuple[str, str]]:
    """(project, step) of all that a run has said is stored."""
    return {
        (store.folder.name, event["step"])
        for store in stores(folder)
        for event in store.events()
        if event["event"] == "StepStored"
    }


def shown(folder: Path) -> set[tuple[str, str]]:
    """(project, step) of all that is there; each is read whole."""
    found = set()
    for store in stores(folder):
        for name in store.step_names():
            assert store.damage(name) == "", f"{store.path(name)} is not whole"
            found.add((store.folder.name, name))
    return found


def test_kills_lose_no_stored_step_show_no_half_one_and_change_no_bit(tmp_path: Path) -> None:
    undisturbed = written(tmp_path / "undisturbed")
    run(undisturbed)
    start = time.monotonic()
    shutil.rmtree(undisturbed)
    run(written(undisturbed))
    takes_s = time.monotonic() - start
    expected, generator = stored(undisturbed), random.Random(13)
    n_kills = n_whole = n_steps = n_leftovers = 0
    while n_kills < KILLS:
        folder = written(tmp_path / "killed")
        before: set[tuple[str, str]] = set()
        while n_kills < KILLS:
            process = subprocess.Popen(
                command(folder), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True
            )
            try:
                _, complaint = process.communicate(timeout=generator.uniform(0.3, 0.6 * takes_s))
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
                n_kills += 1
            else:
                assert process.returncode == 0, complaint
                break
            there = shown(folder)
            assert before <= there
            assert announced(folder) <= there
            n_leftovers += len(list(folder.rglob("*.tmp")))
            before = there
        else:
            run(folder)
        assert stored(folder) == expected
        n_whole += 1
        n_steps += len(shown(folder))
        shutil.rmtree(folder)
    print(f"{n_kills} kills, {n_whole} campaigns to their ends, {n_steps} steps, {n_leftovers} half-written files left")
