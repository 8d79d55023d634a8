"""What a run will cost, told before it."""

import shutil
import tomllib
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

import engine
from engine.data import ParticleFacts, Table
from engine.devices import Work
from engine.forecast import forecast
from engine.kernels.mask import inscribed_ball
from engine.kinds import alignment, shares
from engine.kinds.alignment.spectra import BoxSpectra
from engine.kinds.averaging import averages, summed, summed_spectra

QUICKSTART = Path(__file__).resolve().parents[1] / "projects" / "quickstart"


def test_a_forecast_knows_particles_of_projects_that_have_not_run(tmp_path):
    for path in QUICKSTART.glob("*.toml"):
        shutil.copy(path, tmp_path)
    cost = forecast(engine.load(tmp_path / "pr_1.toml"))
    assert (cost.steps, cost.steps_to_do, cost.particles, cost.unknown) == (5, 5, 120, [])
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


CACHED = """
kind = "alignment"
[data]
particles = "phantom:particles"
table = "phantom:table"
template = "phantom:template"
[[rounds]]
iterations = 3
cone = { range_deg = 12, step_deg = 6 }
azimuth = { range_deg = 12, step_deg = 6 }
bandpass = { lowpass_fpx = 6 }
"""


@pytest.fixture
def cached(tmp_path):
    """A project that keeps blocks of 60 boxes of 44 px, and its phantom, which is there."""
    text = (QUICKSTART / "phantom.toml").read_text().replace("= 120", "= 60")
    (tmp_path / "phantom.toml").write_text(text)
    engine.run([tmp_path / "phantom.toml"])
    path = tmp_path / "pr_1.toml"
    path.write_text(CACHED)
    return path


def test_the_forecast_states_the_cache_and_says_that_it_is_scratch(cached):
    told = forecast(engine.load(cached))
    assert told.scratch_bytes == 60 * 8 * 25 * 25 * 13  # out to 12 Fourier pixels
    engine.run([cached])
    files = {path.name: path.stat().st_size for path in (cached.parent / "pr_1").glob("*.h5")}
    assert 0.9 * files["spectra.h5"] < told.scratch_bytes < files["spectra.h5"]
    assert 0.8 * sum(files.values()) < told.disk_bytes < 1.2 * sum(files.values())
    (cached.parent / "pr_1" / "spectra.h5").unlink()
    assert forecast(engine.load(cached)).scratch_bytes == 0


def test_iterations_from_the_cache_read_less_and_hold_less():
    form = alignment.Project.model_validate(tomllib.loads(CACHED.replace('kind = "alignment"', "")))
    facts = ParticleFacts(n_particles=100, box_px=96, pixel_size_A=1.0)
    steps = {step.name: step.cost.share(facts) for step in alignment.unfold(form)}
    between, last = steps["ite_0001"], steps["ite_0003"]
    block = 8 * 25 * 25 * 13
    assert (between.read_bytes, last.read_bytes) == (2 * block, block + 4 * 96**3)
    assert (steps["spectra"].read_bytes, steps["spectra"].kept_bytes) == (4 * 96**3, block)
    assert between.worker_bytes < 0.1 * last.worker_bytes
    assert between.seconds < last.seconds


class Same:
    """As many boxes as one likes: always the same noise."""

    def __init__(self, count, box_px):
        self.tags, self.box_px, self.pixel_size_A = np.arange(1, count + 1), box_px, 1.0
        self.box = np.random.default_rng(0).normal(size=(box_px,) * 3).astype(np.float32)

    def read(self, tag):
        return self.box.copy()


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("reach", [None, 12])
def test_averaging_holds_no_more_than_is_stated_however_many_particles(reach, workers):
    n = 56
    table = Table.blank(64, aligned=1, averaged=1, ftype=1, ymintilt=-60, ymaxtilt=60)
    mask = np.asarray(inscribed_ball(n))

    def averaged(count):
        rows, work = table.where(np.arange(64) < count), Work(workers)
        if reach is None:
            sums = summed(Same(64, n), rows, mask, work)
        else:
            sums = summed_spectra(BoxSpectra(Same(64, n), reach, work), rows, mask, work)
        averages(sums, 1.0, "C1", None)

    averaged(2)  # tables of frequencies, which all averages share
    peaks = []
    for count in (32, 64):
        tracemalloc.start()
        averaged(count)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    share = shares.averaged(n) if reach is None else shares.averaged_blocks(n, reach, 0)
    stated = share.shared_bytes + workers * share.worker_bytes
    if reach is not None:  # the cache is not there, so blocks are made of boxes
        stated += workers * shares.TRANSFORMING_BYTES * n**3
    assert max(peaks) < stated
    if workers == 1:  # more are processes of their own: what is seen here is what waits of their sums
        assert stated < 2 * max(peaks)
        assert peaks[1] < 1.05 * peaks[0]
