"""Several references: two conformations are told apart; what is lost, kept and chosen is what the summary says."""

import memory
import numpy as np
import pytest

from engine.data import ParticleArray, Table, Volume
from engine.devices import Work
from engine.kernels import mask as draw
from engine.kinds.stability import adjusted_rand_index
from engine.step import of_reference, reference_of

OBJECT = {"blobs": 40, "radius_px": 8, "domain_turn_deg": 90}
BOXES = {"count": 80, "box_px": 28, "snr": 0.1, "shift_px": 2}
START = {"angle_error_deg": 8, "shift_error_px": 1, "template_lowpass_fpx": 5}
ROUND = {
    "cone": {"range_deg": 24, "step_deg": 8},
    "azimuth": {"range_deg": 24, "step_deg": 8},
    "shifts": {"limits_xyz_px": [4, 4, 4]},
    "bandpass": {"lowpass_fpx": 8},
    "swap_references": True,
}
BOTH = ["p:template:ref=1", "p:template:ref=2"]


def phantom(conformations=2, **boxes):
    """A phantom's items by their addresses."""
    values = {"object": {**OBJECT, "conformations": conformations}, "boxes": {**BOXES, **boxes}, "start": START}
    made = memory.run("phantom", values)["phantom"]
    keys = {path: (path.rsplit("/", 1)[-1], reference_of(path)) for path in made}
    return {f"p:{item}" + (f":ref={ref}" if ref else ""): made[path] for path, (item, ref) in keys.items()}


@pytest.fixture(scope="module")
def given():
    return phantom()


@pytest.fixture(scope="module")
def few():
    return phantom(count=20, snr=0.5)


def align(given, *rounds, work=None, **values):
    data = {"particles": "p:particles", "table": "p:table", **values.pop("data", {})}
    rounds = [{**ROUND, **settings} for settings in rounds or ({},)]
    return memory.run("alignment", {"data": data, "rounds": rounds, **values}, given, work)


def right_share(table, given):
    """The share of particles in the class that is theirs, whatever the two classes are called."""
    is_same = table["ref"] == given["p:truth"].sorted_by("tag")["ref"]
    return max(is_same.mean(), 1 - is_same.mean())


def test_two_conformations_are_told_apart_from_their_templates(given):
    made = align(given, {"iterations": 2}, data={"template": BOTH})
    for ite in ("ite_0001", "ite_0002"):
        table = made[ite]["table"]
        assert right_share(table, given) >= 0.95
        for number in (1, 2):
            mine = made[ite][of_reference(number, "table")]
            assert mine.sorted_by("tag").equals(table.where(table["ref"] == number))
    true = [given[f"p:object:ref={number}"].data for number in (1, 2)]
    averages = [made["ite_0002"][of_reference(number, "average")].data for number in (1, 2)]
    likeness = np.corrcoef([*(box.ravel() for box in (*averages, *true))])[:2, 2:]
    assert likeness[0, 0] > likeness[0, 1] + 0.05
    assert likeness[1, 1] > likeness[1, 0] + 0.05
    assert "adjusted Rand index" not in made["ite_0001"]["summary"]  # there were no classes before
    assert made["ite_0002"]["summary"]["surviving references"] == "1, 2"


@pytest.fixture(scope="module")
def dealt(given):
    """Two runs from classes made at random, by two seeds."""
    rounds = {"iterations": 7, "refine": {"levels": 2}}
    return [align(given, rounds, data={"references": 2}, compute={"seed": seed}) for seed in (0, 1)]


def test_classes_dealt_at_random_find_the_conformations_and_settle(given, dealt):
    for made in dealt:
        summaries = [made[f"ite_{number:04d}"]["summary"] for number in range(1, 8)]
        history = [summary["adjusted Rand index"] for summary in summaries]
        changed = [summary["changed reference"] for summary in summaries]
        assert right_share(made["ite_0000"]["table"], given) < 0.7
        assert right_share(made["ite_0007"]["table"], given) >= 0.95
        assert min(history) < 0.6
        assert history[-1] == 1.0
        assert max(changed) > 0.1
        assert changed[-1] == 0.0


