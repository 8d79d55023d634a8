"""Particles' own Fourier weights: halves and wholes, the score against the slow twin, the sum under weights."""

import numpy as np
import oracle
import pytest

from engine.data import ParticleArray, Volume
from engine.faults import EngineError
from engine.files import open_weights, weight_facts, write_particle_stack, write_volume
from engine.files.weights import sensible
from engine.geometry import euler
from engine.kernels import average, blobs, correlate, exact, fsc, mask, weight
from engine.kernels.fourier import block, from_spectrum, spectrum, spectrum_block
from engine.kernels.reference import masked, spectrum_table
from engine.kernels.wedge import Wedge, measured

N = 28
BAND = (2.0, 8.0)
CHAIN = blobs.chiral_chain(40, 8, np.random.default_rng(3))
OBJECT = blobs.render(CHAIN, 1.2, N)
MASK = np.asarray(mask.inscribed_ball(N))


def ctf_squared(n, phase=0.0, missing_deg=60):
    """A weight such as a tilt series gives: rings, stretched along y, and nothing in the wedge. Zero frequency at n // 2."""
    z, y, x = np.indices((n, n, n)) - n // 2
    rings = np.sin(0.045 * (x**2 + 1.3 * y**2 + z**2) + 0.6 + phase) ** 2
    return (rings * measured(np.stack([x, y, z], axis=-1), Wedge(1, (-missing_deg, missing_deg)))).astype(np.float32)


def seen(rotation, shift, own, noise=0.0, seed=0):
    """A particle whose spectrum is the object's times its weight."""
    box = blobs.render(CHAIN @ rotation.T + shift, 1.2, N)
    values = spectrum(box) * weight.half_weight(own)
    noisy = from_spectrum(values.astype(np.complex64), N)
    return noisy + noise * box.std() * np.random.default_rng(seed).standard_normal(box.shape, dtype=np.float32)


@pytest.mark.parametrize("n", [8, 9])
def test_a_whole_weight_and_its_half_are_one(n):
    whole = np.random.default_rng(1).random((n, n, n)).astype(np.float32)
    half = weight.half_weight(whole)
    np.testing.assert_allclose(weight.half_weight(half), half, atol=1e-7)
    # The half stands for a real filter: filtering a real box by the full complex transform gives the same.
    box = np.random.default_rng(2).standard_normal((n, n, n)).astype(np.float32)
    full = np.fft.ifftn(np.fft.fftn(np.fft.ifftshift(box)) * np.fft.ifftshift(whole)).real
    np.testing.assert_allclose(from_spectrum(spectrum(box) * half, n), np.fft.fftshift(full), atol=1e-5)


def test_other_shapes_and_senseless_weights_are_refused():
    with pytest.raises(ValueError, match="neither"):
        weight.half_weight(np.ones((8, 8, 6)))
    for wrong in (-1.0, np.nan):
        spoilt = np.ones((8, 8, 8), np.float32)
        spoilt[3, 2, 1] = wrong
        with pytest.raises(EngineError, match=r"x\.em: a weight holds voxels that are negative or no numbers"):
            sensible(spoilt, "x.em")
    with pytest.raises(EngineError, match="0 everywhere"):
        sensible(np.zeros((8, 8, 8), np.float32), "x.em")


