"""picking: models in, oriented points out, with what was dropped and why."""

import memory
import numpy as np
import pytest
from pydantic import ValidationError

from engine.check import check
from engine.data import Curve, Marks, Table, Volume, VolumeFacts
from engine.faults import EngineError
from engine.files import write_volume
from engine.geometry import euler
from engine.kinds import picking

ONE = [{"number": 3, "name": "TS_03", "size_xyz_px": [400, 400, 300], "pixel_size_A": 5.0}]


def marks(points, groups=None, radii=None, **rest):
    n = len(points)
    numbers = np.ones(n, dtype=np.int64) if groups is None else np.array(groups)
    return Marks(
        np.array(points, dtype=float), numbers, np.zeros(n) if radii is None else np.array(radii, float), **rest
    )


def run(*models, given=None, tomograms=ONE, **values):
    return memory.run("picking", {"tomograms": tomograms, "models": list(models), **values}, given)["points"]


def sphere(x=200.0, y=190.0, z=150.0, radius=90.0, **rest):
    return {"model": "spheres", "spheres_xyzr_px": [[x, y, z, radius]], "spacing_A": 60, **rest}


def test_a_sphere_has_a_point_for_each_square_and_its_normals_outward():
    made = run(sphere())
    table, centre = made["table"], np.array([200, 190, 150.0])
    outward = table.positions_xyz_px - centre
    np.testing.assert_allclose(np.linalg.norm(outward, axis=1), 90)
    np.testing.assert_allclose(euler.axes(table.angles), outward / 90, atol=1e-9)
    assert len(table) == round(4 * np.pi * 450**2 / 3600)
    assert set(table["tomo"]) == {3}
    assert set(table["reg"]) == {1}
    assert set(table["apix"]) == {5}
    assert table.tags.tolist() == list(range(1, len(table) + 1))
    regions = made["regions"]
    assert regions["radius_A"][0] == 450
    assert regions["area_A2"][0] == pytest.approx(4 * np.pi * 450**2)
    assert regions["spread_percent"][0] < 3


def test_points_lie_outside_the_surface_by_the_offset():
    table = run(sphere(offset_A=50.0))["table"]
    np.testing.assert_allclose(np.linalg.norm(table.positions_xyz_px - [200, 190, 150], axis=1), 100)


def test_a_dipole_is_centre_and_surface_and_its_axis_can_tell_the_azimuth():
    north = np.array([260.0, 190, 230])
    model = {
        "model": "spheres",
        "dipoles_xyz_px": [[[200, 190, 150], north.tolist()]],
        "spacing_A": 60,
        "azimuth": "axis",
    }
    table = run(model)["table"]
    np.testing.assert_allclose(np.linalg.norm(table.positions_xyz_px - [200, 190, 150], axis=1), 100)
    rotations = euler.matrices(table.angles)
    axis = (north - [200, 190, 150]) / 100
    np.testing.assert_allclose(rotations[:, :, 1] @ axis, 0, atol=1e-6)
    assert (rotations[:, :, 0] @ axis > 0).all()


def test_the_same_seed_gives_the_same_points_and_another_only_other_azimuths():
    first, again, other = (run(sphere(), compute={"seed": seed})["table"] for seed in (1, 1, 2))
    assert first.equals(again)
    np.testing.assert_array_equal(first.positions_xyz_px, other.positions_xyz_px)
    assert np.mean(first["narot"] == other["narot"]) < 0.01
    longer = run(sphere(), sphere(x=100.0, radius=20.0), compute={"seed": 1})["table"]
    np.testing.assert_array_equal(longer["narot"][: len(first)], first["narot"])


def test_azimuths_can_be_zero_as_dynamos():
    assert not run(sphere(azimuth="zero"))["table"]["narot"].any()


def test_points_near_the_border_and_near_gold_are_dropped_and_counted():
    model = sphere(x=60.0)
    whole = run(model, tomograms=[{"number": 3, "pixel_size_A": 5.0}])["table"]
    made = run(model, borders={"box_px": 40}, gold={"points_xyz_px": [[150, 190, 150]], "distance_A": 150})
    positions = whole.positions_xyz_px
    outside = (np.rint(positions) < 20).any(axis=1)
    near = (np.linalg.norm(positions - [150, 190, 150], axis=1) <= 30) & ~outside
    assert outside.sum() > 10
    assert near.sum() > 3
    dropped = made["dropped"]
    assert dropped.tags[dropped["annotation"] == 1].tolist() == whole.tags[outside].tolist()
    assert dropped.tags[dropped["annotation"] == 2].tolist() == whole.tags[near].tolist()
    assert made["table"].tags.tolist() == whole.tags[~outside & ~near].tolist()
    assert made["summary"]["dropped, near the border of the tomogram or outside"] == outside.sum()
    assert made["summary"]["dropped, near gold"] == near.sum()
    assert made["summary"]["points"] == len(made["table"]) == made["regions"]["kept"][0]