def test_stable_classes_prove_nothing_but_other_seeds_tell(dealt):
    """Each particle is part of its own class average: noise settles too, in other classes for each seed."""
    boxes = np.random.default_rng(5).normal(size=(24, 28, 28, 28)).astype(np.float32)
    noise = {"p:particles": ParticleArray(boxes, np.arange(1, 25), 4.0), "p:table": Table.blank(24)}
    known_poses = {"iterations": 3, "search": "grid", "refine": {"levels": 0}, "cone": {"range_deg": 0}}
    known_poses |= {"azimuth": {"range_deg": 0}, "shifts": {"limits_xyz_px": [2, 2, 2]}}
    ends = []
    for seed in (0, 1):
        made = align(noise, known_poses, data={"references": 2}, compute={"seed": seed})["ite_0003"]
        assert made["summary"]["adjusted Rand index"] > 0.8
        ends.append(made["table"]["ref"])
    assert adjusted_rand_index(*ends) < 0.3
    assert adjusted_rand_index(*(made["ite_0007"]["table"]["ref"] for made in dealt)) > 0.8


def test_noise_settles_in_no_class_when_particles_choose_by_the_other_half():
    """By whole averages few particles of two conformations stay where they were dealt; by halves they sort themselves."""
    some = phantom(count=24, snr=0.3)
    boxes = np.random.default_rng(5).normal(size=(24, 28, 28, 28)).astype(np.float32)
    noise = {**some, "p:particles": ParticleArray(boxes, np.arange(1, 25), 4.0)}
    known_poses = {"iterations": 8, "search": "grid", "refine": {"levels": 0}, "cone": {"range_deg": 0}}
    known_poses |= {"azimuth": {"range_deg": 0}, "shifts": {"limits_xyz_px": [3, 3, 3]}}
    index, right = {}, {}
    for way in ("whole", "other-half"):
        for name, given in (("noise", noise), ("conformations", some)):
            known = {**given, "p:table": some["p:truth"]}
            made = align(known, {**known_poses, "swap_by": way}, data={"references": 2})
            history = [made[f"ite_{number:04d}"]["summary"]["adjusted Rand index"] for number in range(5, 9)]
            index[name, way] = np.mean(history)
            right[name, way] = right_share(made["ite_0008"]["table"], some)
    assert index["noise", "whole"] == index["conformations", "whole"] == 1.0
    assert right["conformations", "whole"] < 0.7
    assert abs(index["noise", "other-half"]) < 0.3
    assert index["conformations", "other-half"] > 0.9
    assert right["conformations", "other-half"] >= 0.95


def test_from_templates_the_first_choice_is_by_the_templates(few):
    made = [align(few, {"iterations": 2, "swap_by": way}, data={"template": BOTH}) for way in ("whole", "other-half")]
    plain, halves = made
    assert halves["ite_0001"]["table"].equals(plain["ite_0001"]["table"])
    assert (plain["ite_0002"]["refs/001/poses"]["cc2"] == 0).all()
    poses = [halves["ite_0002"][of_reference(number, "poses")] for number in (1, 2)]
    np.testing.assert_array_equal(poses[0]["ref"], 1 + np.argmax([table["cc2"] for table in poses], axis=0))
    assert (
        poses[0]["cc2"] < poses[0]["cc"]
    ).mean() > 0.8  # a half average holds more noise, and none of the particle's own
    assert right_share(halves["ite_0002"]["table"], few) >= 0.95


def test_references_that_do_not_swap_are_projects_of_their_own(few):
    tables = {"even.tbl": few["p:table"].where(few["p:table"].tags % 2 == 0)}
    apart = {"iterations": 2, "swap_references": False, "select": {"rule": "best-fraction", "value": 0.8}}
    for table in ("p:table", ["p:table", "even.tbl"]):
        made = align({**few, **tables}, apart, data={"template": BOTH, "table": table})
        assert "table" not in made["ite_0002"]
        for number in (1, 2):
            one = {"template": BOTH[number - 1], "table": table if table == "p:table" else table[number - 1]}
            alone = align({**few, **tables}, apart, data=one)["ite_0002"]
            of_it = {item: made["ite_0002"][of_reference(number, item)] for item in ("table", "average", "fsc")}
            assert of_it["table"].equals(alone["table"].with_columns(ref=number))
            np.testing.assert_array_equal(of_it["average"].data, alone["refs/001/average"].data)
            np.testing.assert_array_equal(of_it["fsc"]["fsc"], alone["refs/001/fsc"]["fsc"])


