"""RELION's particle lists become Dynamo poses and back; a real RELION 5 run points outward from its virus shells."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.data import Half, Table
from engine.faults import EngineError
from engine.files import read_star, write_star
from engine.files.blocks import read_blocks
from engine.geometry import euler

here = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
SIZES = {f"TS_{number:02d}": (400 + number, 300, 200) for number in range(1, 100)}


@st.composite
def tables(draw) -> Table:
    n = draw(st.integers(1, 5))
    generator = np.random.default_rng(draw(st.integers(0, 2**32)))
    return Table.blank(
        n,
        tag=generator.choice(10**6, n, replace=False) + 1,
        tomo=generator.integers(1, 99, n),
        half=generator.integers(1, 3, n),
        apix=draw(st.sampled_from([1.35, 2.7, 10.0])),
        **{"class": generator.integers(1, 4, n)},
        **dict(zip("xyz", generator.uniform(0, 400, (3, n)), strict=True)),
    ).with_poses(euler.random(n, generator), generator.normal(0, 5, (n, 3)))


@pytest.mark.parametrize("dialect", ["dynamo", "relion3.1", "relion4", "relion5"])
@here
@given(tables())
def test_poses_positions_and_halves_come_back_from_every_dialect(tmp_path: Path, dialect, table) -> None:
    path = tmp_path / "a.star"
    files = [f"particle_{tag:06d}.mrc" for tag in table.tags]
    write_star(table, path, dialect, particle_files=files, tomogram_sizes_xyz=SIZES)
    listed = read_star(path, tomogram_sizes_xyz=SIZES)
    back = listed.table
    for name in ("tag", "tomo", "half", "class", "apix", "aligned", "averaged", "ref"):
        np.testing.assert_array_equal(back[name], table[name], err_msg=name)
    np.testing.assert_allclose(back.positions_xyz_px, table.positions_xyz_px, atol=1e-9)
    np.testing.assert_allclose(back.shifts_xyz_px, table.shifts_xyz_px, atol=1e-9)
    np.testing.assert_allclose(euler.matrices(back.angles), euler.matrices(table.angles), atol=1e-9)
    assert [file.name for file in listed.files] == files
    if dialect != "dynamo":
        assert listed.tomogram_names == {number: f"TS_{number:02d}" for number in back["tomo"].astype(int)}


def star(path: Path, *columns: str, rows: list[str], before: str = "") -> Path:
    names = "\n".join(f"_{name} #{place}" for place, name in enumerate(columns, 1))
    path.write_text(f"{before}\ndata_particles\n\nloop_\n{names}\n" + "\n".join(rows) + "\n")
    return path


CENTRED = [f"rlnCenteredCoordinate{axis}Angst" for axis in "XYZ"]
COORDINATES = [f"rlnCoordinate{axis}" for axis in "XYZ"]
ORIGINS = [f"rlnOrigin{axis}Angst" for axis in "XYZ"]
ANGLES = ["rlnAngleRot", "rlnAngleTilt", "rlnAnglePsi"]
OUTER = ["rlnTomoSubtomogramRot", "rlnTomoSubtomogramTilt", "rlnTomoSubtomogramPsi"]
OPTICS = (
    "data_optics\n\nloop_\n_rlnOpticsGroup\n_rlnTomoTiltSeriesPixelSize\n_rlnImagePixelSize\n1 1.5 3.0\n2 1.5 3.0\n"
)


def relion_matrix(rot: float, tilt: float, psi: float) -> np.ndarray:
    """RELION's matrix, written out as in its documentation of the ZYZ convention."""
    (cf, ct, cp), (sf, stt, sp) = np.cos(np.radians([rot, tilt, psi])), np.sin(np.radians([rot, tilt, psi]))
    return np.array(
        [
            [cp * ct * cf - sp * sf, cp * ct * sf + sp * cf, -cp * stt],
            [-sp * ct * cf - cp * sf, -sp * ct * sf + cp * cf, sp * stt],
            [stt * cf, stt * sf, ct],
        ]
    )


def test_relion_5_composes_both_orientations_and_subtracts_the_turned_origin(tmp_path: Path) -> None:
    path = star(
        tmp_path / "a.star",
        "rlnTomoName", *CENTRED, *ORIGINS, *ANGLES, *OUTER, "rlnOpticsGroup", "rlnRandomSubset",
        rows=["TS_43 30 -60 9 3 6 -9 10 20 30 40 50 60 2 1"],
        before=OPTICS,
    )  # fmt: skip
    listed = read_star(path, tomogram_sizes_xyz={"TS_43": (4000, 2000, 1000)})
    table, outer = listed.table, relion_matrix(40, 50, 60)
    np.testing.assert_allclose(euler.matrices(table.angles)[0], outer @ relion_matrix(10, 20, 30), atol=1e-12)
    np.testing.assert_allclose(table.shifts_xyz_px[0], -outer @ [1, 2, -3], atol=1e-12)  # 3 Å per pixel
    np.testing.assert_allclose(table.positions_xyz_px[0], [1000 + 10, 500 - 20, 250 + 3])  # the centre, in 3 Å pixels
    assert (table["tomo"][0], table["half"][0], table["apix"][0]) == (43, Half.ODD, 3.0)