def test_what_is_kept_by_a_box_can_be_cut():
    kept = run(sphere(x=60.0), borders={"box_px": 40})["table"]
    first = np.rint(kept.positions_xyz_px) - 20
    assert first.min() >= 0
    assert (first + 40 <= [400, 400, 300]).all()


def test_the_size_of_a_tomogram_is_read_from_its_header():
    tomograms = [{"number": 1, "map": "t.mrc"}]
    made = run(sphere(x=60.0), tomograms=tomograms, given={"t.mrc": VolumeFacts((300, 400, 400), 5.0)})
    assert made["table"].equals(run(sphere(x=60.0), tomograms=[{**ONE[0], "number": 1}])["table"])


def test_marks_are_scaled_from_their_own_pixels_or_A():
    plain = run(sphere())["regions"]
    binned = marks([[100, 95, 75.0]], radii=[45])
    angstrom = marks([[1000 + 7, 950 - 2, 750.0]], radii=[450], unit="A")
    model = {"model": "spheres", "file": "m.star", "spacing_A": 60}
    for found in (
        run({**model, "file_pixel_size_A": 10.0}, given={"m.star": binned}),
        run(model, given={"m.star": marks([[100, 95, 75.0]], radii=[45], pixel_size_A=10.0)}),
        run({**model, "file_origin_xyz_A": [7, -2, 0]}, given={"m.star": angstrom}),
    ):
        for name in ("x", "y", "z", "radius_A", "points"):
            assert found["regions"][name] == pytest.approx(plain[name])


def test_marks_from_the_middle_of_the_tomogram_are_those_from_its_corner():
    """RELION 5's particle lists; the middle is half the size, in px of the tomogram."""
    centred = marks([[0, -5, 0.0]], radii=[45], pixel_size_A=10.0, is_centred=True)
    model = {"model": "spheres", "file": "m.star", "spacing_A": 60}
    found = run(model, given={"m.star": centred})["regions"]
    assert [found[axis][0] for axis in "xyz"] == [200, 190, 150]
    with pytest.raises(EngineError, match="from the middle of tomogram 3, whose size is not known"):
        run(model, given={"m.star": centred}, tomograms=[{"number": 3, "pixel_size_A": 5.0}])


def test_four_marks_tell_a_sphere_and_how_far_they_are_from_it():
    unit = np.array([[1, 1, 1], [-1, -1, 1], [-1, 1, -1], [1, -1, -1], [0, 0, 1.7], [0, -1.7, 0]]) / np.sqrt(3)
    made = run(
        {"model": "spheres", "file": "m.mod", "spacing_A": 60}, given={"m.mod": marks([200, 190, 150] + 90 * unit)}
    )
    assert made["regions"]["radius_A"][0] == pytest.approx(450, rel=0.02)
    assert 0 < made["regions"]["misfit_A"][0] < 10


def test_a_radius_can_be_typed_for_marks_without():
    given = {"m.mod": marks([[100, 100, 100], [250, 250, 150]])}
    regions = run({"model": "spheres", "file": "m.mod", "spacing_A": 60, "radius_A": 300}, given=given)["regions"]
    assert regions["radius_A"].tolist() == [300, 300]
    assert regions["region"].tolist() == [1, 2]


def test_regions_are_kept_as_the_file_has_them_and_never_doubled():
    given = {"m.csv": marks([[100, 100, 100], [250, 250, 150]], groups=[7, 4], radii=[40, 50])}
    model = {"model": "spheres", "file": "m.csv", "spacing_A": 60}
    assert run(model, given=given)["regions"]["region"].tolist() == [7, 4]
    twice = run(model, sphere(), model, given=given)
    assert twice["regions"]["region"].tolist() == [7, 4, 1, 14, 11]
    assert twice["regions"]["model"].tolist() == [1, 1, 2, 3, 3]


def test_marks_go_to_the_tomograms_that_they_name():
    tomograms = [*ONE, {"number": 5, "name": "TS_05", "size_xyz_px": [400, 400, 300], "pixel_size_A": 10.0}]
    named = marks(
        [[100, 100, 100], [150, 150, 150], [1, 1, 1]], [1, 1, 1], [40, 50, 9], tomograms=("TS_03", "5", "TS_99")
    )
    regions = run(
        {"model": "spheres", "file": "m.star", "spacing_A": 60}, given={"m.star": named}, tomograms=tomograms
    )["regions"]
    assert regions["tomo"].tolist() == [3, 5]
    assert regions["radius_A"].tolist() == [200, 500]


