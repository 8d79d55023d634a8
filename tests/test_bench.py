"""engine bench: the naive engines are right, the figures have their shape; nothing here asserts a speed."""

import json
import sys
from dataclasses import fields

import numpy as np
import oracle
import pytest
from typer.testing import CliRunner

from engine.bench import contestants, figures, measure, naive, peers
from engine.bench.cases import HIGHPASS_FPX, WEDGE, Case, case_of, scene
from engine.bench.clock import Contestant, in_turns, ratio
from engine.cli.commands import app
from engine.faults import EngineError
from engine.geometry import euler
from engine.kernels.reference import masked

CASE = Case(32, 9, 5)
REACH = 3
JOB = peers.Job("local", order=4, sigma_deg=3, cone_deg=18, azimuth_deg=18, step_deg=3.75, n_particles=1)
TURN = euler.matrices([20, 70, -130])


@pytest.fixture(scope="module")
def small():
    return scene(CASE)


@pytest.fixture(scope="module")
def task(small):
    band = HIGHPASS_FPX, CASE.lowpass_fpx
    return naive.problem(small.particles[0], small.reference, small.mask, WEDGE, band, REACH)


@pytest.fixture(scope="module")
def seen(small):
    return oracle.filtered(small.particles[0].astype(np.float64), WEDGE, HIGHPASS_FPX, CASE.lowpass_fpx)


def near_zero(values):
    middle = slice(16 - REACH, 16 + REACH + 1)
    return values[middle, middle, middle]


def highest(values):
    z, y, x = np.unravel_index(values.argmax(), values.shape)
    return values.max(), [x - REACH, y - REACH, z - REACH]


@pytest.mark.parametrize("angles", [[0, 0, 0], [20, 70, -130], [0, 180, 0], [90, 90, 0]])
def test_the_compiled_rotation_is_the_trilinear_one(small, angles):
    rotation = euler.matrices(angles)
    for volume in (small.reference, small.mask):
        expected = oracle.turned(volume.astype(np.float64), rotation, order=1)
        assert np.abs(naive.turned(volume, rotation) - expected).max() < 2e-5 * volume.max()  # float32 coordinates


def test_what_comes_from_outside_the_box_is_zero():
    noise = np.random.default_rng(0).normal(size=(17, 17, 17)).astype(np.float32)
    expected = oracle.turned(noise.astype(np.float64), TURN, order=1)
    assert np.mean(expected == 0) > 0.1
    assert naive.turned(noise, TURN) == pytest.approx(expected, abs=2e-5)


def test_the_naive_local_engine_is_the_oracle(small, task, seen):
    for rotation in (TURN, small.rotations[0]):
        template = oracle.filtered(oracle.turned(small.reference, rotation, 1), WEDGE, HIGHPASS_FPX, CASE.lowpass_fpx)
        cc, shift = highest(near_zero(oracle.cc_map(seen, template, oracle.turned(small.mask, rotation, 1))))
        found = naive.locally_normalised(task, rotation)
        assert found.cc == pytest.approx(cc, abs=1e-5)  # float32 against float64
        assert found.shift_xyz_px.tolist() == shift


def test_the_naive_global_engine_is_the_plain_sum_over_voxels(small, task, seen):
    for rotation in (TURN, small.rotations[0]):
        turned = oracle.turned(masked(small.reference, small.mask), rotation, 1)
        template = oracle.filtered(turned, WEDGE, HIGHPASS_FPX, CASE.lowpass_fpx)
        shifts = range(-REACH, REACH + 1)
        sums = [
            [[(np.roll(template, (z, y, x), (0, 1, 2)) * seen).sum() for x in shifts] for y in shifts] for z in shifts
        ]
        cc, shift = highest(np.array(sums) / np.sqrt((template**2).sum() * (seen**2).sum()))
        found = naive.globally_normalised(task, rotation)
        assert found.cc == pytest.approx(cc, abs=1e-5)
        assert found.shift_xyz_px.tolist() == shift


def test_the_particle_that_is_timed_is_found_where_it_is():
    made = scene(Case(48, 12, 7))
    pose = contestants.Whole(contestants.arena(made), contestants.local_plan(24, 24, 6, 12))()[0]
    assert euler.angular_distance_deg(pose.rotation, made.rotations[0]) < 4  # one particle at SNR 0.02: noise, not grid
    assert np.linalg.norm(pose.shift_xyz_px - made.shifts_xyz_px[0]) < 0.5


def test_contestants_take_turns_and_the_first_round_is_not_counted():
    calls = []
    time = iter(range(100))
    runners = [Contestant(name, lambda name=name: calls.append(name), units) for name, units in (("a", 1), ("b", 4))]
    seconds = in_turns(runners, 3, clock=lambda: next(time))
    assert calls == ["a", "b"] * 4
    assert seconds["a"].tolist() == [1, 1, 1]
    assert seconds["b"].tolist() == [0.25, 0.25, 0.25]
    assert ratio(np.array([2, 9, 4]), np.array([1, 3, 4])) == 2


