"""Spoilt inputs of every format end as values or as one EngineError: some hundreds here, 100 000 with ENGINE_FAULTS=long."""

from __future__ import annotations

import itertools
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from faults import fuzz, guarded
from faults.guarded import Outcome
from faults.targets import TARGETS

from engine.faults import EngineError

IS_LONG = os.environ.get("ENGINE_FAULTS") == "long"
COUNT = 100_000 if IS_LONG else 1000


@pytest.fixture(scope="module")
def made() -> Iterator[fuzz.Bench]:
    with fuzz.bench(fuzz.real_data()) as found:
        yield found


@pytest.mark.parametrize("name", TARGETS)
def test_spoilt_inputs_are_read_or_told(made: fuzz.Bench, name: str) -> None:
    numbers = range(fuzz.parted(COUNT, list(TARGETS))[name])
    found = list(fuzz.outcomes(made, name, numbers))
    assert [one.number for one in found] == list(numbers)
    faults = [f"{name} {one.number}: {one.what} {one.signature}\n{one.detail}" for one in found if one.is_fault]
    assert not faults, (
        f"{len(faults)} faults; the first: {faults[0]}\n(python -m tests.faults.fuzz --replay {faults[0][:40]} …)"
    )


@pytest.mark.parametrize("name", TARGETS)
def test_what_is_not_spoilt_is_read(made: fuzz.Bench, name: str) -> None:
    lost = [one.detail for one in fuzz.outcomes_of(made, name, made.made[name]) if one.what != "read"]
    allowed = [text for text in lost if name == "address" and "no project 'tomos'" in text]
    assert lost == allowed


def test_a_number_is_the_same_input_each_time(made: fuzz.Bench) -> None:
    with fuzz.bench() as other:
        for name in TARGETS:
            assert made.made[name] == other.made[name], name
            assert [made.case(name, n) for n in (0, 1, 2, 9)] == [other.case(name, n) for n in (0, 1, 2, 9)]
    assert len({made.case("tbl", number) for number in range(50)}) > 40


def attempt(number: int) -> None:
    match number:
        case 1:
            raise EngineError("a.tbl: is wrong; mend it")
        case 2:
            raise KeyError("x")
        case 3:
            os.kill(os.getpid(), signal.SIGSEGV)
        case 4:
            while True:
                sum(range(1000))
        case 5:
            np.ones(2_000_000_000, dtype=np.uint8)
        case 6:
            try:
                np.ones(2_000_000_000, dtype=np.uint8)
            except MemoryError as error:
                raise EngineError("too large") from error
        case 7:
            raise EngineError("x" * 20_000)
        case 8:
            np.float64(1e300) * np.float64(1e300)
        case 9:
            time.sleep(30)
        case 10:
            os._exit(3)
        case 11:
            sum(itertools.repeat(1, 10**11))  # one call of a library, that no alarm interrupts


def test_the_child_tells_every_fault_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guarded, "MOST_SECONDS", 0.2)
    monkeypatch.setattr(guarded, "PATIENCE_S", 1.5)
    monkeypatch.setattr(guarded, "MOST_SECONDS_IN_C", 2)
    found = list(guarded.tried(range(13), attempt))
    assert [one.number for one in found] == list(range(13))
    assert [one.what for one in found] == [
        "read", "told", "traceback", "crash", "slow", "traceback", "memory", "message", "traceback", "hang", "crash",
        "crash", "read",
    ]  # fmt: skip
    assert [one.is_fault for one in found] == [False, False, *[True] * 10, False]
    signatures = [one.signature for one in found]
    assert signatures[2].startswith("KeyError")
    assert signatures[3] == "SIGSEGV"
    assert "MemoryError" in signatures[5]
    assert signatures[8].startswith("RuntimeWarning")
    assert signatures[10:12] == ["exit status 3", "SIGXCPU"]


def test_a_fault_is_made_as_small_as_it_can_be(made: fuzz.Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def read(path: Path) -> None:
        if b"!" in path.read_bytes():
            raise ValueError("an exclamation")

    monkeypatch.setitem(TARGETS, "tbl", fuzz.Target("a.tbl", read))
    fault = fuzz.outcome_of(made, "tbl", b"1 2 3! 4" * 9)
    assert (fault.what, fault.is_fault) == ("traceback", True)
    assert fuzz.shrunk(made, "tbl", b"1 2 3! 4" * 9, fault) == b"!"


def test_a_campaign_tells_each_fault_once_and_keeps_its_input(
    made: fuzz.Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def outcomes(bench: fuzz.Bench, name: str, numbers: range) -> Iterator[Outcome]:
        return (Outcome(n, "traceback", "KeyError a.py:1 f") if n % 5 == 0 else Outcome(n, "told") for n in numbers)

    said: list[str] = []
    monkeypatch.setattr(fuzz, "outcomes", outcomes)
    monkeypatch.setattr(fuzz, "shrunk", lambda *_: b"least")
    assert fuzz.run(made, 20, ["tbl"], 100, tmp_path, said.append) == 1
    assert (tmp_path / "tbl-100.bin").read_bytes() == made.case("tbl", 100)
    assert (tmp_path / "tbl-100.least").read_bytes() == b"least"
    assert said[-1] == "4 times tbl: traceback KeyError a.py:1 f"
    assert len(said) == 3
