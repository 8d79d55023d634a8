"""T4, T5 by the kinds: averaging with the moved table gives the moved average, by every operation that moves one."""

import memory
import numpy as np
import pytest
from moved_scenes import A, average, cut, likeness, scene, transformed

from engine.data import Volume
from engine.geometry import symmetry
from engine.kernels import blobs

BOX, SIDE = 32, 96
V = np.array([7.0, 1.0, 2.0])


def object_points(seed=1, radius=6.0):
    return blobs.chiral_chain(20, radius, np.random.default_rng(seed))


@pytest.fixture(scope="module")
def seen():
    """A tomogram of 27 asymmetric objects, their true table, and their average."""
    tomogram, table = scene(object_points(), SIDE, 3)
    particles, kept = cut({1: tomogram}, table, BOX)
    return {1: tomogram}, kept, particles, average(particles, kept)


@pytest.mark.parametrize(
    "operations",
    [
        [{"do": "recentre", "offset_xyz_px": [2.5, -1.5, 1.0]}],
        [{"do": "recentre", "point_xyz_px": [18.0, 15.0, 14.5]}],
        [{"do": "move", "angles_deg": [40, 25, -70], "shift_xyz_px": [2, -1, 1.5]}],
        [{"do": "move", "angles_deg": [40, 25, -70], "shift_xyz_A": [8, -4, 6], "inverse": True}],
        [{"do": "recentre", "offset_xyz_A": [8, 0, -4]}, {"do": "move", "angles_deg": [0, 90, 20]}],
    ],
    ids=["recentre", "recentre-typed", "move", "back", "both"],
)
def test_t4_the_same_boxes_with_the_moved_table_give_the_moved_map(seen, operations):
    _, table, particles, before = seen
    made = transformed(operations, table, before)
    by_poses = average(particles, made["table"])
    assert likeness(by_poses, made["map"].data, 10) > 0.99
    assert likeness(by_poses, before, 10) < 0.9


def test_t4_particles_with_a_wedge_move_as_well():
    values = {"object": {"blobs": 40, "radius_px": 6}, "boxes": {"count": 40, "box_px": 28, "snr": 100, "shift_px": 1}}
    made = memory.run("phantom", values)["phantom"]
    before = average(made["particles"], made["truth"])
    move = [{"do": "move", "angles_deg": [40, 25, -70], "shift_xyz_px": [2, -1, 1.5]}]
    moved = transformed(move, made["truth"], before)
    assert set(moved["table"]["ftype"]) == {1}
    assert likeness(average(made["particles"], moved["table"]), moved["map"].data, 10) > 0.99


def test_a_recentred_average_has_the_point_in_its_centre(seen):
    _, table, particles, before = seen
    z, y, x = np.unravel_index(before.argmax(), before.shape)
    made = transformed([{"do": "recentre", "point_xyz_px": [int(x), int(y), int(z)]}], table, before)
    after = average(particles, made["table"])
    assert np.unravel_index(after.argmax(), after.shape) == (BOX // 2,) * 3


def test_an_expanded_tables_average_is_the_symmetrised_map(seen):
    tomograms, table, _, before = seen
    made = transformed([{"do": "expand", "symmetry": "C3"}], table, before)
    particles, kept = cut(tomograms, made["table"], BOX)
    assert len(kept) == 3 * len(table)
    by_poses = average(particles, kept)
    assert likeness(by_poses, made["map"].data, 10) > 0.99
    assert likeness(by_poses, before, 10) < 0.9


def test_t5_subboxes_of_a_symmetric_object_average_to_what_lies_around_the_point():
    chain = object_points(3, 4.0) + V
    whole = np.concatenate([chain @ turn.T for turn in symmetry.operators("C6")])
    tomogram, table = scene(whole, 120, 3)
    particles, kept = cut({1: tomogram}, table, 36)
    before = average(particles, kept)
    marked = [{"do": "subbox", "offsets_xyz_px": [V.tolist()], "symmetry": "C6"}]
    made = transformed(marked, kept, before)
    boxes, children = cut({1: tomogram}, made["table"], 24)
    assert len(made["table"]) == 6 * len(kept)
    assert len(children) > 5.5 * len(kept)
    around = made["map"].data[6:30, 6:30, 6:30]
    assert likeness(average(boxes, children), around, 8) > 0.99


def test_t5_subboxes_of_an_object_without_the_symmetry_mix_as_the_map_says(seen):
    tomograms, table, _, before = seen
    marked = [{"do": "subbox", "points_xyz_px": [[18, 15, 16], [15, 18, 17]], "symmetry": "C2"}]
    made = transformed(marked, table, before)
    boxes, children = cut(tomograms, made["table"], 24)
    assert len(children) == 4 * len(table)
    assert likeness(average(boxes, children), made["map"].data[4:28, 4:28, 4:28], 8) > 0.99


def test_t5_two_stages_from_averages_of_averages_to_the_tomograms():
    """Two tomograms, whose averages were made in frames of their own; a point marked in the common average."""
    points = object_points(1)
    marked = np.array([4.0, -3.0, 2.0])
    tomograms, tables, averages = {}, [], []
    frames = [{"do": "move", "angles_deg": [30, 50, 10], "shift_xyz_px": [1, 0, -2]}]
    frames.append({"do": "move", "angles_deg": [-70, 20, 40], "shift_xyz_px": [-1.5, 1, 0]})
    for tomo, frame in enumerate(frames, start=1):
        tomograms[tomo], truth = scene(points, SIDE, 3, seed=tomo, tomo=tomo)
        table = transformed([frame], truth)["table"]
        particles, kept = cut(tomograms, table, BOX)
        tables.append(kept)
        averages.append(Volume(average(particles, kept), A))
    given = dict(zip(("pr_1:average", "pr_2:average"), averages, strict=True))
    collected = memory.run("collection", {"data": {"maps": list(given)}}, given)["collection"]
    assert set(collected["table"]["ftype"]) == {0}
    # what an alignment of the averages would find: each lies in its frame as its move says
    aligned = collected["table"].with_poses(
        np.array([frame["angles_deg"] for frame in frames], dtype=float),
        np.array([frame["shift_xyz_px"] for frame in frames], dtype=float),
    )
    common = average(collected["particles"], aligned)
    into = {"do": "compose", "poses": "pr_a:table"}
    subbox = {"do": "subbox", "offsets_xyz_px": [marked.tolist()]}
    composed = transformed([into], tables, **{"pr_a:table": aligned})["table"]
    made = transformed([into, subbox], tables, **{"pr_a:table": aligned})["table"]
    np.testing.assert_array_equal(composed["tomo"], np.repeat([1, 2], 27))
    boxes, children = cut(tomograms, composed, BOX)
    assert likeness(average(boxes, children), common, 10) > 0.99
    boxes, children = cut(tomograms, made, 24)
    about_the_point = blobs.render(points - marked, 1.2, 24)
    assert likeness(average(boxes, children), about_the_point, 8) > 0.99
