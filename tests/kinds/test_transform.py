"""transform: what is undone is as it was, centres are never rounded away, rows keep where they came from."""

import memory
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from moved_scenes import A, transformed

from engine.data import Half, Marks, Table, Volume
from engine.faults import EngineError
from engine.geometry import euler, pose, symmetry
from engine.geometry.move import Move

BOX = 48


def poses(n=12, seed=0, **columns):
    generator = np.random.default_rng(seed)
    x, y, z = generator.integers(30, 300, (3, n)).astype(float)
    table = Table.blank(n, x=x, y=y, z=z, apix=A, cc=0.5, half=1 + np.arange(n) % 2, **columns)
    return table.with_poses(euler.random(n, generator), generator.uniform(-3, 3, (n, 3)))


def centres(table):
    return pose.centres(table.positions_xyz_px, table.shifts_xyz_px)


def same_poses(a, b):
    np.testing.assert_allclose(centres(a), centres(b), atol=1e-9)
    np.testing.assert_allclose(euler.matrices(a.angles), euler.matrices(b.angles), atol=1e-9)


vectors = st.tuples(*[st.floats(-40, 40)] * 3)


@settings(max_examples=40, deadline=None)
@given(angles=st.tuples(*[st.floats(-180, 180)] * 3), shift=vectors)
def test_a_move_and_its_inverse_return_every_pose(angles, shift):
    table = poses()
    move = {"do": "move", "angles_deg": angles, "shift_xyz_px": shift}
    made = transformed([move, {**move, "inverse": True}], table)["table"]
    same_poses(made, table)
    np.testing.assert_array_equal(made.positions_xyz_px, table.positions_xyz_px)


@settings(max_examples=40, deadline=None)
@given(offset=vectors)
def test_a_recentring_there_and_back_returns_every_pose(offset):
    table = poses()
    there, back = ({"do": "recentre", "offset_xyz_px": tuple(sign * v for v in offset)} for sign in (1, -1))
    made = transformed([there, back], table)["table"]
    same_poses(made, table)
    np.testing.assert_array_equal(made.angles, table.angles)


@settings(max_examples=40, deadline=None)
@given(factor=st.floats(0.1, 8), binning=st.sampled_from(["fourier-crop", "block-mean"]))
def test_a_rescaling_there_and_back_returns_every_centre(factor, binning):
    table = poses()
    there, back = ({"do": "rescale", "factor": f, "binning": binning} for f in (factor, 1 / factor))
    half_way = transformed([there], table)["table"]
    np.testing.assert_array_equal(half_way.positions_xyz_px, np.rint(half_way.positions_xyz_px))
    assert np.abs(half_way.shifts_xyz_px).max() <= 0.5
    np.testing.assert_allclose(half_way["apix"], A / factor)
    same_poses(transformed([there, back], table)["table"], table)


def test_a_composition_is_undone_by_the_move_of_each_average():
    table, averages = poses(tomo=np.tile([3, 7], 6)), poses(2, seed=5).with_columns(tag=[3, 7])
    made = transformed([{"do": "compose", "poses": "pr_a:table", "by": "tomo"}], table, **{"pr_a:table": averages})[
        "table"
    ]
    back = made.angles, made.shifts_xyz_px
    for row, number in enumerate((3, 7)):
        mine = made["tomo"] == number
        move = Move.of_pose(averages.angles[row], averages.shifts_xyz_px[row])
        for old, new in zip(back, pose.transformed(*back, move.rotation, move.translation_xyz_px), strict=True):
            old[mine] = new[mine]
    same_poses(made.with_poses(*back), table)


def test_a_block_of_two_lies_between_its_voxels_and_a_fourier_cropped_one_on_the_first():
    table = Table.blank(1, x=10, y=20, z=30, apix=A).with_poses(np.zeros((1, 3)), np.array([[0.25, 0.0, 0.0]]))
    block = transformed([{"do": "rescale", "factor": 2, "binning": "block-mean"}], table)["table"]
    np.testing.assert_allclose(centres(block), [[21.0, 40.5, 60.5]])  # voxel 10 of block means holds 20 and 21
    np.testing.assert_allclose(centres(transformed([{"do": "rescale", "factor": 2}], table)["table"]), [[20.5, 40, 60]])
    by_size = transformed([{"do": "rescale", "pixel_size_A": A / 2}], table)["table"]
    np.testing.assert_allclose(centres(by_size), [[20.5, 40, 60]])