@pytest.mark.parametrize("form", ["pfmask", "half", "stack", "star"])
def test_weights_are_read_from_folders_stacks_and_lists(tmp_path, form):
    own = {1: ctf_squared(N), 2: ctf_squared(N, 0.5)}
    halves = {tag: weight.half_weight(one) for tag, one in own.items()}
    place = tmp_path
    if form == "stack":
        place = tmp_path / "weights.mrcs"
        write_particle_stack(ParticleArray.numbered(list(own.values()), 4.0), place)
    for tag, one in own.items():
        if form == "pfmask":
            write_volume(Volume(one), tmp_path / f"pfmask_{tag:05d}.em")
            write_volume(Volume(np.ones_like(one)), tmp_path / f"particle_{tag:05d}.em")  # beside it, as in Dynamo
        elif form != "stack":
            write_volume(Volume(halves[tag], 4.0), tmp_path / f"weight_{tag:05d}.mrc")
    if form == "star":
        place = tmp_path / "particles.star"
        names = "".join(f"{tag} {tag} {tag} weight_{tag:05d}.mrc particle_{tag}.mrc\n" for tag in own)
        columns = ("rlnCoordinateX", "rlnCoordinateY", "rlnCoordinateZ", "rlnCtfImage", "rlnImageName")
        labels = "".join(f"_{name} #{number}\n" for number, name in enumerate(columns, start=1))
        place.write_text(f"data_particles\n\nloop_\n{labels}{names}\n", "utf-8")
    weights = open_weights(place)
    assert weight_facts(place).box_px == N
    assert sorted(weights.tags.tolist()) == [1, 2]
    for tag, half in halves.items():
        np.testing.assert_allclose(weights.read(tag), half, atol=1e-6)


def test_a_folder_of_particles_is_no_folder_of_weights(tmp_path):
    write_volume(Volume(OBJECT), tmp_path / "particle_00001.em")
    with pytest.raises(EngineError, match="holds no weights"):
        open_weights(tmp_path)
    write_volume(Volume(np.ones((8, 8, 6), np.float32)), tmp_path / "pfmask_00001.em")
    with pytest.raises(EngineError, match="6 x 8 x 8 voxels are neither a whole nor a half volume"):
        open_weights(tmp_path)


def scored(particle, own, rotation, shift):
    """Score and exact cc of a pose, by the engine's kernels, and what both compare."""
    bare = correlate.band(N, *BAND, Wedge(5))
    own_block = weight.relative(block(weight.half_weight(own), bare.reach))
    selection = weight.under(bare, own_block)
    values = weight.divided(spectrum_block(particle, bare.reach), own_block)
    weighted, energy = correlate.weighted(selection, values)
    ranking, inner = spectrum_table(masked(OBJECT, MASK), bare.reach), spectrum_table(OBJECT * MASK, bare.reach)
    moved = correlate.shifted(selection, weighted, shift)
    cc = correlate.slopes(ranking, selection, moved, energy, rotation[None])[0, 0]
    small = exact.mask_for_comparison(MASK, selection)
    on_band = correlate.coefficients(selection, values)
    return cc, exact.exact_cc(inner, small, selection, on_band, rotation, shift)


def test_the_score_is_that_of_the_slow_twin_under_the_same_weight():
    rotation, shift = euler.matrices(np.array([20.0, 35, -50])), np.array([1.0, -1, 2])
    own = ctf_squared(N, 0.3) + 0.02
    own[own < 0.08] = 0
    particle = seen(rotation, shift, own, noise=0.4)
    cc, local = scored(particle, own, rotation, shift)
    slow = oracle.align(particle, OBJECT, MASK, Wedge(0), BAND, rotation[None], 3.0, own)
    np.testing.assert_array_equal(slow.shift_xyz_px, shift)
    assert local == pytest.approx(slow.cc, abs=0.01)
    assert cc == pytest.approx(slow.cc, abs=0.05)  # the whole box's norm instead of the mask's
    without = oracle.align(particle, OBJECT, MASK, Wedge(0), BAND, rotation[None], 3.0)
    assert abs(without.cc - slow.cc) > 0.05  # the weight matters to the number


def test_without_noise_the_true_pose_scores_one_whatever_the_weight():
    rotation = euler.matrices(np.array([20.0, 35, -50]))
    cc, local = scored(seen(rotation, 0, ctf_squared(N)), ctf_squared(N), rotation, np.zeros(3))
    assert cc > 0.98
    assert local > 0.98


