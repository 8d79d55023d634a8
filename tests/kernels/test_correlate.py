"""The score, against its definition and against the real-space oracle."""

import numpy as np
import oracle
import pytest

from engine.geometry import euler, search
from engine.kernels import blobs, compiled, correlate, exact, mask, quick, reference
from engine.kernels.fourier import from_spectrum, half_frequencies, spectrum, spectrum_block
from engine.kernels.peak import best_pose
from engine.kernels.wedge import Wedge, measured

N = 32
LOW = 9.0
WEDGE = Wedge(1, (-60, 60))
CHAIN = blobs.chiral_chain(50, 9, np.random.default_rng(3))
OBJECT = blobs.render(CHAIN, 1.2, N)
MASK = mask.ellipsoid(N, (11, 9, 12), (16, 16, 16), 3)


def particle(rotation, shift, snr, seed):
    generator = np.random.default_rng(seed)
    clean = blobs.render(CHAIN @ rotation.T + shift, 1.2, N)
    noisy = clean + generator.normal(scale=clean.std() / np.sqrt(snr), size=clean.shape)
    return from_spectrum(spectrum(noisy) * measured(half_frequencies(N), WEDGE), N)


@pytest.fixture(scope="module")
def selection():
    return correlate.band(N, 2, LOW, WEDGE)


@pytest.fixture(scope="module")
def template(selection):
    return reference.spectrum_table(reference.masked(OBJECT, MASK), selection.reach)


def test_a_sampled_reference_equals_the_spectrum_of_the_object_turned_exactly(selection):
    whole = reference.spectrum_table(OBJECT, selection.reach)
    for rotation in euler.matrices(euler.random(5, np.random.default_rng(1))):
        sampled = reference.sample(whole, selection.k_xyz, rotation[None].astype(np.float32))[0]
        block = spectrum_block(blobs.render(CHAIN @ rotation.T, 1.2, N), selection.reach)
        true = correlate.coefficients(selection, block)
        assert np.linalg.norm(sampled - true) < 0.03 * np.linalg.norm(true)  # trilinear at padding 1.5: about 2 %


def test_the_score_equals_its_definition(selection, template):
    rotation = euler.matrices([20, 70, -130])
    half = spectrum_block(particle(rotation, [1, 0, -2], 0.1, 0), selection.reach)
    weighted, energy = correlate.weighted(selection, half)
    centre = np.array([0.4, -1.2, 2.0])
    window = correlate.window(selection, 1.5, np.ones((3, 5, 7), dtype=bool))
    maps = correlate.correlation_maps(
        template,
        selection,
        correlate.shifted(selection, weighted, centre),
        energy,
        rotation[None].astype(np.float32),
        window,
    )
    turned = reference.sample(template, selection.k_xyz, rotation[None].astype(np.float32))[0].astype(np.complex128)
    p = correlate.coefficients(selection, half)
    for jz, jy, jx in [(0, 0, 0), (1, 2, 3), (2, 4, 6), (0, 4, 1)]:
        shift = centre + 1.5 * np.array([jx - 3, jy - 2, jz - 1])
        phase = np.exp(2j * np.pi * (shift @ selection.k_xyz) / N)
        numerator = (selection.weight * (np.conj(turned) * p * phase).real).sum()
        norm = (selection.weight * np.abs(turned) ** 2).sum() * (selection.weight * np.abs(p) ** 2).sum()
        assert maps[0, jz, jy, jx] == pytest.approx(numerator / np.sqrt(norm), abs=1e-5)


def test_many_rotations_at_once_score_as_each_on_its_own(selection, template):
    rotations = euler.matrices(euler.random(40, np.random.default_rng(2)))
    half = spectrum_block(particle(rotations[17], [1, -1, 0.5], 0.1, 4), selection.reach)
    weighted, energy = correlate.weighted(selection, half)
    window = correlate.window(selection, 1.0, np.ones((5, 5, 5), dtype=bool))
    together = best_pose(template, selection, weighted, energy, rotations, window)
    alone = [best_pose(template, selection, weighted, energy, r[None], window) for r in rotations]
    assert together.rotation == int(np.argmax([peak.cc for peak in alone])) == 17
    assert together.cc == pytest.approx(alone[17].cc, abs=1e-6)