def test_centred_boxes_lose_nothing():
    table = poses()
    made = transformed([{"do": "centre-boxes"}], table)["table"]
    same_poses(made, table)
    assert np.abs(made.shifts_xyz_px).max() <= 0.5


def test_other_tomograms_draw_other_random_numbers():
    draw = [{"do": "randomise-azimuth"}]
    tables = [poses(20), poses(20).with_columns(tag=np.arange(21, 41))]
    first, again, other = (transformed(draw, table)["table"]["narot"] for table in (tables[0], *tables))
    np.testing.assert_array_equal(first, again)
    assert not np.isclose(first, other).any()


def test_merged_tables_keep_tag_tomogram_and_half():
    tables = [poses(5, seed=1, tomo=1), poses(3, seed=2, tomo=1).with_columns(tag=[9, 4, 2])]
    made = transformed([], tables)["table"]
    np.testing.assert_array_equal(made.tags, np.arange(1, 9))
    np.testing.assert_array_equal(made["otag"], [1, 2, 3, 4, 5, 9, 4, 2])
    np.testing.assert_array_equal(
        made["half"], [Half.ODD, Half.EVEN] * 2 + [Half.ODD] + [Half.ODD, Half.EVEN, Half.ODD]
    )
    assert set(made["tomo"]) == {1}
    same_poses(made, tables[0].joined(tables[1]))
    numbered = transformed([], tables, tomogram_numbers=[3, 43])["table"]
    np.testing.assert_array_equal(numbered["tomo"], [3] * 5 + [43] * 3)


def test_copies_are_counted_through_and_remember_the_first_tag():
    table = poses(4).with_columns(tag=[11, 12, 13, 14], npar=6, otag=99)
    subbox = {"do": "subbox", "offsets_xyz_px": [[5, 0, 0], [0, 6, 1]]}
    made = transformed([{"do": "expand", "symmetry": "C3"}, subbox], table)["table"]
    assert len(made) == 4 * 3 * 2
    np.testing.assert_array_equal(made["otag"], np.repeat(table["tag"], 6))
    np.testing.assert_array_equal(made["npar"], np.tile(np.arange(1, 7), 4))
    np.testing.assert_array_equal(made.tags, 6 * 10 + np.arange(1, 25))
    np.testing.assert_array_equal(made["half"], np.repeat(table["half"], 6))


def test_an_expansion_leaves_places_and_scores():
    table = poses()
    made = transformed([{"do": "expand", "symmetry": "D2"}], table)["table"]
    np.testing.assert_array_equal(made.positions_xyz_px, np.repeat(table.positions_xyz_px, 4, axis=0))
    np.testing.assert_array_equal(made.shifts_xyz_px, np.repeat(table.shifts_xyz_px, 4, axis=0))
    np.testing.assert_array_equal(made["cc"], np.repeat(table["cc"], 4))
    expected = euler.matrices(table.angles)[:, None] @ symmetry.operators("D2")
    np.testing.assert_allclose(euler.matrices(made.angles).reshape(-1, 4, 3, 3), expected, atol=1e-9)


def test_two_stages_of_subboxes_are_one_stage_after_the_other():
    # first points in the averages, from the poses of the averages; then in the tomograms, point by point
    table, averages = poses(6, tomo=np.tile([1, 2], 3)), poses(2, seed=4)
    points, group = np.array([[7.0, -2.0, 3.0], [-5.0, 4.0, 1.0]]), symmetry.operators("C2")
    two = [{"do": "compose", "poses": "pr_a:table", "by": "tomo"}]
    two.append({"do": "subbox", "offsets_xyz_px": points.tolist(), "symmetry": "C2"})
    made = transformed(two, table, **{"pr_a:table": averages})["table"]
    row = 0
    for parent in range(6):
        R, c = euler.matrices(table.angles[parent]), centres(table)[parent]
        a = int(table["tomo"][parent]) - 1
        Ra, da = euler.matrices(averages.angles[a]), averages.shifts_xyz_px[a]
        for v in points:
            for S in group:
                in_average, turn = da + Ra @ S @ v, Ra @ S
                np.testing.assert_allclose(centres(made)[row], c + R @ in_average, atol=1e-9)
                np.testing.assert_allclose(euler.matrices(made.angles[row]), R @ turn, atol=1e-9)
                row += 1
    assert row == len(made)


