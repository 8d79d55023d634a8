"""The same kernels on a GPU: each against its NumPy self. Runs where CuPy finds a GPU."""

import memory
import numpy as np
import pytest

from engine.devices import Work, namespace, to_host, visible_gpus
from engine.geometry import euler
from engine.kernels import average, bank, blobs, correlate, cuda, exact, fourier, mask, own_frame, quick, reference
from engine.kernels.density_mask import density_mask
from engine.kernels.peak import best_pose
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
    close(fourier.spectrum_block(gpu.array(OBJECT), 9), fourier.spectrum_block(OBJECT, 9))
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
        fourier.spectrum_block(work.array(moved(OBJECT, ROTATION, [1, 0, -1])), selection.reach),
    )


def test_scores_and_the_exact_cc_agree(gpu):
    rotations = ROTATION @ euler.matrices(np.random.default_rng(0).normal(scale=4, size=(30, 3)))
    results = []
    for work in (Work(), gpu):
        selection, table, small, half = matter(work)
        weighted, energy = correlate.weighted(selection, half)
        window = correlate.window(selection, 1.0, np.ones((5, 5, 5), dtype=bool))
        found = best_pose(table, selection, weighted, energy, rotations, window)
        values = correlate.coefficients(selection, half)
        cc = exact.exact_cc(table, small, selection, values, rotations[found.rotation], found.shift_xyz_px)
        results.append((found.rotation, found.cc, *found.shift_xyz_px, cc))
    assert results[0][0] == results[1][0]
    np.testing.assert_allclose(results[1], results[0], atol=1e-3)


def score(work, n, low, sides, n_rotations=300):
    """What the score takes: table, band, particle, energy, rotations, and a window with holes; noise against noise."""
    generator = np.random.default_rng(n)
    volume, box = (work.array(part) for part in generator.normal(size=(2, n, n, n)).astype(np.float32))
    selection = correlate.band(n, 2, low, WEDGE, correlate.namespace(volume))
    table = reference.spectrum_table(volume, selection.reach)
    weighted, energy = correlate.weighted(selection, fourier.spectrum_block(box, selection.reach))
    allowed = generator.uniform(size=sides) < 0.7
    allowed[tuple(side // 2 for side in sides)] = True
    rotations = euler.matrices(euler.random(n_rotations, generator))
    return table, selection, weighted, energy, rotations, correlate.window(selection, 1.3, allowed)


SEARCHES = [(32, 9, (5, 7, 9)), (48, 14, (9, 9, 9)), (33, 6, (1, 3, 1)), (64, 20, (15, 15, 15)), (24, 8, (31, 31, 31))]


@pytest.mark.parametrize(("n", "low", "sides"), SEARCHES)
def test_the_cuda_search_equals_the_array_search(gpu, n, low, sides):
    host, device = (score(work, n, low, sides) for work in (Work(), gpu))
    slow_cc, slow_place = correlate.best_of_each(*host)
    for search, tolerance in ((cuda.best_of_each, 1e-5), (quick.search, 1e-5), (cuda.screened, 1e-4)):
        cc, place = search(*device)
        np.testing.assert_allclose(cc, slow_cc, atol=tolerance)
        assert (place == slow_place).mean() > 0.97  # equal but for ties within rounding


def test_a_window_too_large_for_a_block_is_searched_by_array_code(gpu):
    host, device = (score(work, 24, 6, (3, 3, 33), 5) for work in (Work(), gpu))
    np.testing.assert_allclose(cuda.best_of_each(*device)[0], correlate.best_of_each(*host)[0], atol=1e-5)


@pytest.mark.parametrize(("n", "low"), [(32, 9), (64, 20)])
def test_the_cuda_slopes_equal_the_array_slopes(gpu, n, low):
    host, device = (score(work, n, low, (1, 1, 1), 20)[:5] for work in (Work(), gpu))
    slow = correlate.slopes(*host)
    size = np.abs(slow).max(axis=0)
    for slopes in (cuda.slopes, correlate.slopes, quick.slopes):
        np.testing.assert_allclose(slopes(*device) / size, slow / size, atol=2e-5)


def test_the_cuda_kernels_give_the_same_bits_again(gpu):
    asked = score(gpu, 48, 14, (9, 9, 9))
    half = fourier.spectrum_block(gpu.array(OBJECT), 15)
    xp = correlate.namespace(half)

    def everything():
        total = average.empty_sum(N, xp)
        for shift in ([1.0, 0, 2], [0.3, -2, 1]):
            total = cuda.inserted(total, average.Placed(half, WEDGE, ROTATION, np.array(shift)))
        results = *cuda.best_of_each(*asked), cuda.slopes(*asked[:5]), total.values, total.weights
        return [to_host(part) for part in results]

    first = everything()
    for _ in range(5):
        for one, other in zip(first, everything(), strict=True):
            np.testing.assert_array_equal(one, other)


def test_inserted_sums_agree(gpu):
    pose = (WEDGE, ROTATION, np.array([1.0, 0, 2]))
    host = average.sum_of(N, [average.Placed(fourier.spectrum_block(OBJECT, 15), *pose)])
    on_gpu = fourier.spectrum_block(gpu.array(OBJECT), 15)
    device = average.sum_of(N, [average.Placed(on_gpu, *pose)], correlate.namespace(on_gpu))
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
        values = weight * own_frame.turned(ball, correlate.coefficients(ball, half), ROTATION)
        window = correlate.window(ball, 1.0, np.ones((3, 3, 3), dtype=bool))
        whole = bank.bank([table], ball, rotations)
        results.append(bank.best_of_each(whole, [bank.compared(values, 1.0, 0, window)], weight[None])[0])
    close(results[1], results[0])


def test_masks_agree(gpu):
    on_gpu = gpu.array(OBJECT)
    centre = (16, 15, 17)
    for made in (
        lambda xp: mask.ellipsoid(N, (6, 8, 10), centre, 3, xp),
        lambda xp: mask.cuboid(N, (10, 12, 14), centre, 3, xp),
        lambda xp: mask.tube(N, 9, 4, 14, centre, 3, xp),
        lambda xp: mask.shell(N, 9, 4, centre, 3, xp),
        lambda xp: mask.membrane(N, 5, -20, 11, centre, 3, xp),
        lambda xp: mask.subtraction(mask.ball(N, 9, centre, 3, xp), mask.cylinder(N, 4, 20, centre, 3, xp)),
    ):
        close(made(namespace(on_gpu)), made(np))
    close(density_mask(on_gpu, 0.3, 2, 3), density_mask(OBJECT, 0.3, 2, 3))
