"""Poses: particle(x) = template(M (x - c - d) + c), shown with a template of blobs that can be read at any point."""

import numpy as np
import pytest

from engine.geometry import euler, pose

CENTRE = np.array([12.0, 12.0, 12.0])  # n // 2 of a box of 24 and of 25
BLOBS = CENTRE + np.array([[0, 0, 0], [5, 0, 0], [0, 3, 0], [1, 2, 6]], dtype=float)
WEIGHTS = np.array([1.0, 2.0, 3.0, 4.0])
ANGLES, SHIFT = np.array([30.0, 40.0, 50.0]), np.array([1.5, -2.0, 0.75])


def template(points):
    """Densities at xyz points (..., 3): four blobs of different weight, no symmetry."""
    distances = np.linalg.norm(points[..., None, :] - BLOBS, axis=-1)
    return np.exp(-(distances**2)) @ WEIGHTS


def particle(points, angles=ANGLES, shift=SHIFT, template=template):
    """What the convention says the particle of this pose looks like, read at xyz points."""
    M = euler.matrices(angles).T
    return template((points - CENTRE - shift) @ M.T + CENTRE)


def averaged(points, angles, shift, of):
    """The average of one particle: the particle read where each point of the template lies in it."""
    return of((points - CENTRE) @ euler.matrices(angles).T + CENTRE + shift)


@pytest.fixture
def points():
    return np.random.default_rng(1).uniform(6, 18, (500, 3))


def test_a_template_point_is_found_turned_about_the_centre_and_then_shifted():
    seen_at = (BLOBS - CENTRE) @ euler.matrices(ANGLES).T + CENTRE + SHIFT
    assert particle(seen_at) == pytest.approx(template(BLOBS), rel=1e-12)


def test_the_shift_is_along_the_axes_of_the_box_not_of_the_particle():
    for angles in ((0, 0, 0), (30, 40, 50), (-80, 170, 3)):
        assert particle(CENTRE + SHIFT, angles) == pytest.approx(template(CENTRE), rel=1e-12)


def test_averaging_a_particle_at_its_own_pose_gives_the_template(points):
    assert averaged(points, ANGLES, SHIFT, particle) == pytest.approx(template(points), rel=1e-9, abs=1e-12)


def test_the_centre_in_the_tomogram_is_the_position_plus_the_shift():
    assert pose.centres([[100, 200, 300]], [SHIFT]).tolist() == [[101.5, 198.0, 300.75]]


def test_a_moved_origin_brings_the_picked_point_to_the_centre(points):
    offset = BLOBS[3] - CENTRE
    moved = pose.move_origin(ANGLES, SHIFT, offset)
    assert moved == pytest.approx(SHIFT + euler.matrices(ANGLES) @ offset, abs=1e-14)
    assert CENTRE + moved == pytest.approx((BLOBS[3] - CENTRE) @ euler.matrices(ANGLES).T + CENTRE + SHIFT, abs=1e-12)
    assert averaged(points, ANGLES, moved, particle) == pytest.approx(template(points + offset), rel=1e-9, abs=1e-12)


def test_transformed_poses_average_to_the_moved_average(points):
    Q, t = euler.matrices((70.0, 25.0, -10.0)), np.array([2.0, -1.0, 0.5])
    angles, shift = pose.transformed(ANGLES, SHIFT, Q, t)
    moved = (points - CENTRE) @ Q.T + CENTRE + t
    new, old = averaged(moved, angles, shift, particle), averaged(points, ANGLES, SHIFT, particle)
    assert new == pytest.approx(old, rel=1e-9, abs=1e-12)
    assert old.max() > 1  # the points do meet the blobs


def test_a_symmetric_template_does_not_tell_r_from_r_s(points):
    S = euler.about_z(np.pi / 2)
    turned = euler.angles(euler.matrices(ANGLES) @ S)

    def fourfold(at):
        quarter_turns = [np.linalg.matrix_power(S, k) for k in range(4)]
        return sum(template((at - CENTRE) @ turn.T + CENTRE) for turn in quarter_turns)

    same = particle(points, turned, template=fourfold)
    assert same == pytest.approx(particle(points, template=fourfold), rel=1e-9, abs=1e-12)
    assert particle(points, turned) != pytest.approx(particle(points), rel=1e-3)


def test_in_an_array_zyx_the_template_point_appears_where_xyz_says():
    # A quarter turn of tdrot takes +x to -y; the bright voxel at x = c + 5 is then at y = c - 5, plus the shift.
    volume = np.zeros((25, 25, 25))
    volume[12, 12, 12 + 5] = 1
    angles, shift = np.array([90.0, 0.0, 0.0]), np.array([1.0, 2.0, 3.0])

    def read(at):
        x, y, z = np.rint(at).astype(int).T
        return volume[z, y, x]

    expected = np.array([[12 + 1.0, 12 - 5 + 2.0, 12 + 3.0]])
    assert particle(expected, angles, shift, template=read).tolist() == [1.0]
