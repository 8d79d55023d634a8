"""phantom: what it makes is what it says."""

import memory
import numpy as np
import pytest

from engine.geometry import euler, symmetry
from engine.kernels.fourier import half_frequencies, spectrum
from engine.kernels.rotate import moved
from engine.kernels.wedge import Wedge, measured
from engine.kinds import phantom

SMALL = {"boxes": {"count": 6, "box_px": 24, "snr": 0.5, "shift_px": 2}, "object": {"radius_px": 7, "blobs": 20}}


def make(**changes):
    values = {name: {**SMALL.get(name, {}), **part} for name, part in {**{k: {} for k in SMALL}, **changes}.items()}
    return memory.run("phantom", values)["phantom"]


def test_the_same_seed_gives_the_same_bits_and_another_seed_others():
    first, again, other = make(), make(), make(compute={"seed": 1})
    np.testing.assert_array_equal(first["particles"].boxes, again["particles"].boxes)
    assert first["table"].equals(again["table"])
    assert not np.array_equal(first["particles"].boxes, other["particles"].boxes)


def test_the_noise_has_the_stated_ratio_of_variances():
    made = make(boxes={"tilt_range_deg": [-90, 90], "snr": 0.25, "shift_px": 0})
    truth, volume = made["truth"], made["object"].data
    for box, rotation in zip(made["particles"].boxes, euler.matrices(truth.angles), strict=True):
        noise = box - moved(volume, rotation)
        assert volume.var() / noise.var() == pytest.approx(0.25, rel=0.15)


def test_nothing_is_left_in_the_missing_wedge():
    made = make()
    missing = ~measured(half_frequencies(24), Wedge(1, (-60, 60)))
    missing[:, :, [0, -1]] = False  # planes on which a real box mirrors itself
    for box in made["particles"].boxes:
        half = np.abs(spectrum(box))
        assert half[missing].max() < 1e-3 * half.max()


def test_the_start_is_off_by_at_most_what_is_stated():
    made = make(boxes={"count": 40}, start={"angle_error_deg": 10, "shift_error_px": 2})
    truth, table = made["truth"], made["table"]
    angle = euler.angular_distance_deg(euler.matrices(table.angles), euler.matrices(truth.angles))
    shift = np.linalg.norm(table.shifts_xyz_px - truth.shifts_xyz_px, axis=1)
    assert 5 < angle.max() <= 10
    assert 1 < shift.max() <= 2
    assert np.linalg.norm(truth.shifts_xyz_px, axis=1).max() <= 2


@pytest.mark.parametrize("name", ["C3", "T", "O", "I1"])
def test_a_symmetric_object_has_its_symmetry(name):
    volume = make(object={"symmetry": name, "radius_px": 8, "blobs": 8})["object"].data
    for operator in symmetry.operators(name)[:12]:
        np.testing.assert_allclose(moved(volume, operator), volume, atol=0.02 * volume.max())


def test_an_object_that_leaves_its_box_is_a_fault():
    form = phantom.Project.model_validate({"object": {"radius_px": 30}, "boxes": {"box_px": 40}})
    (fault,) = phantom.check(form, None)
    assert fault.key == ("object", "radius_px")
    assert "reaches" in fault.what
