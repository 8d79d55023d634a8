"""The bank: the scores of the gather by matrix products, in the tomogram's frame and in the particle's own."""

import tracemalloc

import numpy as np
import pytest

from engine.geometry import euler, search
from engine.kernels import bank, blobs, compiled, correlate, mask, own_frame, reference
from engine.kernels.cost import Sizes, bank_is_quicker, bank_seconds, gather_seconds
from engine.kernels.fourier import from_spectrum, half_frequencies, spectrum, spectrum_block
from engine.kernels.wedge import Wedge, measured

N = 32
LOW = 9.0
WEDGES = (Wedge(1, (-60, 60)), Wedge(1, (-40, 55)), Wedge(0))
CHAIN = blobs.chiral_chain(50, 9, np.random.default_rng(3))
OBJECT = blobs.render(CHAIN, 1.2, N)
MASK = mask.ball(N, 12, (16, 16, 16), 3)
BALL = correlate.band(N, 2, LOW, Wedge(0))
TABLE = reference.spectrum_table(reference.masked(OBJECT, MASK), BALL.reach)


def particle(rotation, shift, snr, wedge, generator):
    clean = blobs.render(CHAIN @ rotation.T + shift, 1.2, N)
    noisy = clean + generator.normal(scale=clean.std() / np.sqrt(snr), size=clean.shape)
    return spectrum_block(from_spectrum(spectrum(noisy) * measured(half_frequencies(N), wedge), N), BALL.reach)


def in_the_bank(half, wedge, row, window):
    _, energy = correlate.weighted(correlate.band(N, 2, LOW, wedge), half)
    weight = own_frame.turned_weight(BALL, wedge, np.eye(3))
    return bank.compared(weight * correlate.coefficients(BALL, half), energy, row, window), weight


def gathered(half, wedge, rotations, allowed, table=TABLE):
    selection = correlate.band(N, 2, LOW, wedge)
    weighted, energy = correlate.weighted(selection, half)
    return compiled.best_of_each(
        table, selection, weighted, energy, rotations, correlate.window(selection, 1.3, allowed)
    )


