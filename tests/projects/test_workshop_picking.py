"""The annotated vesicles of the five workshop series, oversampled at 60 A, as one project."""

import numpy as np
import pytest

import engine
from engine.check import check
from engine.geometry import euler

SERIES = {1: "TS_01", 3: "TS_03", 43: "TS_43", 45: "TS_45", 54: "TS_54"}
N_SPHERES = {1: 9, 3: 8, 43: 11, 45: 11, 54: 8}
SPACING_A = 60

TOMOGRAM = """
[[tomograms]]
number = {number}
name = "{name}"
size_xyz_px = [4000, 4000, 2000]
pixel_size_A = 1.35

[[models]]
model = "spheres"
file = "{name}_spheres.star"
file_pixel_size_A = 10
spacing_A = {spacing}
pattern = "{pattern}"
"""


@pytest.fixture(scope="module", params=["spiral", "rings"])
def campaign(request, real_data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("workshop")
    text = 'kind = "picking"\n'
    for number, name in SERIES.items():
        source = real_data / f"hiv10164/relion5/Picks/job009/annotations/{name}_spheres.star"
        (folder / source.name).write_bytes(source.read_bytes())
        text += TOMOGRAM.format(number=number, name=name, spacing=SPACING_A, pattern=request.param)
    (folder / "picks.toml").write_text(text, "utf-8")
    assert [str(fault) for one in check(folder) for fault in one.faults] == []
    engine.run([folder])
    return folder


def test_counts_and_spread_of_the_annotated_vesicles(campaign):
    regions = engine.query("picks:regions", folder=campaign).value
    for number, n in N_SPHERES.items():
        assert (regions["tomo"] == number).sum() == n
    expected = 4 * np.pi * regions["radius_A"] ** 2 / SPACING_A**2
    error = np.abs(regions["points"] / expected - 1)
    print(
        f"{len(regions)} vesicles, {regions['points'].sum():.0f} points: counts within {100 * error.max():.2f} %",
        end="",
    )
    print(
        f", spread at most {regions['spread_percent'].max():.2f} %, median distance {np.median(regions['nearest_A']):.1f} A"
    )
    assert error.max() < 0.05
    assert regions["spread_percent"].max() < 15
    assert 330 < regions["radius_A"].min() < regions["radius_A"].max() < 600


def test_points_are_oriented_on_their_spheres_in_the_full_pixels(campaign):
    table = engine.query("picks:table", folder=campaign).value
    dropped = engine.query("picks:dropped", folder=campaign).value
    regions = engine.query("picks:regions", folder=campaign).value
    assert len(table) + len(dropped) == regions["points"].sum()
    for row in range(len(regions)):
        mine = table.where((table["tomo"] == regions["tomo"][row]) & (table["reg"] == regions["region"][row]))
        outward = (mine.positions_xyz_px - [regions[axis][row] for axis in "xyz"]) * 1.35
        np.testing.assert_allclose(np.linalg.norm(outward, axis=1), regions["radius_A"][row], rtol=1e-9)
        np.testing.assert_allclose(euler.axes(mine.angles), outward / regions["radius_A"][row], atol=1e-9)


def test_the_refined_particles_of_relion_lie_on_the_picked_spheres(campaign, real_data):
    """The published poses of TS_01 prove scale, origin and side: they lie on the spheres and look outward too."""
    from scipy.spatial import cKDTree

    from engine.files import read_star

    (source,) = sorted(real_data.glob("hiv10164/relion5/Refine3D/job074/run_data.star*")) or [None]
    if source is None:
        pytest.skip("the refined particles are absent from the real data")
    sizes = dict.fromkeys(SERIES.values(), (4000, 4000, 2000))
    found = read_star(source, tomogram_sizes_xyz=sizes)
    (number,) = [number for number, name in found.tomogram_names.items() if name == "TS_01"]
    refined = found.table.where(found.table["tomo"] == number)
    picks = engine.query("picks:table", folder=campaign, where="tomo == 1").value
    centres = refined.positions_xyz_px + refined.shifts_xyz_px
    away, nearest = cKDTree(picks.positions_xyz_px).query(centres)
    facing = np.einsum("ij,ij->i", euler.axes(refined.angles), euler.axes(picks.angles)[nearest])
    print(f"median distance {np.median(away) * 1.35:.0f} A, median cosine of the normals {np.median(facing):.3f}")
    assert np.median(away) * 1.35 < SPACING_A
    assert np.median(facing) > 0.95