@pytest.mark.parametrize(
    ("n", "low", "sides"),
    [(32, 9, (5, 7, 9)), (33, 6, (1, 3, 1)), (24, 12, (3, 1, 17)), (33, 20, (3, 3, 3)), (40, 4, (9, 9, 9))],
)
@pytest.mark.parametrize("wedge", [Wedge(0), WEDGE, Wedge(2, x_range_deg=(-40, 60))], ids=str)
def test_the_compiled_search_equals_the_array_search(n, low, sides, wedge):
    generator = np.random.default_rng(n)
    selection = correlate.band(n, 2, low, wedge)
    volume, box = generator.normal(size=(2, n, n, n)).astype(np.float32)
    table = reference.spectrum_table(volume, selection.reach)
    weighted, energy = correlate.weighted(selection, spectrum_block(box, selection.reach))
    allowed = generator.uniform(size=sides) < 0.7
    allowed[tuple(side // 2 for side in sides)] = True
    window = correlate.window(selection, 1.3, allowed)
    rotations = euler.matrices(euler.random(20, generator))
    slow_cc, slow_place = correlate.best_of_each(table, selection, weighted, energy, rotations, window)
    fast_cc, fast_place = compiled.best_of_each(table, selection, weighted, energy, rotations, window)
    np.testing.assert_allclose(fast_cc, slow_cc, atol=1e-6)
    assert (fast_place == slow_place).mean() > 0.9  # equal but for ties within rounding
    assert allowed.ravel()[fast_place].all()


@pytest.mark.parametrize(("n", "low"), [(32, 9), (33, 20), (24, 12)])
def test_compiled_slopes_and_shifts_equal_their_twins(n, low):
    generator = np.random.default_rng(n)
    selection = correlate.band(n, 2, low, Wedge(4, (-50, 60), (-40, 60)))
    volume, box = generator.normal(size=(2, n, n, n)).astype(np.float32)
    table = reference.spectrum_table(volume, selection.reach)
    weighted, energy = correlate.weighted(selection, spectrum_block(box, selection.reach))
    rotations = euler.matrices(euler.random(7, generator))
    moved = correlate.shifted(selection, weighted, np.array([1.3, -2.0, 0.4]))
    np.testing.assert_allclose(
        compiled.shifted(selection, weighted, [1.3, -2.0, 0.4]), moved, atol=1e-5 * abs(moved).max()
    )
    slow = correlate.slopes(table, selection, moved, energy, rotations)
    fast = compiled.slopes(table, selection, moved, energy, rotations)
    np.testing.assert_allclose(fast, slow, atol=1e-5 * np.abs(slow).max())


def test_slopes_are_the_derivatives_of_the_cc(selection, template):
    """Central differences of the CC, 0.05 px apart."""
    rotation = euler.matrices([10, 50, 100])[None]
    box = particle(rotation[0], np.array([0.8, -0.5, 0.3]), 1, 5)
    weighted, energy = correlate.weighted(selection, spectrum_block(box, selection.reach))

    def at(shift):
        return quick.slopes(
            template, selection, correlate.shifted(selection, weighted, np.array(shift)), energy, rotation
        )[0]

    here, d = at([0, 0, 0]), 0.05
    for axis in range(3):
        away = d * np.eye(3)[axis]
        ahead, behind = at(away), at(-away)
        assert (ahead[0] - behind[0]) / (2 * d) == pytest.approx(here[1 + axis], abs=1e-4)
        assert (ahead[1 + axis] - behind[1 + axis]) / (2 * d) == pytest.approx(here[4 + axis], abs=1e-4)
    ahead, behind = at([0, d, 0]), at([0, -d, 0])
    assert (ahead[1] - behind[1]) / (2 * d) == pytest.approx(here[7], abs=1e-4)  # xy
    assert (ahead[3] - behind[3]) / (2 * d) == pytest.approx(here[9], abs=1e-4)  # yz


def test_a_shift_is_found_below_a_twentieth_of_a_pixel(selection, template):
    rotation = euler.matrices([10, 50, 100])
    true = np.array([1.3, -2.4, 0.6])
    weighted, energy = correlate.weighted(selection, spectrum_block(particle(rotation, true, 10, 5), selection.reach))
    coarse = correlate.window(selection, 1.0, np.ones((9, 9, 9), dtype=bool))
    peak = best_pose(template, selection, weighted, energy, rotation[None], coarse)
    np.testing.assert_allclose(peak.shift_xyz_px, true, atol=0.05)


def test_forbidden_samples_are_never_chosen(selection, template):
    rotation = euler.matrices([10, 50, 100])
    weighted, energy = correlate.weighted(
        selection, spectrum_block(particle(rotation, [3, 0, 0], 10, 5), selection.reach)
    )
    allowed = np.zeros((9, 9, 9), dtype=bool)
    allowed[4, 4, 3:6] = True
    window = correlate.window(selection, 1.0, allowed)
    peak = best_pose(template, selection, weighted, energy, rotation[None], window)
    assert peak.shift_xyz_px[0] <= 1.5
    assert abs(peak.shift_xyz_px[1]) <= 0.5


@pytest.mark.parametrize("snr", [1.0, 0.1])
def test_the_exact_cc_equals_the_oracles(selection, snr):
    rotation = euler.matrices([35, 60, -80])
    shift = np.array([2, -1, 1])
    box = particle(rotation, shift, snr, 8)
    whole = reference.spectrum_table(OBJECT * mask.inscribed_ball(N), selection.reach)
    half = spectrum_block(box, selection.reach)
    cc = exact.exact_cc(
        whole,
        exact.mask_for_comparison(MASK, selection),
        selection,
        correlate.coefficients(selection, half),
        rotation,
        shift,
    )
    slow = oracle.align(box, OBJECT, MASK, WEDGE, (2, LOW), rotation[None], 5)
    np.testing.assert_array_equal(slow.shift_xyz_px, shift)
    assert cc == pytest.approx(slow.cc, abs=0.01)  # interpolation of the turned reference and mask


@pytest.mark.parametrize("snr", [0.1, 0.02])
def test_the_search_lands_where_the_exhaustive_real_space_oracle_lands(selection, template, snr):
    step_deg = 4.0
    grid = search.rotations(search.Search(16, step_deg, 16, step_deg))
    errors, disagreements = [], []
    for seed in range(6):
        generator = np.random.default_rng(100 + seed)
        true = euler.matrices(euler.random(1, generator)[0])
        off = euler.matrices(generator.uniform(-8, 8, 3) * [1, 0, 0])
        candidates = true @ off @ grid
        box = particle(true, generator.uniform(-2, 2, 3), snr, seed)
        slow = oracle.align(box, OBJECT, MASK, WEDGE, (2, LOW), candidates, 4)
        weighted, energy = correlate.weighted(selection, spectrum_block(box, selection.reach))
        window = correlate.window(selection, 1.0, np.ones((9, 9, 9), dtype=bool))
        fast = best_pose(template, selection, weighted, energy, candidates, window)
        disagreements.append(euler.angular_distance_deg(candidates[slow.rotation], candidates[fast.rotation]))
        errors.append([euler.angular_distance_deg(candidates[found.rotation], true) for found in (slow, fast)])
        assert np.abs(fast.shift_xyz_px - slow.shift_xyz_px).max() <= 1.0
    # The two scores weigh a cut-off neighbour differently (mask then wedge against wedge then mask): neighbours on the grid.
    assert np.median(disagreements) <= step_deg
    assert max(disagreements) <= 2.5 * step_deg
    slow_error, fast_error = np.median(errors, axis=0)
    assert fast_error <= slow_error + step_deg / 2


def test_the_mirror_image_never_wins(selection):
    straight = reference.spectrum_table(reference.masked(OBJECT, MASK), selection.reach)
    mirrored_object = blobs.render(CHAIN * [-1, 1, 1], 1.2, N)
    mirrored = reference.spectrum_table(reference.masked(mirrored_object, MASK), selection.reach)
    rotations = euler.matrices(euler.random(1500, np.random.default_rng(9)))
    window = correlate.window(selection, 1.0, np.ones((5, 5, 5), dtype=bool))
    for seed, true in enumerate(rotations[:4]):
        nearby = true @ search.rotations(search.Search(30, 10, 30, 10))
        weighted, energy = correlate.weighted(
            selection, spectrum_block(particle(true, [0, 0, 0], 0.1, seed), selection.reach)
        )
        right = best_pose(straight, selection, weighted, energy, nearby, window)
        wrong = best_pose(mirrored, selection, weighted, energy, rotations, window)
        assert right.cc > wrong.cc + 0.05