@pytest.mark.parametrize("text", ["64/20", "a/b/c", "63/20/9", "64/31/9", "64/1/9", "64/20/8", "64/20/99", "8/3/1"])
def test_a_case_that_cannot_be_timed_is_one_error(text):
    with pytest.raises(EngineError, match=text):
        case_of(text)


def test_a_case_reads_as_it_is_written():
    assert str(case_of("64/20/9")) == "64/20/9"
    assert case_of("192/32/15") == Case(192, 32, 15)


def test_what_is_not_installed_is_named(small, monkeypatch):
    monkeypatch.setitem(sys.modules, "acryo", None)
    monkeypatch.setattr(measure, "relion_program", lambda: None)
    assert peers.acryo_models(small, 2) == peers.Absent("acryo", "not installed")
    assert measure.relion_figures(CASE, (), print) == ([], [peers.Absent("RELION", "not installed")])


def test_a_program_that_fails_is_named_with_its_complaint(small, tmp_path):
    program = tmp_path / "relion_refine"
    program.write_text("#!/bin/sh\necho 'ERROR:'\necho 'ERROR: no such thing' >&2\nexit 1\n")
    program.chmod(0o755)
    assert peers.relion_seconds(str(program), small, JOB) == "failed: no such thing"


def test_a_program_that_runs_finds_particles_reference_and_wedge(small, tmp_path):
    program = tmp_path / "relion_refine"
    program.write_text(
        f"#!{sys.executable}\n"
        "from pathlib import Path\n"
        "from engine.files import read_star\n"
        "from engine.files.mrc import read_mrc\n"
        "assert read_mrc(Path('reference.mrc')).data.std() > 0\n"
        "assert read_mrc(Path('wedge.mrc')).data[16, 16, 16] == 1\n"
        "assert read_star('particles.star').table.tags.size == 1\n"
    )
    program.chmod(0o755)
    assert isinstance(peers.relion_seconds(str(program), small, JOB), float)


@pytest.fixture(scope="module")
def quick():
    """What the quick run writes as JSON, without peers."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "acryo", None)
        patch.setattr(measure, "relion_program", lambda: None)
        done = CliRunner().invoke(app, ["bench", "--quick", "--json", "--workers", "2"])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def names(form):
    return [field.name for field in fields(form)]


def test_the_json_has_the_documented_shape(quick):
    assert list(quick) == names(figures.Bench)
    case = quick["cases"][0]
    assert list(case) == names(figures.CaseFigures)
    assert [list(one) for one in case["speeds"]] == [names(figures.Speed)] * 5
    assert list(case["whole"]) == names(figures.WholeParticle)
    assert list(case["workers"]) == names(figures.Workers)
    assert [list(one) for one in quick["scaling"]] == [names(figures.Scaled)] * len(measure.QUICK.scaling)
    assert quick["absent"] == [{"peer": name, "reason": "not installed"} for name in ("acryo", "RELION")]


def test_the_figures_agree_with_each_other(quick):
    case = quick["cases"][0]
    kernel, _few, _bank, *naive_engines = case["speeds"]
    assert kernel["times_kernel"] == 1
    assert [one["gflops_per_s"] is None for one in case["speeds"]] == [False, False, False, True, True]
    for one in case["speeds"]:
        assert one["ms_per_orientation"] * one["orientations_per_s"] == pytest.approx(1000)
    whole = case["whole"]
    for one in naive_engines:
        naive_s = whole["n_rotations"] * one["ms_per_orientation"] / 1000
        assert whole["naive_s"][one["name"]] == pytest.approx(naive_s)
    assert quick["scaling"][0]["times_first"] == 1
    assert case["n_points"] > 1000
    assert case["memory_bytes"] > 48**3 * 4


def test_a_case_of_ones_own_is_timed_alone_and_shown(monkeypatch):
    monkeypatch.setattr(measure, "relion_program", lambda: None)
    done = CliRunner().invoke(app, ["bench", "--quick", "--case", "32/9/5", "--workers", "1"])
    assert done.exit_code == 0, done.output
    for words in ("32/9/5", "kernel", "naive, local norm", "of sgemm", "whole particle, 1,045 rotations", "load"):
        assert words in done.stdout
    assert "scaling" not in done.stdout
    assert "workers:" not in done.stdout


def test_a_senseless_case_is_one_line():
    done = CliRunner().invoke(app, ["bench", "--case", "64/40/9"])
    assert done.exit_code == 1
    assert done.stderr == "error: case 64/40/9: the low-pass lies between 2 and 30 Fourier pixels\n"
