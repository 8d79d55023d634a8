"""postprocess: two half maps become curves, a resolution and a sharpened map; with RELION's numbers."""

import shutil
import subprocess
from pathlib import Path

import memory
import numpy as np
import pytest

import engine
from engine.data import Curve, Volume, VolumeFacts
from engine.devices import Work
from engine.export import export
from engine.faults import EngineError
from engine.files import read_volume, write_volume
from engine.files.blocks import read_blocks
from engine.kernels import blobs, mask, sharpen
from engine.kernels.fourier import from_spectrum, half_frequencies, lowpass, spectrum
from engine.kinds import postprocess
from engine.kinds.postprocess import form, parts
from engine.kinds.postprocess.curves import fsc_curves
from engine.kinds.postprocess.sharp import sharp_map

N, PIXEL_A = 48, 1.5
GOLDEN = np.loadtxt(
    """
1.000000 1.000000 1.000000 1.000000
0.998055 0.999682 0.999683 0.999682
0.976525 0.996004 0.995971 0.996004
0.951882 0.992029 0.991997 0.992029
0.934769 0.989027 0.989005 0.989027
0.911343 0.984249 0.984124 0.984249
0.916341 0.985964 0.985834 0.985964
0.920435 0.985621 0.984788 0.985621
0.900777 0.980590 0.980975 0.980590
0.886723 0.973091 0.973720 0.973091
0.810790 0.963837 0.941677 0.963837
0.786546 0.951840 0.678837 0.951840
0.739362 0.941881 0.035068 0.941881
0.692004 0.930445 0.007127 0.929946
0.569722 0.888054 0.022574 0.885469
0.442317 0.817133 0.022072 0.813006
0.357369 0.764526 -0.03716 0.772964
0.265003 0.667348 -0.06987 0.689072
0.192130 0.556781 -0.00134 0.557372
0.102503 0.446956 -0.01385 0.454511
0.093025 0.313318 -0.02448 0.329725
0.054394 0.208187 -0.02131 0.224707
0.023798 0.161735 0.030050 0.135764
0.023587 0.109153 0.028247 0.083258
0.001757 0.044437 0.014949 0.029936
""".strip().splitlines()
)
"""relion_postprocess 3.1.3 on the half maps of `halves(48, 1, 0.06)` at 1.5 A, with the mask of `ball` and --auto_bfac.

For each shell its FSC unmasked, masked, with random phases, and corrected, to the six digits that it prints. Phases were random
from shell 11 on, the resolution was 3.428571 A.
"""
UNMASKED, MASKED, RANDOM, CORRECTED = GOLDEN.T
GOLDEN_B_A2 = -105.07505
GOLDEN_VOXELS = {(24, 24, 24): -0.214208, (20, 22, 30): 0.155019, (28, 18, 25): -0.088711, (5, 6, 7): 0.033936}
"""Voxels zyx of its sharpened map, --low_pass -1."""
DIGITS = 2e-6
"""The last printed digit of a positive number, and single precision."""


def halves(box_px, seed, noise):
    generator = np.random.default_rng(seed)
    clean = blobs.render(generator.uniform(-0.22, 0.22, (60, 3)) * box_px, 0.9, box_px)
    return [(clean + noise * generator.standard_normal(clean.shape)).astype(np.float32) for _ in range(2)]


