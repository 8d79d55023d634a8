"""registration: a known move is found, a membrane is found along z alone, and tables go where the map goes."""

import memory
import numpy as np
import pytest
from moved_scenes import A, average, cut, likeness, scene, transformed
from scipy.spatial.transform import Rotation

from engine.data import Volume
from engine.faults import EngineError
from engine.geometry.move import Move
from engine.kernels import blobs, mask
from engine.kernels.rotate import moved

N = 40
CENTRES = blobs.chiral_chain(60, 9, np.random.default_rng(4))


def rendered(points):
    return Volume(blobs.render(points, 1.2, N), A)


def registered(given, search, **values):
    names = {"map": "a:map", **({"onto": "b:map"} if "b:map" in given else {}), **values.pop("data", {})}
    values = {"data": names, "search": {"bandpass": {"lowpass_fpx": 12}, **search}, **values}
    return memory.run("registration", values, given)["registration"]


def move_of(made):
    row = made["transform"]
    return Move.of_pose(row.angles[0], row.shifts_xyz_px[0])


@pytest.mark.parametrize(("angle_deg", "shift_px"), [(7.0, 1.0), (18.0, 5.0), (0.0, 0.0)])
def test_a_known_move_is_undone(angle_deg, shift_px):
    axis, direction = np.array([[0.48, -0.6, 0.64], [0.36, 0.8, 0.48]])
    turn, shift = Rotation.from_rotvec(np.radians(angle_deg) * axis).as_matrix(), shift_px * direction
    given = {"a:map": rendered(CENTRES @ turn.T + shift), "b:map": rendered(CENTRES)}
    search = {"cone": {"range_deg": 40, "step_deg": 8}, "azimuth": {"range_deg": 40, "step_deg": 8}}
    made = registered(given, {**search, "limits_xyz_px": [8, 8, 8]})
    move = move_of(made)
    left = Move(turn, shift).then(move.rotation, move.translation_xyz_px)
    assert left.angle_deg < 0.1
    assert left.shift_px < 0.03
    assert made["summary"]["cc"] > 0.98
    assert made["transform"]["cc"][0] == made["summary"]["cc"]
    by_row = moved(given["a:map"].data, move.rotation, move.translation_xyz_px)
    np.testing.assert_allclose(made["map"].data, by_row, atol=1e-5)
    assert likeness(made["map"].data, given["b:map"].data, 15) > 0.99


def test_the_found_move_survives_noise_and_the_search_stays_in_its_limits():
    noise = np.random.default_rng(0).normal(size=(2, N, N, N)).astype(np.float32)
    deviation = float(rendered(CENTRES).data.std())
    given = {"a:map": Volume(rendered(CENTRES + [0, 0, 6]).data + deviation * noise[0], A)}
    given["b:map"] = Volume(rendered(CENTRES).data + deviation * noise[1], A)
    still = {"cone": {"range_deg": 0}, "azimuth": {"range_deg": 0}}
    move = move_of(registered(given, {**still, "limits_xyz_px": [0, 0, 10]}))
    np.testing.assert_allclose(move.translation_xyz_px, [0, 0, -6], atol=0.1)
    assert not move.translation_xyz_px[:2].any()
    np.testing.assert_array_equal(move.rotation, np.eye(3))
    move = move_of(registered(given, {**still, "limits_xyz_px": [0, 0, 4]}))
    assert abs(move.translation_xyz_px[2]) <= 4


def test_no_search_at_all_is_a_score():
    given = {"a:map": rendered(CENTRES), "b:map": rendered(CENTRES)}
    still = {"cone": {"range_deg": 0}, "azimuth": {"range_deg": 0}, "limits_xyz_px": [0, 0, 0]}
    made = registered(given, still)
    assert not np.signbit(made["transform"].angles).any()  # people read 0, not -0
    assert made["summary"]["cc"] == pytest.approx(1, abs=1e-5)
    assert made["summary"]["cc before"] == pytest.approx(1, abs=1e-5)
    assert move_of(made).shift_px == 0


@pytest.mark.parametrize("density", ["bright", "dark"])
def test_a_membrane_is_found_along_z(density):
    sign = 1 if density == "bright" else -1
    sheet = np.asarray(mask.membrane(N, 5, None, 18, (N // 2, N // 2, N // 2 + 7), 3))
    noise = np.random.default_rng(1).normal(size=(N, N, N)).astype(np.float32)
    protein = blobs.render(0.5 * CENTRES + [0, 0, -6], 1.2, N)
    given = {"a:map": Volume(sign * (sheet + 0.3 * protein / protein.max()) + 0.3 * noise, A)}
    search = {"cone": {"range_deg": 0}, "azimuth": {"range_deg": 0}, "limits_xyz_px": [0, 0, 15]}
    data = {"onto": {"shape": "membrane", "thickness_A": 5 * A}, "density": density}
    made = registered(given, search, data=data)
    np.testing.assert_allclose(move_of(made).translation_xyz_px, [0, 0, -7], atol=0.15)
    assert made["summary"]["cc"] > 0.5 > made["summary"]["cc before"]
    assert sign * made["onto"].data[N // 2, N // 2, N // 2] == pytest.approx(1)


def test_tables_go_where_the_map_goes_and_back():
    points = blobs.chiral_chain(20, 6.0, np.random.default_rng(1))
    tomogram, truth = scene(points, 96, 3)
    off = transformed([{"do": "move", "angles_deg": [15, 10, -5], "shift_xyz_px": [1.5, -1, 2]}], truth)["table"]
    (boxes, table), (_, true) = cut({1: tomogram}, off, 32), cut({1: tomogram}, truth, 32)
    given = {"a:map": Volume(average(boxes, table), A), "b:map": Volume(average(boxes, true), A)}
    search = {"cone": {"range_deg": 30, "step_deg": 6}, "azimuth": {"range_deg": 40, "step_deg": 8}}
    made = registered(given, {**search, "bandpass": {"lowpass_fpx": 10}})
    address = {"reg:transform": made["transform"]}
    there = {"do": "move", "transform": "reg:transform"}
    laid = transformed([there], table, given["a:map"].data, **address)
    assert likeness(average(boxes, laid["table"]), given["b:map"].data, 11) > 0.99
    assert likeness(laid["map"].data, made["map"].data, 11) > 0.9999
    np.testing.assert_allclose(laid["table"].shifts_xyz_px, true.shifts_xyz_px, atol=0.1)
    back = transformed([there, {**there, "inverse": True}], table, **address)["table"]
    np.testing.assert_allclose(back.shifts_xyz_px, table.shifts_xyz_px, atol=1e-9)


def test_maps_that_say_nothing_are_refused():
    flat = Volume(np.ones((N, N, N), np.float32), A)
    with pytest.raises(EngineError, match=r"data.onto is constant"):
        registered({"a:map": rendered(CENTRES), "b:map": flat}, {})
    small = Volume(np.zeros((20, 20, 20), np.float32), A)
    with pytest.raises(EngineError, match=r"data.onto has shape .20, 20, 20.*cube of 40 px"):
        registered({"a:map": rendered(CENTRES), "b:map": small}, {})
