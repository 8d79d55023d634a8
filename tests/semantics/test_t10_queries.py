"""T10: what ddb asks of a project is answered: `:a`, `:as`, `:rt`, `:t`, `:st`, ite=last, ite=*, ite=0, ref=1."""

from pathlib import Path

import numpy as np
import pytest

import engine
from engine.data import Table, Volume

TRUTH = """\
kind = "phantom"
[object]
blobs = 20
radius_px = 5
[boxes]
box_px = 20
count = 6
shift_px = 1
"""
PROJECT = """\
kind = "alignment"
[data]
particles = "truth:particles"
table = "truth:table"
template = "truth:template"
[[rounds]]
iterations = 2
cone = { range_deg = 0 }
azimuth = { range_deg = 0 }
symmetry = "C2"
shifts = { limits_xyz_px = [1, 1, 1] }
bandpass = { lowpass_fpx = 7 }
"""


@pytest.fixture(scope="module")
def campaign(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("ddb")
    (folder / "truth.toml").write_text(TRUTH, "utf-8")
    (folder / "pr_1.toml").write_text(PROJECT, "utf-8")
    engine.run([folder])
    return folder


def test_t10_letters_mean_the_last_iteration_unless_told(campaign):
    def value(rest):
        return engine.query(f"pr_1:{rest}", folder=campaign).value

    for letter, kind in (("a", Volume), ("as", Volume), ("rt", Table), ("t", Table)):
        assert isinstance(value(letter), kind)
    for rest in ("a", "a:ite=last", "a:ite=2", "a:ref=1", "average:ite=last:ref=1"):
        np.testing.assert_array_equal(value(rest).data, value("a").data)
    assert not np.array_equal(value("a").data, value("as").data)
    assert not np.array_equal(value("a:ite=1").data, value("a").data)
    assert value("rt").equals(value("t"))


def test_t10_ite_0_is_the_start_and_a_star_is_all(campaign):
    def values(rest):
        return engine.query(f"pr_1:{rest}", folder=campaign).values

    assert list(values("a:ite=*")) == [0, 1, 2]
    assert list(values("rt:ite=0:last")) == [0, 1, 2]
    assert list(values("rt:ite=[0,2]")) == [0, 2]
    start = values("rt:ite=0")[0]
    assert start.equals(values("st")[0])
    np.testing.assert_array_equal(values("a:ite=0")[0].data, values("sr")[0].data)
    truth = engine.query("truth:table", folder=campaign).value
    np.testing.assert_array_equal(start.shifts_xyz_px, truth.shifts_xyz_px)