def test_the_number_of_the_table_tells_the_average():
    tables, averages = [poses(3, seed=1), poses(2, seed=2)], poses(2, seed=4)
    compose = {"do": "compose", "poses": "pr_a:table"}
    made = transformed([compose], tables, **{"pr_a:table": averages})["table"]
    Ra = euler.matrices(averages.angles)
    rotations = euler.matrices(tables[0].joined(tables[1]).angles) @ Ra[[0, 0, 0, 1, 1]]
    np.testing.assert_allclose(euler.matrices(made.angles), rotations, atol=1e-9)


def test_random_azimuths_repeat_by_seed_and_leave_the_axes():
    table = poses(200)
    first, again, other = (transformed([{"do": "randomise-azimuth"}], table, seed=seed)["table"] for seed in (1, 1, 2))
    assert first.equals(again)
    assert not np.allclose(first["narot"], other["narot"])
    np.testing.assert_allclose(euler.axes(first.angles), euler.axes(table.angles), atol=1e-12)
    assert np.abs(np.exp(1j * np.radians(first["narot"])).mean()) < 0.2
    twice = transformed([{"do": "randomise-azimuth"}] * 2, table, seed=1)["table"]
    assert not np.allclose(first["narot"], twice["narot"])


def test_a_perturbation_stays_within_its_bounds_and_repeats():
    table = poses(300)
    operation = [{"do": "perturb", "angle_deg": 10, "shift_px": 2}]
    made = transformed(operation, table, seed=3)["table"]
    angle = euler.angular_distance_deg(euler.matrices(made.angles), euler.matrices(table.angles))
    shift = np.linalg.norm(made.shifts_xyz_px - table.shifts_xyz_px, axis=1)
    assert 9 < angle.max() <= 10
    assert 1.9 < shift.max() <= 2
    assert made.equals(transformed(operation, table, seed=3)["table"])


def markers(*points, ids=(), unit="A", **rest):
    one = np.ones(len(points))
    return Marks(np.array(points, dtype=float).reshape(-1, 3), one.astype(int), one, unit, ids=tuple(ids), **rest)


def run_marked(operation, given, pixel_size_A=A, table=None):
    values = {"data": {"table": "t:t"}, "operations": [operation]}
    given = {"t:t": poses() if table is None else table, **given}
    return memory.run("transform", values, given)["transform"]["table"]


