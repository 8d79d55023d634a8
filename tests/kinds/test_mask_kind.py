"""mask: masks as data, by themselves and in other kinds."""

import memory
import numpy as np
import pytest
from pydantic import ValidationError

from engine import check, query, run
from engine.data import ParticleArray, Table, Volume
from engine.faults import EngineError
from engine.kernels import blobs, mask
from engine.kernels.fourier import lowpass
from engine.kinds import KINDS
from engine.kinds.mask_bounds import bounds
from engine.kinds.masks import drawn

MAP = blobs.render(np.array([[5.0, 2.0, -3.0], [-6.0, 4.0, 2.0]]), 2.5, 32)


def made(parts, given=None, **data):
    values = {"data": data or {"box_px": 32, "pixel_size_A": 2.0}, "mask": parts}
    return memory.run("mask", values, given)["mask"]


def voxels(parts, given=None, **data):
    return made(parts, given, **data)["mask"].data


def test_sizes_in_px_and_in_A_give_the_same_mask():
    for in_px in (
        {"shape": "sphere", "radius_px": 9, "edge_px": 4},
        {"shape": "ellipsoid", "semi_axes_xyz_px": [5, 6, 9], "offset_xyz_px": [1, -2, 0.5]},
        {"shape": "box", "sides_xyz_px": [9, 12, 15]},
        {"shape": "cylinder", "radius_px": 6, "height_px": 11},
        {"shape": "tube", "radius_px": 8, "thickness_px": 3, "height_px": 11},
        {"shape": "shell", "radius_px": 8, "thickness_px": 3},
        {"shape": "membrane", "thickness_px": 5, "curvature_radius_px": -20, "reach_px": 12},
        {"from_map": "m.mrc", "threshold": 0.5, "extend_px": 3, "edge_px": 2},
    ):
        in_A = {
            key.removesuffix("px") + "A" if key.endswith("px") else key: (np.array(size) * 2).tolist()
            if key.endswith("px")
            else size
            for key, size in in_px.items()
        }
        given = {"m.mrc": Volume(MAP, 2.0)}
        np.testing.assert_allclose(voxels(in_A, given), voxels(in_px, given), atol=1e-6)


def test_parts_are_joined_in_the_order_of_the_list():
    ball, bar = {"shape": "sphere", "radius_px": 10}, {"shape": "cylinder", "radius_px": 4, "height_px": 28}
    one, other = voxels(ball), voxels(bar)
    np.testing.assert_array_equal(voxels([ball, bar]), np.maximum(one, other))
    cut, kept = {**bar, "combine": "subtraction"}, {**bar, "combine": "intersection"}
    np.testing.assert_array_equal(voxels([ball, cut]), mask.subtraction(one, other))
    np.testing.assert_array_equal(voxels([ball, kept]), mask.intersection(one, other))
    np.testing.assert_array_equal(voxels([ball, cut, bar]), np.maximum(mask.subtraction(one, other), other))


def test_a_shape_lies_where_its_centre_or_its_offset_says():
    ball = {"shape": "sphere", "radius_px": 5}
    np.testing.assert_array_equal(
        voxels({**ball, "centre_xyz_px": [13, 16, 22]}), voxels({**ball, "offset_xyz_px": [-3, 0, 6]})
    )
    summary = made({**ball, "offset_xyz_A": [-6, 0, 12]})["summary"]
    assert [summary[f"centre of mass {axis} (px)"] for axis in "xyz"] == pytest.approx([13, 16, 22])


def test_the_summary_measures_the_mask():
    summary = made({"shape": "box", "sides_xyz_px": [9, 13, 17], "edge_px": 0})["summary"]
    assert summary["volume (voxels)"] == 9 * 13 * 17
    assert summary["volume (nm³)"] == pytest.approx(9 * 13 * 17 * 0.008)
    assert [summary[f"extent along {axis} (px)"] for axis in "xyz"] == [9, 13, 17]
    assert summary["box (px)"] == 32
    assert "volume (nm³)" not in made({"shape": "sphere", "radius_px": 9}, box_px=24)["summary"]


