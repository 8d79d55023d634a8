"""alignment: all orientations, and a group of particles screened together."""

import memory
import numpy as np
import pytest
from aligned import pose_errors

from engine.data import ParticleFacts
from engine.devices import Work
from engine.geometry import euler, symmetry
from engine.kernels import bank
from engine.kinds.alignment import costs, everywhere, group, iterate, particle
from engine.kinds.form import Round
from engine.kinds.polish import Slope

DATA = {"particles": "phantom:particles", "table": "phantom:table", "template": "phantom:template"}
GLOBAL = {"search": "global", "shifts": {"limits_xyz_px": [4, 4, 4]}, "bandpass": {"lowpass_fpx": 10}}
FAST = {
    "cone": {"range_deg": 40, "step_deg": 8},
    "azimuth": {"range_deg": 40, "step_deg": 8},
    "shifts": {"limits_xyz_px": [1.5, 1.5, 1.5], "origin": "last-iteration"},
    "bandpass": {"lowpass_fpx": 13},
}


def phantom(group_name, blobs, count=20):
    made = memory.run(
        "phantom",
        {
            "object": {"blobs": blobs, "radius_px": 10, "symmetry": group_name},
            "boxes": {"count": count, "box_px": 32, "snr": 0.1, "shift_px": 2},
            "start": {"angle_error_deg": 10, "shift_error_px": 0.8, "template_lowpass_fpx": 10},
        },
    )
    return memory.addresses("phantom", made["phantom"])


@pytest.fixture(scope="module")
def chain():
    return phantom("C1", 40)


def align(given, settings, table=None, work=None):
    given = given if table is None else {**given, "phantom:table": table}
    return memory.run("alignment", {"data": DATA, "rounds": [settings]}, given, work)["ite_0001"]["table"]


def lost(table):
    return table.with_poses(euler.random(len(table), np.random.default_rng(5)), np.zeros((len(table), 3)))


@pytest.mark.parametrize(
    ("name", "blobs", "within_deg"),  # what 24 small subunits tell apart at this band is coarser
    [("C1", 40, 3), ("C6", 12, 3), ("D3", 12, 3), ("T", 8, 3), ("O", 8, 5)],
)
def test_a_global_search_finds_poses_from_random_angles(chain, name, blobs, within_deg):
    given = chain if name == "C1" else phantom(name, blobs)
    found = align(given, {**GLOBAL, "symmetry": name}, lost(given["phantom:table"]))
    errors = pose_errors(found, given["phantom:truth"], name)
    assert (errors["angle_deg"] < within_deg).mean() >= 0.95
    assert np.median(errors["shift_px"]) < 0.25


def test_a_global_search_does_not_depend_on_where_it_starts_or_on_chunks_and_workers(chain):
    start = lost(chain["phantom:table"]).where(np.arange(20) < 18)  # more than a group
    other = start.with_poses(start.angles[::-1], start.shifts_xyz_px)
    first = align(chain, GLOBAL, start)
    np.testing.assert_allclose(first.angles, align(chain, GLOBAL, other).angles, atol=1e-6)
    assert first.equals(align(chain, GLOBAL, start, Work(2, (), 7)))


def test_one_after_the_other_or_by_the_bank_a_global_search_finds_the_same(chain, monkeypatch):
    start = lost(chain["phantom:table"]).where(np.arange(20) < 6)
    by_bank = align(chain, GLOBAL, start)
    monkeypatch.setattr(group, "bank_is_quicker", lambda *_: False)
    one_by_one = align(chain, GLOBAL, start)
    np.testing.assert_allclose(by_bank.angles, one_by_one.angles, atol=1e-3)
    np.testing.assert_allclose(by_bank["cc"], one_by_one["cc"], atol=1e-4)


def test_modes_lie_apart_modulo_the_symmetry():
    generator = np.random.default_rng(0)
    rotations = euler.matrices(euler.random(500, generator))
    operators = symmetry.operators("C6")
    chosen = everywhere.distinct(rotations, generator.normal(size=500), operators, 8, 20)
    assert len(chosen) == 8
    for number, row in enumerate(chosen):
        for other in chosen[:number]:
            assert euler.angular_distance_deg(rotations[row], rotations[other], operators) >= 20


