"""A step without room does not start."""

from __future__ import annotations

from pathlib import Path

import pytest

import engine
from engine import memory, room
from engine.faults import EngineError
from engine.project import load
from engine.store import Store
from engine.store.disk import Disk, using

PHANTOM = """kind = "phantom"

[object]
radius_px = 5

[boxes]
count = 3
box_px = 16
pixel_size_A = 4
"""


class Small(Disk):
    """A disk that is nearly full."""

    def free_bytes(self, folder: Path) -> int:
        return 10_000


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "ph.toml").write_text(PHANTOM)
    return tmp_path / "ph.toml"


def test_a_disk_that_is_too_small_is_told_before_the_step(project: Path) -> None:
    with using(Small()), pytest.raises(EngineError, match=r"writes .* MB, and 0\.0 MB are free in .*make room"):
        engine.run([project])
    assert Store(project.with_suffix("")).step_names() == []
    engine.run([project])


def test_memory_that_is_too_small_is_told_before_the_step(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "available_bytes", lambda: 100 << 20)
    with pytest.raises(
        EngineError, match=r"needs about 0\.2 GB of memory with 2 workers, and 0\.1 GB are left \(give fewer"
    ):
        engine.run([project], workers=2)
    monkeypatch.setattr(room, "available_bytes", lambda: None)
    engine.run([project])


def test_the_smallest_limit_of_machine_and_control_groups_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "meminfo").write_text("MemTotal: 9000 kB\nMemAvailable: 8000 kB\n")
    (tmp_path / "own").write_text("1:cpu:/x\n0::/slurm/job_7/step_0\n")
    for name in ("slurm", "slurm/job_7", "slurm/job_7/step_0"):
        (tmp_path / "groups" / name).mkdir(parents=True, exist_ok=True)
        (tmp_path / "groups" / name / "memory.max").write_text("max\n")
        (tmp_path / "groups" / name / "memory.current").write_text("3000000\n")
        (tmp_path / "groups" / name / "memory.stat").write_text("anon 1\ninactive_file 400000\nactive_file 100000\n")
    for name, place in (("MEMINFO", "meminfo"), ("OWN_GROUP", "own"), ("GROUPS", "groups")):
        monkeypatch.setattr(memory, name, tmp_path / place)
    assert memory.available_bytes() == 8000 << 10
    (tmp_path / "groups" / "slurm" / "job_7" / "memory.max").write_text("5000000\n")
    assert memory.available_bytes() == 2_500_000
    for name in ("MEMINFO", "OWN_GROUP"):
        monkeypatch.setattr(memory, name, tmp_path / "nowhere")
    assert memory.available_bytes() is None


def test_no_time_is_measured(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def measured(*_: object, **__: object) -> float:
        raise AssertionError("a time was measured")

    monkeypatch.setattr("engine.kinds.shares.seconds", measured)
    opened = load(project)
    for step in opened.steps:
        room.refuse_without_room(opened, step, 1)