def test_without_tomogram_sizes_centred_positions_stay_relative(tmp_path: Path) -> None:
    path = star(tmp_path / "a.star", "rlnTomoName", *CENTRED, rows=["TS_01 30 -60 9"])
    np.testing.assert_allclose(read_star(path, pixel_size_A=3.0).table.positions_xyz_px, [[10, -20, 3]])
    with pytest.raises(EngineError, match="give pixel_size_A"):
        read_star(path)
    with pytest.raises(EngineError, match="'TS_01' is not known"):
        read_star(path, pixel_size_A=3.0, tomogram_sizes_xyz={"TS_02": (1, 1, 1)})


def test_relion_3_0_origins_are_in_pixels_of_the_detector(tmp_path: Path) -> None:
    columns = [*COORDINATES, "rlnOriginX", "rlnOriginY", "rlnOriginZ", "rlnDetectorPixelSize", "rlnMagnification"]
    table = read_star(star(tmp_path / "a.star", *columns, rows=["10 20 30 1 -2 3 5.0 10000"])).table
    np.testing.assert_array_equal(table.positions_xyz_px, [[10, 20, 30]])
    np.testing.assert_array_equal(table.shifts_xyz_px, [[-1, 2, -3]])
    assert table["apix"][0] == 5.0


@pytest.mark.parametrize(
    ("names", "numbers"),
    [
        (["TS_03", "TS_01"], [3, 1]),
        (["b", "a"], [2, 1]),
        (["tomo1_bin4", "tomo2_bin4"], [1, 2]),
        (["TS_1", "TS_01"], [2, 1]),
        (["7", "5"], [7, 5]),
    ],
)
def test_tomograms_are_numbered_by_their_digits_where_these_tell_them_apart(tmp_path: Path, names, numbers) -> None:
    path = star(tmp_path / "a.star", "rlnTomoName", *COORDINATES, rows=[f"{name} 1 2 3" for name in names])
    listed = read_star(path)
    assert listed.table["tomo"].tolist() == numbers
    assert listed.tomogram_names == dict(zip(numbers, names, strict=True))


def test_a_dynamo_list_counts_positions_from_1_and_finds_files_from_a_folder_above(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "particle_00007.em").touch()
    (tmp_path / "lists").mkdir()
    path = star(tmp_path / "lists" / "a.star", "tag", "particleFile", "x", rows=["7 data/particle_00007.em 11"])
    listed = read_star(path)
    assert (listed.table.tags.tolist(), listed.table["x"].tolist()) == ([7], [10])
    assert listed.files == (tmp_path / "data" / "particle_00007.em",)


@pytest.mark.parametrize(
    ("columns", "row", "told"),
    [
        (COORDINATES[:2], "1 2", "_rlnCoordinateZ is missing"),
        ([*COORDINATES, *ANGLES[:2]], "1 2 3 4 5", "_rlnAnglePsi is missing"),
        ([*COORDINATES, *ORIGINS], "1 2 3 4 5 6", "no pixel size"),
        (COORDINATES, "1 two 3", "_rlnCoordinateY holds text"),
        (["rlnMicrographMovieName"], "a.mrc", r"none of its blocks \(data_particles\) lists particles"),
        ([*COORDINATES, "rlnOpticsGroup"], "1 2 3 9", "optics group 9"),
        ([*COORDINATES, "rlnRandomSubset"], "1 2 3", r"a\.star"),
    ],
)
def test_a_wrong_relion_list_is_told(tmp_path: Path, columns, row, told) -> None:
    before = OPTICS if "rlnOpticsGroup" in columns else ""
    with pytest.raises(EngineError, match=told):
        read_star(star(tmp_path / "a.star", *columns, rows=[row], before=before))


@pytest.mark.parametrize(
    ("rows", "told"),
    [(["2 1.5"], "optics group 1 is not in data_optics"), (["1 1.5", "1 3"], "optics group 1 is in data_optics twice")],
)
def test_an_optics_group_has_one_row(tmp_path: Path, rows, told) -> None:
    optics = "data_optics\n\nloop_\n_rlnOpticsGroup\n_rlnImagePixelSize\n" + "\n".join([*rows, ""])
    with pytest.raises(EngineError, match=told):
        read_star(star(tmp_path / "a.star", *COORDINATES, "rlnOpticsGroup", rows=["1 2 3 1"], before=optics))