def test_a_threshold_is_a_value_or_counts_deviations_of_the_lowpassed_map():
    given = {"m.mrc": Volume(MAP, 2.0)}
    hard = {"from_map": "m.mrc", "edge_px": 0}
    np.testing.assert_array_equal(voxels({**hard, "threshold": 0.4}, given), MAP >= 0.4)
    smooth = lowpass(MAP, 6)
    expected = smooth >= smooth.mean(dtype=float) + 1.5 * smooth.std(dtype=float)
    np.testing.assert_array_equal(voxels({**hard, "threshold_sigma": 1.5, "lowpass_fpx": 6}, given), expected)
    in_A = {**hard, "threshold_sigma": 1.5, "lowpass_A": 32 * 2 / 6}
    np.testing.assert_array_equal(voxels(in_A, given), expected)


def test_a_dark_density_is_thresholded_from_above():
    bright = {"from_map": "m.mrc", "threshold_sigma": 2.0, "extend_px": 1}
    dark = {**bright, "density": "dark"}
    expected = voxels(bright, {"m.mrc": Volume(MAP, 2.0)})
    np.testing.assert_array_equal(voxels(dark, {"m.mrc": Volume(-MAP, 2.0)}), expected)
    hard = {"from_map": "m.mrc", "threshold": -0.4, "density": "dark", "edge_px": 0}
    np.testing.assert_array_equal(voxels(hard, {"m.mrc": Volume(-MAP)}), MAP >= 0.4)


def test_thresholds_that_hold_nothing_or_everything_are_told_with_the_values():
    given = {"m.mrc": Volume(MAP, 2.0)}
    with pytest.raises(EngineError, match=r"threshold 9 lies above the highest value of m.mrc, .*\(lower it\)"):
        made({"from_map": "m.mrc", "threshold": 9}, given)
    with pytest.raises(EngineError, match=r"not above the lowest value of m.mrc, .*: the mask fills the box \(raise"):
        made({"from_map": "m.mrc", "threshold": -1}, given)
    with pytest.raises(EngineError, match=r"threshold -9 lies below the lowest value of m.mrc"):
        made({"from_map": "m.mrc", "threshold": -9, "density": "dark"}, given)
    with pytest.raises(EngineError, match=r"has shape \(16, 16, 16\) \(zyx\), the box 32 px"):
        made({"from_map": "m.mrc", "threshold": 0.5}, {"m.mrc": Volume(np.zeros((16, 16, 16), np.float32))})


def test_the_box_is_given_or_that_of_a_map_or_of_particles():
    ball = {"shape": "sphere", "radius_A": 24}
    here = made(ball, box_px=32, pixel_size_A=3.0)["mask"]
    boxes = ParticleArray(np.zeros((1, 32, 32, 32), np.float32), np.array([1]), 3.0)
    for data, given in (({"map": "a.mrc"}, Volume(MAP, 3.0)), ({"particles": "p"}, boxes)):
        like = made(ball, {next(iter(data.values())): given}, **data)["mask"]
        assert like.pixel_size_A == 3.0
        np.testing.assert_array_equal(like.data, here.data)
    with pytest.raises(EngineError, match="need a pixel size"):
        made(ball, box_px=32)
    with pytest.raises(ValidationError, match="give the box exactly once"):
        KINDS["mask"].Project.model_validate({"data": {"box_px": 32, "map": "a.mrc"}, "mask": ball})


def test_a_membrane_without_a_reach_ends_inside_the_box():
    thin = voxels({"shape": "membrane", "thickness_px": 6, "offset_xyz_px": [0, 0, 4]})
    assert thin[20, 16, 16] == 1
    assert not thin[:, 0].any()
    assert not thin[:, :, -1].any()


def test_other_kinds_take_a_list_with_a_map():
    volume = np.random.default_rng(0).normal(size=(32, 32, 32)).astype(np.float32)
    poses = Table.blank(2).with_poses(np.zeros((2, 3)), np.zeros((2, 3)))
    parts = [{"from_map": "m.mrc", "threshold": 0.4}, {"combine": "subtraction", "shape": "sphere", "radius_A": 8}]
    given = {
        "t": poses,
        "m.mrc": Volume(MAP, 2.0),
        "a.mrc": Volume(volume, 2.0),
        "made": Volume(voxels(parts, {"m.mrc": Volume(MAP)})),
    }
    data = {"table": "t", "truth": "t", "average": "a.mrc", "object": "m.mrc"}
    by_parts, by_file = (
        memory.run("comparison", {"data": data, "mask": one}, given)["comparison"]["fsc"] for one in (parts, "made")
    )
    np.testing.assert_array_equal(by_parts["fsc"], by_file["fsc"])


