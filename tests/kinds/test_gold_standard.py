"""Two half-sets: their references have nothing fine in common, noise does not fool their FSC, and their low-pass follows it."""

import memory
import numpy as np
import pytest

import engine
from engine.data import ParticleArray, ParticleFacts, Table, Volume
from engine.devices import Work
from engine.files import write_particle_stack, write_table
from engine.geometry import euler
from engine.kernels import blobs
from engine.kernels.fourier import from_spectrum, half_frequencies, lowpass, shells, spectrum
from engine.kernels.fsc import crossing_fpx
from engine.kernels.wedge import Wedge, measured
from engine.kinds import alignment
from engine.kinds.alignment.adaptive import NARROWEST_FPX, next_lowpass_fpx, widest
from engine.kinds.alignment.rounds import planned
from engine.kinds.alignment.spectra import cached_reach, pays, reach_fpx
from engine.kinds.form import Adaptive, Bandpass
from engine.plan import plan

BOX, PIXEL_A = 36, 4.0
PHANTOM = {
    "object": {"blobs": 50, "radius_px": 10},
    "boxes": {"count": 40, "box_px": BOX, "snr": 0.1, "shift_px": 2, "pixel_size_A": PIXEL_A},
    "start": {"angle_error_deg": 10, "shift_error_px": 2, "template_lowpass_fpx": 17},
}
ROUND = {
    "cone": {"range_deg": 18, "step_deg": 6},
    "azimuth": {"range_deg": 18, "step_deg": 6},
    "refine": {"levels": 2},
    "shifts": {"limits_xyz_px": [4, 4, 4]},
}
DATA = {
    "particles": "phantom:particles",
    "table": "phantom:table",
    "template": "phantom:template",
    "halves": "parity",
}
FOLLOWING = {"lowpass_fpx": 6, "adaptive": {"criterion": 0.143, "pushback_fpx": 3}}


@pytest.fixture(scope="module")
def phantom():
    return memory.addresses("phantom", memory.run("phantom", PHANTOM)["phantom"])


def project(*bandpasses, **data):
    rounds = [{**ROUND, "iterations": n, "bandpass": bandpass} for n, bandpass in bandpasses]
    return {"data": {**DATA, **data}, "rounds": rounds}


def form(*bandpasses, **data):
    return alignment.Project.model_validate(project(*bandpasses, **data))


@pytest.fixture(scope="module")
def followed(phantom):
    """Three adaptive iterations, then one at a stated low-pass, then two adaptive ones that begin at their own."""
    anew = {"lowpass_A": 16.0, "adaptive": FOLLOWING["adaptive"]}
    values = project((2, FOLLOWING), (1, FOLLOWING), (1, {"lowpass_fpx": 7}), (2, anew))
    return memory.run("alignment", values, phantom)


def lowpass_in_force(made, number):
    """That of both halves, and of what joins them."""
    steps = (f"{folder}ite_{number:04d}" for folder in ("half_odd/", "half_even/", ""))
    (low,) = {made[step]["summary"]["low-pass (Fourier px)"] for step in steps}
    return low


def test_the_next_low_pass_is_the_resolution_shell_less_the_pushback(followed):
    assert lowpass_in_force(followed, 1) == 6
    for number in (1, 2, 5):
        joined = followed[f"ite_{number:04d}"]
        curve = joined["refs/001/fsc"]
        shell = BOX * PIXEL_A / curve.notes["resolution_at_0.143_A"]
        assert joined["next_lowpass_fpx"] == pytest.approx([shell - 3])
        assert lowpass_in_force(followed, number + 1) == pytest.approx(shell - 3)
        assert joined["summary"]["next low-pass (Fourier px)"] == pytest.approx(shell - 3)
        assert curve["fsc"][: int(shell)].min() > 0.143 > curve["fsc"][int(shell) + 1]
    assert lowpass_in_force(followed, 2) > 8  # the data hold more than the first iteration was given


def test_a_fixed_round_takes_its_own_low_pass_and_an_adaptive_one_after_it_begins_anew(followed):
    assert lowpass_in_force(followed, 4) == 7
    assert "next_lowpass_fpx" not in followed["ite_0004"]
    assert lowpass_in_force(followed, 5) == BOX * PIXEL_A / 16.0


