"""alignment: symmetry, helix and Fourier mask, laid upon references and averages."""

import numpy as np
import pytest
from aligned import align

from engine.data import ParticleArray, Table, Volume
from engine.faults import EngineError
from engine.geometry import euler, symmetry
from engine.kernels import blobs


def test_symmetry_is_imposed_on_the_stored_second_average(phantom):
    made = align(phantom, {"symmetry": "C2"})["ite_0001"]
    symmetric = made["refs/001/average_symmetrized"].data
    from engine.kernels.rotate import moved

    turned = moved(symmetric, np.diag([-1.0, -1.0, 1.0]))
    inner = slice(6, -6)
    np.testing.assert_allclose(turned[inner, inner, inner], symmetric[inner, inner, inner], atol=0.02 * symmetric.max())
    assert not np.allclose(made["refs/001/average"].data, symmetric, atol=0.05 * symmetric.max())


TURN, RISE = 40.0, 4.0


@pytest.fixture(scope="module")
def filament():
    """Pieces of a filament: helical subunits beyond the box on both ends, lying any way round, and little disturbed."""
    generator = np.random.default_rng(2)
    rotations, shifts = symmetry.helical("C1", TURN, RISE, 40.0)
    subunit = blobs.chiral_chain(8, 3.0, generator) + [6.0, 0, 0]
    centres = (np.einsum("kij,bj->kbi", rotations, subunit) + shifts[:, None]).reshape(-1, 3)
    truth = Table.blank(16, ftype=1, ymintilt=-60, ymaxtilt=60, tomo=1, apix=4.0)
    truth = truth.with_poses(euler.random(16, generator), np.zeros((16, 3)))
    clean = np.stack([blobs.render(centres @ R.T, 1.2, 32) for R in euler.matrices(truth.angles)])
    noise = 2.5 * clean.std() * generator.standard_normal(clean.shape, dtype=np.float32)
    return {
        "phantom:particles": ParticleArray(clean + noise, truth.tags, 4.0),
        "phantom:table": truth,
        "object": blobs.render(centres, 1.2, 32),
    }


def likeness(a, b):
    """Correlation of two maps inside a ball."""
    x, y, z = np.indices(a.shape) - a.shape[0] // 2
    inside = x**2 + y**2 + z**2 < 13**2
    return np.corrcoef(a[inside], b[inside])[0, 1]


def test_a_helix_is_imposed_on_the_reference_and_on_the_second_average(filament):
    values = {"iterations": 2, "bandpass": {"lowpass_fpx": 12}, "azimuth": {"range_deg": 16, "step_deg": 8}}
    narrow = {**values, "cone": {"range_deg": 16, "step_deg": 8}, "shifts": {"limits_xyz_px": [2, 2, 1.5]}}
    helix = {"turn_deg": TURN, "rise_A": 16.0}
    data = {"template": None}
    plain, helical = (align(filament, {**narrow, **more}, data=data) for more in ({}, {"helix": helix}))
    wrong = align(filament, {**narrow, "helix": {"turn_deg": -TURN, "rise_px": RISE}}, data=data)
    average, symmetric, mirrored = (
        likeness(made["ite_0002"][f"refs/001/{item}"].data, filament["object"])
        for made, item in (
            (plain, "average"),
            (helical, "average_symmetrized"),
            (wrong, "average_symmetrized"),
        )
    )
    assert symmetric > average + 0.05
    assert mirrored < symmetric - 0.2
    cc, plain_cc = (made["ite_0001"]["table"]["cc"].mean() for made in (helical, plain))
    assert cc != plain_cc  # the reference of the first iteration is helical too
    halves = align(filament, {**narrow, "helix": helix}, data={**data, "halves": "parity"})["ite_0002"]
    assert likeness(halves["refs/001/average_symmetrized"].data, filament["object"]) > average + 0.03


def test_the_template_loses_the_fourier_voxels_that_hold_nothing(phantom):
    z, y, x = np.indices((28,) * 3) - 14
    kept = np.abs(z) <= np.abs(x)  # a wedge about z is missing
    given = {**phantom, "f.mrc": Volume(kept.astype(np.float32))}
    for halves in ("none", "parity"):
        made = align(given, masks={"fourier": "f.mrc"}, data={"halves": halves})
        folder = "" if halves == "none" else "half_even/"
        reference = made[f"{folder}ite_0000"]["refs/001/starting_reference"].data
        found, plain = (np.fft.fftshift(np.fft.fftn(v)) for v in (reference, phantom["phantom:template"].data))
        inner = (np.abs(z) < 14) & (np.abs(y) < 14) & (np.abs(x) < 14)
        assert np.abs(found[inner & ~kept]).max() < 1e-4 * np.abs(plain).max()
        np.testing.assert_allclose(
            np.abs(found[inner & kept]), np.abs(plain[inner & kept]), atol=1e-4 * np.abs(plain).max()
        )
    with pytest.raises(EngineError, match=r"f.mrc is empty"):
        align({**given, "f.mrc": Volume(np.zeros((28,) * 3, np.float32))}, masks={"fourier": "f.mrc"})
