"""The same kernels on a GPU: each against its NumPy self. Runs where CuPy finds a GPU."""

import memory
import numpy as np
import pytest

from engine.devices import Work, to_host, visible_gpus
from engine.geometry import euler
from engine.kernels import average, bank, blobs, correlate, exact, fourier, mask, own_frame, reference
from engine.kernels.rotate import moved
from engine.kernels.wedge import Wedge

pytestmark = pytest.mark.skipif(not visible_gpus(), reason="no GPU that CuPy can use")

N = 32
WEDGE = Wedge(1, (-60, 60))
CHAIN = blobs.chiral_chain(50, 9, np.random.default_rng(3))
OBJECT = blobs.render(CHAIN, 1.2, N)
MASK = mask.ball(N, 12, (16, 16, 16), 3)
ROTATION = euler.matrices([20, 70, -130])


@pytest.fixture
def gpu():
    return Work(gpus=(0,))


def close(on_gpu, on_cpu, tolerance=1e-4):
    """float32 sums in another order: relative to the largest value."""
    on_cpu = np.asarray(on_cpu)
    np.testing.assert_allclose(to_host(on_gpu), on_cpu, atol=tolerance * np.abs(on_cpu).max())


def test_spectra_and_cropping_agree(gpu):
    close(fourier.spectrum(gpu.array(OBJECT)), fourier.spectrum(OBJECT))
    close(fourier.cropped(gpu.array(OBJECT), 20), fourier.cropped(OBJECT, 20))
    close(fourier.bandpass(gpu.array(OBJECT), 2, 9), fourier.bandpass(OBJECT, 2, 9))


def test_moved_boxes_agree(gpu):
    close(moved(gpu.array(OBJECT), ROTATION, [1, 2, -0.5]), moved(OBJECT, ROTATION, [1, 2, -0.5]), 1e-3)


def matter(work):
    volume, soft = work.array(OBJECT), work.array(MASK)
    selection = correlate.band(N, 2, 9, WEDGE, correlate.namespace(volume))
    return (
        selection,
        reference.spectrum_table(reference.masked(volume, soft), selection.reach),
        exact.mask_for_comparison(soft, selection),
        fourier.spectrum(work.array(moved(OBJECT, ROTATION, [1, 0, -1]))),
    )


def test_scores_and_the_exact_cc_agree(gpu):
    rotations = ROTATION @ euler.matrices(np.random.default_rng(0).normal(scale=4, size=(30, 3)))
    results = []
    for work in (Work(), gpu):
        selection, table, small, half = matter(work)
        weighted, energy = correlate.weighted(selection, half)
        window = correlate.window(selection, 1.0, np.ones((5, 5, 5), dtype=bool))
        peak = correlate.best_pose(table, selection, weighted, energy, rotations, window)
        values = half.ravel()[selection.voxel]
        cc = exact.exact_cc(table, small, selection, values, rotations[peak.rotation], peak.shift_xyz_px)
        results.append((peak.rotation, peak.cc, *peak.shift_xyz_px, cc))
    assert results[0][0] == results[1][0]
    np.testing.assert_allclose(results[1], results[0], atol=1e-3)


def test_inserted_sums_agree(gpu):
    host = average.inserted(average.empty_sum(N), fourier.spectrum(OBJECT), WEDGE, ROTATION, np.array([1.0, 0, 2]))
    xp = correlate.namespace(gpu.array(OBJECT))
    device = average.inserted(
        average.empty_sum(N, xp), fourier.spectrum(gpu.array(OBJECT)), WEDGE, ROTATION, np.array([1.0, 0, 2])
    )
    close(device.values, host.values)
    close(device.weights, host.weights)


def test_an_alignment_on_a_gpu_finds_the_same_poses(gpu):
    phantom = {"boxes": {"count": 10, "box_px": 28, "snr": 0.3}, "object": {"radius_px": 8, "blobs": 40}}
    given = memory.addresses("p", memory.run("phantom", phantom)["phantom"])
    project = {
        "data": {"particles": "p:particles", "table": "p:table", "template": "p:template"},
        "rounds": [{"bandpass": {"lowpass_fpx": 8}, "shifts": {"limits_xyz_px": [5, 5, 5]}}],
    }
    cpu, on_gpu = (memory.run("alignment", project, given, work)["ite_0001"]["table"] for work in (Work(), gpu))
    angle = euler.angular_distance_deg(euler.matrices(cpu.angles), euler.matrices(on_gpu.angles))
    assert np.percentile(angle, 90) < 0.05
    np.testing.assert_allclose(on_gpu["cc"], cpu["cc"], atol=5e-3)


def test_the_bank_and_the_own_frame_agree(gpu):
    rotations = euler.matrices(np.random.default_rng(0).normal(scale=4, size=(30, 3)))
    results = []
    for work in (Work(), gpu):
        _, table, _, half = matter(work)
        ball = correlate.band(N, 2, 9, Wedge(0), correlate.namespace(half))
        weight = own_frame.turned_weight(ball, WEDGE, ROTATION)
        values = weight * own_frame.turned(ball, half.ravel()[ball.voxel], ROTATION)
        window = correlate.window(ball, 1.0, np.ones((3, 3, 3), dtype=bool))
        whole = bank.bank([table], ball, rotations)
        results.append(bank.best_of_each(whole, [bank.compared(values, 1.0, 0, window)], weight[None])[0])
    close(results[1], results[0])