PHANTOM = 'kind = "phantom"\nobject = { radius_px = 8 }\nboxes = { count = 2, box_px = 32 }\n'
MASK = """kind = "mask"
data = { map = "truth:object" }
[[mask]]
from_map = "truth:object"
threshold_sigma = 2
extend_A = 8
[[mask]]
combine = "intersection"
shape = "sphere"
radius_px = 7
"""


def test_a_mask_is_run_asked_for_exported_and_named_by_others(tmp_path):
    (tmp_path / "truth.toml").write_text(PHANTOM, "utf-8")
    (tmp_path / "p.toml").write_text(MASK, "utf-8")
    (tmp_path / "pr.toml").write_text(
        'kind = "comparison"\nmask = "p:mask"\n[data]\ntable = "truth:table"\ntruth = "truth:truth"\n'
        'average = "truth:template"\nobject = "truth:object"\n',
        "utf-8",
    )
    assert [one.faults for one in check(tmp_path)] == [[], [], []]
    run([tmp_path])
    answer = query(str(tmp_path / "p:m")).value
    assert isinstance(answer, Volume)
    assert answer.pixel_size_A == 4.0
    assert 27 < answer.data.sum() < 4 / 3 * np.pi * 7.5**3
    assert query(str(tmp_path / "p:summary")).value["box (px)"] == 32
    assert [one.faults for one in check(tmp_path)] == [[], [], []]


@pytest.mark.parametrize(
    "shape",
    [
        {"shape": "sphere", "radius_px": 6.3},
        {"shape": "ellipsoid", "semi_axes_xyz_px": [4, 6, 9]},
        {"shape": "box", "sides_xyz_px": [9, 12, 17]},
        {"shape": "cylinder", "radius_px": 6, "height_px": 11},
        {"shape": "tube", "radius_px": 7, "thickness_px": 3, "height_px": 11},
        {"shape": "shell", "radius_px": 8, "thickness_px": 3},
        {"shape": "membrane", "thickness_px": 5, "reach_px": 9},
        {"shape": "membrane", "thickness_px": 5, "curvature_radius_px": 14, "reach_px": 9},
        {"shape": "membrane", "thickness_px": 3, "curvature_radius_px": -10, "reach_px": 30},
    ],
    ids=lambda shape: shape["shape"],
)
def test_the_bounds_that_check_knows_are_those_of_the_voxels(shape):
    form = KINDS["mask"].Project.model_validate(
        {"data": {"box_px": 48}, "mask": {**shape, "edge_px": 0, "offset_xyz_px": [2, -1, 3]}}
    )
    known = bounds((form.mask,), 48, 0.0)
    inside = np.argwhere(drawn(form.mask, 48, 0.0))[:, ::-1]
    for measured, told in ((inside.min(axis=0), known.low), (inside.max(axis=0), known.high)):
        np.testing.assert_allclose(measured, told, atol=1.01)  # voxels lie up to one within a surface
    assert (inside.min(axis=0) >= known.low - 1e-6).all()
    assert (inside.max(axis=0) <= known.high + 1e-6).all()


def test_a_membrane_is_no_flatter_than_can_be_told():
    membrane = {"shape": "membrane", "thickness_px": 1, "curvature_radius_px": 1e300}
    with pytest.raises(ValidationError, match="less than or equal to 1000000000"):
        KINDS["mask"].Project.model_validate({"data": {"box_px": 8}, "mask": membrane})
    flat, nearly = (
        KINDS["mask"].Project.model_validate(
            {"data": {"box_px": 8}, "mask": {**membrane, "curvature_radius_px": radius}}
        )
        for radius in (None, 1e9)
    )
    told = [bounds((form.mask,), 8, 0.0) for form in (flat, nearly)]
    np.testing.assert_allclose(told[0].low, told[1].low, atol=1e-6)
    np.testing.assert_allclose(told[0].high, told[1].high, atol=1e-6)
