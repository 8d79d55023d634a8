"""postprocess at its limits: what cannot be done is told, what is doubtful is said in the summary."""

import memory
import numpy as np
import pytest

from engine.data import Volume, VolumeFacts
from engine.faults import EngineError
from engine.kernels import blobs, mask
from engine.kernels.local_fsc import Cones
from engine.kernels.sharpen import Guinier
from engine.kinds import postprocess
from engine.kinds.postprocess.curves import Curves
from engine.kinds.postprocess.form import Sharpening
from engine.kinds.postprocess.sharp import Sharp
from engine.kinds.postprocess.telling import fate_of_mask, origin_of_b_factor

N, PIXEL_A = 32, 3.0


def halves(noise=0.05, seed=0):
    generator = np.random.default_rng(seed)
    clean = blobs.render(generator.uniform(-0.2, 0.2, (40, 3)) * N, 1.0, N)
    return [(clean + noise * generator.standard_normal(clean.shape)).astype(np.float32) for _ in range(2)]


def made(a, b, **sections):
    given = {"a.mrc": Volume(a, PIXEL_A), "b.mrc": Volume(b, PIXEL_A)}
    values = {"data": {"half1": "a.mrc", "half2": "b.mrc"}, **sections}
    return memory.run("postprocess", values, given)["postprocess"]


def faults(first=(N, PIXEL_A), second=(N, PIXEL_A), **sections):
    class Look:
        def volume(self, text):
            box_px, pixel_size_A = first if text == "a.mrc" else second
            return VolumeFacts((box_px,) * 3, pixel_size_A)

    project = postprocess.Project.model_validate({"data": {"half1": "a.mrc", "half2": "b.mrc"}, **sections})
    return [(".".join(map(str, fault.key)), fault.what) for fault in postprocess.check(project, Look())]


def test_the_halves_are_items_as_they_were_read():
    a, b = halves()
    found = made(a, b)
    np.testing.assert_array_equal(found["half1"].data, a)
    np.testing.assert_array_equal(found["half2"].data, b)


def test_one_half_may_tell_the_pixel_size_for_both():
    assert faults(first=(N, 0.0)) == []
    assert faults(second=(N, 0.0)) == []
    assert [key for key, _ in faults(first=(N, 0.0), second=(N, 0.0))] == ["data"]


@pytest.mark.parametrize(
    ("sections", "key"),
    [
        ({"sharpening": {"b_factor_A2": -1e6}}, "sharpening.b_factor_A2"),
        ({"sharpening": {"lowpass_A": 1000.0}}, "sharpening.lowpass_A"),
        ({"local": {"radius_A": 400.0}}, "local.radius_A"),
    ],
)
def test_what_leaves_no_map_or_no_window_is_a_fault(sections, key):
    assert [found for found, _ in faults(**sections)] == [key]


def test_one_shell_is_told_in_the_singular():
    ((_, what),) = faults(sharpening={"fit_lowest_A": 6.3})
    assert what.startswith("only 1 shell lies between")


def test_a_half_that_is_constant_is_refused_by_its_name():
    with pytest.raises(EngineError, match="half2 is 3 everywhere"):
        made(halves()[0], np.full((N,) * 3, 3, np.float32))


def test_halves_without_anything_in_common_are_told_where_their_fsc_ends():
    noise = np.random.default_rng(0).normal(size=(2, N, N, N)).astype(np.float32)
    with pytest.raises(EngineError, match=r"the FSC ends at .*raise fit_lowest_A"):
        made(*noise)


def test_dark_density_gets_the_mask_of_bright_density():
    a, b = halves()
    bright = made(a, b)
    dark = made(-a, -b, mask={"shape": "automatic", "density": "dark"})
    np.testing.assert_array_equal(dark["mask"].data, bright["mask"].data)
    assert bright["summary"]["mask"] == "used"
    threshold = float(np.float32(0.2))
    bright = made(a, b, mask={"shape": "automatic", "threshold": threshold})
    dark = made(-a, -b, mask={"shape": "automatic", "density": "dark", "threshold": -threshold})
    np.testing.assert_array_equal(dark["mask"].data, bright["mask"].data)


def test_a_mask_around_dark_density_taken_for_bright_is_doubted():
    told = made(*(-half for half in halves()), mask={"shape": "automatic", "extend_px": 0.0, "edge_px": 1.0})
    assert 'mask.density = "dark"' in told["summary"]["mask"]


def test_a_mask_in_which_random_phases_agree_is_doubted():
    curve = np.array([1, 0.9, 0.5, 0.1])
    curves = Curves(curve, curve, curve, curve, 2, False, curve)
    assert (
        fate_of_mask(curves, 0.15, 0.2)
        == "used; random phases agree inside it (it is too tight, or its edge too sharp)"
    )
    assert fate_of_mask(curves, 0.05, 0.2) == "used"


def test_a_b_factor_fitted_beyond_the_resolution_or_above_0_is_doubted():
    empty = np.zeros(1)

    def origin(fit, resolution_A):
        return origin_of_b_factor(Sharp(empty, 0.0, fit, 8.0, empty, empty, empty), Sharpening(), resolution_A)

    sharpens = Guinier(-20.0, 0.0, 1.0)
    assert origin(sharpens, 8.0) == "fitted"
    assert "beyond the resolution" in origin(sharpens, 12.0)
    assert "beyond the resolution" in origin(sharpens, "none")
    assert origin(None, 12.0) == "given"
    blurs = Sharp(empty, 80.0, Guinier(20.0, 0.0, 1.0), 8.0, empty, empty, empty)
    assert "blurs" in origin_of_b_factor(blurs, Sharpening(), 8.0)


def test_a_cone_too_narrow_for_any_voxel_takes_the_whole_shell():
    a, b = halves()
    cones = Cones(a, b, mask.inscribed_ball(N))
    narrow = cones.fsc(np.array([0.6, 0.5, 0.6245]), 1e-3)
    np.testing.assert_allclose(narrow, cones.fsc(np.array([0.0, 0.0, 1.0]), 90.0), atol=1e-6)


def test_noise_along_one_axis_shows_in_the_resolution_of_that_direction():
    """Fourier noise within 30 deg of z only: cones there lose, those in the plane do not."""
    a, b = halves(noise=0.02)
    k = np.stack(np.meshgrid(*[np.fft.fftfreq(N)] * 3, indexing="ij"))
    radius = np.sqrt((k**2).sum(axis=0))
    near_z = np.abs(k[0]) > np.cos(np.radians(30)) * np.maximum(radius, 1e-9)
    generator = np.random.default_rng(5)
    for half in (a, b):
        noise = np.fft.fftn(generator.standard_normal(half.shape)) * near_z
        half += np.fft.ifftn(noise).real.astype(np.float32)
    directions = made(a, b, directional={"half_angle_deg": 15.0, "directions": 60})["directions"]
    along_z = np.abs(directions["z"]) > np.cos(np.radians(15))
    across = np.abs(directions["z"]) < 0.5
    assert directions["resolution_A"][along_z].min() > 1.3 * directions["resolution_A"][across].max()
