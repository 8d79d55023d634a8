"""The band cache: the same numbers, sooner; scratch that may go at any time."""

import os
import signal
import subprocess
import sys
import tracemalloc
from pathlib import Path

import memory
import numpy as np
import pytest

import engine
from engine.data import ParticleArray
from engine.devices import Work
from engine.faults import EngineError
from engine.files import write_particle_stack, write_table
from engine.kernels import average, fsc
from engine.kernels.fourier import block_variance, half_frequencies, shrunk, spectrum, spectrum_block, spread
from engine.kernels.mask import ball
from engine.kernels.rotate import mean_and_deviation
from engine.kinds import alignment
from engine.kinds.alignment import spectra as cache
from engine.kinds.averaging import normalised_block, small_box_px, small_mask, summed, summed_spectra
from engine.kinds.form import Bandpass
from engine.plan import plan
from engine.status import status
from engine.store import Store

BOX = 36
LOW = 5
REACH = 11  # 1.5 times the low-pass and its edge of 2
PHANTOM = {
    "object": {"blobs": 40, "radius_px": 8},
    "boxes": {"count": 20, "box_px": BOX, "snr": 0.1, "shift_px": 2},
    "start": {"angle_error_deg": 6, "shift_error_px": 2, "template_lowpass_fpx": 5},
}
ROUND = {
    "iterations": 2,
    "cone": {"range_deg": 12, "step_deg": 6},
    "azimuth": {"range_deg": 12, "step_deg": 6},
    "refine": {"levels": 1},
    "shifts": {"limits_xyz_px": [3, 3, 3]},
    "bandpass": {"lowpass_fpx": LOW},
}
DATA = {"particles": "phantom:particles", "table": "phantom:table", "template": "phantom:template"}


@pytest.fixture(scope="module")
def phantom():
    return memory.addresses("phantom", memory.run("phantom", PHANTOM)["phantom"])


def align(phantom, *rounds, work=None, **data):
    values = {"data": {**DATA, **data}, "rounds": [{**ROUND, **changes} for changes in rounds or ({},)]}
    return memory.run("alignment", values, phantom, work)


def assert_same(one, other):
    assert one["table"].equals(other["table"])
    for item in ("refs/001/average", "refs/001/average_raw"):
        np.testing.assert_array_equal(one[item].data, other[item].data)
    np.testing.assert_array_equal(one["refs/001/fsc"]["fsc"], other["refs/001/fsc"]["fsc"])
    np.testing.assert_array_equal(one["refs/001/fourier_weight"], other["refs/001/fourier_weight"])


def test_an_iteration_gives_the_same_bits_from_a_cache_from_a_larger_one_and_from_boxes(phantom):
    form = alignment.Project.model_validate({"data": DATA, "rounds": [ROUND]})
    start, spectra, first, _ = alignment.unfold(form)
    begun = memory.run("alignment", {"data": DATA, "rounds": [ROUND]}, phantom)
    inputs = {"particles": phantom["phantom:particles"], "table": phantom["phantom:table"]}
    wide = cache.transform(
        cache.Transform(pixel_size_A=None, bandpasses=(Bandpass(lowpass_fpx=7),)), inputs, Work(workers=2)
    )
    reference = begun[start.name]["refs/001/average"]
    masks = {name: begun[start.name][name] for name in ("mask", "fsc_mask")}
    inputs |= {"reference": reference, **masks, "table": begun[start.name]["table"]}
    made = [
        first.function(first.settings, {**inputs, **more}, Work())
        for more in (
            {"spectra": begun[spectra.name]["spectra"]},
            {"spectra": memory.in_memory(wide["spectra"])},
            {},
        )
    ]
    assert begun[spectra.name]["spectra"].reach == REACH
    assert_same(made[0], made[1])
    assert_same(made[0], made[2])


@pytest.mark.parametrize("work", [Work(1, (), 7), Work(2, (), 1)], ids=repr)
def test_chunks_and_workers_do_not_change_a_bit(phantom, work):
    plain, other = align(phantom), align(phantom, work=work)
    for ite in ("ite_0001", "ite_0002"):
        assert_same(plain[ite], other[ite])