def test_the_low_pass_decides_what_is_compared(followed, phantom):
    """The second iteration is the one that a round with this low-pass, stated, would do from the same tables."""
    steps = {step.name: step for step in alignment.unfold(form((2, FOLLOWING)))}
    step = steps["half_odd/ite_0002"]
    inputs = {name: given(source, followed, phantom) for name, source in step.inputs.items()}
    assert inputs["lowpass_fpx"] == followed["ite_0001"]["next_lowpass_fpx"]
    low = inputs.pop("lowpass_fpx")
    stated = step.settings.model_copy(
        update={"round": step.settings.round.model_copy(update={"bandpass": Bandpass(lowpass_fpx=float(low[0]))})}
    )
    made = step.function(stated, inputs, Work())
    assert made["table"].equals(followed["half_odd/ite_0002"]["table"])


def given(source, made, phantom):
    where = source.source
    return made[where.step][where.item] if hasattr(where, "step") else phantom[str(where)]


def test_the_joined_fsc_is_freed_of_the_share_of_the_mask(followed):
    curve = followed["ite_0003"]["refs/001/fsc"]
    first = int(np.flatnonzero(curve["fsc_unmasked"] < 0.8)[0])
    np.testing.assert_array_equal(curve["fsc"][: first + 2], curve["fsc_masked"][: first + 2])
    beyond = slice(first + 2, None)
    random = curve["fsc_random"][beyond]
    np.testing.assert_allclose(curve["fsc"][beyond], (curve["fsc_masked"][beyond] - random) / (1 - random), atol=1e-12)
    assert curve.notes["gold_standard"] is True


def test_the_bounds_of_a_low_pass():
    band, adaptive = Bandpass(lowpass_fpx=7, highpass_fpx=2.5), Adaptive()
    high, fallen = np.ones(19), np.r_[1.0, np.zeros(18)]
    assert next_lowpass_fpx(high, band, adaptive, 36, 4.0) == 18 - 3
    assert next_lowpass_fpx(high, band, Adaptive(pushback_fpx=0.0), 36, 4.0) == 18
    assert next_lowpass_fpx(fallen, band, adaptive, 36, 4.0) == 2.5 + NARROWEST_FPX
    assert next_lowpass_fpx(fallen, Bandpass(lowpass_A=30, highpass_A=48), adaptive, 36, 4.0) == 3 + NARROWEST_FPX
    falling = np.linspace(1, 0, 19)
    for criterion in (0.143, 0.5):
        found = next_lowpass_fpx(falling, band, Adaptive(criterion=criterion, pushback_fpx=2.0), 36, 4.0)
        assert found == pytest.approx(crossing_fpx(falling, criterion) - 2)


def test_the_symmetrized_averages_are_compared_if_asked(phantom):
    """A symmetry that the object does not have: the halves agree less about what is left."""
    curves = []
    for symmetrized in (False, True):
        band = {"lowpass_fpx": 7, "adaptive": {"symmetrized": symmetrized}}
        values = project((1, band))
        values["rounds"][0]["symmetry"] = "C7"
        made = memory.run("alignment", values, phantom)
        curves.append(made["ite_0001"]["refs/001/fsc"]["fsc"])
    assert np.abs(curves[0] - curves[1])[2:8].max() > 0.01


def test_the_template_of_both_halves_is_low_passed_as_their_first_iteration_is(phantom):
    made = memory.run("alignment", project((1, {"lowpass_A": 20.0})), phantom)
    power = {}
    for name, volume in (
        ("template", phantom["phantom:template"]),
        ("odd", made["half_odd/ite_0000"]["refs/001/starting_reference"]),
        ("even", made["half_even/ite_0000"]["refs/001/average"]),
        ("both", made["ite_0000"]["refs/001/starting_reference"]),
    ):
        values = np.abs(spectrum(volume.data)) ** 2
        power[name] = values[(shells(BOX) > 7.2 + 2)].sum() / values.sum(), values[(shells(BOX) <= 7)].sum()
    assert power["template"][0] > 1e-3
    assert power["both"] == power["template"]
    assert max(power["odd"][0], power["even"][0]) < 1e-9
    assert power["odd"][1] == pytest.approx(power["template"][1], rel=1e-5)
    assert made["half_odd/ite_0000"]["summary"]["template low-passed to (Fourier px)"] == pytest.approx(7.2)


