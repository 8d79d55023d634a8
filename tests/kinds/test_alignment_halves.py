"""alignment: half-sets, and what joins them."""

import numpy as np
import pytest
from aligned import align

from engine.data import Half, ParticleArray, Table
from engine.faults import EngineError
from engine.kinds.alignment.halves import n_shared
from engine.kinds.halving import with_halves


def test_halves_run_on_their_own_and_are_joined(phantom):
    made = align(phantom, data={"halves": "parity", "template": None})
    odd, even, both = (made[f"{folder}ite_0001"] for folder in ("half_odd/", "half_even/", ""))
    assert set(odd["table"].tags % 2) == {1}
    assert set(even["table"].tags % 2) == {0}
    assert both["table"].tags.tolist() == list(range(1, 25))
    assert both["refs/001/fsc"].notes["gold_standard"] is True
    assert not np.array_equal(
        made["half_odd/ite_0000"]["refs/001/average"].data, made["half_even/ite_0000"]["refs/001/average"].data
    )
    alone = align(
        {**phantom, "phantom:table": phantom["phantom:table"].where(np.arange(24) % 2 == 0)}, data={"template": None}
    )
    assert alone["ite_0001"]["table"].angles == pytest.approx(odd["table"].angles)


def test_halves_by_region_never_split_a_region_and_are_set_once():
    table = Table.blank(10, tomo=1, reg=[1, 1, 1, 2, 2, 3, 3, 3, 4, 4])
    halved = with_halves(table, "region")
    for region in (1, 2, 3, 4):
        assert len(set(halved["half"][table["reg"] == region])) == 1
    assert set(halved["half"]) == {Half.ODD, Half.EVEN}
    assert with_halves(halved, "parity").equals(halved)


def test_a_particle_in_both_halves_is_refused_and_counted(phantom):
    table = phantom["phantom:table"]
    far = table.with_columns(x=100.0 * np.arange(1, len(table) + 1), y=5, z=5, dx=0, dy=0, dz=0)
    crowded = far.with_columns(x=np.where(table.tags <= 4, 100.0, far["x"]))
    assert n_shared(with_halves(far, "parity"), 28) == 0
    assert n_shared(with_halves(crowded, "parity"), 28) == 4
    assert n_shared(with_halves(crowded.with_columns(tomo=table.tags), "parity"), 28) == 0  # in other tomograms
    assert n_shared(with_halves(table, "parity"), 28) == 0  # no positions
    with pytest.raises(EngineError, match=r"4 particles lie nearer than .* of the other half-set"):
        align({**phantom, "phantom:table": crowded}, data={"halves": "parity"})


def test_the_same_voxels_in_both_halves_are_refused_whatever_their_tags_are(phantom):
    particles = phantom["phantom:particles"]
    boxes = np.stack([particles.read(tag) for tag in particles.tags.tolist()])
    boxes[4] = boxes[1]
    double = {**phantom, "phantom:particles": ParticleArray(boxes, particles.tags, particles.pixel_size_A)}
    with pytest.raises(EngineError, match="particles 2 and 5 have the same voxels, and are in different half-sets"):
        align(double, data={"halves": "parity"})
    table = phantom["phantom:table"]
    same_side = table.with_columns(half=np.where(np.isin(table.tags, (2, 5)), Half.ODD, 1 + table.tags % 2))
    align({**double, "phantom:table": same_side}, data={"halves": "parity"})
    align(double)


def test_halves_by_tomogram_half_lie_on_either_side_of_the_median():
    table = Table.blank(6, tomo=[1, 1, 1, 2, 2, 2], y=[1, 2, 3, 30, 20, 10])
    halved = with_halves(table, "tomogram-half")
    assert halved["half"].tolist() == [1, 1, 2, 2, 1, 1]
    with pytest.raises(EngineError, match='use "parity"'):
        with_halves(Table.blank(4, y=5), "tomogram-half")


def test_each_half_has_an_fsc_of_its_own_and_halves_are_never_overwritten(phantom):
    made = align(phantom, data={"halves": "parity"})
    for half in ("odd", "even"):
        curve = made[f"half_{half}/ite_0001"]["refs/001/fsc"]
        assert curve["fsc"][2:5].min() > 0.5
        assert curve.notes["gold_standard"] is False
    table = phantom["phantom:table"].with_columns(half=np.r_[np.ones(4), np.zeros(20)])
    with pytest.raises(EngineError, match="4 of 24 particles belong to a half-set already"):
        align({**phantom, "phantom:table": table}, data={"halves": "parity"})


def test_the_raw_average_of_joined_halves_is_that_of_all_particles(phantom):
    frozen = {"cone": {"range_deg": 0}, "azimuth": {"range_deg": 0}, "shifts": {"limits_xyz_px": [0, 0, 0]}}
    alone, halved = align(phantom, frozen), align(phantom, frozen, data={"halves": "parity"})
    whole, joined = (made["ite_0001"]["refs/001/average_raw"].data for made in (alone, halved))
    np.testing.assert_allclose(joined, whole, atol=1e-4 * whole.max())


def test_a_band_whose_half_is_empty_is_not_screened(phantom):
    made = align(phantom, {"bandpass": {"highpass_fpx": 10, "lowpass_fpx": 12.5}})
    assert made["ite_0001"]["table"]["cc"].max() > 0
