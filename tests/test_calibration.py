"""Times that are kept between commands: found again, measured again where they are old, foreign or spoilt."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import NamedTuple

import pytest

from engine import calibration, devices
from engine.cache import folder as where_kept
from engine.kinds import machine
from engine.kinds.measuring import measured, pace, seconds, sizes_alone
from engine.workers import can_fork


class Both(NamedTuple):
    first: float
    then: float


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ENGINE_CACHE", str(tmp_path / "kept"))
    return tmp_path / "kept"


def measure(times: list[float]) -> tuple[float, ...]:
    times.append(0.5)
    return (0.5, len(times))


def test_a_time_is_measured_once_on_a_machine(cache: Path) -> None:
    times: list[float] = []
    assert calibration.kept("a", lambda: measure(times), lambda: 1.0) == (0.5, 1.0)
    assert calibration.kept("a", lambda: measure(times), lambda: 1.0) == (0.5, 1.0)
    assert calibration.kept("b", lambda: measure(times), lambda: 1.0) == (0.5, 2.0)
    (file,) = cache.iterdir()
    assert json.loads(file.read_text())["device"] == calibration.device()


def test_another_device_is_measured_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    times: list[float] = []
    calibration.kept("a", lambda: measure(times), lambda: 1.0)
    monkeypatch.setattr(calibration, "device", lambda: "another")
    assert calibration.kept("a", lambda: measure(times), lambda: 1.0) == (0.5, 2.0)


@pytest.mark.parametrize(("pace", "n_measured"), [(1.4, 1), (0.7, 1), (1.6, 2), (0.6, 2)])
def test_a_machine_of_another_pace_is_measured_again(pace: float, n_measured: int) -> None:
    times: list[float] = []
    calibration.kept("a", lambda: measure(times), lambda: 1.0)
    calibration.kept("a", lambda: measure(times), lambda: pace)
    assert len(times) == n_measured
    calibration.kept("a", lambda: measure(times), lambda: pace)
    assert len(times) == n_measured


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: "",
        lambda text: "[" * 100_000,
        lambda text: text[:-5],
        lambda text: "[]",
        lambda text: '{"times": 3}',
        lambda text: text.replace("0.5", "-0.5"),
        lambda text: text.replace("0.5", "NaN"),
        lambda text: text.replace("0.5", '"x"'),
        lambda text: text.replace('"seconds"', '"minutes"'),
        lambda text: text.replace('"pace": 1.0', '"pace": 0'),
        lambda text: text.replace('"pace": 1.0', '"pace": "1.0"'),
        lambda text: text.replace('"pace"', '"peace"'),
    ],
)
def test_a_spoilt_file_of_times_is_as_if_there_were_none(spoil) -> None:
    times: list[float] = []
    calibration.kept("a", lambda: measure(times), lambda: 1.0)
    calibration.path().write_text(spoil(calibration.path().read_text()))
    assert calibration.kept("a", lambda: measure(times), lambda: 1.0) == (0.5, 2.0)
    assert calibration.kept("a", lambda: measure(times), lambda: 1.0) == (0.5, 2.0)


def test_an_old_time_is_measured_again(monkeypatch: pytest.MonkeyPatch) -> None:
    times: list[float] = []
    calibration.kept("a", lambda: measure(times), lambda: 1.0)
    later = calibration.time.time() + (calibration.KEPT_DAYS + 1) * 86400
    monkeypatch.setattr(calibration.time, "time", lambda: later)
    assert calibration.kept("a", lambda: measure(times), lambda: 1.0) == (0.5, 2.0)


def test_where_nothing_can_be_kept_it_is_measured_each_time(cache: Path) -> None:
    cache.write_text("a file where the folder should be")
    times: list[float] = []
    calibration.kept("a", lambda: measure(times), lambda: 1.0)
    assert calibration.kept("a", lambda: measure(times), lambda: 1.0) == (0.5, 2.0)


def test_the_folder_is_the_users(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("ENGINE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert where_kept() == tmp_path / "engine"
    monkeypatch.setenv("XDG_CACHE_HOME", "beside/me")  # the rule: what is not absolute does not count
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    assert where_kept() == tmp_path / "me" / ".cache" / "engine"


def test_several_times_come_back_as_they_were_and_none_where_none_is_asked_for() -> None:
    calls: list[int] = []

    def timed(number: int) -> Both:
        calls.append(number)
        return Both(1.0, float(number))

    first, second = measured(Both(0.0, 0.0))(timed), measured(Both(0.0, 0.0))(timed)
    assert first(3) == second(3) == Both(1.0, 3.0)
    assert isinstance(second(3), Both)
    assert calls == [3]
    with sizes_alone():
        assert first(4) == Both(0.0, 0.0)
    assert calls == [3]


def test_the_pace_is_that_of_the_machine() -> None:
    assert 1e-5 < pace() < 1.0
    assert pace() == pace()


def test_the_processors_time_is_what_is_told() -> None:
    assert seconds(lambda: calibration.time.sleep(0.05), budget_s=0.2) < 0.02


def test_what_the_machine_adds_is_within_reason() -> None:
    assert machine.crowding(1) == 1.0
    assert 1.0 <= machine.crowding(2) < 3.0
    assert 0.2 < machine.starting_s() < 30.0


def test_nothing_that_lies_in_the_current_folder_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("cupy", "engine", "json", "numpy", "typer"):
        (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'was_run')!r}, 'w')")
    monkeypatch.setattr(devices, "find_spec", lambda name: name)
    assert machine.starting_s.__wrapped__() > 0.2  # type: ignore[attr-defined]
    devices.visible_gpus.__wrapped__()
    devices.cards()
    assert not (tmp_path / "was_run").exists()


@pytest.mark.skipif(not can_fork(), reason="processes are forked on Linux")
def test_where_processes_cannot_be_timed_together_they_count_as_undisturbed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_LONGEST_S", 0.2)
    monkeypatch.setattr(machine, "_work", lambda start, line: os._exit(1))
    with pytest.raises(OSError, match="tells nothing"):
        machine._together(2)
    assert machine.crowding.__wrapped__(2) == 1.0  # type: ignore[attr-defined]


def test_a_device_has_a_name_where_nothing_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration, "_RESTS_ON", ("no-such-package",))
    calibration.device.cache_clear()
    assert calibration.device().endswith("no-such-package unknown")
    calibration.device.cache_clear()