def test_a_marker_counts_from_the_maps_origin_in_its_pixels():
    seen = Volume(np.zeros((BOX,) * 3, np.float32), 2 * A, (-10.0, 20.0, 5.0))  # marked in a map binned by 2
    place = np.array([30.0, 20.0, 28.0])
    given = {"c.cmm": markers(2 * A * place + seen.origin_xyz_A), "m.mrc": seen}
    made = run_marked({"do": "recentre", "markers": "c.cmm", "map": "m.mrc"}, given)
    table = poses()
    moved = pose.move_origin(table.angles, table.shifts_xyz_px, 2 * (place - BOX // 2))
    np.testing.assert_allclose(made.shifts_xyz_px, moved, atol=1e-9)
    in_px = {"do": "recentre", "markers": "c.cmm", "markers_in": "px", "box_px": BOX}
    made = run_marked(in_px, {"c.cmm": markers(place)})
    moved = pose.move_origin(table.angles, table.shifts_xyz_px, place - BOX // 2)
    np.testing.assert_allclose(made.shifts_xyz_px, moved, atol=1e-9)
    told_by_the_file = {"c.csv": markers(place / 2, unit="px", pixel_size_A=2 * A), "m.mrc": Volume(seen.data, A)}
    made = run_marked({"do": "recentre", "markers": "c.csv", "map": "m.mrc"}, told_by_the_file)
    np.testing.assert_allclose(made.shifts_xyz_px, moved, atol=1e-9)
    typed = run_marked({"do": "recentre", "point_xyz_px": place.tolist(), "box_px": BOX}, {})
    np.testing.assert_allclose(typed.shifts_xyz_px, moved, atol=1e-9)


def test_points_marked_in_the_projects_map_go_with_it_and_offsets_do_not():
    table, volume = poses(), np.zeros((BOX,) * 3, np.float32)
    first = {"do": "move", "angles_deg": [30, 20, 10], "shift_xyz_px": [1, 2, 3]}
    place = np.array([30.0, 20.0, 28.0])
    in_map = transformed([first, {"do": "subbox", "points_xyz_px": [place.tolist()]}], table, volume)["table"]
    before = transformed([{"do": "subbox", "points_xyz_px": [place.tolist()]}], table, volume)["table"]
    np.testing.assert_allclose(centres(in_map), centres(before), atol=1e-9)
    move = Move.of_pose(np.array([30.0, 20.0, 10.0]), np.array([1.0, 2.0, 3.0]))
    seen_now = move.rotation @ (place - BOX // 2) + move.translation_xyz_px
    now = transformed([first, {"do": "subbox", "offsets_xyz_px": [seen_now.tolist()]}], table, volume)["table"]
    same_poses(now, in_map)
    with pytest.raises(EngineError, match=r"operations no. 2 .recentre.: data.map was marked before there were copies"):
        transformed([{"do": "expand", "symmetry": "C2"}, {"do": "recentre", "point_xyz_px": [1, 2, 3]}], table, volume)


def test_one_marker_of_several_is_named():
    given = {"c.cmm": markers([20, 20, 20], [30, 24, 24], ids=[4, 7])}
    operation = {"do": "recentre", "markers": "c.cmm", "markers_in": "px", "box_px": BOX}
    with pytest.raises(EngineError, match=r"operations no. 1 .recentre.: c.cmm holds 2 markers.*one of 4, 7"):
        run_marked(operation, given)
    with pytest.raises(EngineError, match="no marker 5"):
        run_marked({**operation, "marker": 5}, given)
    made, table = run_marked({**operation, "marker": 7}, given), poses()
    np.testing.assert_allclose(made.shifts_xyz_px, pose.move_origin(table.angles, table.shifts_xyz_px, [6, 0, 0]))


def test_a_marker_outside_the_map_is_told_with_its_unit():
    operation = {"do": "subbox", "markers": "c.cmm", "markers_in": "px", "box_px": BOX}
    with pytest.raises(EngineError, match=r"outside the box of 48 px .they are read in px"):
        run_marked(operation, {"c.cmm": markers([24, 24, 24], [96, 100, 80])})


def test_a_transform_in_other_pixels_is_scaled():
    row = Table.blank(1, apix=2 * A).with_poses(np.array([[10.0, 20.0, 30.0]]), np.array([[1.0, 2.0, 3.0]]))
    made = run_marked({"do": "move", "transform": "reg:transform"}, {"reg:transform": row})
    typed = run_marked({"do": "move", "angles_deg": [10, 20, 30], "shift_xyz_px": [2, 4, 6]}, {})
    in_A = run_marked({"do": "move", "angles_deg": [10, 20, 30], "shift_xyz_A": [2 * A, 4 * A, 6 * A]}, {})
    same_poses(made, typed)
    same_poses(in_A, typed)


def test_what_cannot_be_done_is_told():
    table = poses(2)
    rows = {"reg:transform": poses(2)}
    with pytest.raises(EngineError, match="has 2 rows; a transform is one row"):
        run_marked({"do": "move", "transform": "reg:transform"}, rows)
    with pytest.raises(EngineError, match="has no average 1, which particles belong to by tomo"):
        transformed(
            [{"do": "compose", "poses": "pr_a:table", "by": "tomo"}],
            table.with_columns(tomo=1),
            **{"pr_a:table": poses(1).with_columns(tag=3)},
        )
    with pytest.raises(EngineError, match="mix pixel sizes"):
        transformed([], [table, table.with_columns(apix=2 * A)])
    with pytest.raises(EngineError, match=r"table no. 2 has a tag in several rows"):
        transformed([], [table, table.with_columns(tag=1)])
    with pytest.raises(EngineError, match="needs a pixel size"):
        transformed([{"do": "move", "shift_xyz_A": [1, 0, 0]}], table.with_columns(apix=0))
