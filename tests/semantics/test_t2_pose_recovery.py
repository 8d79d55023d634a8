"""T2: a template turned and shifted by known poses, seen through a wedge of +-60 deg, is found again from anywhere."""

import memory
import pytest
from aligned import pose_errors

PHANTOM = {
    "object": {"blobs": 40, "radius_px": 9},
    "boxes": {"count": 6, "box_px": 32, "snr": 10, "shift_px": 2},
    "start": {"angle_error_deg": 180, "shift_error_px": 2},
}
DATA = {"particles": "phantom:particles", "table": "phantom:table", "template": "phantom:object"}
DYNAMOS = {  # cr 360 cs 30 ir 360 is 30 rf 5, every rotation of every level
    "search": "grid",
    "cone": {"range_deg": 360, "step_deg": 30},
    "azimuth": {"range_deg": 360, "step_deg": 30},
    "refine": {"levels": 5, "factor": 2},
}


@pytest.mark.parametrize(
    "search",
    [DYNAMOS, {**DYNAMOS, "search": "fast"}, {"search": "global"}],
    ids=["grid", "fast", "global"],
)
def test_t2_known_poses_are_found_from_anywhere(search):
    phantom = memory.addresses("phantom", memory.run("phantom", PHANTOM)["phantom"])
    assert (phantom["phantom:table"]["ftype"] == 1).all()
    assert (phantom["phantom:table"]["ymaxtilt"] == 60).all()
    limits = {"shifts": {"limits_xyz_px": [4, 4, 4]}, "bandpass": {"lowpass_fpx": 12}}
    made = memory.run("alignment", {"data": DATA, "rounds": [{**search, **limits}]}, phantom)["ite_0001"]
    found = pose_errors(made["table"], phantom["phantom:truth"], "C1")
    start = pose_errors(phantom["phantom:table"], phantom["phantom:truth"], "C1")
    assert start["angle_deg"].max() > 60
    assert found["angle_deg"].max() < 1.5
    assert found["shift_px"].max() < 0.3
