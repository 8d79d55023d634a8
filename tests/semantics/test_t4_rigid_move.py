"""T4: a map is moved rigidly, or its particles' poses are, and both give the same average; the shift's sign is told."""

import memory
import numpy as np
import pytest

from engine.geometry import euler, pose
from engine.kernels import mask
from engine.kernels.rotate import moved

PHANTOM = {
    "object": {"blobs": 40, "radius_px": 6},
    "boxes": {"count": 40, "box_px": 28, "snr": 100, "shift_px": 1},
}
Q, T = euler.matrices(np.array([40.0, 25.0, -70.0])), np.array([2.0, -1.0, 1.5])


@pytest.fixture(scope="module")
def phantom():
    return memory.addresses("phantom", memory.run("phantom", PHANTOM)["phantom"])


def average(phantom, table):
    data = {"particles": "phantom:particles", "table": "phantom:table"}
    made = memory.run("average", {"data": data}, {**phantom, "phantom:table": table})["average"]
    return made["refs/001/average"].data


def likeness(a, b):
    inside = np.asarray(mask.inscribed_ball(28)) > 0.5
    return np.corrcoef(a[inside], b[inside])[0, 1]


def test_t4_the_average_of_moved_poses_is_the_moved_average(phantom):
    truth = phantom["phantom:truth"]
    by_poses = average(phantom, truth.with_poses(*pose.transformed(truth.angles, truth.shifts_xyz_px, Q, T)))
    by_map = moved(average(phantom, truth), Q, T)
    assert likeness(by_poses, by_map) > 0.99
    for other in (moved(average(phantom, truth), Q, -T), moved(average(phantom, truth), Q.T, T)):
        assert likeness(by_poses, other) < 0.9


def test_t4_an_alignment_to_the_moved_map_tells_the_move(phantom):
    truth = phantom["phantom:truth"]
    given = {**phantom, "phantom:moved": moved(phantom["phantom:object"].data, np.eye(3), T)}
    given["phantom:moved"] = type(phantom["phantom:object"])(given["phantom:moved"], 4.0)
    data = {"particles": "phantom:particles", "table": "phantom:truth", "template": "phantom:moved"}
    still = {"cone": {"range_deg": 0}, "azimuth": {"range_deg": 0}}
    rounds = [{**still, "shifts": {"limits_xyz_px": [5, 5, 5]}, "bandpass": {"lowpass_fpx": 10}}]
    found = memory.run("alignment", {"data": data, "rounds": rounds}, given)["ite_0001"]["table"]
    # A template whose object lies at t meets the particle at d - R t.
    expected = truth.shifts_xyz_px - euler.matrices(truth.angles) @ T
    assert np.median(np.linalg.norm(found.shifts_xyz_px - expected, axis=1)) < 0.1