def test_proposals_and_tables_are_read_by_their_address():
    """As `engine run` hands them over: marks."""
    from engine.files import as_marks

    names = ("region", "tomo", "x", "y", "z", "radius", "pixel_size_A", "score")
    curve = Curve(dict(zip(names, np.array([[2, 3, 100, 95, 75, 45, 10, 9.0]]).T, strict=True)))
    given = {"find_1:proposals": as_marks(curve, "")}
    regions = run({"model": "spheres", "file": "find_1:proposals", "spacing_A": 60}, given=given)["regions"]
    assert (regions["x"][0], regions["radius_A"][0], regions["region"][0]) == (200, 450, 2)
    table = Table.blank(2, x=[50, 60], y=70, z=80, reg=[4, 5], tomo=3, apix=5)
    made = run(
        {"model": "points", "file": "pr:table", "from_xyz_px": [0, 70, 80]}, given={"pr:table": as_marks(table, "")}
    )
    np.testing.assert_array_equal(made["table"]["x"], [50, 60])
    np.testing.assert_allclose(euler.axes(made["table"].angles), [[1, 0, 0], [1, 0, 0]], atol=1e-12)


def test_an_ellipsoid_can_be_typed():
    model = {
        "model": "ellipsoids",
        "centre_xyz_px": [200, 200, 150],
        "semi_axes_xyz_A": [300, 400, 500],
        "angles_deg": [30, 40, 50],
        "spacing_A": 60,
    }
    made = run(model)
    own = (made["table"].positions_xyz_px - [200, 200, 150]) @ euler.matrices(np.array([30.0, 40, 50])) * 5
    np.testing.assert_allclose(np.linalg.norm(own / [300, 400, 500], axis=1), 1)
    assert made["regions"]["spread_percent"][0] < 12
    outward = np.einsum("ij,ij->i", euler.axes(made["table"].angles), made["table"].positions_xyz_px - [200, 200, 150])
    assert (outward > 0).all()


def test_an_ellipsoid_and_a_closed_membrane_go_through_marks():
    generator = np.random.default_rng(0)
    unit = generator.normal(size=(40, 3))
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    points = [200, 200, 150] + unit * [60, 70, 80]
    for model in ({"model": "ellipsoids"}, {"model": "surfaces", "closed": True}):
        made = run({**model, "file": "m.mod", "spacing_A": 60}, given={"m.mod": marks(points)})
        level = np.linalg.norm((made["table"].positions_xyz_px - [200, 200, 150]) / [60, 70, 80], axis=1)
        assert np.abs(level - 1).max() < 0.06
        assert made["regions"]["spread_percent"][0] < 15
        assert len(made["table"]) == pytest.approx(made["regions"]["area_A2"][0] / 3600, abs=1)


def test_a_membrane_is_a_sheet_through_marks_with_a_side():
    x, y = (part.ravel() for part in np.meshgrid(np.linspace(60, 340, 5), np.linspace(60, 340, 5)))
    points = np.column_stack([x, y, 150 + 20 * np.sin(x / 60)])
    for inside, sign in ((None, 1), ([200, 200, 290], -1)):
        model = {"model": "surfaces", "file": "m.mod", "spacing_A": 80, **({"inside_xyz_px": inside} if inside else {})}
        made = run(model, given={"m.mod": marks(points)})
        assert (np.sign(euler.axes(made["table"].angles)[:, 2]) == sign).all()
        assert made["regions"]["misfit_A"][0] < 1e-6
        assert made["regions"]["spread_percent"][0] < 15


def test_a_filament_has_torsion_rings_or_a_helix():
    path = {"model": "filaments", "points_xyz_px": [[50, 200, 150], [350, 200, 150]], "spacing_A": 100}
    table = run({**path, "turn_deg": 30.0})["table"]
    np.testing.assert_allclose(np.diff(table["x"]), 20)
    np.testing.assert_allclose(euler.axes(table.angles), np.tile([1.0, 0, 0], (len(table), 1)), atol=1e-9)
    np.testing.assert_allclose(euler.wrapped(np.diff(table["narot"])), -30, atol=1e-6)
    rings = run({**path, "radius_A": 60.0, "subunits": 13})["table"]
    assert len(rings) == 13 * len(table)
    np.testing.assert_allclose(np.hypot(rings["y"] - 200, rings["z"] - 150), 12)
    np.testing.assert_allclose(
        euler.axes(rings.angles)[:, 1:] * 12, rings.positions_xyz_px[:, 1:] - [200, 150], atol=1e-9
    )


