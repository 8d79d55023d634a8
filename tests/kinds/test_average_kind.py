"""average: the particles of a table, turned back and summed."""

import memory
import numpy as np
import pytest

from engine.data import Half
from engine.geometry import euler
from engine.kernels import fsc, mask
from engine.kernels.fourier import spectrum
from engine.kernels.rotate import moved

N = 28


@pytest.fixture(scope="module")
def phantom():
    values = {
        "object": {"blobs": 40, "radius_px": 8},
        "boxes": {"count": 30, "box_px": N, "snr": 2.0, "shift_px": 2},
        "start": {"angle_error_deg": 0, "shift_error_px": 0},
    }
    return memory.addresses("p", memory.run("phantom", values)["phantom"])


def average(phantom, **sections):
    values = {"data": {"particles": "p:particles", "table": "p:table"}, **sections}
    return memory.run("average", values, phantom)["average"]


def agreement(volume, phantom):
    curve = fsc.fsc(volume.data, phantom["p:object"].data, mask.inscribed_ball(N))
    return curve[1 : N // 3].mean()


def test_particles_at_their_true_poses_average_to_the_object(phantom):
    made = average(phantom)
    assert agreement(made["refs/001/average"], phantom) > 0.95
    assert made["summary"]["averaged"] == 30
    assert made["refs/001/average"].pixel_size_A == 4.0


def test_without_compensation_the_average_is_the_raw_one_and_worse(phantom):
    few = {**phantom, "p:table": phantom["p:table"].where(np.arange(4))}
    compensated, raw = average(few), average(few, average={"fourier_compensation": False})
    np.testing.assert_array_equal(raw["refs/001/average"].data, raw["refs/001/average_raw"].data)
    assert agreement(compensated["refs/001/average"], phantom) > agreement(raw["refs/001/average"], phantom)


def test_fourier_voxels_with_too_few_particles_are_empty(phantom):
    made = average(phantom, average={"minimum_particles": 21.0})
    weight = made["refs/001/fourier_weight"]
    line = np.sinc((np.arange(N) - N // 2) / N) ** 2  # the droop of the insertion, which was divided out after all
    droop = line[:, None, None] * line[None, :, None] * line
    power = np.abs(spectrum((made["refs/001/average"].data * droop).astype(np.float32)))
    assert (weight < 20.9).sum() > 100
    assert power[weight < 20.9].max() < 1e-4 * power.max()
    assert (power[(weight > 21.1) & (np.arange(N // 2 + 1) > 0)] > 1e-4 * power.max()).mean() > 0.5


def test_symmetry_is_imposed_on_a_version_of_its_own(phantom):
    made = average(phantom, average={"symmetry": "C2"})
    symmetric = made["refs/001/average_symmetrized"].data
    inner = slice(5, -5)
    turned = moved(symmetric, np.diag([-1.0, -1.0, 1.0]))
    np.testing.assert_allclose(turned[inner, inner, inner], symmetric[inner, inner, inner], atol=0.03 * symmetric.max())


def test_a_helix_is_imposed_on_the_symmetrised_version(phantom):
    helix = {"turn_deg": 50, "rise_px": 3.0}
    for compensated in (True, False):
        made = average(phantom, average={"helix": helix, "fourier_compensation": compensated})
        symmetric = made["refs/001/average_symmetrized"].data
        turned = moved(symmetric, euler.about_z(np.radians(50)), [0, 0, 3.0])
        inner = (slice(6, -6),) * 3
        assert np.corrcoef(turned[inner].ravel(), symmetric[inner].ravel())[0, 1] > 0.99


def test_the_normalisation_mask_makes_particles_of_any_contrast_count_alike(phantom):
    particles = phantom["p:particles"]
    scale = np.where(np.arange(30) % 2, 1.0, 50.0).astype(np.float32)[:, None, None, None]
    scaled = {**phantom, "p:particles": type(particles)(particles.boxes * scale + 7, particles.tags, 4.0)}
    ball = {"normalisation": {"shape": "sphere", "radius_A": 40}}
    plain, other = (average(given, masks=ball)["refs/001/average"].data for given in (phantom, scaled))
    np.testing.assert_allclose(other, plain, atol=0.01 * np.abs(plain).max())


def test_the_fsc_is_between_the_half_sets_of_the_table_or_says_otherwise(phantom):
    assert average(phantom)["refs/001/fsc"].notes["between"] == "alternate particles"
    halved = phantom["p:table"].with_columns(half=np.where(np.arange(30) < 15, Half.ODD, Half.EVEN))
    notes = average({**phantom, "p:table": halved})["refs/001/fsc"].notes
    assert notes["between"].startswith("half-sets of the table")
    assert notes["gold_standard"] is False
    one_half = {**phantom, "p:table": halved.where(halved["half"] == Half.ODD)}
    curve = average(one_half)["refs/001/fsc"]
    assert curve.notes["between"] == "alternate particles"
    assert curve["fsc"][1:5].min() > 0.5
