"""Missing wedge."""

import numpy as np
import pytest

from engine.kernels.fourier import half_frequencies
from engine.kernels.wedge import Wedge, measured

X, Y, Z = np.eye(3)


def direction(degrees):
    """A frequency in the plane measured at this tilt about y: (cos, 0, sin)."""
    return np.array([np.cos(np.radians(degrees)), 0, np.sin(np.radians(degrees))])


def test_a_tilt_about_y_measures_its_own_direction_and_nothing_beyond_the_range():
    wedge = Wedge(1, (-60, 60))
    for degrees, seen in [(0, True), (59, True), (-59, True), (61, False), (-61, False), (90, False)]:
        assert measured(direction(degrees), wedge) == seen
        assert measured(-direction(degrees), wedge) == seen
    assert measured(Y, wedge)
    assert not measured(Z, wedge)


def test_an_asymmetric_range_follows_the_projection_x_cos_plus_z_sin():
    wedge = Wedge(1, (-40, 70))
    assert measured(direction(65), wedge)
    assert not measured(direction(-65), wedge)


def test_a_tilt_about_x_swaps_the_roles_of_x_and_y():
    wedge = Wedge(2, x_range_deg=(-60, 60))
    assert measured(X, wedge)
    assert measured(Y, wedge)
    assert not measured(Z, wedge)
    assert not measured(np.array([0, 0.3, 1]), wedge)


def test_a_dual_tilt_measures_what_either_tilt_does():
    k = half_frequencies(16)
    both = measured(k, Wedge(4, (-50, 50), (-40, 40)))
    either = measured(k, Wedge(1, (-50, 50))) | measured(k, Wedge(2, x_range_deg=(-40, 40)))
    np.testing.assert_array_equal(both, either)


def test_a_cone_is_missing_around_the_beam_only():
    wedge = Wedge(3, (-60, 60))
    assert measured(np.array([1.0, 1.0, 1.0]), wedge)
    assert not measured(np.array([0.2, 0.2, 1.0]), wedge)


@pytest.mark.parametrize(("ftype", "beam"), [(1, Z), (2, Z), (3, Z), (6, Y), (7, Y)])
def test_the_beam_direction_is_missing_and_zero_is_measured(ftype, beam):
    wedge = Wedge(ftype, (-60, 60), (-60, 60))
    assert not measured(beam, wedge)
    assert measured(np.zeros(3), wedge)


def test_the_missing_share_of_a_ball_is_the_share_of_the_angle():
    k = half_frequencies(48)
    ball = (k**2).sum(axis=-1) <= 23**2
    share = measured(k, Wedge(1, (-60, 60)))[ball].mean()
    assert share == pytest.approx(120 / 180, abs=0.03)  # the half space holds the missing kx = 0 plane whole


def test_full_sampling_measures_everything():
    assert measured(half_frequencies(8), Wedge(0)).all()
    assert measured(half_frequencies(8), Wedge(5)).all()  # what is missing, the particle's own weight tells


def test_an_unknown_ftype_is_refused():
    with pytest.raises(ValueError, match="ftype 8"):
        measured(X, Wedge(8))
