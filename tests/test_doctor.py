"""The doctor: what is found of the machine, the folder and the locks, and what is broken."""

from __future__ import annotations

import errno
import json
import os
import re
from pathlib import Path

import pytest
from small_campaign import TRUTH, engine

from engine import doctor
from engine.devices import Card, Cards
from engine.store import Store
from engine.store.disk import Disk, using
from engine.store.trial import trial


@pytest.fixture(autouse=True)
def no_cards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "cards", lambda: None)


class Refusing(Disk):
    """A disk that lacks an operation."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __getattribute__(self, name: str) -> object:
        if name == object.__getattribute__(self, "name"):
            raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))
        return object.__getattribute__(self, name)


class Careless(Disk):
    """A disk on which two can create the same file."""

    def create(self, path: Path) -> int:
        return os.open(path, os.O_CREAT | os.O_RDWR, 0o644)


def test_a_sound_machine_has_a_line_for_each_thing_and_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "truth.toml").write_text(TRUTH)
    result = engine("doctor", "--json")
    assert result.exit_code == 0
    found = {(one["subject"], one["state"]): one for one in json.loads(result.stdout)}
    assert re.search(r"HDF5 \d+\.\d+\.\d+$", found["libraries", "ok"]["text"])
    assert "none are used" in found["GPUs", "ok"]["text"]
    assert any(subject == "compiled loops" for subject, _ in found)
    assert any(subject == "memory" for subject, _ in found)
    said = [one["text"] for one in json.loads(result.stdout) if one["subject"] == "."]
    assert said[0].startswith("can be written, flushed and renamed in")
    assert said[1].endswith("free")
    assert os.listdir(tmp_path) == ["truth.toml"]
    lines = engine("doctor").stdout.splitlines()
    assert lines[0].startswith("ok       engine: ")


def test_a_lock_is_held_or_left_by_the_dead(tmp_path: Path) -> None:
    (tmp_path / "truth.toml").write_text(TRUTH)
    store = Store(tmp_path / "truth")
    with store.lock():
        (held,) = (one for one in doctor.doctor([tmp_path]) if one.subject == "truth")
        assert (held.state, held.text.startswith(f"is being run by process {os.getpid()} on ")) == ("ok", True)
        left = next((tmp_path / "truth" / ".lock").iterdir()).read_bytes()
    assert not [one for one in doctor.doctor([tmp_path]) if one.subject == "truth"]
    dead = json.loads(left)
    dead["process_start"] += 1
    (tmp_path / "truth" / ".lock" / "00000001").write_text(json.dumps(dead) + "\n")
    (stale,) = (one for one in doctor.doctor([tmp_path]) if one.subject == "truth")
    assert stale.state == "warning"
    assert "takes it over" in stale.advice


@pytest.mark.parametrize(
    ("operation", "said"),
    [
        ("create", "cannot be written"),
        ("sync", "cannot write and flush (fsync)"),
        ("rename", "cannot rename over another"),
        ("sync_folder", "cannot flush the folder"),
    ],
)
def test_a_file_system_that_lacks_something_is_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, operation: str, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with using(Refusing(operation)):
        result = engine("doctor")
    assert result.exit_code == 1
    (line,) = [line for line in result.stdout.splitlines() if line.startswith("broken")]
    assert said in line
    assert os.strerror(errno.ENOTSUP) in line
    assert os.listdir(tmp_path) == []


def test_where_two_can_create_the_same_file_no_lock_holds(tmp_path: Path) -> None:
    assert not any(trial(tmp_path).values())
    with using(Careless()):
        assert trial(tmp_path)["create a file once only"] == "the same new file could be created twice"


def test_little_room_and_little_memory_are_warned_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "free_bytes", lambda folder: 5_000_000)
    monkeypatch.setattr(doctor, "available_bytes", lambda: 1_000_000_000)
    warned = [one for one in doctor.doctor([tmp_path]) if one.state == "warning" and one.bytes is not None]
    assert [(one.text, one.bytes) for one in warned] == [
        ("only 1.0 GB left", 1_000_000_000),
        ("only 0.0 GB free", 5_000_000),
    ]
    gone = list(doctor.doctor([tmp_path / "gone" / "x.toml"]))[-1]
    assert (gone.state, gone.text) == ("broken", "there is no such folder")


def test_cards_and_a_driver_that_is_too_old(monkeypatch: pytest.MonkeyPatch) -> None:
    card = Card(0, "H100", 70_000_000_000, 80_000_000_000)
    monkeypatch.setattr(doctor, "cards", lambda: Cards(12040, 12090, (card,)))
    cuda, gpu = doctor._gpus()
    assert (cuda.state, cuda.text) == ("ok", "CUDA 12.9, driver for 12.4")  # minor versions are compatible
    assert (gpu.subject, gpu.text) == ("GPU 0", "H100, 70.0 GB of 80.0 GB free")
    monkeypatch.setattr(doctor, "cards", lambda: Cards(12040, 13000, (card,)))
    assert next(doctor._gpus()).state == "warning"
    monkeypatch.setattr(doctor, "cards", lambda: Cards(problem="CUDARuntimeError: no driver"))
    (none,) = doctor._gpus()
    assert (none.state, "no driver" in none.text) == ("warning", True)


def test_the_file_system_is_that_of_the_deepest_mount(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mounts = tmp_path / "mounts"
    deep = tmp_path / "data" / "campaign"
    deep.mkdir(parents=True)
    mounts.write_text(
        f"1 0 8:1 / / rw - ext4 /dev/sda rw\n2 1 0:5 / {tmp_path}/data rw,relatime shared:2 - nfs4 host:/data rw\n"
    )
    monkeypatch.setattr(doctor, "MOUNTS", mounts)
    assert doctor._file_system(deep) == "nfs4"
    assert doctor._file_system(tmp_path) == "ext4"
    assert doctor._is_far("nfs4")
    assert not doctor._is_far("ext4")
