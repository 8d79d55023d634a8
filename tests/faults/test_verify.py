"""Bit rot and foreign edits: `verify` finds each, no run uses what is damaged, and what is made again has the same bits."""

from __future__ import annotations

import errno
import io
import os
import random
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
import small_campaign
from faults.sealing import changed

import engine
from engine.faults import EngineError
from engine.store import Store, sealed
from engine.verify import verify

FLIPS = 1000 if os.environ.get("ENGINE_FAULTS") == "long" else 60


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_campaign.run(tmp_path_factory.mktemp("ran"))


@pytest.fixture
def folder(ran: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(ran, tmp_path / "copy"))


def flipped(path: Path, generator: random.Random) -> None:
    content = bytearray(path.read_bytes())
    content[generator.randrange(len(content))] ^= 1 << generator.randrange(8)
    path.write_bytes(content)


def damaged(folder: Path) -> list[Path]:
    return [one.path for project in verify([folder]) for one in project.findings if one.manner == "damaged"]


def problem_of_run(folder: Path) -> str:
    """The line that a run ends with; empty when it comes to its end."""
    try:
        engine.run([folder], workers=1, gpus=())
    except EngineError as error:
        return str(error)
    return ""


def test_what_is_whole_is_said_to_be(folder: Path) -> None:
    assert damaged(folder) == []
    result = small_campaign.engine("verify", str(folder))
    assert result.exit_code == 0
    assert "truth: 1 step, " in result.output
    assert result.output.count("nothing is damaged") == 2


def test_every_flipped_bit_is_found_and_none_is_used(folder: Path) -> None:
    """A run that needs a damaged step says so, or makes it anew; it never ends with other bits than before."""
    generator = random.Random(11)
    files = sorted(folder.rglob("*.h5"))
    sizes = [path.stat().st_size for path in files]
    whole = {path: path.read_bytes() for path in files}
    last = Store(folder / "pr_1").read("ite_0001", "table")
    for number in range(FLIPS):
        path = generator.choices(files, sizes)[0] if number % 2 else generator.choice(files)
        flipped(path, generator)
        assert damaged(folder) == [path]
        if number % 20 == 0 and path.parent.name == "truth":
            shutil.rmtree(folder / "pr_1")
            said = problem_of_run(folder)
            assert str(path) in said if said else Store(folder / "pr_1").read("ite_0001", "table").equals(last)
            shutil.rmtree(folder / "pr_1", ignore_errors=True)
            (folder / "pr_1").mkdir()
        for other, content in whole.items():
            other.write_bytes(content)
    assert damaged(folder) == []


def test_a_damaged_step_is_told_set_aside_and_made_anew_and_its_readers_are_kept(folder: Path) -> None:
    path = folder / "truth" / "phantom.h5"
    before = Store(folder / "truth").read("phantom", "particles").read(1)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    result = small_campaign.engine("verify", str(folder))
    assert result.exit_code == 1
    assert "phantom: damaged: values of particles do not match their checksum" in result.output
    assert f"engine verify --mend {folder}; then engine run {folder}" in result.stderr
    result = small_campaign.engine("verify", "--mend", str(folder))
    assert result.exit_code == 0, result.output
    assert "set aside as" in result.output
    assert path.with_name("phantom.h5.damaged_1").read_bytes() == content
    outcomes = {one.project: one for one in engine.run([folder], workers=1, gpus=())}
    assert outcomes["truth"].stored == ("phantom",)
    assert outcomes["pr_1"].stored == ()
    assert np.array_equal(Store(folder / "truth").read("phantom", "particles").read(1), before)


def test_a_file_that_another_program_wrote_to_is_found(folder: Path) -> None:
    path = folder / "pr_1" / "ite_0001.h5"
    with h5py.File(path, "r+") as file:
        file["table"].attrs["note"] = "mine"
    assert damaged(folder) == [path]