@pytest.fixture(scope="module")
def group():
    """Particles of three tomograms, each with a window of its own."""
    generator = np.random.default_rng(0)
    made = []
    for number in range(7):
        wedge = WEDGES[number % 3]
        allowed = generator.uniform(size=[(3, 5, 7), (1, 1, 1), (5, 5, 5)][number % 3]) < 0.8
        allowed[tuple(side // 2 for side in allowed.shape)] = True
        rotation = euler.matrices(euler.random(1, generator)[0])
        made.append((particle(rotation, generator.uniform(-2, 2, 3), 0.1, wedge, generator), wedge, allowed))
    return made


def scored(group, whole):
    windows = [correlate.window(BALL, 1.3, allowed) for _, _, allowed in group]
    parts = [
        in_the_bank(half, wedge, WEDGES.index(wedge), window)[0]
        for (half, wedge, _), window in zip(group, windows, strict=True)
    ]
    weights = np.stack([own_frame.turned_weight(BALL, wedge, np.eye(3)) for wedge in WEDGES])
    return bank.best_of_each(whole, parts, weights)


ROTATIONS = euler.matrices(euler.random(50, np.random.default_rng(2)))


def test_the_bank_scores_as_the_gather_for_particles_of_several_tomograms(group):
    cc, places = scored(group, bank.bank([TABLE], BALL, ROTATIONS))
    for number, (half, wedge, allowed) in enumerate(group):
        expected, expected_places = gathered(half, wedge, ROTATIONS, allowed)
        np.testing.assert_allclose(cc[number], expected, atol=1e-5)  # float32 sums in another order
        assert (places[number] == expected_places).mean() > 0.9  # equal but for ties within rounding
        assert allowed.ravel()[places[number]].all()


@pytest.mark.parametrize("memory_bytes", [1, 1 << 16, 1 << 20, 4 << 20])
def test_the_size_of_the_tiles_does_not_matter(group, memory_bytes):
    small, large = (
        bank.bank([TABLE], BALL, ROTATIONS, bank.Tiling(memory_bytes, 1024)),
        bank.bank([TABLE], BALL, ROTATIONS),
    )
    assert (small.kept is None) == (bank.size_bytes(50, BALL.k_xyz.shape[1]) > memory_bytes)
    (cc, places), (large_cc, large_places) = scored(group, small), scored(group, large)
    np.testing.assert_allclose(cc, large_cc, atol=1e-6)
    assert (places == large_places).mean() > 0.99


def test_tiles_may_end_within_a_reference(group):
    other = reference.spectrum_table(reference.masked(OBJECT[::-1], MASK), BALL.reach)
    whole, _ = scored(group, bank.bank([TABLE, other], BALL, ROTATIONS))
    cc, places = scored(group, bank.bank([TABLE, other], BALL, ROTATIONS, bank.Tiling(256 << 20, 7)))
    np.testing.assert_allclose(cc, whole, atol=1e-6)
    half, wedge, allowed = group[0]
    np.testing.assert_allclose(cc[0, 50:], gathered(half, wedge, ROTATIONS, allowed, other)[0], atol=1e-5)
    assert places.shape == (7, 100)


def own_frames(n, snr):
    """Scores of particles in their own frame by the bank, and of the same rotations by the gather."""
    relative = search.rotations(search.Search(40, 10, 40, 10))
    whole = bank.bank([TABLE], BALL, relative)
    window = correlate.window(BALL, 1.3, np.ones((3, 3, 3), dtype=bool))
    for seed in range(n):
        generator, wedge = np.random.default_rng(seed), WEDGES[seed % 2]
        true = euler.matrices(euler.random(1, generator)[0])
        present = true @ euler.matrices(generator.uniform(-6, 6, 3))
        shift = generator.uniform(-2, 2, 3)
        half = particle(true, shift, snr, wedge, generator)
        selection = correlate.band(N, 2, LOW, wedge)
        weighted, energy = correlate.weighted(selection, half)
        weight = own_frame.turned_weight(BALL, wedge, present)
        centred = correlate.shifted(BALL, correlate.coefficients(BALL, half), shift)
        values = weight * own_frame.turned(BALL, centred, present)
        cc, _ = bank.best_of_each(whole, [bank.compared(values, energy, 0, window)], weight[None])
        expected, _ = compiled.best_of_each(
            TABLE, selection, correlate.shifted(selection, weighted, shift), energy, present @ relative, window
        )
        yield cc[0], expected


@pytest.mark.parametrize(("snr", "share"), [(0.1, 0.13), (0.01, 0.2)])
def test_a_particle_in_its_own_frame_scores_as_in_the_tomograms_within_the_stated_error(snr, share):
    pairs = list(own_frames(8, snr))
    errors = [(cc - expected).std() for cc, expected in pairs]
    spreads = [expected.std() for _, expected in pairs]
    print(f"own frame: {np.mean(errors):.4f} of a spread of {np.mean(spreads):.4f}")
    assert np.median(np.array(errors) / spreads) < share  # 10 and 17 %; 6 to 10 % in larger boxes
    assert max(np.abs(cc.max() / expected.max() - 1) for cc, expected in pairs) < 0.1


@pytest.mark.parametrize("snr", [0.1, 0.01])
def test_the_tenth_that_is_kept_in_the_own_frame_holds_the_gathers_winner(snr):
    found = [expected.argmax() in np.argsort(-cc)[: len(cc) // 10] for cc, expected in own_frames(12, snr)]
    assert all(found)


def test_an_unturned_particle_keeps_its_coefficients():
    half = particle(np.eye(3), np.zeros(3), 10, Wedge(0), np.random.default_rng(1))
    values = correlate.coefficients(BALL, half)
    centre = np.linalg.norm(BALL.k_xyz, axis=0) < LOW  # beyond the band's end there is nothing to interpolate with
    same = own_frame.turned(BALL, values, np.eye(3))
    assert np.linalg.norm((same - values)[centre]) < 0.1 * np.linalg.norm(values[centre])


def test_the_quicker_way_depends_on_sizes_as_it_should():
    few, full = (Sizes(2400, 3800, 12, (s,) * 3, s**3, 1000, 1000) for s in (3, 15))
    assert bank_is_quicker(few, True)
    assert not bank_is_quicker(full, True)
    assert bank_seconds(few, False) < bank_seconds(few, True)
    lonely = Sizes(2400, 3800, 12, (3, 3, 3), 27, 1000, 1)
    assert bank_seconds(lonely, True) > 5 * bank_seconds(few, True)
    assert gather_seconds(lonely) == gather_seconds(few)


@pytest.mark.parametrize("memory_bytes", [1 << 16, 4 << 20])
def test_a_bank_and_a_call_hold_no_more_than_is_stated(group, memory_bytes):
    tiling, sixteen = bank.Tiling(memory_bytes, 16), [*group, *group, *group][: bank.GROUP]
    n_points, n_shifts = BALL.k_xyz.shape[1], max(int(one[2].sum()) for one in sixteen)
    kept, call = bank.held_bytes(len(ROTATIONS), n_points, n_shifts, tiling)
    whole = bank.bank([TABLE], BALL, ROTATIONS, tiling)
    assert kept == (sum(tile.nbytes for *_, tile in whole.kept) if whole.kept else 0)
    scored(sixteen, whole)
    tracemalloc.start()
    scored(sixteen, whole)
    held = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert 0.3 * call < held < call + (1 << 20)  # beside the particles' own values and their windows
