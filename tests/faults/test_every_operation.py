"""A small campaign whose every operation on files is cut, refused or lost: it goes on, and ends with the same bits."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import small_campaign
from faults import power
from faults.disks import Counting, Cut, Failing, PowerCut, Recording
from faults.results import stored

import engine
from engine.events import StepStored
from engine.faults import EngineError
from engine.store import Store, lock
from engine.store.disk import using

IS_LONG = os.environ.get("ENGINE_FAULTS") == "long"
EVERY = 1 if IS_LONG else 13
"""Of the operations, how many are left out between two that are tried."""


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lock of which too little is left to tell whose it is, is not watched for long."""
    monkeypatch.setattr(lock, "LOOK_S", 0.001)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    folder = small_campaign.written(tmp_path_factory.mktemp("undisturbed"))
    engine.run([folder], workers=1, gpus=())
    return stored(folder)


@pytest.fixture(scope="module")
def n_operations(tmp_path_factory: pytest.TempPathFactory) -> int:
    folder = small_campaign.written(tmp_path_factory.mktemp("counted"))
    with using(disk := Counting()):
        engine.run([folder], workers=1, gpus=())
    assert disk.n_done > 30
    return disk.n_done


def fresh(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return small_campaign.written(folder)


def test_a_run_that_ends_at_any_operation_goes_on_to_the_same_bits(
    tmp_path: Path, undisturbed: dict[str, object], n_operations: int
) -> None:
    for after in range(0, n_operations, EVERY):
        folder = fresh(tmp_path / "cut")
        with using(Cut(after=after)), pytest.raises(PowerCut):
            engine.run([folder], workers=1, gpus=())
        for path in folder.glob("*.toml"):
            store = Store(path.with_suffix(""))
            for name in store.step_names():
                assert store.facts(name) is not None
        engine.run([folder], workers=1, gpus=())
        assert stored(folder) == undisturbed, f"cut after {after} operations"
        assert not list(folder.rglob("*.tmp"))


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EDQUOT], ids=["full", "broken", "quota"])
@pytest.mark.parametrize("from_then_on", [False, True], ids=["once", "ever since"])
def test_an_operation_that_is_refused_is_one_line_and_the_run_goes_on_later(
    tmp_path: Path, undisturbed: dict[str, object], n_operations: int, number: int, from_then_on: bool
) -> None:
    n_refused = 0
    for n in range(1, n_operations + 1, EVERY):
        folder = fresh(tmp_path / "refused")
        with using(Failing(n=n, errno=number, from_then_on=from_then_on)):
            result = small_campaign.engine("run", str(folder), "--gpus", "none")
        if result.exit_code:
            n_refused += 1
            said = [line for line in result.stderr.splitlines() if os.strerror(number) in line]
            assert result.exit_code == 1, result.output
            assert len(said) == 1, result.output
        engine.run([folder], workers=1, gpus=())
        assert stored(folder) == undisturbed, f"operation {n} refused"
    assert n_refused > n_operations / EVERY / 3


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    """All operations of a run, and where it said that a step is stored."""
    folder = small_campaign.written(tmp_path_factory.mktemp("recorded"))

    def listen(event: object) -> None:
        if isinstance(event, StepStored):
            disk.mark(f"{event.project}/{event.step}.h5")

    with using(disk := Recording(folder)):
        engine.run([folder], workers=1, gpus=(), listen=listen)
    return disk


def lost_with_the_power(recorded: Recording) -> Iterator[tuple[int, power.Files]]:
    for n in range(len(recorded.done) + 1):
        for files in power.states(recorded.done, n):
            yield n, files


def test_no_loss_of_power_takes_a_step_that_was_said_to_be_stored_or_shows_half_of_one(recorded: Recording) -> None:
    whole = {path.relative_to(recorded.folder).as_posix(): path.read_bytes() for path in recorded.folder.rglob("*.h5")}
    n_states = 0
    for n, files in lost_with_the_power(recorded):
        n_states += 1
        said = {one.path for one in recorded.done[:n] if one.name == "said"}
        shown = {path: content for path, content in files.items() if path.endswith(".h5")}
        assert said <= set(shown), f"a stored step is lost when power goes after {n} operations"
        for path, content in shown.items():
            assert content == whole[path], f"half of {path} is shown when power goes after {n} operations"
    assert n_states > 100
    print(f"{n_states} states after {len(recorded.done)} operations")


def test_a_run_goes_on_after_a_loss_of_power(
    tmp_path: Path, recorded: Recording, undisturbed: dict[str, object]
) -> None:
    for number, (n, files) in enumerate(lost_with_the_power(recorded)):
        if number % (8 * EVERY):
            continue
        folder = fresh(tmp_path / "lost")
        power.put(files, folder)
        engine.run([folder], workers=1, gpus=())
        assert stored(folder) == undisturbed, f"power lost after {n} operations"


def test_without_the_syncs_the_model_finds_what_would_be_lost(recorded: Recording) -> None:
    """The model itself: a program that never syncs a file shows half a step, one that never syncs a folder loses one."""
    whole = {path.relative_to(recorded.folder).as_posix(): path.read_bytes() for path in recorded.folder.rglob("*.h5")}
    careless = [one for one in recorded.done if one.name != "sync"]
    assert any(
        content != whole[path]
        for n in range(len(careless) + 1)
        for files in power.states(careless, n)
        for path, content in files.items()
        if path.endswith(".h5")
    )
    careless = [one for one in recorded.done if one.name != "sync_folder"]
    assert any(
        not {one.path for one in careless[:n] if one.name == "said"} <= set(files)
        for n in range(len(careless) + 1)
        for files in power.states(careless, n)
    )


OPERATIONS_OF_LEAVING = 2
"""Writing into the lock that it is free, and flushing that."""


def test_an_error_is_one_line_also_in_a_stream(tmp_path: Path) -> None:
    """Boxes are written by HDF5 through our file: none of its operations reaches libhdf5 as an error."""
    folder = fresh(tmp_path / "stream")
    with using(disk := Counting()):
        engine.run([folder / "truth.toml"], workers=1, gpus=())
    for n in range(1, disk.n_done + 1, 1 if IS_LONG else 4):
        folder = fresh(tmp_path / "stream")
        told = ""
        try:
            with using(Failing(n=n, errno=errno.ENOSPC)):
                engine.run([folder / "truth.toml"], workers=1, gpus=())
        except EngineError as refused:
            told = str(refused)
        if n <= disk.n_done - OPERATIONS_OF_LEAVING:
            assert "No space left" in told
            assert "\n" not in told
        else:  # all is stored, and the lock is left behind: the next run finds that its holder is dead
            assert told == ""
            engine.run([folder / "truth.toml"], workers=1, gpus=())
