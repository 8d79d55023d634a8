"""What atheris is given to do: with a stand-in everywhere, with atheris itself where it is installed."""

from __future__ import annotations

import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest
from faults import atheris_targets

ROOT = Path(__file__).resolve().parents[2]


def test_each_input_goes_through_the_door_of_its_format(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[object] = []

    def fuzz() -> None:
        arguments, one_input = given
        assert arguments == ["me", str(tmp_path / "corpus"), "-runs=3"]
        for path in sorted((tmp_path / "corpus").iterdir()):
            one_input(path.read_bytes())
        one_input(b"1 2 three")
        monkeypatch.setattr("engine.files.tbl.text_of", lambda *_: {}["x"])
        with pytest.raises(KeyError):  # what is no EngineError comes through
            one_input(b"1 2 3")

    stand_in = SimpleNamespace(
        instrument_imports=lambda include: nullcontext(), Setup=lambda *both: given.extend(both), Fuzz=fuzz
    )
    monkeypatch.setitem(sys.modules, "atheris", stand_in)
    atheris_targets.main(["me", "tbl", str(tmp_path / "corpus"), "-runs=3"])
    assert len(list((tmp_path / "corpus").iterdir())) >= 1


def test_atheris_runs_the_targets(tmp_path: Path) -> None:
    pytest.importorskip("atheris")
    for name in ("tbl", "toml", "address"):
        command = [sys.executable, "-m", "tests.faults.atheris_targets", name, str(tmp_path / name), "-runs=300"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr[-2000:]
        assert "DONE" in done.stderr or "Done" in done.stderr