def ball(box_px):
    return mask.ball(box_px, 0.36 * box_px, (box_px // 2,) * 3, 6.0)


@pytest.fixture(scope="module")
def pair():
    return halves(N, 1, 0.06)


def made(a, b, pixel_size_A=PIXEL_A, work=None, **sections):
    values = {"data": {"half1": "a.mrc", "half2": "b.mrc"}, **sections}
    given = {"a.mrc": Volume(a, pixel_size_A), "b.mrc": Volume(b, pixel_size_A), "m.mrc": Volume(ball(a.shape[-1]))}
    return memory.run("postprocess", values, given, work)["postprocess"]


def test_the_curves_are_those_of_relion(pair):
    curves = fsc_curves(*pair, ball(N), form.Fsc(), PIXEL_A, 0)
    np.testing.assert_allclose(curves.unmasked, UNMASKED, atol=DIGITS)
    np.testing.assert_allclose(curves.masked, MASKED, atol=DIGITS)
    assert curves.random_from == 11
    formula = sharpen.corrected(MASKED, RANDOM, 11)
    np.testing.assert_allclose(formula, CORRECTED, atol=1e-5)
    assert sharpen.resolved_A(CORRECTED, 0.143, N, PIXEL_A) == pytest.approx(3.428571, abs=1e-6)


def test_random_phases_scatter_about_relions(pair):
    """Ten seeds: RELION's draw is one more. 4 deviations of a deviation that is itself of ten numbers."""
    curves = [fsc_curves(*pair, ball(N), form.Fsc(), PIXEL_A, seed) for seed in range(10)]
    random = np.array([one.random for one in curves])
    away = np.abs(RANDOM - random.mean(axis=0))[11:] / random.std(axis=0, ddof=1)[11:].mean()
    assert away.max() < 4
    assert np.sqrt((away**2).mean()) < 2
    np.testing.assert_allclose(random[:, :8], np.tile(RANDOM[:8], (10, 1)), atol=2e-3)
    shells = {sharpen.first_below(one.corrected, 0.143) for one in curves}
    assert shells <= {22, 23}
    assert sharpen.first_below(CORRECTED, 0.143) in shells


def test_the_b_factor_and_the_sharp_map_are_those_of_relion_for_its_curve(pair):
    sharp = sharp_map(0.5 * (pair[0] + pair[1]), CORRECTED, form.Sharpening(), PIXEL_A)
    assert sharp.b_factor_A2 == pytest.approx(GOLDEN_B_A2, rel=1e-5)
    assert sharp.lowpass_A == pytest.approx(3.428571)
    for place, value in GOLDEN_VOXELS.items():
        assert sharp.map[place] == pytest.approx(value, abs=1e-5 * float(sharp.map.max()))


RELION = shutil.which("relion_postprocess")


@pytest.mark.skipif(RELION is None, reason="relion_postprocess is not installed: its numbers are only remembered")
@pytest.mark.parametrize(("box_px", "seed", "noise", "pixel_size_A"), [(48, 1, 0.06, 1.5), (64, 2, 0.05, 1.35)])
def test_live_relion_gives_the_same(tmp_path, box_px, seed, noise, pixel_size_A):
    a, b = halves(box_px, seed, noise)
    for name, data in (("half1", a), ("half2", b), ("mask", ball(box_px))):
        write_volume(Volume(data, pixel_size_A), tmp_path / f"{name}.mrc")
    (tmp_path / "out").mkdir()  # for its PDF
    words = ["--i", "half1.mrc", "--mask", "mask.mrc", "--o", "out", "--auto_bfac", "--low_pass", "-1"]
    subprocess.run([RELION, *words], cwd=tmp_path, check=True, capture_output=True, timeout=120)
    blocks = read_blocks(tmp_path / "out.star")
    theirs = blocks["fsc"]
    curves = fsc_curves(a, b, ball(box_px), form.Fsc(), pixel_size_A, 0)
    for ours, name in ((curves.unmasked, "UnmaskedMaps"), (curves.masked, "MaskedMaps")):
        np.testing.assert_allclose(ours, theirs.numbers(f"rlnFourierShellCorrelation{name}"), atol=1e-5)
    corrected = theirs.numbers("rlnFourierShellCorrelationCorrected")
    sharp = sharp_map(0.5 * (a + b), corrected, form.Sharpening(), pixel_size_A)
    (b_factor_A2,) = blocks["general"].numbers("rlnBfactorUsedForSharpening")
    assert sharp.b_factor_A2 == pytest.approx(b_factor_A2, rel=1e-5)
    for ours, name in ((sharp.original, "Original"), (sharp.weighted, "Weighted"), (sharp.sharpened, "Sharpened")):
        np.testing.assert_allclose(ours, blocks["guinier"].numbers(f"rlnLogAmplitudes{name}"), atol=1e-4)
    np.testing.assert_allclose(sharp.map, read_volume(tmp_path / "out.mrc").data, atol=1e-5 * sharp.map.max())


def test_a_project_makes_what_its_tables_ask_for(pair):
    plain = made(*pair, mask="m.mrc")
    assert set(plain) == {"half1", "half2", "map", "map_masked", "mask", "fsc", "guinier", "summary"}
    assert plain["summary"]["mask"] == "used"
    assert 3.2 < plain["summary"]["final resolution (A)"] < 3.5
    assert plain["summary"]["low-pass (A)"] == plain["summary"]["final resolution (A)"]
    assert plain["map"].pixel_size_A == PIXEL_A
    assert plain["fsc"].notes["resolution_at_0.143_A"] == plain["summary"]["final resolution (A)"]
    np.testing.assert_array_equal(plain["map_masked"].data, plain["map"].data * ball(N))
    more = made(*pair, mask="m.mrc", local={}, directional={"directions": 12})
    assert set(more) - set(plain) == {"local_resolution", "directional_fsc", "directions"}


def test_workers_change_nothing(pair):
    sections = {"local": {"sampling_A": 18.0}, "directional": {"directions": 9}}
    one, two = (made(*pair, work=Work(workers=n), **sections) for n in (1, 2))
    np.testing.assert_array_equal(one["local_resolution"].data, two["local_resolution"].data)
    np.testing.assert_array_equal(one["directional_fsc"]["fsc_least"], two["directional_fsc"]["fsc_least"])


def test_the_automatic_mask_holds_the_object_and_not_the_box(pair):
    clean = halves(N, 1, 0.0)[0]
    shape = made(*pair, mask={"shape": "automatic", "lowpass_A": 8.0})["mask"].data
    assert shape.min() == 0
    assert shape.max() == 1
    assert clean[shape > 0.99].sum() > 0.98 * clean.sum()
    assert shape.mean() < 0.4
    higher = made(*pair, mask={"shape": "automatic", "lowpass_A": 8.0, "threshold": 0.5})["mask"].data
    assert higher.sum() < shape.sum()
    with pytest.raises(EngineError, match=r"densest voxel .* \(lower mask\.threshold\)"):
        made(*pair, mask={"shape": "automatic", "threshold": 50.0})


def test_a_soft_mask_extends_and_falls_as_stated():
    """One voxel: 1 nearer than 3 px, one half at 2 + 4 / 2 px: the farthest voxel of the core along an axis is 2 px away."""
    volume = np.zeros((24, 24, 24), np.float32)
    volume[12, 12, 12] = 1
    line = mask.around(volume, 0.5, 3.0, 4.0)[12, 12, 12:]
    np.testing.assert_allclose(line[:7], [1, 1, 1, 0.853553, 0.5, 0.146447, 0], atol=1e-6)
    assert not mask.around(volume, 2.0, 3.0, 4.0).any()


def test_otsus_threshold_parts_two_heaps():
    generator = np.random.default_rng(0)
    heaps = np.concatenate([generator.normal(0, 0.5, 9000), generator.normal(6, 0.5, 1000)])
    assert 1.8 < mask.otsu_threshold(heaps) < 4.5
    assert mask.otsu_threshold(np.full(5, 3.0)) == 3


def test_the_corrected_fsc_of_noise_in_a_tight_mask_is_about_nothing():
    generator = np.random.default_rng(3)
    shared = lowpass(generator.standard_normal((32, 32, 32)).astype(np.float32), 5.0)
    a, b = (shared + 0.05 * generator.standard_normal(shared.shape).astype(np.float32) for _ in range(2))
    tight = mask.ball(32, 6.0, (16, 16, 16), 0.0)
    curves = fsc_curves(a, b, tight, form.Fsc(), 2.0, 0)
    noise = slice(curves.random_from + 2, 16)
    assert curves.masked[noise].mean() > 0.15
    assert abs(curves.corrected[noise].mean()) < 0.1


def test_a_mask_beside_the_object_is_discarded_or_kept_as_asked(pair):
    beside = {"shape": "sphere", "radius_A": 9.0, "centre_xyz_px": [8.0, 8.0, 8.0]}
    discarded = made(*pair, mask=beside, sharpening={"b_factor_A2": 0.0})
    np.testing.assert_array_equal(discarded["fsc"]["fsc_corrected"], discarded["fsc"]["fsc_unmasked"])
    assert discarded["summary"]["mask"].startswith("discarded")
    kept = made(*pair, mask=beside, sharpening={"b_factor_A2": 0.0, "lowpass_A": 6.0}, fsc={"when_worse": "keep"})
    assert kept["summary"]["mask"].startswith("kept")


def test_a_given_b_factor_changes_amplitudes_by_its_exponential_alone(pair):
    sharpening = {"weighting": "none", "lowpass_A": 0.1}
    flat, sharp = (
        made(*pair, mask="m.mrc", sharpening={**sharpening, "b_factor_A2": value})["guinier"] for value in (0.0, -80.0)
    )
    square = sharp["resolution_squared_per_A2"]
    gained = sharp["log_amplitude_sharpened"] - flat["log_amplitude_sharpened"]
    np.testing.assert_allclose(gained[1:-1], 20 * square[1:-1], atol=0.05)  # a shell is one number for all its voxels
    assert sharp.notes["fitted"] is False
    assert "line" not in sharp.columns


def test_the_guinier_fit_finds_the_b_factor_of_a_decaying_map():
    """White noise that was blurred by B = 60 asks for -60."""
    generator = np.random.default_rng(4)
    white = generator.standard_normal((40, 40, 40)).astype(np.float32)
    blurred = from_spectrum(sharpen.sharpened(spectrum(white), 60.0, 1.5), 40)
    sharp = sharp_map(blurred, np.ones(21), form.Sharpening(lowpass_A=0.1, fit_highest_A=3.2), 1.5)
    assert sharp.b_factor_A2 == pytest.approx(-60, abs=2)
    assert sharp.fit.correlation > 0.99


def test_maps_that_agree_everywhere_have_no_shell_to_randomise():
    a, b = halves(24, 5, 1e-5)
    summary = made(a, b, 3.0, mask={"shape": "sphere", "radius_A": 27.0})["summary"]
    assert summary["phases random from (A)"].startswith("nowhere")
    assert summary["final resolution (A)"] == 6.0


def test_the_half_that_was_spoilt_has_the_worse_local_resolution():
    generator = np.random.default_rng(6)
    clean = blobs.render(generator.uniform(-18, 18, (250, 3)), 0.9, N)
    noise = [generator.standard_normal(clean.shape).astype(np.float32) for _ in range(2)]
    is_left = np.arange(N) < N // 2
    level = np.where(is_left, 0.05, 0.5).astype(np.float32)
    local = form.Local(sampling_A=12.0, randomise_from_A=10.0, lowest_A=40.0)
    everywhere = np.ones_like(clean)
    found = parts.local_resolution(*(clean + level * x for x in noise), everywhere, local, PIXEL_A, 0, Work())
    left, right = found[12:36, 12:36, 4:16], found[12:36, 12:36, 32:44]
    assert np.percentile(left, 95) < np.percentile(right, 5)
    assert np.median(right) > 1.3 * np.median(left)
    assert found[found > 0].min() > 2 * PIXEL_A * 0.999


def test_a_missing_wedge_shows_in_the_directions(pair):
    """Noise along z where |kz| is largest: the cone about z is the worst, one across the best."""
    k = half_frequencies(N)
    is_near_z = np.abs(k[..., 2]) > np.cos(np.radians(30)) * np.linalg.norm(k, axis=-1)
    generator = np.random.default_rng(7)
    spoilt = [
        from_spectrum(np.where(is_near_z, spectrum(0.5 * generator.standard_normal((N,) * 3)), spectrum(half)), N)
        for half in pair
    ]
    curve, along = parts.by_direction(*spoilt, ball(N), form.Directional(directions=30), PIXEL_A, Work())
    assert along["z"][np.argmax(along["resolution_A"])] > 0.9
    assert along["resolution_A"][along["z"] > 0.95].min() > 8
    assert along["resolution_A"][along["z"] < 0.4].max() < 4.5
    assert (curve["fsc_least"] <= curve["fsc_median"]).all()
    assert (curve["fsc_median"] <= curve["fsc_greatest"]).all()


def test_one_cone_of_everything_is_the_masked_fsc(pair):
    curve, _ = parts.by_direction(*pair, ball(N), form.Directional(half_angle_deg=90.0, directions=3), PIXEL_A, Work())
    for name in ("fsc_least", "fsc_greatest"):
        np.testing.assert_allclose(curve[name], MASKED, atol=DIGITS)


def test_relions_tables_hold_the_curves(pair, tmp_path):
    fsc = made(*pair, mask="m.mrc")["fsc"]
    blocks = read_blocks(export(fsc, tmp_path / "postprocess.star"))
    assert list(blocks) == ["general", "fsc", "guinier"]
    assert blocks["general"].words("rlnUnfilteredMapHalf1") == ["a.mrc"]
    assert blocks["general"].words("rlnMaskName") == ["m.mrc"]
    assert blocks["general"].numbers("rlnParticleBoxFractionSolventMask")[0] == pytest.approx(2.433627, abs=1e-6)
    assert blocks["general"].numbers("rlnRandomiseFrom")[0] == pytest.approx(6.545455, abs=1e-6)
    np.testing.assert_allclose(blocks["fsc"].numbers("rlnFourierShellCorrelationMaskedMaps"), MASKED, atol=DIGITS)
    assert blocks["fsc"].numbers("rlnAngstromResolution")[:3].tolist() == [999, 72, 36]
    assert "rlnLogAmplitudesIntercept" in blocks["guinier"]
    text = export(fsc, tmp_path / "fsc.xml").read_text()
    assert text.startswith(
        '<fsc title="Masked-corrected FSC" xaxis="Resolution (A-1)" yaxis="Correlation Coefficient">'
    )
    assert text.count("<coordinate>") == 25
    assert "<x>0.0138889</x>" in text


def test_a_plain_fsc_goes_out_too_and_other_curves_do_not(tmp_path):
    plain = Curve(
        {"shell_fpx": np.arange(3.0), "resolution_A": np.array([0, 20.0, 10.0]), "fsc": np.array([1, 0.9, 0.4])}
    )
    assert list(read_blocks(export(plain, tmp_path / "fsc.star"))) == ["fsc"]
    assert "<y>0.4</y>" in export(plain, tmp_path / "fsc.xml").read_text()
    with pytest.raises(EngineError, match="can become"):
        export(Curve({"tag": np.arange(3.0)}), tmp_path / "tags.star")
    unknown = Curve({**plain.columns, "resolution_A": np.zeros(3)})
    with pytest.raises(EngineError, match=r"no resolution in A .* write it as \.csv"):
        export(unknown, tmp_path / "none.xml")


class Known:
    """Facts by name."""

    def __init__(self, **facts):
        self._facts = facts

    def volume(self, text):
        return self._facts.get(text.removesuffix(".mrc"))


A_CUBE = VolumeFacts((48, 48, 48), 1.5)


@pytest.mark.parametrize(
    ("sections", "facts", "said"),
    [
        ({}, {"b": A_CUBE._replace(shape_zyx=(40, 40, 40))}, "half2: has 40 x 40 x 40 px, half1 has 48"),
        ({}, {"b": A_CUBE._replace(pixel_size_A=1.4)}, "half2 has a pixel size of 1.4 A, half1 of 1.5 A"),
        ({}, {"a": A_CUBE._replace(shape_zyx=(24, 48, 48))}, "which is no cube"),
        ({}, {"a": A_CUBE._replace(pixel_size_A=0), "b": A_CUBE._replace(pixel_size_A=0)}, "set data.pixel_size_A"),
        ({"data": {"half1": "a.mrc", "half2": "a.mrc"}}, {}, "is half1 too"),
        ({"mask": "m.mrc"}, {"m": A_CUBE._replace(shape_zyx=(32, 32, 32))}, "mask: has 32 x 32 x 32 px"),
        ({"sharpening": {"fit_lowest_A": 2.5}}, {}, "from 2.5 A to 3 A, which is no range"),
        ({"sharpening": {"fit_lowest_A": 3.1}}, {}, "only 1 shell lies between 3.1 A and 3 A"),
        ({"fsc": {"randomise_from_A": 2.0}}, {}, "fsc.randomise_from_A: 2 A is finer than the maps' 3 A"),
        ({"mask": {"shape": "automatic", "lowpass_A": 90.0}}, {}, "90 A is more than the box of 72 A"),
        ({"local": {"lowest_A": 1.0}}, {}, "local.lowest_A: 1 A is finer"),
    ],
)
def test_what_makes_no_sense_is_a_fault_with_advice(sections, facts, said):
    project = postprocess.Project.model_validate({"data": {"half1": "a.mrc", "half2": "b.mrc"}, **sections})
    faults = list(postprocess.check(project, Known(**{"a": A_CUBE, "b": A_CUBE, **facts})))
    assert faults
    assert said in str(faults[0])
    assert faults[0].advice


def test_a_sound_project_has_no_fault():
    project = postprocess.Project.model_validate({"data": {"half1": "a.mrc", "half2": "b.mrc"}, "local": {}})
    assert not list(postprocess.check(project, Known(a=A_CUBE, b=A_CUBE)))
    assert not list(postprocess.check(project, Known()))


def test_maps_that_do_not_belong_together_stop_the_step(pair):
    a, b = pair
    with pytest.raises(EngineError, match="the same map"):
        made(a, a)
    with pytest.raises(EngineError, match="equal cubes"):
        made(a, b[:40, :40, :40])
    with pytest.raises(EngineError, match="half2 holds voxels that are no numbers"):
        made(a, np.full_like(b, np.nan))
    with pytest.raises(EngineError, match=r"1\.35, 1\.5, 1\.5 A contradict"):
        made(a, b, data={"half1": "a.mrc", "half2": "b.mrc", "pixel_size_A": 1.35})
    with pytest.raises(EngineError, match=r"set data\.pixel_size_A"):
        made(a, b, 0.0)
    noise = np.random.default_rng(8).standard_normal((2, 24, 24, 24)).astype(np.float32)
    with pytest.raises(EngineError, match=r"nothing in common|fewer than two shells"):
        made(*noise, mask={"shape": "sphere", "radius_A": 12.0})


def test_it_runs_from_files_and_is_asked_by_address(pair, tmp_path: Path):
    for name, data in zip(("half1", "half2"), pair, strict=True):
        write_volume(Volume(data, PIXEL_A), tmp_path / f"{name}.mrc")
    (tmp_path / "post.toml").write_text(
        'kind = "postprocess"\n[data]\nhalf1 = "half1.mrc"\nhalf2 = "half2.mrc"\n[local]\n'
        "[mask]\nshape = 'automatic'\nlowpass_A = 8\n"
    )
    engine.run([tmp_path / "post.toml"])
    assert engine.query(f"{tmp_path}/post:map").value.shape_zyx == (N, N, N)
    assert engine.query(f"{tmp_path}/post:m").value.data.max() == 1
    assert engine.query(f"{tmp_path}/post:summary").value["B-factor (A2)"] < -50