def test_poses_are_those_that_whole_boxes_give(phantom):
    """One iteration alone caches nothing, and reads its reference from the start as the first of two does."""
    assert "spectra" not in align(phantom, {"iterations": 1})
    alone, first = align(phantom, {"iterations": 1})["ite_0001"], align(phantom)["ite_0001"]
    assert alone["table"].equals(first["table"])


def test_an_average_from_the_cache_is_that_of_the_boxes_within_its_reach_and_nothing_beyond(phantom):
    particles, truth = phantom["phantom:particles"], phantom["phantom:truth"]
    mask = ball(BOX, 12, (BOX // 2,) * 3, 3)
    whole = summed(particles, truth, mask, Work())
    small = summed_spectra(cache.BoxSpectra(particles, REACH, Work()), truth, mask, Work())
    assert small.all.values.shape == whole.all.values.shape
    radius = np.linalg.norm(half_frequencies(BOX), axis=-1)
    beyond, inside = radius > REACH, radius <= REACH - 2
    assert not small.all.values[beyond].any()
    assert not small.all.weights[beyond].any()
    assert average.last_shell(small.all.weights) == REACH
    # All that differs inside is each particle's deviation: noise under the mask against noise in the whole box, a per cent
    # or two. The last shells lack what those beyond give by interpolation.
    np.testing.assert_allclose(small.all.weights[inside], whole.all.weights[inside], rtol=1e-5)  # sums in float32
    scale = np.abs(whole.all.values[inside]).max()
    np.testing.assert_allclose(small.all.values[inside], whole.all.values[inside], atol=0.02 * scale)
    ours, theirs = (np.asarray(average.compensated(sums.all)) for sums in (small, whole))
    assert fsc.fsc(ours, theirs)[1 : REACH - 2].min() > 0.999
    ratio = np.abs(spectrum(ours)[inside]).sum() / np.abs(spectrum(theirs)[inside]).sum()
    assert ratio == pytest.approx(1, abs=0.02)


def test_the_fsc_from_the_cache_is_that_of_the_boxes_within_its_reach_and_0_beyond(phantom):
    made = align(phantom, {}, {"iterations": 1})
    form = alignment.Project.model_validate({"data": DATA, "rounds": [ROUND]})
    last = alignment.unfold(form)[-1]
    inputs = {
        "particles": phantom["phantom:particles"],
        "table": made["ite_0000"]["table"],
        "reference": made["ite_0000"]["refs/001/average"],
        **{name: made["ite_0000"][name] for name in ("mask", "fsc_mask")},
    }
    whole = last.function(last.settings, inputs, Work())
    assert last.settings.is_last
    cached = made["ite_0001"]
    assert cached["table"].equals(whole["table"])
    curves = [one["refs/001/fsc"]["fsc"] for one in (cached, whole)]
    # the mask mixes shells: those near the reach miss what lies beyond it
    assert np.abs(curves[0] - curves[1])[: REACH - 2].max() < 0.05
    assert not curves[0][REACH + 1 :].any()
    assert np.abs(curves[1][REACH + 1 :]).min() > 0
    assert made["ite_0002"]["refs/001/fsc"]["fsc"][-1] != 0


def test_halves_are_joined_within_the_reach(phantom):
    made = align(phantom, halves="parity")
    for ite, ends in (("ite_0001", True), ("ite_0002", False)):
        curve = made[ite]["refs/001/fsc"]["fsc"]
        assert (not curve[REACH + 1 :].any()) == ends
        assert curve[2:4].min() > 0.5


def test_a_normalised_particle_has_mean_0_and_deviation_1_under_its_mask(phantom):
    box = 3 * phantom["phantom:particles"].read(3) + 100  # a large mean must not cost digits
    mask = ball(BOX, 11, (19, 17, 18), 3)
    variance = float(box.var(dtype=np.float64))
    small = small_mask(mask, small_box_px(REACH, BOX))
    made = normalised_block(spectrum_block(box, REACH), variance, BOX, small, np.eye(3), np.zeros(3))
    mean, deviation = mean_and_deviation(box, mask, np.eye(3), np.zeros(3))
    true = spectrum_block((box - mean) / deviation, REACH)
    assert np.abs(made - true).max() < 0.03 * np.abs(true).max()


def test_small_boxes_are_not_cached_and_work_as_if_there_were_no_cache(phantom):
    too_wide = {"bandpass": {"lowpass_fpx": 9}}
    made = align(phantom, too_wide)
    assert made["spectra"]["spectra"].held == {}
    assert made["ite_0001"]["refs/001/fsc"]["fsc"][-1] != 0


def test_the_cache_reaches_as_far_as_the_widest_round_that_pays():
    bands = [Bandpass(lowpass_fpx=low) for low in (5, 8, 32)]
    assert [cache.reach_fpx(band, 192, 1.0) for band in bands] == [11, 15, 51]
    assert cache.cached_reach(bands, 192, 1.0) == 51
    assert cache.cached_reach(bands, 64, 1.0) == 15
    assert cache.cached_reach(bands, 20, 1.0) is None
    assert cache.cached_reach([Bandpass(lowpass_A=20)], 100, 2.0) == 18


def test_only_particles_that_take_part_are_cached(phantom):
    table = phantom["phantom:table"].with_columns(aligned=np.arange(20) % 2, averaged=np.arange(20) % 4 == 0)
    settings = cache.Transform(pixel_size_A=None, bandpasses=(Bandpass(lowpass_fpx=LOW),))
    made = cache.transform(settings, {"particles": phantom["phantom:particles"], "table": table}, Work())
    assert len(made["spectra"].tags) == 15


class Noise:
    """Any number of boxes that are made when they are read."""

    def __init__(self, count, box_px):
        self.tags, self.box_px, self.pixel_size_A = np.arange(1, count + 1), box_px, 1.0

    def read(self, tag):
        return np.random.default_rng(tag).normal(size=(self.box_px,) * 3).astype(np.float32)


def peak_bytes(action):
    tracemalloc.start()
    action()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak


def test_memory_does_not_grow_with_the_number_of_particles(tmp_path, phantom):
    table = phantom["phantom:table"]
    settings = cache.Transform(pixel_size_A=1.0, bandpasses=(Bandpass(lowpass_fpx=6),))
    step = alignment.unfold(alignment.Project.model_validate({"data": DATA, "rounds": [ROUND]}))[1]

    def written(count):
        rows = table.where(np.arange(20) == 0).with_columns(tag=1)
        rows = rows if count == 1 else type(rows).blank(count, aligned=1, averaged=1)
        made = cache.transform(settings, {"particles": Noise(count, 48), "table": rows}, Work(workers=2))
        Store(tmp_path / str(count)).write(step, "alignment", "k", {}, made, "", 0.0, "")

    written(4)  # imports and plans of transforms
    few, many = peak_bytes(lambda: written(16)), peak_bytes(lambda: written(64))
    assert many < few + 8 * 4 * 48**3 / 2  # less than four boxes, where 48 more were read
    stored = Store(tmp_path / "64").read("spectra", "spectra")
    np.testing.assert_array_equal(stored.block(60), spectrum_block(Noise(64, 48).read(60), stored.reach))


TOML = """
kind = "alignment"
[data]
particles = "boxes.mrcs"
table = "poses.tbl"
pixel_size_A = 4.0
[[rounds]]
iterations = 2
cone = {{ range_deg = 12, step_deg = 6 }}
azimuth = {{ range_deg = 12, step_deg = 6 }}
refine = {{ levels = 1 }}
shifts = {{ limits_xyz_px = [3, 3, 3] }}
bandpass = {{ lowpass_fpx = {low} }}
"""


@pytest.fixture
def project(tmp_path, phantom):
    """An alignment of particles in a file, run to its end."""
    write_particle_stack(phantom["phantom:particles"], tmp_path / "boxes.mrcs")
    write_table(phantom["phantom:table"], tmp_path / "poses.tbl")
    path = tmp_path / "pr_1.toml"
    path.write_text(TOML.format(low=LOW))
    engine.run([path])
    return path


def states(path):
    return {one.step.name: one.state for one in plan(engine.load(path))}


KEPT = dict.fromkeys(["ite_0000", "spectra", "ite_0001", "ite_0002"], "keep")


def test_deleting_the_cache_of_a_finished_project_leaves_everything_to_keep(project):
    file = project.with_suffix("") / "spectra.h5"
    assert states(project) == KEPT
    file.unlink()
    assert states(project) == KEPT
    assert status(engine.load(project)).is_complete
    (outcome,) = engine.run([project])
    assert outcome.stored == ()
    assert not file.exists()
    with pytest.raises(EngineError, match="no item 'spectra'"):
        engine.query(f"{project.with_suffix('')}:spectra")


@pytest.mark.parametrize("low", [LOW, 6])
def test_an_extension_makes_the_cache_again_and_keeps_what_was_done(project, low):
    (project.with_suffix("") / "spectra.h5").unlink()
    more = TOML[TOML.index("[[rounds]]") :].format(low=low)
    project.write_text(project.read_text() + more)
    assert states(project) == {**KEPT, "spectra": "do", "ite_0003": "do", "ite_0004": "do"}
    (outcome,) = engine.run([project])
    assert outcome.stored == ("spectra", "ite_0003", "ite_0004")
    assert set(states(project).values()) == {"keep"}


def test_a_wider_round_replaces_the_cache_and_keeps_what_was_done(project):
    project.write_text(project.read_text() + TOML[TOML.index("[[rounds]]") :].format(low=6))
    assert Store(project.with_suffix("")).read("spectra", "spectra").reach == REACH
    (outcome,) = engine.run([project])
    assert outcome.stored == ("spectra", "ite_0003", "ite_0004")
    assert Store(project.with_suffix("")).read("spectra", "spectra").reach == 12


def test_changed_particles_make_the_cache_stale(project, phantom):
    boxes = phantom["phantom:particles"].boxes.copy()
    boxes[4] += np.random.default_rng(0).normal(size=boxes[4].shape)
    write_particle_stack(ParticleArray.numbered(boxes, 4.0), project.parent / "boxes.mrcs")
    assert states(project) == dict.fromkeys(KEPT, "stale")
    (outcome,) = engine.run([project], redo=["stale"])
    assert outcome.stored == tuple(KEPT)
    np.testing.assert_array_equal(
        Store(project.with_suffix("")).read("spectra", "spectra").block(5), spectrum_block(boxes[4], REACH)
    )


KILLED = """
import os, signal, sys
import engine
from engine.events import ChunkDone

def listen(event):
    if isinstance(event, ChunkDone) and event.step == sys.argv[2] and event.done >= int(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)

engine.run([sys.argv[1]], listen=listen)
"""


@pytest.mark.parametrize(("step", "done"), [("spectra", 7), ("ite_0001", 7)])
def test_a_killed_run_goes_on_and_ends_with_the_same_bits(project, step, done):
    store = Store(project.with_suffix(""))
    average_before = store.read("ite_0002", "refs/001/average").data
    for name in KEPT:
        store.path(name).unlink()
    script = subprocess.run(
        [sys.executable, "-c", KILLED, str(project), step, str(done)],
        cwd=Path(engine.__file__).parents[1],
        env={**os.environ, "PYTHONHASHSEED": "0"},
        check=False,
    )
    assert script.returncode == -signal.SIGKILL
    torn = sorted(path.name.split(".")[1] for path in store.folder.glob(".*.tmp"))
    assert torn == (["spectra"] if step == "spectra" else [])
    engine.run([project])
    np.testing.assert_array_equal(store.read("ite_0002", "refs/001/average").data, average_before)
    assert not list(store.folder.glob(".*.tmp"))


def test_a_block_of_a_spectrum_is_the_spectrum():
    box = np.random.default_rng(1).normal(size=(12, 12, 12)).astype(np.float32)
    half, inner = spectrum(box), spectrum_block(box, 5)
    kx, ky, kz = np.array([3, -5, 4])
    assert inner[kz + 5, ky + 5, kx] == half[kz % 12, ky % 12, kx]
    assert inner[5, 5, 0] == half[0, 0, 0]
    np.testing.assert_array_equal(shrunk(inner, 3), spectrum_block(box, 3))
    inside = np.abs(half_frequencies(12)).max(axis=-1) <= 5
    np.testing.assert_array_equal(spread(inner, 12), half * inside)
    odd = box[:11, :11, :11]
    assert block_variance(spectrum_block(odd, 5), 11) == pytest.approx(odd.var(dtype=np.float64), rel=1e-5)
