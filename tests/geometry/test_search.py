"""The search grid: how many rotations, how well they cover, how levels narrow."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial import cKDTree

from engine.geometry import euler, search, symmetry
from engine.geometry.search import Search

# dynamo-spec.md 3.3: directions, azimuths for (cone range, cone step, azimuth range, azimuth step).
COUNTS = [
    ((360, 45, 360, 45), (20, 23), 8),
    ((360, 30, 360, 30), (44, 49), 12),
    ((360, 30, 0, 1), (44, 49), 1),
    ((180, 30, 360, 30), (28, 31), 12),
    ((60, 20, 90, 30), (6, 7), 3),
    ((40, 20, 360, 40), (6, 7), 9),
    ((30, 10, 30, 10), (6, 7), 3),
    ((20, 5, 20, 5), (18, 20), 5),
    ((0, 1, 30, 5), (1, 1), 7),
]


@pytest.mark.parametrize(("numbers", "n_directions", "n_azimuths"), COUNTS)
def test_counts_are_those_of_the_specification(numbers, n_directions, n_azimuths):
    cone_range, cone_step, azimuth_range, azimuth_step = numbers
    directions = search.cone_directions(cone_range, cone_step)
    assert n_directions[0] <= len(directions) <= n_directions[1]
    assert len(search.azimuths(azimuth_range, azimuth_step)) == n_azimuths
    found = search.rotations(Search(*numbers))
    assert len(found) == len(directions) * n_azimuths
    assert np.array_equal(found[0], np.eye(3))


@pytest.mark.parametrize("numbers", [(360, 45, 360, 45), (180, 30, 360, 40), (60, 20, 90, 30), (20, 5, 20, 5)])
@pytest.mark.parametrize("cone_flip", ["none", "every-level"])
@pytest.mark.parametrize("azimuth_flip", ["none", "every-level"])
def test_no_rotation_is_tried_twice(numbers, cone_flip, azimuth_flip):
    found = search.rotations(Search(*numbers, cone_flip, azimuth_flip))
    assert not cKDTree(found.reshape(-1, 9)).query_pairs(1e-6)
    assert np.array_equal(found[0], np.eye(3))
    assert found @ np.swapaxes(found, -1, -2) == pytest.approx(np.broadcast_to(np.eye(3), found.shape), abs=1e-12)


@pytest.mark.parametrize(
    ("range_deg", "step"), [(360, 45), (360, 30), (360, 40), (360, 7), (180, 30), (60, 10), (90, 15)]
)
def test_every_axis_of_the_cone_is_within_a_step_of_a_direction(range_deg, step):
    axes = search.cone_directions(range_deg, step)[:, :, 2]
    anywhere = euler.axes(euler.random(20_000, np.random.default_rng(2)))
    wanted = anywhere[anywhere[:, 2] >= np.cos(np.radians(range_deg / 2)) - 1e-12]
    gaps, _ = cKDTree(axes).query(wanted)
    # A cell of the grid is at most one step wide and one high, so half its diagonal is 0.71 steps.
    assert 2 * np.degrees(np.arcsin(gaps.max() / 2)) <= 0.75 * step


@pytest.mark.parametrize(("range_deg", "step"), [(360, 45), (180, 30), (60, 20), (40, 5)])
def test_directions_stay_inside_the_cone_and_do_not_twist(range_deg, step):
    directions = search.cone_directions(range_deg, step)
    leans = euler.angular_distance_deg(np.eye(3), directions)
    assert leans.max() <= range_deg / 2 + 1e-9
    # A turn without twist is as large as the lean of its axis, and its rotation axis lies in the xy plane.
    assert leans == pytest.approx(np.degrees(np.arccos(np.clip(directions[:, 2, 2], -1, 1))), abs=1e-5)
    assert directions[:, 0, 1] == pytest.approx(directions[:, 1, 0], abs=1e-12)


def test_the_far_pole_is_one_direction():
    directions = search.cone_directions(360, 30)
    assert (directions[:, 2, 2] < -1 + 1e-9).sum() == 1
    assert (directions[:, 2, 2] > 1 - 1e-9).sum() == 1


def test_a_ring_at_the_edge_of_the_cone_survives_rounding():
    assert len(search.azimuths(0.6, 0.1)) == 7
    leans = euler.angular_distance_deg(np.eye(3), search.cone_directions(0.6, 0.1))
    assert leans.max() == pytest.approx(0.3)


def test_azimuths_go_outwards_from_the_present_one():
    turned = [float(euler.wrapped(np.degrees(np.arctan2(g[1, 0], g[0, 0])))) for g in search.azimuths(90, 30)]
    assert turned == pytest.approx([0, 30, -30])


def test_a_full_circle_has_no_end_twice():
    turned = [float(euler.wrapped(np.degrees(np.arctan2(g[1, 0], g[0, 0])))) for g in search.azimuths(360, 90)]
    assert sorted(turned) == pytest.approx([-90, 0, 90, 180])


def test_a_range_of_0_tries_only_the_present_pose():
    assert np.array_equal(search.rotations(Search(0, 1, 0, 1)), np.eye(3)[None])
    assert np.array_equal(search.rotations(Search(0, 0, 0, 0)), np.eye(3)[None])


def test_applied_on_the_right_the_cone_is_about_the_particles_own_axis():
    R_old = euler.matrices((30, 110, 50))
    tried = R_old @ search.rotations(Search(60, 10, 90, 30))
    assert euler.axis_change_deg((30, 110, 50), euler.angles(tried)).max() == pytest.approx(30, abs=1e-9)
    azimuth = euler.azimuth_change_deg((30, 110, 50), euler.angles(tried))
    assert sorted(set(np.round(azimuth, 6) + 0.0)) == [-30, 0, 30]


def test_a_flipped_cone_adds_the_opposite_axes():
    plain = search.rotations(Search(60, 20, 90, 30))
    flipped = search.rotations(Search(60, 20, 90, 30, cone_flip="first-level"))
    assert len(flipped) == 2 * len(plain)
    assert (flipped[:, 2, 2] < 0).sum() == len(plain)
    gaps, _ = cKDTree(flipped.reshape(-1, 9)).query((plain @ np.diag([1, -1, -1])).reshape(-1, 9))
    assert gaps.max() < 1e-9


def test_a_flipped_azimuth_adds_the_opposite_azimuths():
    flipped = search.rotations(Search(0, 1, 90, 30, azimuth_flip="first-level"))
    turned = np.degrees(np.arctan2(flipped[:, 1, 0], flipped[:, 0, 0])) % 360
    assert sorted(np.round(turned, 6)) == [0, 30, 150, 180, 210, 330]


def test_overlapping_flips_are_tried_once():
    # 180 wide: -90 .. 90; half a turn on adds 120, 150, ..., and -90 and 90 are there already.
    assert len(search.rotations(Search(0, 1, 180, 30, azimuth_flip="every-level"))) == 12
    assert len(search.rotations(Search(0, 1, 360, 40, azimuth_flip="every-level"))) == 9
    assert len(search.rotations(Search(360, 45, 0, 1, cone_flip="every-level"))) == len(search.cone_directions(360, 45))


def test_first_level_flips_stop_after_the_first_level():
    first, every = Search(20, 5, 20, 5, cone_flip="first-level"), Search(20, 5, 20, 5, cone_flip="every-level")
    plain = len(search.rotations(Search(20, 5, 20, 5)))
    assert [len(search.rotations(first, level)) for level in (0, 1)] == [2 * plain, plain]
    assert [len(search.rotations(every, level)) for level in (0, 1)] == [2 * plain, 2 * plain]


def test_each_further_level_spans_the_factor_times_the_step_before():
    found = search.levels(Search(360, 40, 90, 20), 2, 2)
    assert found == [Search(360, 40, 90, 20), Search(80, 20, 40, 10), Search(40, 10, 20, 5)]


def test_an_angle_not_searched_stays_unsearched():
    assert search.levels(Search(0, 1, 60, 30), 2, 2)[2] == Search(0, 0.25, 30, 7.5)
    assert search.levels(Search(60, 30, 0, 1), 1, 2)[1].azimuth_range_deg == 0


def test_the_final_step_of_cs_45_rf_5_is_1_4():
    assert search.levels(Search(360, 45, 360, 45), 5, 2)[-1].cone_step_deg == pytest.approx(1.4, abs=0.01)


def test_the_count_per_particle_is_the_sum_of_the_levels():
    base = Search(360, 45, 360, 45)
    per_level = [len(search.rotations(part, k)) for k, part in enumerate(search.levels(base, 5, 2))]
    assert search.n_rotations(base, 5, 2) == sum(per_level)
    assert all(90 <= count <= 100 for count in per_level[3:])  # once curvature is small: spec 3.3, 20 5 20 5


def test_a_search_finds_a_known_turn_to_within_its_last_step():
    wanted = euler.matrices((25, 130, -70))
    best = np.eye(3)
    for level, part in enumerate(search.levels(Search(360, 30, 360, 30), 5, 2)):
        tried = best @ search.rotations(part, level)
        best = tried[np.argmin(euler.angular_distance_deg(wanted, tried))]
    assert euler.angular_distance_deg(wanted, best) < 30 / 2**5


def test_a_range_without_a_step_is_refused():
    with pytest.raises(ValueError, match="step above 0"):
        search.cone_directions(60, 0)
    with pytest.raises(ValueError, match="step above 0"):
        search.azimuths(60, -5)


@pytest.mark.parametrize("name", ["C1", "C2", "C6", "C7", "D1", "D3"])
def test_everywhere_covers_all_rotations_modulo_the_symmetry_and_none_twice(name):
    found = search.everywhere(15.0, name)
    operators = symmetry.operators(name)
    for true in euler.matrices(euler.random(200, np.random.default_rng(0))):
        assert euler.angular_distance_deg(found, true, operators).min() < 15.0
    assert len(found) == pytest.approx(len(search.everywhere(15.0, "C1")) / len(operators), rel=0.2)  # turns are whole
    some = np.random.default_rng(1).choice(len(found), 60)
    for row in some:
        near = euler.angular_distance_deg(found, found[row], operators)
        assert (near < 1e-6).sum() == 1


@pytest.mark.parametrize(("name", "most"), [("T", 1.8), ("O", 1.8), ("I", 3.4), ("I1", 3.4), ("I3", 3.4), ("I4", 3.4)])
def test_everywhere_covers_one_domain_of_a_polyhedral_group_and_little_beside_it(name, most):
    found, operators = search.everywhere(15.0, name), symmetry.operators(name)
    whole = search.everywhere(15.0, "C1")
    generator = np.random.default_rng(0)
    for true in euler.matrices(euler.random(200, generator)):
        assert euler.angular_distance_deg(found, true, operators).min() < 15.0
    assert len(found) * len(operators) < most * len(whole)
    for row in generator.choice(len(found), 40):
        assert (euler.angular_distance_deg(found, found[row], operators) < 1e-5).sum() == 1


def test_azimuths_of_a_template_with_equal_turns_are_tried_within_one_of_them():
    assert len(search.azimuths(360, 10, fold=6)) == 6
    assert len(search.azimuths(40, 10, fold=6)) == 5
    np.testing.assert_array_equal(search.azimuths(40, 10, fold=6), search.azimuths(40, 10))
    narrow = search.Search(0, 1, 20, 10, azimuth_flip="every-level")
    assert len(search.rotations(narrow)) == 6
    assert len(search.rotations(replace(narrow, fold=2))) == 3  # half a turn leaves the template as it is
    assert len(search.rotations(replace(narrow, fold=3))) == 6