def test_a_lattice_fills_the_tomogram_or_a_box():
    table = run({"model": "lattice", "spacing_A": 250})["table"]
    assert len(table) == 8 * 8 * 6
    assert not table.angles.any()
    box = {"first_xyz_px": [10, 10, 10], "last_xyz_px": [110, 60, 10]}
    few = run({"model": "lattice", "spacing_A": 250, **box})["table"]
    np.testing.assert_array_equal(np.unique(few["x"]), [10, 60, 110])
    assert len(few) == 6
    cell = [[250, 0, 0], [125, 250, 0], [0, 0, 250]]
    skew = run({"model": "lattice", "cell_xyz_A": cell, "origin_xyz_px": [10, 10, 10], **box})["table"]
    assert sorted(zip(skew["x"], skew["y"], strict=True)) == [(10, 10), (35, 60), (60, 10), (85, 60), (110, 10)]


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ({"model": "spheres", "spacing_A": 60}, "models no. 1: a model of spheres needs points"),
        ({**sphere(), "tomo": 9}, "there is no tomogram 9"),
        ({**sphere(), "spacing_A": 0.1}, "a region would have .* points"),
        ({"model": "filaments", "points_xyz_px": [[1, 1, 1]], "spacing_A": 60}, "two or more points in their order"),
        ({"model": "surfaces", "points_xyz_px": [[1, 1, 1], [2, 2, 2]], "spacing_A": 60}, "on no line"),
        ({**sphere(), "spheres_xyzr_px": [[-500, 0, 0, 9]]}, "of 7 points none is left: 7 near the border"),
        ({"model": "lattice", "cell_xyz_A": [[90, 0, 0], [0, 90, 0], [90, 90, 0]]}, "lie in a plane"),
    ],
)
def test_models_that_give_no_points_are_one_clear_error(model, words):
    with pytest.raises(EngineError, match=words):
        run(model)


@pytest.mark.parametrize(
    "values",
    [
        {"model": "filaments", "points_xyz_px": [[1, 1, 1], [9, 9, 9]], "spacing_A": 5, "subunits": 3},
        {"model": "lattice"},
        {"model": "ellipsoids", "centre_xyz_px": [1, 1, 1], "spacing_A": 9},
    ],
)
def test_keys_that_contradict_each_other_are_faults_of_form(values):
    with pytest.raises(ValidationError):
        picking.Project.model_validate({"tomograms": ONE, "models": [values]})


HEAD = 'kind = "picking"\n[[tomograms]]\nnumber = 3\nsize_xyz_px = [400, 400, 300]\npixel_size_A = 5\n'
MODEL = '[[models]]\nmodel = "spheres"\nspheres_xyzr_px = [[200, 200, 150, 40]]\nspacing_A = 60\n'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (HEAD, "there is nothing to do"),
        (HEAD + "[[tomograms]]\nnumber = 3\npixel_size_A = 5\n" + MODEL, "tomogram 3 is there twice"),
        ('kind = "picking"\n[[tomograms]]\n' + MODEL, "its pixel size is not known"),
        (HEAD + MODEL + "tomo = 4\n", "there is no tomogram 4"),
        (
            HEAD + MODEL.replace("spheres_xyzr_px = [[200, 200, 150, 40]]\n", 'file = "a.csv"\n'),
            "1 mark without a radius",
        ),
        (
            HEAD + MODEL.replace("spheres_xyzr_px = [[200, 200, 150, 40]]\n", 'file = "no.csv"\n'),
            'there is no file "no.csv"',
        ),
        (HEAD + MODEL.replace("[[200, 200, 150, 40]]", "[[200, 200, 150]]"), "models no. 1"),
        (HEAD + MODEL.replace('"spheres"', '"sphere"'), 'did you mean "spheres"'),
        (HEAD + MODEL + '[finding]\nmap = "t.mrc"\nradius_A = [90, 60]\ntomo = 3\n', "is no range of radii"),
        (HEAD + MODEL + '[finding]\nmap = "t.mrc"\nradius_A = [20, 60]\ntomo = 3\n', "20 A is 2.0 px of the map"),
        (HEAD + MODEL + '[finding]\nmap = "t.mrc"\nradius_A = [400, 600]\ntomo = 3\n', "larger than the map"),
        (HEAD + MODEL + "[gold]\ndistance_A = 50\n", "where is the gold"),
        (HEAD + MODEL + "[borders]\n", "give the border exactly once"),
    ],
)
def test_check_tells_what_is_wrong(tmp_path, text, words):
    (tmp_path / "pick.toml").write_text(text, "utf-8")
    (tmp_path / "a.csv").write_text("x,y,z\n1,2,3\n", "utf-8")
    write_volume(Volume(np.zeros((20, 30, 30), np.float32), 10.0), tmp_path / "t.mrc")
    (checked,) = check(tmp_path)
    assert len(checked.faults) == 1, checked.faults
    assert words in str(checked.faults[0])
    assert checked.faults[0].line > 0