def test_what_a_relion_dialect_needs_is_asked_for(tmp_path: Path) -> None:
    table = Table.blank(1, tomo=1)
    with pytest.raises(EngineError, match="give pixel_size_A"):
        write_star(table, tmp_path / "a.star", "relion4")
    with pytest.raises(EngineError, match="give tomogram_sizes_xyz"):
        write_star(table, tmp_path / "a.star", "relion5", pixel_size_A=1.35)


def test_written_optics_carry_what_the_caller_adds(tmp_path: Path) -> None:
    write_star(Table.blank(1), tmp_path / "a.star", "relion4", pixel_size_A=1.35, optics={"rlnVoltage": 300})
    optics = read_blocks(tmp_path / "a.star")["optics"]
    assert optics.numbers("rlnVoltage").tolist() == [300]
    assert optics.numbers("rlnTomoTiltSeriesPixelSize").tolist() == [1.35]


def test_eulerangles_agrees_on_what_is_written(tmp_path: Path, rng) -> None:
    eulerangles = pytest.importorskip("eulerangles")
    table = Table.blank(50, apix=1.0).with_poses(euler.random(50, rng), np.zeros((50, 3)))
    write_star(table, tmp_path / "a.star", "relion3.1")
    ours = read_blocks(tmp_path / "a.star")["particles"].triples(ANGLES)
    theirs = eulerangles.convert_eulers(table.angles, source_meta="dynamo", target_meta="relion")
    np.testing.assert_allclose(
        [relion_matrix(*row) for row in ours], [relion_matrix(*row) for row in theirs], atol=1e-9
    )


@pytest.fixture(scope="module")
def hiv(real_data: Path):
    sizes = dict.fromkeys(["TS_01", "TS_03", "TS_43", "TS_45", "TS_54"], (4000, 4000, 2000))
    folder = real_data / "hiv10164" / "relion5"
    return read_star(folder / "Refine3D" / "job074" / "run_data.star.gz", tomogram_sizes_xyz=sizes), folder


def test_the_real_relion_5_run_has_its_known_particles(hiv) -> None:
    table = hiv[0].table
    tomograms, counts = np.unique(table["tomo"], return_counts=True)
    assert dict(zip(tomograms, counts, strict=True)) == {1: 1829, 3: 1826, 43: 2428, 45: 1605, 54: 1365}
    assert set(table["half"]) == {Half.ODD, Half.EVEN}
    assert set(table["apix"]) == {1.35}


def test_real_particles_point_outward_from_their_virus_shells(hiv) -> None:
    """Annotated spheres are in 10 Å pixels. Means off TS_01 are lower: shells touch there, some particles lie askew."""
    listed, folder = hiv
    table = listed.table
    points_A = (table.positions_xyz_px + table.shifts_xyz_px) * 1.35
    along = {}
    for number, name in listed.tomogram_names.items():
        spheres = read_blocks(folder / "Picks" / "job009" / "annotations" / f"{name}_spheres.star")[""]
        centres_A = spheres.triples(COORDINATES) * 10
        rows = table["tomo"] == number
        from_centres = points_A[rows][:, None] - centres_A
        distances = np.linalg.norm(from_centres, axis=-1)
        nearest = np.arange(rows.sum()), distances.argmin(axis=1)
        outward = from_centres[nearest] / distances[nearest][:, None]
        along[name] = (outward * euler.axes(table.angles[rows])).sum(axis=1)
    assert along["TS_01"].mean() > 0.98
    assert all(np.median(cosines) > 0.98 for cosines in along.values())


def test_real_particles_come_back_through_relion_5(hiv, tmp_path: Path) -> None:
    listed, _ = hiv
    sizes = dict.fromkeys(listed.tomogram_names.values(), (4000, 4000, 2000))
    names = listed.tomogram_names
    write_star(listed.table, tmp_path / "a.star", "relion5", tomogram_sizes_xyz=sizes, tomogram_names=names)
    back = read_star(tmp_path / "a.star", tomogram_sizes_xyz=sizes).table
    np.testing.assert_allclose(back.positions_xyz_px, listed.table.positions_xyz_px, atol=1e-9)
    np.testing.assert_allclose(back.shifts_xyz_px, listed.table.shifts_xyz_px, atol=1e-9)
    np.testing.assert_allclose(euler.matrices(back.angles), euler.matrices(listed.table.angles), atol=1e-9)