def test_what_a_newer_engine_wrote_is_no_damage_and_is_never_set_aside(folder: Path) -> None:
    path = folder / "pr_1" / "ite_0001.h5"
    with changed(path) as file:
        file.attrs["layout"] = 4
    content = path.read_bytes()
    result = small_campaign.engine("verify", "--mend", str(folder))
    assert result.exit_code == 1
    assert "pr_1: 2 steps, " in result.output
    assert "not all could be read" in result.output
    assert (
        "ite_0001: unread: layout 4 is newer than this engine, which reads up to 3 (update the engine)" in result.output
    )
    assert "--mend" not in result.stderr
    assert path.read_bytes() == content
    with pytest.raises(EngineError, match="layout 4 is newer"):
        Store(folder / "pr_1").read("ite_0001", "average")


class Failing(io.FileIO):
    """A file of which the disk hands out what is read first, the seal and HDF5's own; of later reads nothing."""

    def readinto(self, buffer: object) -> int:
        if len(memoryview(buffer)) > 4096:
            raise OSError(errno.EIO, "Input/output error")
        return super().readinto(buffer)


@pytest.mark.parametrize("is_of_values", [False, True])
def test_what_the_disk_does_not_hand_out_is_no_damage(
    folder: Path, monkeypatch: pytest.MonkeyPatch, is_of_values: bool
) -> None:
    pread = os.pread

    def refused(handle: int, n_bytes: int, offset: int) -> bytes:
        if offset:  # of locks the beginning is read
            raise OSError(errno.EIO, "Input/output error")
        return pread(handle, n_bytes, offset)

    if is_of_values:
        monkeypatch.setattr(sealed.io, "FileIO", Failing)
    else:
        monkeypatch.setattr(sealed.os, "pread", refused)
    findings = [one for project in verify([folder], mend=True) for one in project.findings]
    assert {one.manner for one in findings} == {"unread"}
    assert "cannot be read: Input/output error (" in findings[0].what
    assert not list(folder.rglob("*.damaged_*"))


def test_a_file_that_is_no_step_is_told_to_be_none(folder: Path) -> None:
    (folder / "pr_1" / "notes.h5").write_bytes(b"mine")
    [finding] = [one for project in verify([folder]) for one in project.findings]
    assert (finding.manner, finding.what.partition("; ")[2]) == ("damaged", "no step of the project as it now stands")


def test_settings_that_were_changed_under_a_true_seal_are_found(folder: Path) -> None:
    path = folder / "pr_1" / "ite_0001.h5"
    with changed(path) as file:
        text = file.attrs["settings"].decode()
        assert '"lowpass_fpx": 5.0' in text
        file.attrs["settings"] = np.bytes_(text.replace('"lowpass_fpx": 5.0', '"lowpass_fpx": 4.0').encode())
    assert [one.what for project in verify([folder]) for one in project.findings] == [
        "its key is not that of the settings and inputs that stand in it"
    ]


def test_steps_of_former_settings_are_told_and_are_no_damage(folder: Path) -> None:
    text = (folder / "pr_1.toml").read_text()
    (folder / "pr_1.toml").write_text(text.replace("lowpass_fpx = 5", "lowpass_fpx = 4"))
    found = {one.project: one for one in verify([folder])}
    assert [(one.step, one.manner) for one in found["pr_1"].findings] == [("ite_0001", "stale")]
    (folder / "pr_1.toml").write_text(text.replace("iterations = 1", "iterations = 2"))
    engine.run([folder], workers=1, gpus=(), redo=["stale"])
    (folder / "pr_1.toml").write_text(text)
    found = {one.project: one for one in verify([folder])}
    told = {(one.step, one.manner) for one in found["pr_1"].findings}
    assert {("ite_0001", "stale"), ("ite_0002", "foreign")} <= told
    assert "damaged" not in {manner for _, manner in told}
    assert found["pr_1"].is_whole
    assert small_campaign.engine("verify", str(folder)).exit_code == 0