def test_what_lies_where_the_weight_is_0_is_not_compared():
    rotation, own = euler.matrices(np.array([20.0, 35, -50])), ctf_squared(N)
    clean = seen(rotation, 0, own)
    noise = np.random.default_rng(1).standard_normal((N, N, N)).astype(np.float32)
    outside = from_spectrum((spectrum(noise) * (weight.half_weight(own) == 0)).astype(np.complex64), N)
    spoilt = clean + 5 * clean.std() * outside
    np.testing.assert_allclose(
        scored(spoilt, own, rotation, np.zeros(3)), scored(clean, own, rotation, np.zeros(3)), atol=2e-3
    )


def test_the_scale_of_a_weight_does_not_change_the_score():
    rotation, own = euler.matrices(np.array([20.0, 35, -50])), ctf_squared(N)
    particle = seen(rotation, 0, own, noise=0.5)
    np.testing.assert_allclose(
        scored(particle, own, rotation, np.zeros(3)), scored(particle, 1e-6 * own, rotation, np.zeros(3)), rtol=1e-4
    )


@pytest.mark.parametrize("twin", [False, True], ids=["compiled", "array code"])
def test_the_compensated_average_divides_by_the_weights(twin):
    generator = np.random.default_rng(0)
    reach = (N - 1) // 2
    placed = []
    for number, angles in enumerate(euler.random(40, generator)):
        rotation, shift = euler.matrices(angles), generator.uniform(-2, 2, 3)
        own = ctf_squared(N, 0.1 * number)
        weights = block(weight.half_weight(own), reach)
        placed.append(
            average.Placed(spectrum_block(seen(rotation, shift, own), reach), Wedge(5), rotation, shift, weights)
        )
    if twin:  # the definition: coefficients into one sum, weights without shift into another, by the plain insertion
        values = weights = average.empty_sum(N)
        for one in placed:
            kept = average.Placed(one.block * (one.weight > 0), Wedge(5), one.rotation, one.shift_xyz_px)
            values = average.inserted(values, kept)
            weights = average.inserted(
                weights, average.Placed(one.weight.astype(complex), Wedge(5), one.rotation, np.zeros(3))
            )
        total = average.FourierSum(values.values, weights.values.real)
    else:
        total = average.sum_of(N, placed)
    made = average.compensated(average.completed(total))
    curve = fsc.fsc(made, OBJECT, MASK)
    assert curve[: int(0.7 * N / 2)].min() > 0.99
    low = slice(2, 8)
    ratio = np.abs(spectrum(made * MASK))[low, low, low].sum() / np.abs(spectrum(OBJECT * MASK))[low, low, low].sum()
    assert ratio == pytest.approx(1, abs=0.03)  # heights are the object's, too
    plain = average.compensated(average.completed(average.sum_of(N, [_without(one) for one in placed])))
    heights = np.abs(spectrum(plain * MASK))[low, low, low].sum() / np.abs(spectrum(OBJECT * MASK))[low, low, low].sum()
    assert heights < 0.8  # where the weights are forgotten they are not


def _without(one):
    return average.Placed(one.block, one.wedge, one.rotation, one.shift_xyz_px)


def test_weights_of_1_change_no_sum():
    rotation = euler.matrices(np.array([20.0, 35, -50]))
    whole = spectrum_block(OBJECT, 13)
    plain = average.Placed(whole, Wedge(1, (-50, 40)), rotation, np.array([1.0, 0, 2]))
    ones = average.Placed(
        *[getattr(plain, name) for name in ("block", "wedge", "rotation", "shift_xyz_px")],
        np.ones(whole.shape, np.float32),
    )
    a, b = average.sum_of(N, [plain]), average.sum_of(N, [ones])
    np.testing.assert_array_equal(a.values, b.values)
    np.testing.assert_allclose(a.weights, b.weights, atol=1e-6)


def test_the_largest_weights_have_a_mean_too():
    largest = np.finfo(np.float32).max
    whole, half = np.full((4, 4, 4), largest, np.float32), np.full((4, 4, 3), largest, np.float32)
    for volume in (whole, half):
        assert np.all(weight.half_weight(volume) == largest)