def test_a_reference_that_nobody_chooses_is_out_and_keeps_its_last_average(few):
    dark = Volume(-few["p:template:ref=2"].data, 4.0)
    made = align({**few, "dark": dark}, {"iterations": 2}, data={"template": [BOTH[0], "dark"]})
    for ite in ("ite_0001", "ite_0002"):
        step = made[ite]
        assert step["summary"]["surviving references"] == "1"
        assert step["summary"]["particles of reference 2"] == 0
        assert len(step["refs/002/table"]) == 0
        np.testing.assert_array_equal(step["refs/002/average"].data, dark.data)
        assert not step["refs/002/fourier_weight"].any()
        assert not step["refs/002/fsc"]["fsc"].any()
    poses = [made[ite]["refs/002/poses"] for ite in ("ite_0001", "ite_0002")]
    np.testing.assert_array_equal(poses[0]["cc"], poses[1]["cc"])  # nothing was aligned to it any more
    alone = align(few, {"iterations": 2, "swap_references": False}, data={"template": BOTH[0]})["ite_0002"]
    np.testing.assert_array_equal(made["ite_0002"]["refs/001/average"].data, alone["refs/001/average"].data)


def test_a_round_without_swapping_keeps_the_classes(few):
    made = align(few, {}, {"swap_references": False}, {}, data={"template": BOTH})
    first, second, third = (made[f"ite_{number:04d}"] for number in (1, 2, 3))
    np.testing.assert_array_equal(first["table"]["ref"], second["table"]["ref"])
    assert second["summary"]["adjusted Rand index"] == 1.0
    for number in (1, 2):
        before, after = (step[of_reference(number, "poses")] for step in (first, second))
        mine = after["ref"] == number
        assert (before["cc"][mine] != after["cc"][mine]).all()
        np.testing.assert_array_equal(before["cc"][~mine], after["cc"][~mine])
    assert (third["refs/001/poses"]["cc"] != second["refs/001/poses"]["cc"]).all()


def test_particles_choose_by_the_cc_under_the_classification_mask(few):
    small = Volume(np.asarray(draw.ball(28, 5.0, (14.0, 14.0, 18.0), 1.0, np)), 4.0)
    made = align({**few, "small": small}, data={"template": BOTH}, masks={"classification": "small"})
    poses = [made["ite_0001"][of_reference(number, "poses")] for number in (1, 2)]
    cc, cc2 = (np.array([table[name] for table in poses]) for name in ("cc", "cc2"))
    assert np.abs(cc - cc2).min() > 1e-4
    np.testing.assert_array_equal(poses[0]["ref"], 1 + cc2.argmax(axis=0))
    np.testing.assert_array_equal(made["ite_0000"]["classification_mask"].data, small.data)
    plain = align(few, data={"template": BOTH})["ite_0001"]
    by_cc = np.array([plain[of_reference(number, "poses")]["cc"] for number in (1, 2)])
    np.testing.assert_array_equal(by_cc, cc)  # the poses are those of the alignment mask
    np.testing.assert_array_equal(plain["refs/001/poses"]["ref"], 1 + by_cc.argmax(axis=0))


@pytest.mark.parametrize("work", [Work(1, (), 1), Work(2, (), 7)], ids=["one by one", "two workers"])
def test_chunks_and_workers_do_not_change_a_bit(few, work):
    plain, other = (align(few, {"iterations": 2}, data={"references": 3}, work=some) for some in (None, work))
    for ite in ("ite_0001", "ite_0002"):
        assert plain[ite]["table"].equals(other[ite]["table"])
        for number in (1, 2, 3):
            path = of_reference(number, "average")
            np.testing.assert_array_equal(plain[ite][path].data, other[ite][path].data)


def test_progress_counts_on_through_the_references(few):
    seen = []
    work = Work(1, (), 8, progress=lambda done, total: seen.append((done, total)))
    align(few, data={"template": BOTH}, work=work)
    seen = [pair for pair in seen if pair[1] == 40]
    assert [done for done, _ in seen] == [7, 14, 20, 27, 34, 40]


def test_a_second_selection_works_in_each_class(few):
    again = {"select_again": {"rule": "best-fraction", "value": 0.5}}
    made = align(few, again, data={"template": BOTH})["ite_0001"]
    for number in (1, 2):
        mine = made[of_reference(number, "table")]
        kept = mine["averaged"] == 1
        assert kept.sum() == np.ceil(len(mine) / 2)
        assert mine["cc2"][kept].min() > mine["cc2"][~kept].max()
