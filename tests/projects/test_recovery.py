"""Give back the poses that were disturbed: 200 particles, box 48, wedge ±60°, up to 15° and 3 px off."""

import memory
import numpy as np
import pytest
from aligned import pose_errors

from engine.devices import Work
from engine.kernels.mask import inscribed_ball
from engine.kinds.comparison.maps import map_fsc

PROJECT = {
    "data": {"particles": "phantom:particles", "table": "phantom:table", "template": "phantom:template"},
    "masks": {"alignment": {"shape": "sphere", "radius_A": 68}},
    "rounds": [
        {
            "cone": {"range_deg": 32, "step_deg": 8},
            "azimuth": {"range_deg": 32, "step_deg": 8},
            "refine": {"levels": 3},
            "shifts": {"limits_xyz_px": [6, 6, 6]},
            "bandpass": {"lowpass_fpx": 10},
        },
        {
            "iterations": 2,
            "cone": {"range_deg": 12, "step_deg": 4},
            "azimuth": {"range_deg": 12, "step_deg": 4},
            "refine": {"levels": 3},
            "shifts": {"limits_xyz_px": [2, 2, 2], "origin": "last-iteration"},
            "bandpass": {"lowpass_fpx": 16},
        },
    ],
}


@pytest.mark.slow
@pytest.mark.parametrize("search", ["grid", "fast"])
@pytest.mark.parametrize(("snr", "most_deg", "most_px"), [(0.1, 1.0, 0.25), (0.02, 2.0, 0.5)])
def test_two_hundred_particles_are_recovered(snr, most_deg, most_px, search):
    given = memory.addresses("phantom", memory.run("phantom", {"boxes": {"count": 200, "snr": snr}})["phantom"])
    project = {**PROJECT, "rounds": [{**settings, "search": search} for settings in PROJECT["rounds"]]}
    made = memory.run("alignment", project, given, Work(workers=2))["ite_0003"]
    errors = pose_errors(made["table"], given["phantom:truth"], "C1")
    curve = map_fsc(made["refs/001/average"], given["phantom:object"], inscribed_ball(48))["fsc"]
    at_06_nyquist = np.interp(0.6 * 24, np.arange(25), curve)
    angle, shift = np.median(errors["angle_deg"]), np.median(errors["shift_px"])
    print(f"SNR {snr}, {search}: median {angle:.2f} deg, {shift:.3f} px, FSC at 0.6 Nyquist {at_06_nyquist:.2f}")
    assert angle < most_deg
    assert shift < most_px
    assert snr < 0.1 or at_06_nyquist > 0.5


@pytest.mark.slow
def test_the_mirror_image_never_wins():
    given = memory.addresses("phantom", memory.run("phantom", {"boxes": {"count": 40}})["phantom"])
    template = given["phantom:object"]
    mirrored = type(template)(np.roll(template.data[:, :, ::-1], 1, axis=2), template.pixel_size_A)
    search = {"cone": {"range_deg": 60, "step_deg": 10}, "azimuth": {"range_deg": 60, "step_deg": 10}}
    project = {**PROJECT, "rounds": [{**PROJECT["rounds"][0], **search}]}
    right, wrong = (
        memory.run("alignment", project, {**given, "phantom:template": volume}, Work(workers=2))["ite_0001"]["table"][
            "cc"
        ]
        for volume in (template, mirrored)
    )
    assert (right > wrong).all()
