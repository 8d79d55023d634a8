"""specimen: what the truth says lies where it says."""

import memory
import numpy as np
import pytest
from scipy.spatial import cKDTree

from engine.geometry import euler
from engine.kernels import rotate
from engine.kinds import specimen
from engine.kinds.specimen.hexamer import hexamer_A

SMALL = {
    "tomograms": {"count": 2, "size_xyz_px": [110, 100, 96], "snr": 2.0, "tilt_jitter_deg": 5},
    "particles": {"per_tomogram": 1, "radius_A": [300, 320], "cracks": 1},
    "others": {"gold": 2, "junk": 2},
}


def made(**changes):
    values = {name: {**SMALL.get(name, {}), **changes.get(name, {})} for name in {**SMALL, **changes}}
    form = specimen.Project.model_validate(values)
    assert not list(specimen.check(form, None))
    return {step.name: step.function(step.settings, {}, memory.Work()) for step in specimen.unfold(form)}


@pytest.fixture(scope="module")
def two():
    return made()


def test_tomograms_differ_and_each_is_decided_by_its_number_alone(two):
    first, second = (two[f"tomo_{number:03d}/specimen"] for number in (1, 2))
    assert not np.array_equal(first["tomogram"].data, second["tomogram"].data)
    alone = made(tomograms={"count": 1})["tomo_001/specimen"]
    np.testing.assert_array_equal(alone["tomogram"].data, first["tomogram"].data)
    assert set(first["truth"]["tomo"]) == {1}
    assert set(second["truth"]["tomo"]) == {2}
    assert set(first["truth"]["ymintilt"]) != set(second["truth"]["ymintilt"])


def test_unit_cells_lie_on_their_sphere_a_spacing_apart_normals_outward(two):
    found = two["tomo_001/specimen"]
    truth, (centre, radius_A) = found["truth"], vesicle(found)
    away = 10.8 * (truth.positions_xyz_px - centre)
    np.testing.assert_allclose(np.linalg.norm(away, axis=1), radius_A)
    np.testing.assert_allclose(euler.matrices(truth.angles)[:, :, 2], away / radius_A, atol=1e-6)
    nearest = 10.8 * cKDTree(truth.positions_xyz_px).query(truth.positions_xyz_px, k=2)[0][:, 1]
    assert nearest.min() > 0.8 * 73
    assert np.median(nearest) == pytest.approx(70, abs=4)
    whole = 4 * np.pi * radius_A**2 / (np.sqrt(3) / 2 * 73**2)
    assert 0.4 < len(truth) / whole < 0.72


def vesicle(found):
    one = found["vesicles"]
    return np.array([one["x_px"][0], one["y_px"][0], one["z_px"][0]]), one["radius_A"][0]


