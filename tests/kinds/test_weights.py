"""Particles with Fourier weights of their own, through whole projects: found again, averaged, checked, resumed."""

from pathlib import Path

import memory
import numpy as np
import pytest
from aligned import pose_errors

import engine
from engine.check import check
from engine.data import ParticleArray, ParticleFacts, Table, Volume
from engine.devices import Work
from engine.faults import EngineError
from engine.files import WeightBoxes, write_particle_folder, write_table, write_volume
from engine.geometry import euler
from engine.kernels import blobs, fsc, mask
from engine.kernels.fourier import from_spectrum, spectrum
from engine.kernels.wedge import Wedge, measured
from engine.kernels.weight import half_weight
from engine.kinds.alignment import costs
from engine.kinds.form import Round
from engine.plan import plan
from engine.project import load

N, COUNT = 28, 16
ROUND = {
    "cone": {"range_deg": 24, "step_deg": 8},
    "azimuth": {"range_deg": 24, "step_deg": 8},
    "shifts": {"limits_xyz_px": [4, 4, 4]},
    "bandpass": {"lowpass_fpx": 9},
}
DATA = {"particles": "p:particles", "table": "p:table", "template": "p:object", "weights": "p:weights"}


def own_weights():
    """Rings with a phase of their own and a hole of their own, as tilt series with differing defocus have."""
    z, y, x = np.indices((N, N, N)) - N // 2
    k, squared = np.stack([x, y, z], axis=-1), x**2 + y**2 + z**2
    for number in range(COUNT):
        rings = np.sin(0.05 * squared + 0.4 + 0.1 * number) ** 2
        yield (rings * measured(k, Wedge(1, (-60 + 2 * number, 40 + number)))).astype(np.float32)


@pytest.fixture(scope="module")
def given():
    generator = np.random.default_rng(5)
    chain = blobs.chiral_chain(40, 8, generator)
    truth = Table.blank(COUNT, ftype=5, apix=4.0)
    truth = truth.with_poses(euler.random(COUNT, generator), generator.uniform(-2, 2, (COUNT, 3)))
    weights = np.stack(list(own_weights()))
    clean = np.stack(
        [
            from_spectrum((spectrum(blobs.render(chain @ R.T + d, 1.2, N)) * half_weight(own)).astype(np.complex64), N)
            for R, d, own in zip(euler.matrices(truth.angles), truth.shifts_xyz_px, weights, strict=True)
        ]
    )
    boxes = clean + 1.5 * clean.std() * generator.standard_normal(clean.shape, dtype=np.float32)
    turned = euler.matrices(truth.angles) @ euler.matrices(np.tile([3.0, 6.0, -2.0], (COUNT, 1)))
    start = truth.with_poses(euler.angles(turned), truth.shifts_xyz_px + generator.uniform(-1, 1, (COUNT, 3)))
    return {
        "p:particles": ParticleArray(boxes, truth.tags, 4.0),
        "p:table": start,
        "p:truth": truth,
        "p:object": Volume(blobs.render(chain, 1.2, N), 4.0),
        "p:weights": WeightBoxes(ParticleArray(weights, truth.tags, 4.0), "p:weights"),
    }


def align(given, settings=None, work=None, data=None):
    values = {"data": {**DATA, **(data or {})}, "rounds": [{**ROUND, **(settings or {})}]}
    return memory.run("alignment", values, given, work)


@pytest.mark.parametrize(
    "settings", [{}, {"search": "grid", "refine": {"levels": 3}}, {"search": "global", "cone": None, "azimuth": None}]
)
def test_particles_with_weights_of_their_own_are_found_again(given, settings):
    left_out = {name for name, value in settings.items() if value is None}
    values = {name: value for name, value in {**ROUND, **settings}.items() if name not in left_out}
    made = memory.run("alignment", {"data": DATA, "rounds": [values]}, given)["ite_0001"]
    found = pose_errors(made["table"], given["p:truth"], "C1")
    assert np.median(found["angle_deg"]) < 2.0
    assert np.median(found["shift_px"]) < 0.2


def test_the_weights_make_the_score_true(given):
    with_weights = align(given)["ite_0001"]["table"]
    plain = given["p:table"].with_columns(ftype=0)
    without = align({**given, "p:table": plain}, data={"weights": None})["ite_0001"]["table"]
    assert with_weights["cc"].mean() > 1.1 * without["cc"].mean()
    errors = [pose_errors(table, given["p:truth"], "C1")["angle_deg"] for table in (with_weights, without)]
    assert np.median(errors[0]) < np.median(errors[1])


@pytest.mark.parametrize("settings", [{}, {"select_again": {"rule": "best-count", "value": 12}, "iterations": 2}])
def test_chunks_and_workers_do_not_change_a_bit(given, settings):
    one, other = align(given, settings), align(given, settings, Work(2, (), 7))
    assert one["ite_0001"]["table"].equals(other["ite_0001"]["table"])
    np.testing.assert_array_equal(one["ite_0001"]["refs/001/average"].data, other["ite_0001"]["refs/001/average"].data)
    if "select_again" in settings:
        assert one["ite_0002"]["table"]["averaged"].sum() == 12