@pytest.mark.parametrize("work", [Work(1, (), 7), Work(2, (), 1)], ids=repr)
def test_chunks_and_workers_and_the_cache_do_not_change_a_bit(followed, phantom, work):
    values = project((2, FOLLOWING), (1, FOLLOWING))
    module = alignment
    made = {}
    for step in module.unfold(module.Project.model_validate(values)):
        inputs = {name: given(source, made, phantom) for name, source in step.inputs.items() if name != "spectra"}
        if not step.scratch:
            made[step.name] = step.function(step.settings, inputs, work)
    for name in ("half_even/ite_0003", "ite_0003"):
        assert made[name]["table"].equals(followed[name]["table"])
        np.testing.assert_array_equal(made[name]["refs/001/average"].data, followed[name]["refs/001/average"].data)
    np.testing.assert_array_equal(made["ite_0003"]["next_lowpass_fpx"], followed["ite_0003"]["next_lowpass_fpx"])


def test_the_cache_reaches_as_far_as_it_pays():
    bands = (Bandpass(lowpass_fpx=5), Bandpass(lowpass_fpx=4, adaptive=Adaptive()))
    reach = cached_reach(bands, 96, 4.0)
    assert pays(reach, 96)
    assert not pays(reach + 1, 96)
    assert cached_reach(bands[:1], 96, 4.0) == 11