def test_the_average_of_the_true_cells_is_the_unit_cell():
    found = made(tomograms={"count": 1, "snr": 1000.0, "tilt_range_deg": [-90, 90], "tilt_jitter_deg": 0})
    volume, truth, cell = (
        found["tomo_001/specimen"]["tomogram"].data,
        found["tomo_001/specimen"]["truth"],
        found["unit_cell"],
    )
    n, total, count = 20, np.zeros((20,) * 3), 0
    for row, rotation in zip(truth.positions_xyz_px, euler.matrices(truth.angles), strict=True):
        low = np.round(row).astype(int) - n // 2
        if (low < 0).any() or (low + n > volume.shape[::-1]).any():
            continue
        x, y, z = low
        part = rotate.moved(volume[z : z + n, y : y + n, x : x + n], np.eye(3), np.round(row) - row)
        total += rotate.moved(part, rotation.T)
        count += 1
    assert count > 60
    core = np.linalg.norm(np.indices((n,) * 3) - n // 2, axis=0) < 6
    inner = cell["unit_cell"].data[6:26, 6:26, 6:26]
    mirrored = made(hexamer={"is_mirrored": True})["unit_cell"]["unit_cell"].data[6:26, 6:26, 6:26]
    right, wrong = (np.corrcoef(-total[core], other[core])[0, 1] for other in (inner, mirrored))
    assert right > 0.9
    assert wrong < right  # at this pixel the hand shows little


def test_a_mirrored_unit_cell_is_another_one():
    fine = {"tomograms": {"count": 1, "pixel_size_A": 4.0, "size_xyz_px": [300, 300, 300]}}
    cells = []
    for is_mirrored in (False, True):
        values = {**SMALL, **fine, "hexamer": {"is_mirrored": is_mirrored, "box_px": 24, "sigma_A": 3}}
        step = specimen.unfold(specimen.Project.model_validate(values))[0]
        cells.append(step.function(step.settings, {}, memory.Work())["unit_cell"].data)
    turns = euler.matrices(np.column_stack([np.arange(0, 60, 5.0), np.zeros((12, 2))]))
    assert max(np.corrcoef(cells[0].ravel(), rotate.moved(cells[1], turn).ravel())[0, 1] for turn in turns) < 0.8


def test_marks_are_off_by_no_more_than_said(two):
    found = two["tomo_001/specimen"]
    centre, radius_A = vesicle(found)
    marks = found["dipoles"].positions_xyz_px
    assert 0 < 10.8 * np.linalg.norm(marks[0] - centre) <= 54
    assert abs(10.8 * np.linalg.norm(marks[1] - centre) - radius_A) <= 54
    assert found["dipoles"]["reg"].tolist() == [1, 1]


def test_what_was_not_measured_is_missing_and_gold_is_dark(two):
    found = two["tomo_001/specimen"]
    volume = found["tomogram"].data
    power = np.abs(np.fft.rfftn(volume)) ** 2
    assert power[30, 1, 1] < 1e-6 * power[1, 30, 30]
    x, y, z = np.round(found["gold"].positions_xyz_px).astype(int).T
    assert (volume[z, y, x] < volume.mean() - 4 * volume.std()).all()


def test_the_hexamer_has_six_fold_symmetry_and_a_hand():
    beads = hexamer_A()
    turned = beads @ euler.matrices(np.array([[60.0, 0, 0]]))[0].T
    assert cKDTree(beads).query(turned)[0].max() < 1e-9
    best = min(
        np.median(cKDTree(beads).query((hexamer_A() * [1, -1, 1]) @ euler.matrices(np.array([[a, 0, 0]]))[0].T)[0])
        for a in np.arange(0, 60, 2.0)
    )
    assert best > 3


@pytest.mark.parametrize(
    ("values", "key", "words"),
    [
        ({"particles": {"radius_A": [100, 120]}}, ("particles", "radius_A"), "no range of radii"),
        ({"particles": {"radius_A": [500, 450]}}, ("particles", "radius_A"), "no range of radii"),
        ({"tomograms": {"size_xyz_px": [300, 300, 60]}}, ("tomograms", "size_xyz_px"), "takes 134 px, one side has 60"),
        ({"tomograms": {"tilt_range_deg": [60, -60]}}, ("tomograms", "tilt_range_deg"), "no range of tilts"),
    ],
)
def test_what_cannot_be_is_a_fault(values, key, words):
    (fault,) = specimen.check(specimen.Project.model_validate(values), None)
    assert fault.key == key
    assert words in fault.what


def test_a_tomogram_that_is_too_full_is_one_error():
    from engine.faults import EngineError

    with pytest.raises(EngineError, match="hold no more than"):
        made(particles={"per_tomogram": 9})


def test_tags_of_two_tomograms_are_never_the_same(two):
    """So that what is cut around the truth of all tomograms can be read as one."""
    for item in ("truth", "dipoles", "gold"):
        tags = np.concatenate([two[f"tomo_00{number}/specimen"][item].tags for number in (1, 2)])
        assert len(np.unique(tags)) == len(tags)