def test_the_average_kind_divides_by_the_weights(given):
    poses = {**given, "p:table": given["p:truth"]}
    ball, whole = np.asarray(mask.inscribed_ball(N)), given["p:object"].data
    data = {"particles": "p:particles", "table": "p:table"}
    with_weights = memory.run("average", {"data": {**data, "weights": "p:weights"}}, poses)["average"]
    poses["p:table"] = given["p:truth"].with_columns(ftype=0)
    without = memory.run("average", {"data": data}, poses)["average"]
    good, bad = (fsc.fsc(made["refs/001/average"].data, whole, ball)[2:9] for made in (with_weights, without))
    assert good.mean() > 0.9
    middle = slice(N // 2 - 3, N // 2 + 4)
    assert good.mean() >= bad.mean() - 0.01
    # The sum of weights of each voxel, not the number of particles.
    weight = with_weights["refs/001/fourier_weight"]
    assert 0 < weight[2:9, 2:9, 2:9].mean() < 0.6 * without["refs/001/fourier_weight"][2:9, 2:9, 2:9].mean()
    assert np.isfinite(with_weights["refs/001/average"].data[middle, middle, middle]).all()


def test_particles_without_a_weight_and_weights_of_another_box_stop_the_start(given):
    weights = given["p:weights"]
    few = WeightBoxes(ParticleArray(np.ones((2, N, N, N), np.float32), np.array([1, 2])), "few")
    small = WeightBoxes(ParticleArray(np.ones((COUNT, 20, 20, 20), np.float32), weights.tags), "small")
    for wrong, words in ((few, "14 particles have no weight, tags 3, 4, 5, 6, 7"), (small, "for boxes of 20 px")):
        with pytest.raises(EngineError, match=words):
            align({**given, "p:weights": wrong})
    with pytest.raises(EngineError, match="16 of 16 rows have ftype 5"):
        align(given, data={"weights": None})


def test_check_says_that_weighted_particles_share_no_bank():
    limits = {"shifts": {"limits_xyz_px": [1, 1, 1]}, "bandpass": {"lowpass_fpx": 13}}
    settings, facts = Round.model_validate({"search": "global", **limits}), ParticleFacts(100, 32, 4.0)
    assert "together, by a bank" in costs.search_in_words(1, settings, facts, 4.0)
    assert "one by one" in costs.search_in_words(1, settings, facts, 4.0, weighted=True)


PROJECT = """\
kind = "alignment"
[data]
particles = "data"
table = "data/crop.tbl"
weights = "data"
[[rounds]]
cone = { range_deg = 0 }
azimuth = { range_deg = 0 }
bandpass = { lowpass_fpx = 8 }
"""


@pytest.fixture
def campaign(tmp_path, given):
    """Dynamo's way: particles, their custom Fourier masks and their table in one folder."""
    folder = tmp_path / "data"
    write_particle_folder(given["p:particles"], folder)
    for tag, own in zip(given["p:truth"].tags.tolist(), own_weights(), strict=True):
        write_volume(Volume((own > 0.1).astype(np.float32)), folder / f"pfmask_{tag:05d}.em")
    write_table(given["p:table"], folder / "crop.tbl")
    (tmp_path / "pr_1.toml").write_text(PROJECT, "utf-8")
    return tmp_path


def faults(path: Path) -> list[str]:
    (checked,) = check([path])
    return [f"{fault.line}: {fault.what}" for fault in checked.faults]


def test_a_folder_of_custom_masks_runs_and_is_part_of_the_key(campaign):
    path = campaign / "pr_1.toml"
    assert faults(path) == []
    engine.run([path])
    assert engine.query(f"{campaign}/pr_1:table").value["cc"].min() > 0
    assert all(one.state == "keep" for one in plan(load(path)))
    changed = campaign / "data" / "pfmask_00003.em"
    write_volume(Volume(np.ones((N, N, N), np.float32)), changed)
    states = {one.step.name: (one.state, one.reason) for one in plan(load(path))}
    assert states["ite_0001"][0] == "stale"
    assert "input weights (data) changed" in states["ite_0001"][1]


def test_check_finds_what_is_wrong_with_weights(campaign):
    path = campaign / "pr_1.toml"
    (campaign / "data" / "pfmask_00007.em").unlink()
    assert faults(path) == ["5: 1 particles have no weight, tags 7"]
    path.write_text(PROJECT.replace('weights = "data"', 'weights = "elsewhere"'), "utf-8")
    assert faults(path) == ['5: there is no file "elsewhere"']
    path.write_text(PROJECT.replace('weights = "data"\n', ""), "utf-8")
    assert faults(path) == ["4: 16 of 16 rows have ftype 5, sampled as their own weight says, and there is none"]
    for file in (campaign / "data").glob("pfmask_*"):
        write_volume(Volume(np.ones((20, 20, 11), np.float32)), file)
    write_volume(Volume(np.ones((20, 20, 11), np.float32)), campaign / "data" / "pfmask_00007.em")
    path.write_text(PROJECT, "utf-8")
    assert faults(path) == ["5: are for boxes of 20 px, the particles have 28"]


def test_an_address_of_boxes_may_give_the_weights(tmp_path):
    (tmp_path / "truth.toml").write_text('kind = "phantom"\n[boxes]\nbox_px = 40\ncount = 4\n', "utf-8")
    text = PROJECT.replace('"data"', '"truth:particles"').replace('"data/crop.tbl"', '"truth:table"')
    (tmp_path / "pr_1.toml").write_text(text, "utf-8")
    assert [one.faults for one in check(tmp_path)] == [[], []]
    (tmp_path / "pr_1.toml").write_text(text.replace('weights = "truth:particles"', 'weights = "truth:table"'), "utf-8")
    ((fault,),) = [one.faults for one in check(tmp_path) if one.faults]
    assert "truth:table is not a set of boxes" in fault.what
    # Boxes of density are no weights: their voxels are negative here and there.
    (tmp_path / "pr_1.toml").write_text(text, "utf-8")
    with pytest.raises(EngineError, match="truth:particles: tag 1: a weight holds voxels that are negative"):
        engine.run([tmp_path])