def test_a_forecast_holds_at_most_what_the_fsc_can_lead_to(followed):
    made = form((2, FOLLOWING), (1, FOLLOWING), (1, {"lowpass_fpx": 7}))
    bounds = [widest(made, one, BOX, PIXEL_A).bandpass.shells(BOX, PIXEL_A)[1] for one in planned(made)]
    reach = reach_fpx(Bandpass(lowpass_fpx=6), BOX, PIXEL_A)
    assert pays(reach, BOX)  # so the first average ends there
    assert bounds == [6, reach + 1 - 3, BOX // 2 - 3, 7]
    assert all(lowpass_in_force(followed, number) <= bound for number, bound in enumerate(bounds, start=1))
    facts = ParticleFacts(20, BOX, PIXEL_A)
    steps = {step.name: step for step in alignment.unfold(made)}
    odd, even = (steps[f"half_{half}/ite_0001"].cost.share(facts) for half in ("odd", "even"))
    assert even.seconds > odd.seconds  # averaged once more where it is laid on
    words = {step.cost.words(facts) for step in steps.values() if step.cost and step.cost.words}
    first, *_ = sorted(words)
    assert len(words) == 3
    assert "the low-pass follows the FSC, as far as" in first
    assert "; at most " in first


TOML = """
kind = "alignment"
[data]
particles = "boxes.mrcs"
table = "poses.tbl"
pixel_size_A = 4.0
halves = "parity"
[[rounds]]
iterations = 2
cone = {{ range_deg = 6, step_deg = 3 }}
azimuth = {{ range_deg = 6, step_deg = 3 }}
refine = {{ levels = 1 }}
shifts = {{ limits_xyz_px = [3, 3, 3] }}
bandpass = {{ lowpass_fpx = 6, adaptive = {{ criterion = 0.143, pushback_fpx = {pushback} }} }}
"""


def test_a_run_can_be_asked_and_is_kept_as_far_as_the_pushback_does_not_matter(tmp_path, phantom):
    write_particle_stack(phantom["phantom:particles"], tmp_path / "boxes.mrcs")
    write_table(phantom["phantom:table"], tmp_path / "poses.tbl")
    path = tmp_path / "p.toml"
    path.write_text(TOML.format(pushback=3))
    engine.run([path])
    place = path.with_suffix("")
    curves = engine.query(f"{place}:fsc:ite=*").found
    assert [one.ite for one in curves] == [1, 2]
    assert all(one.value.notes["gold_standard"] for one in curves)
    lows = [one.value for one in engine.query(f"{place}:next_lowpass_fpx:ite=*").found]
    summary = engine.query(f"{place}:summary:half=even").value
    assert summary["low-pass (Fourier px)"] == lows[0][0]
    assert engine.query(f"{place}:summary").value["low-pass (Fourier px)"] == lows[0][0]
    path.write_text(TOML.format(pushback=4))
    states = {one.step.name: (one.state, one.reason) for one in plan(engine.load(path))}
    for half in ("odd", "even"):
        assert states[f"half_{half}/ite_0001"][0] == "keep"
        state, reason = states[f"half_{half}/ite_0002"]
        assert state == "stale"
        assert reason.startswith("its input ite_0001 changed")
    assert states["ite_0001"] == ("stale", "bandpass.adaptive.pushback_fpx: 3.0 → 4.0")


NOISE_BOX, NOISE_PIXEL_A, COUNT = 40, 6.0, 200


def shell_of(resolution_A):
    return NOISE_BOX * NOISE_PIXEL_A / resolution_A


@pytest.fixture(scope="module")
def noise():
    """Particles of nothing, without their missing wedge, and the map of an object low-passed at 30 A."""
    generator = np.random.default_rng(0)
    inside = measured(half_frequencies(NOISE_BOX), Wedge(1, (-60.0, 60.0)))
    boxes = np.stack(
        [
            from_spectrum(spectrum(generator.normal(size=(NOISE_BOX,) * 3).astype(np.float32)) * inside, NOISE_BOX)
            for _ in range(COUNT)
        ]
    )
    einstein = blobs.render(blobs.chiral_chain(60, 15, generator), 1.2, NOISE_BOX)
    table = Table.blank(COUNT, ftype=1, ymintilt=-60, ymaxtilt=60, tomo=1, apix=NOISE_PIXEL_A)
    return {
        "phantom:particles": ParticleArray(boxes, table.tags, NOISE_PIXEL_A),
        "phantom:table": table.with_poses(euler.random(COUNT, generator), np.zeros((COUNT, 3))),
        "phantom:template": Volume(lowpass(einstein, shell_of(30)), NOISE_PIXEL_A),
    }


def aligned_noise(noise, halves, bandpass):
    search = {
        "iterations": 2,
        "cone": {"range_deg": 40, "step_deg": 8},
        "azimuth": {"range_deg": 40, "step_deg": 8},
        "shifts": {"limits_xyz_px": [3, 3, 3]},
        "bandpass": bandpass,
    }
    return memory.run("alignment", {"data": {**DATA, "halves": halves}, "rounds": [search]}, noise, Work(2))


@pytest.mark.slow
def test_einstein_from_noise_does_not_fool_two_half_sets_and_fools_one_reference(noise):
    """All is noise. Both averages come to look like the template at 30 A, and only one reference for all invents more.

    Beyond 25 A the FSC between half-sets reached 0.06, and 0.04 to 0.13 over five seeds; that between alternate particles of
    one reference 0.35, and 0.29 to 0.35. The band goes to 20 A.
    """
    beyond = slice(int(np.ceil(shell_of(25))), None)
    within = slice(3, int(shell_of(30)))
    gold, fooled = (
        aligned_noise(noise, halves, {"lowpass_A": 20})["ite_0002"]["refs/001/fsc"] for halves in ("parity", "none")
    )
    for curve in (gold, fooled):
        told = curve["fsc"][within].mean(), curve["fsc"][beyond].max(), curve.notes["resolution_at_0.143_A"]
        print("FSC within {:.2f}, beyond at most {:.3f}, {:.1f} A".format(*told))
    assert gold["fsc"][beyond].max() < 0.143
    assert gold.notes["resolution_at_0.143_A"] > 25
    assert fooled["fsc"][beyond].max() > 0.25
    assert fooled.notes["resolution_at_0.143_A"] < 20
    assert gold["fsc"][within].mean() > 0.3  # the template itself, in both: what 30 A is for


def test_an_adaptive_low_pass_does_not_rise_on_noise(noise):
    """From the template's 30 A on it falls: what agrees there is the template."""
    made = aligned_noise(noise, "parity", {"lowpass_A": 30, "adaptive": {}})
    lows = [lowpass_in_force(made, number) for number in (1, 2)]
    assert lows[0] == pytest.approx(shell_of(30))
    assert lows[1] < lows[0]
    assert made["ite_0002"]["next_lowpass_fpx"][0] < shell_of(30)
    assert made["ite_0002"]["refs/001/fsc"]["fsc"][int(np.ceil(shell_of(25))) :].max() < 0.143
