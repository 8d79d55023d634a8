"""What a run will cost, told before it."""

import shutil
from pathlib import Path

import engine
from engine.forecast import forecast

QUICKSTART = Path(__file__).resolve().parents[1] / "projects" / "quickstart"


def test_a_forecast_knows_particles_of_projects_that_have_not_run(tmp_path):
    for path in QUICKSTART.glob("*.toml"):
        shutil.copy(path, tmp_path)
    cost = forecast(engine.load(tmp_path / "pr_1.toml"))
    assert (cost.steps, cost.steps_to_do, cost.particles, cost.unknown) == (4, 4, 120, [])
    assert cost.rotations > 10_000
    assert 0 < cost.seconds < 600
    assert [text.split(",")[0] for text in cost.searches] == ["round 1: fast search", "round 2: fast search"]
    assert all(text.endswith("s a particle") for text in cost.searches)
    assert cost.disk_bytes > 4 * 44**3 * 4


def test_what_is_stored_costs_nothing(quickstart):
    cost = forecast(engine.load(quickstart / "projects" / "quickstart" / "pr_1.toml"))
    assert (cost.steps_to_do, cost.rotations, cost.seconds, cost.disk_bytes) == (0, 0, 0, 0)


def test_the_forecast_of_disk_is_what_the_run_then_takes(tmp_path):
    for path in QUICKSTART.glob("*.toml"):
        shutil.copy(path, tmp_path)
    for name in ("phantom", "pr_1"):
        told = forecast(engine.load(tmp_path / f"{name}.toml")).disk_bytes
        engine.run([tmp_path / f"{name}.toml"])
        taken = sum(path.stat().st_size for path in (tmp_path / name).rglob("*.h5"))
        assert 0.8 * taken < told < 1.2 * taken