def by_hand(given, settings):
    """The matter and members of a round over all particles, as an iteration makes them."""
    from engine.kernels.fourier import spectrum_block
    from engine.kernels.mask import inscribed_ball
    from engine.kinds.averaging import wedges
    from engine.kinds.region import Region

    table, boxes = given["phantom:table"], given["phantom:particles"]
    samplings = wedges(table)
    matter = particle.prepared(
        given["phantom:template"].data, np.asarray(inscribed_ball(32)), set(samplings), 2.0, 13.0, 15
    )
    rotations = euler.matrices(table.angles)
    return matter, [
        particle.Member(
            spectrum_block(boxes.read(int(table.tags[row])), 15),
            samplings[row],
            rotations[row],
            table.shifts_xyz_px[row],
            Region(table.shifts_xyz_px[row], rotations[row], settings.shifts, 32),
        )
        for row in range(len(table))
    ]


def test_what_is_screened_together_holds_the_winner_of_each_particle_screened_alone(chain):
    settings = Round.model_validate(FAST)
    plan = iterate.search_plan(settings)
    matter, members = by_hand(chain, settings)
    chosen = group.Way("bank", 2.0, 13.0)
    together = group.screened_together(members, matter, plan, group.relative_bank(matter, plan, chosen))
    shared = []
    for one, kept in zip(members, together, strict=True):
        tried = one.rotation @ plan.levels[0]
        alone = particle.screened(one, matter, tried)
        assert len(kept) == len(alone) == particle.n_kept(len(tried))
        whole = matter.bands[one.wedge]
        given = particle.correlate.weighted(whole, one.block)
        slope = Slope(matter.template, whole, *given, one.region, particle.correlate.shift_step_px(whole) / 2)
        best = particle.best_of(slope, alone, one.region.clipped(one.shift_xyz_px))
        assert euler.angular_distance_deg(kept, best.rotation).min() < 1e-6
        shared.append(np.mean([euler.angular_distance_deg(kept, rotation).min() < 1e-6 for rotation in alone]))
    assert np.mean(shared) > 0.8


@pytest.mark.parametrize("work", [Work(1, (), 1), Work(2, (), 7)], ids=["one by one", "two workers"])
def test_a_fast_search_through_the_bank_lands_where_it_lands_without(chain, work, monkeypatch):
    def chosen(quicker):
        monkeypatch.setattr(group, "bank_is_quicker", lambda *_: quicker)
        return align(chain, FAST), align(chain, FAST, work=work)

    (bank_table, bank_again), (gather_table, _) = chosen(True), chosen(False)
    assert bank_table.equals(bank_again)
    apart = euler.angular_distance_deg(euler.matrices(bank_table.angles), euler.matrices(gather_table.angles))
    assert np.median(apart) < 0.02
    assert (apart < 0.5).mean() >= 0.95


def test_a_fast_search_turns_no_further_than_the_symmetry_lets_it_tell_and_a_grid_does():
    values = {
        "cone": {"range_deg": 0},
        "azimuth": {"range_deg": 360, "step_deg": 10, "flip": "every-level"},
        "symmetry": "C6",
        "bandpass": {"lowpass_fpx": 8},
    }
    fast, grid = (
        Round.model_validate({**values, "search": name, "refine": {"levels": 0}}) for name in ("fast", "grid")
    )
    assert len(iterate.search_plan(fast).levels[0]) == 6
    assert len(iterate.search_plan(grid).levels[0]) == 36
    words = costs.search_in_words(1, fast, ParticleFacts(100, 32, 4.0), 4.0)
    assert "azimuth narrowed to 60 deg by C6" in words
    assert "narrowed" not in costs.search_in_words(1, grid, ParticleFacts(100, 32, 4.0), 4.0)


def test_the_cost_names_the_search_that_is_in_force():
    for settings, n, words in (
        (GLOBAL, 100, "round 2: global search, 4,"),
        ({**GLOBAL, "shifts": {"limits_xyz_px": [1, 1, 1]}}, 100, "orientations to 8 Fourier px, together, by a bank"),
        (GLOBAL, 100, "one by one"),
        ({**FAST, "shifts": {"limits_xyz_px": [0, 0, 0]}}, 2000, "screened together, by a bank of turned references"),
        (FAST, 1, "screened one by one"),
        ({**FAST, "bandpass": {"lowpass_fpx": 8}}, 1, "rotations, the best polished"),
        ({**FAST, "search": "grid"}, 1, "grid search"),
    ):
        facts = ParticleFacts(n, 32, 4.0)
        assert words in costs.search_in_words(2, Round.model_validate(settings), facts, 4.0), settings


def test_a_group_is_as_large_as_a_bank_takes():
    assert group.Way("bank", 2, 10).chunk(3) == bank.GROUP
    assert group.Way("gather", 2, 10).chunk(3) == 3
