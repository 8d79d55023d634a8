"""Even points on spheres, ellipsoids, membranes and filaments: spacing, place, normals."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.geometry import azimuths, ellipsoids, euler, even, lattices, paths, sheets, spheres

vectors = st.tuples(*[st.floats(-1, 1)] * 3).filter(lambda v: np.linalg.norm(v) > 0.1).map(np.array)


def spread_percent(points):
    return 100 * even.spread(even.nearest_distances(points)).relative


@given(radius=st.floats(1.5, 30), pole=vectors)
def test_points_of_a_sphere_lie_on_it_one_for_each_square(radius, pole):
    for on in (spheres.on_sphere, spheres.rings_on_sphere):
        points = on(radius, 1.0, pole)
        np.testing.assert_allclose(np.linalg.norm(points, axis=1), radius, rtol=1e-12)
        assert abs(len(points) / (4 * np.pi * radius**2) - 1) < 0.05 + 0.6 / radius**2
        assert np.linalg.norm(points.mean(axis=0)) < 0.05 * radius + 0.2 / radius


@given(radius=st.floats(2, 30))
def test_a_spiral_is_even_to_three_percent(radius):
    points = spheres.on_sphere(radius, 1.0)
    assert spread_percent(points) < 3
    assert 0.88 < np.median(even.nearest_distances(points)) < 1.0


def test_the_spiral_begins_at_the_pole():
    pole = np.array([1.0, 2.0, -2.0]) / 3
    assert (spheres.on_sphere(100.0, 5.0, pole)[0] @ pole) / 100 > 0.99


@given(centre=vectors, radius=st.floats(1, 1000), seed=st.integers(0, 9))
def test_a_sphere_through_its_points_is_that_sphere(centre, radius, seed):
    unit = np.random.default_rng(seed).normal(size=(8, 3))
    points = 50 * centre + radius * unit / np.linalg.norm(unit, axis=1, keepdims=True)
    found, found_radius, misfit = spheres.sphere_through(points)
    np.testing.assert_allclose(found, 50 * centre, atol=1e-6 * radius + 1e-6)
    assert found_radius == pytest.approx(radius, rel=1e-6)
    assert misfit < 1e-6 * radius


def test_points_of_a_plane_tell_no_sphere():
    with pytest.raises(ValueError, match="in no plane"):
        spheres.sphere_through(np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0], [2, 1, 0]]))


def ellipsoid(seed, axes=(30.0, 40.0, 70.0)):
    rotation = euler.matrices(euler.random(1, np.random.default_rng(seed)))[0]
    return ellipsoids.Ellipsoid(np.array([5.0, -3.0, 11.0]), np.array(axes), rotation)


def level(body, points):
    """1 on the ellipsoid."""
    return np.linalg.norm(((points - body.centre) @ body.rotation) / body.semi_axes, axis=1)


@pytest.mark.parametrize("seed", range(3))
def test_points_of_an_ellipsoid_are_even_by_area(seed):
    body = ellipsoid(seed)
    points = ellipsoids.on_ellipsoid(body, 6.0)
    np.testing.assert_allclose(level(body, points), 1, atol=1e-12)
    assert len(points) == round(ellipsoids.area(body) / 36)
    assert spread_percent(points) < 12
    # the caps about the long axis are as densely covered as the waist
    along = np.abs((points - body.centre) @ body.rotation[:, 2]) / 70
    samples, areas = ellipsoids.samples_on(body, 50000)
    where = np.abs((samples - body.centre) @ body.rotation[:, 2]) / 70
    for low, high in ((0, 0.4), (0.4, 0.8), (0.8, 1.01)):
        share = areas[(where >= low) & (where < high)].sum() / areas.sum()
        assert np.mean((along >= low) & (along < high)) == pytest.approx(share, rel=0.1)


def test_normals_of_an_ellipsoid_are_those_of_its_level_surfaces():
    body = ellipsoid(0)
    points = ellipsoids.on_ellipsoid(body, 12.0)
    step = 1e-5
    slopes = [
        (level(body, points + step * axis) - level(body, points - step * axis)) / (2 * step) for axis in np.eye(3)
    ]
    gradient = np.stack(slopes, axis=-1)
    gradient /= np.linalg.norm(gradient, axis=1, keepdims=True)
    np.testing.assert_allclose(body.normals(points), gradient, atol=1e-6)


def test_the_area_of_a_spheroid_is_that_of_the_formula():
    a, c = 30.0, 70.0
    e = np.sqrt(1 - (a / c) ** 2)
    expected = 2 * np.pi * a**2 * (1 + c / (a * e) * np.arcsin(e))
    assert ellipsoids.area(ellipsoid(1, (a, a, c))) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("seed", range(3))
def test_an_ellipsoid_through_its_points_is_that_ellipsoid(seed):
    body = ellipsoid(seed)
    found, misfit = ellipsoids.ellipsoid_through(ellipsoids.on_ellipsoid(body, 15.0))
    np.testing.assert_allclose(np.sort(found.semi_axes), [30, 40, 70], rtol=1e-6)
    np.testing.assert_allclose(found.centre, body.centre, atol=1e-6)
    assert np.linalg.det(found.rotation) == pytest.approx(1)
    assert misfit < 1e-6


def test_points_of_a_saddle_tell_no_ellipsoid():
    x, y = np.random.default_rng(0).uniform(-1, 1, (2, 30))
    with pytest.raises(ValueError, match="no ellipsoid"):
        ellipsoids.ellipsoid_through(np.column_stack([x, y, x * x - y * y]))


def wave(x, y):
    return 8 * np.sin(x / 20) + 0.1 * y


@pytest.fixture(scope="module")
def sheet():
    x, y = np.random.default_rng(1).uniform(-50, 50, (2, 80))
    return sheets.sheet_through(np.column_stack([x, y, wave(x, y)]))


def test_a_sheet_runs_through_its_marks_and_is_even(sheet):
    points, area = sheets.on_surface(sheet, 5.0)
    assert np.abs(points[:, 2] - wave(points[:, 0], points[:, 1])).max() < 1.5
    assert len(points) == round(area / 25)
    assert spread_percent(points) < 15
    slopes = np.stack([-0.4 * np.cos(points[:, 0] / 20), np.full(len(points), -0.1), np.ones(len(points))], axis=-1)
    slopes /= np.linalg.norm(slopes, axis=1, keepdims=True)
    assert np.median(np.einsum("ij,ij->i", sheet.normals(points), slopes)) > 0.999


def test_the_side_of_a_sheet_is_away_from_the_point_inside():
    marks = np.array([[0, 0, 0], [10, 0, 0], [0, 10, 0], [10, 10, 1], [5, 5, 0.5]], dtype=float)
    for inside, sign in ((None, 1), (np.array([5, 5, -9.0]), 1), (np.array([5, 5, 9.0]), -1)):
        surface = sheets.sheet_through(marks, 0.0, inside)
        assert (np.sign(surface.normals(marks)[:, 2]) == sign).all()
        assert np.linalg.det(surface.axes) == pytest.approx(1)


def test_smoothing_is_how_far_the_sheet_passes_its_marks():
    generator = np.random.default_rng(2)
    x, y = generator.uniform(-50, 50, (2, 60))
    marks = np.column_stack([x, y, wave(x, y) + generator.normal(size=60)])
    body = sheets.sheet_through(marks, smoothing=1.0)
    assert np.sqrt(np.mean(np.sum((body.projected(marks) - marks) ** 2, axis=1))) == pytest.approx(1.0, rel=0.02)


def test_a_closed_surface_through_an_ellipsoid_is_near_it():
    body = ellipsoid(0, (30.0, 35.0, 45.0))
    surface = sheets.closed_through(ellipsoids.on_ellipsoid(body, 12.0))
    points, area = sheets.on_surface(surface, 6.0)
    assert np.abs(level(body, points) - 1).max() < 0.03
    assert area == pytest.approx(ellipsoids.area(body), rel=0.02)
    assert spread_percent(points) < 12
    assert np.einsum("ij,ij->i", surface.normals(points), body.normals(body.projected(points))).min() > 0.97


@pytest.mark.parametrize(
    ("marks", "words"),
    [
        ([[0, 0, 0], [1, 1, 1], [2, 2, 2], [3, 3, 3]], "on no line"),
        ([[0, 0, 0], [9, 0, 0], [0, 9, 0], [9, 0, 1.0], [4, 4, 0]], "over each other"),
    ],
)
def test_marks_that_tell_no_sheet_are_refused(marks, words):
    if words == "over each other":
        marks = [[0, 0, 0], [9, 0, 0], [0, 9, 0], [9, 9, 0], [4, 4, 1.0], [4, 4, -1.0]]
    with pytest.raises(ValueError, match=words):
        sheets.sheet_through(np.array(marks, dtype=float))


def helix(n=12):
    turn = np.linspace(0, 3, n)
    return np.column_stack([50 * np.cos(turn), 50 * np.sin(turn), 10 * turn])


def test_points_of_a_filament_are_an_arc_length_apart_and_look_along_it():
    path = paths.Path(helix())
    assert path.length == pytest.approx(3 * np.hypot(50, 10), rel=2e-3)
    points, rotations = paths.along(path, 4.0)
    chords = np.linalg.norm(np.diff(points, axis=0), axis=1)
    np.testing.assert_allclose(chords, 4.0, rtol=1e-3)
    ahead = np.diff(points, axis=0) / chords[:, None]
    assert (
        np.einsum("ij,ij->i", (rotations[1:, :, 2] + rotations[:-1, :, 2]) / 2, ahead).min() > 0.998
    )  # a mean of two unit vectors 4 deg apart is shorter
    np.testing.assert_allclose(np.linalg.det(rotations), 1, atol=1e-9)


def test_frames_are_carried_without_twist():
    path = paths.Path(helix())
    frames = path.frames(np.linspace(0, path.length, 400))
    # the change of x lies along the tangent alone: its share along y is the twist
    twist = np.einsum("ij,ij->i", np.diff(frames[:, :, 0], axis=0), (frames[:-1, :, 1] + frames[1:, :, 1]) / 2)
    assert np.abs(twist).sum() < 1e-5


def test_torsion_adds_the_same_turn_each_time():
    path = paths.Path(np.array([[0, 0, 0], [30, 20, 60.0]]))
    rotations = paths.along(path, 5.0, turn_deg=27.0)[1]
    relative = np.swapaxes(rotations[:-1], 1, 2) @ rotations[1:]
    np.testing.assert_allclose(relative, np.broadcast_to(euler.about_z(np.radians(27.0)), relative.shape), atol=1e-9)


def test_rings_lie_around_the_path_and_look_outward():
    path = paths.Path(np.array([[0, 0, 0], [0, 0, 40.0]]))
    points, rotations = paths.around(path, 10.0, 6.0, subunits=5, turn_deg=11.0)
    assert len(points) == 25
    np.testing.assert_allclose(np.hypot(points[:, 0], points[:, 1]), 6.0)
    np.testing.assert_allclose(rotations[:, :, 2] * 6, points * [1, 1, 0], atol=1e-9)
    np.testing.assert_allclose(rotations[:, :, 0], np.tile([0, 0, 1.0], (25, 1)), atol=1e-9)
    turn = np.degrees(np.arctan2(points[:, 1], points[:, 0])).reshape(5, 5)
    np.testing.assert_allclose(euler.wrapped(np.diff(turn, axis=0)), 11.0, atol=1e-9)
    np.testing.assert_allclose(euler.wrapped(np.diff(turn, axis=1)), 72.0, atol=1e-9)


def test_a_filament_of_one_place_is_refused():
    with pytest.raises(ValueError, match="points 2 and 3 stand in the same place"):
        paths.Path(np.array([[0, 0, 0], [1, 0, 0], [1, 0, 0]]))


def test_a_lattice_fills_its_box():
    low, high = np.array([0.0, 0, 0]), np.array([20.0, 10, 5])
    cell = np.array([[4.0, 0, 0], [2.0, 3.0, 0], [0, 1.0, 2.0]])
    points = lattices.in_box(cell, np.array([1.0, 1, 1]), low, high)
    assert ((points >= low) & (points <= high)).all()
    steps = (points - [1, 1, 1]) @ np.linalg.inv(cell)
    np.testing.assert_allclose(steps, np.rint(steps), atol=1e-9)
    many = np.array(np.meshgrid(*[np.arange(-20, 21)] * 3)).reshape(3, -1).T @ cell + 1
    inside = np.all((many >= -1e-9) & (many <= high + 1e-9), axis=1)
    assert len(points) == inside.sum()


@given(axis=vectors, seed=st.integers(0, 99))
def test_an_azimuth_along_an_axis_turns_x_towards_it(axis, seed):
    normals = np.random.default_rng(seed).normal(size=(20, 3))
    angles = azimuths.along(normals, axis)
    rotations = euler.matrices(angles)
    unit = normals / np.linalg.norm(normals, axis=1, keepdims=True)
    np.testing.assert_allclose(rotations[:, :, 2], unit, atol=1e-7)
    np.testing.assert_allclose(rotations[:, :, 1] @ axis, 0, atol=1e-7)
    assert (rotations[:, :, 0] @ axis >= 0).all()


def test_random_azimuths_are_even_over_the_circle_and_repeat():
    normals = np.tile([0.0, 0.6, 0.8], (2000, 1))
    first, again = (azimuths.at_random(normals, np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert abs(np.exp(1j * np.radians(first[:, 2])).mean()) < 0.06
