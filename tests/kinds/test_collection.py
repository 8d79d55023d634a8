"""collection: averages of several projects become particles without a wedge, which an alignment lays onto each other."""

import memory
import numpy as np
import pytest

from engine.data import Volume
from engine.faults import EngineError
from engine.geometry import euler
from engine.kernels import blobs

N, A = 32, 4.0
POINTS = blobs.chiral_chain(40, 8, np.random.default_rng(2))


def averages(n=4, seed=0):
    """Maps of the object at poses of their own, and these poses."""
    generator = np.random.default_rng(seed)
    angles = np.column_stack([generator.uniform(-180, 180, n), generator.uniform(0, 6, n), np.zeros(n)])
    angles[:, 2] = -angles[:, 0] + generator.uniform(-10, 10, n)
    shifts = generator.uniform(-1.5, 1.5, (n, 3))
    maps = [
        Volume(blobs.render(POINTS @ turn.T + shift, 1.2, N), A)
        for turn, shift in zip(euler.matrices(angles), shifts, strict=True)
    ]
    return {f"pr_{number}:average": one for number, one in enumerate(maps, start=1)}, angles, shifts


def collected(given, **data):
    return memory.run("collection", {"data": {"maps": list(given), **data}}, given)["collection"]


def test_each_map_is_a_particle_that_lacks_nothing():
    given, _, _ = averages(3)
    made = collected(given, numbers=[43, 1, 3])
    np.testing.assert_array_equal(made["table"].tags, [1, 3, 43])
    np.testing.assert_array_equal(made["table"]["tomo"], [1, 3, 43])
    assert not made["table"]["ftype"].any()
    assert not made["table"].shifts_xyz_px.any()
    for tag, name in zip((43, 1, 3), given, strict=True):
        np.testing.assert_array_equal(made["particles"].read(tag), given[name].data)
    assert made["particles"].pixel_size_A == A


def test_averages_are_aligned_to_one_another():
    given, angles, shifts = averages()
    made = memory.addresses("averages", collected(given))
    data = {"particles": "averages:particles", "table": "averages:table", "template": "true:object"}
    template = {"true:object": Volume(blobs.render(POINTS, 1.2, N), A)}
    search = {"cone": {"range_deg": 16, "step_deg": 4}, "azimuth": {"range_deg": 24, "step_deg": 6}}
    rounds = [{"iterations": 2, **search, "shifts": {"limits_xyz_px": [3, 3, 3]}, "bandpass": {"lowpass_fpx": 12}}]
    found = memory.run("alignment", {"data": data, "rounds": rounds}, {**made, **template})["ite_0002"]
    table = found["table"]
    apart = euler.angular_distance_deg(euler.matrices(table.angles), euler.matrices(angles))
    assert apart.max() < 0.5
    np.testing.assert_allclose(table.shifts_xyz_px, shifts, atol=0.1)
    # nothing is missing: each Fourier voxel inside has all four of them
    weight = found["refs/001/fourier_weight"]
    assert np.median(weight[weight > 0]) == pytest.approx(4, abs=0.2)


def test_maps_that_differ_are_refused():
    given, _, _ = averages(2)
    small = {**given, "pr_2:average": Volume(np.zeros((20, 20, 20), np.float32), A)}
    with pytest.raises(EngineError, match=r"pr_2:average has shape .20, 20, 20."):
        collected(small)
    coarse = {**given, "pr_2:average": Volume(given["pr_2:average"].data, 2 * A)}
    with pytest.raises(EngineError, match="pixel sizes of 4 and 8 A contradict"):
        collected(coarse)
