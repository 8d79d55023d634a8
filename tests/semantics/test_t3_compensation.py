"""T3: the average of a hundred wedge-limited copies is the template; without compensation the wedges show in it."""

import memory
import numpy as np
import pytest

from engine.kernels import mask
from engine.kernels.fourier import half_frequencies, spectrum

PHANTOM = {
    "object": {"blobs": 40, "radius_px": 7},
    "boxes": {"count": 100, "box_px": 24, "snr": 100, "shift_px": 2},
}


@pytest.fixture(scope="module")
def made():
    """The averages of copies that all lie the same way but for a turn about the beam, so that the wedges do not even out."""
    phantom = memory.addresses("phantom", memory.run("phantom", PHANTOM)["phantom"])
    data = {"particles": "phantom:particles", "table": "phantom:truth"}
    level = np.abs(np.cos(np.radians(phantom["phantom:truth"]["tilt"]))) > 0.7
    phantom["phantom:truth"] = phantom["phantom:truth"].with_columns(averaged=level)
    assert level.sum() > 20
    return memory.run("average", {"data": data}, phantom)["average"], phantom["phantom:object"].data


def likeness(a, b):
    inside = np.asarray(mask.inscribed_ball(24)) > 0.5
    return np.corrcoef(a[inside], b[inside])[0, 1]


def towards_and_across(volume, true):
    """Amplitude over the template's, near the particle's axis (where the wedges lie) and across it, shells 3 to 8."""
    k = half_frequencies(24)
    radius = np.linalg.norm(k, axis=-1)
    shells = (radius >= 3) & (radius <= 8)
    leaning = np.abs(k[..., 2]) / np.maximum(radius, 1)
    found = []
    for part in (shells & (leaning > 0.9), shells & (leaning < 0.4)):
        found.append(np.abs(spectrum(volume)[part]).sum() / np.abs(spectrum(true)[part]).sum())
    return found


def test_t3_the_compensated_average_is_the_template(made):
    averages, true = made
    assert likeness(averages["refs/001/average"].data, true) > 0.95
    compensated = towards_and_across(averages["refs/001/average"].data, true)
    raw = towards_and_across(averages["refs/001/average_raw"].data, true)
    assert compensated[0] / compensated[1] == pytest.approx(1, abs=0.1)
    assert raw[0] / raw[1] < 0.8
