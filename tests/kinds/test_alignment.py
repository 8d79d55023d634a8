"""alignment: give back the move that was given; nothing about the machine changes the answer."""

import numpy as np
import pytest
from aligned import align, errors

from engine.data import ParticleArray, Volume
from engine.devices import Work
from engine.geometry import euler
from engine.kinds import alignment


def test_disturbed_particles_are_found_again(phantom):
    made = align(phantom, {"iterations": 2})["ite_0002"]
    found = errors(made["table"], phantom)
    assert np.median(found["angle_deg"]) < 2.0
    assert np.median(found["shift_px"]) < 0.25
    assert made["summary"]["averaged"] == 24


@pytest.mark.parametrize("low", [8, 13])
def test_a_fast_search_lands_where_a_fine_grid_lands(phantom, low):
    template = {**phantom, "phantom:template": phantom["phantom:object"]}
    grid, fast = (
        align(template, {"search": kind, "refine": {"levels": levels}, "bandpass": {"lowpass_fpx": low}})["ite_0001"][
            "table"
        ]
        for kind, levels in (("grid", 6), ("fast", 4))
    )
    apart = euler.angular_distance_deg(euler.matrices(grid.angles), euler.matrices(fast.angles))
    assert np.median(apart) < 0.25  # the grid's own last step is 0.125 deg, on three axes
    assert np.median(np.linalg.norm(grid.shifts_xyz_px - fast.shifts_xyz_px, axis=1)) < 0.02
    assert fast["cc"].mean() > grid["cc"].mean() - 1e-3
    error, grid_error = (np.median(errors(table, phantom)["angle_deg"]) for table in (fast, grid))
    assert error < grid_error + 0.1


@pytest.mark.parametrize("work", [Work(1, (), 1), Work(2, (), 7)], ids=["one by one", "two workers"])
def test_a_fast_search_does_not_depend_on_chunks_and_workers(phantom, work):
    fast = {"search": "fast", "bandpass": {"lowpass_fpx": 13}}
    assert align(phantom, fast)["ite_0001"]["table"].equals(align(phantom, fast, work=work)["ite_0001"]["table"])


def test_a_fast_search_leaves_alone_what_is_not_searched(phantom):
    start = phantom["phantom:table"]
    azimuth_only = align(phantom, {"search": "fast", "cone": {"range_deg": 0}})["ite_0001"]["table"]
    np.testing.assert_allclose(euler.axes(azimuth_only.angles), euler.axes(start.angles), atol=1e-9)
    assert np.abs(azimuth_only["dnarot"]).max() > 1
    nothing = align(phantom, {"search": "fast", "cone": {"range_deg": 0}, "azimuth": {"range_deg": 0}})["ite_0001"][
        "table"
    ]
    assert nothing["daxis"].max() < 1e-6
    assert np.abs(nothing["dnarot"]).max() < 1e-6


def test_without_a_template_the_average_of_the_table_is_the_first_reference(phantom):
    made = align(phantom, {"iterations": 2}, data={"template": None})
    assert np.median(errors(made["ite_0002"]["table"], phantom)["angle_deg"]) < np.median(
        errors(phantom["phantom:table"], phantom)["angle_deg"]
    )


@pytest.mark.parametrize("work", [Work(1, (), 1), Work(1, (), 7), Work(2, (), 1), Work(2, (), 7)], ids=repr)
def test_chunks_and_workers_do_not_change_a_bit(phantom, work):
    plain, other = align(phantom)["ite_0001"], align(phantom, work=work)["ite_0001"]
    assert plain["table"].equals(other["table"])
    for item in ("refs/001/average", "refs/001/average_symmetrized"):
        np.testing.assert_array_equal(plain[item].data, other[item].data)
    np.testing.assert_array_equal(plain["refs/001/fsc"]["fsc"], other["refs/001/fsc"]["fsc"])


def test_what_moved_is_written_into_the_table(phantom):
    table = align(phantom)["ite_0001"]["table"]
    start = phantom["phantom:table"]
    np.testing.assert_allclose(table["dshift"], np.linalg.norm(table.shifts_xyz_px - start.shifts_xyz_px, axis=1))
    np.testing.assert_allclose(table["daxis"], euler.axis_change_deg(start.angles, table.angles))
    np.testing.assert_allclose(table["dcc"], table["cc"])
    assert (table["cc"] > 0.2).all()
    assert (table["cc"] <= 1).all()


def test_rows_that_are_not_aligned_keep_their_pose(phantom):
    table = phantom["phantom:table"].with_columns(aligned=np.arange(24) % 2)
    made = align({**phantom, "phantom:table": table})["ite_0001"]["table"]
    kept = made.where(made["aligned"] == 0)
    np.testing.assert_array_equal(kept.angles, table.where(table["aligned"] == 0).angles)
    assert (kept["averaged"] == 1).all()


def offsets(table, origin):
    return np.linalg.norm(table.shifts_xyz_px - origin.shifts_xyz_px, axis=1)


def test_shift_origins_bound_the_shift_around_what_they_name(phantom):
    start = phantom["phantom:table"]

    def shifts(origin):
        return {"iterations": 2, "shifts": {"limits_xyz_px": [0.8, 0.8, 0.8], "origin": origin}}

    zero = start.with_poses(start.angles, np.zeros((24, 3)))
    box = align(phantom, shifts("box-centre"))
    assert offsets(box["ite_0002"]["table"], zero).max() <= 0.8 + 1e-9
    last = align(phantom, shifts("last-iteration"))
    for before, after in (("ite_0000", "ite_0001"), ("ite_0001", "ite_0002")):
        assert offsets(last[after]["table"], last[before]["table"]).max() <= 0.8 + 1e-9
    assert offsets(last["ite_0002"]["table"], start).max() > 0.8
    begun = align(phantom, shifts("last-iteration"), shifts("round-start"), shifts("project-start"))
    for ite in (3, 4):
        assert offsets(begun[f"ite_{ite:04d}"]["table"], begun["ite_0002"]["table"]).max() <= 0.8 + 1e-9
    for ite in (5, 6):
        assert offsets(begun[f"ite_{ite:04d}"]["table"], start).max() <= 0.8 + 1e-9


def test_unlimited_shifts_find_a_particle_anywhere_in_the_box(phantom):
    start = phantom["phantom:table"]
    far = phantom["phantom:truth"].with_poses(start.angles, np.zeros((24, 3)))
    rolled = ParticleArray(
        np.roll(phantom["phantom:particles"].boxes, (5, -6, 0), axis=(1, 2, 3)), phantom["phantom:particles"].tags, 4.0
    )
    given = {**phantom, "phantom:table": far, "phantom:particles": rolled}
    made = align(given, {"shifts": {"origin": "unlimited"}})["ite_0001"]["table"]
    true = phantom["phantom:truth"].shifts_xyz_px + [0, -6, 5]
    assert np.median(np.linalg.norm(made.shifts_xyz_px - true, axis=1)) < 0.6


@pytest.mark.parametrize("frame", ["particle", "box"])
def test_a_frozen_axis_is_the_particles_or_the_boxs(phantom, frame):
    made = align(phantom, {"shifts": {"limits_xyz_px": [3, 3, 0], "frame": frame}})["ite_0001"]["table"]
    start = phantom["phantom:table"]
    shifts = made.shifts_xyz_px
    if frame == "particle":
        shifts = np.einsum("nji,nj->ni", euler.matrices(start.angles), shifts)
    assert np.abs(shifts[:, 2]).max() < 1e-9
    assert np.abs(shifts[:, :2]).max() > 1


def test_a_mirrored_template_loses(phantom):
    template = phantom["phantom:template"]
    mirrored = {**phantom, "phantom:template": Volume(np.roll(template.data[:, :, ::-1], 1, axis=2), 4.0)}
    wide = {"cone": {"range_deg": 60, "step_deg": 15}, "azimuth": {"range_deg": 60, "step_deg": 15}}
    right, wrong = align(phantom, wide)["ite_0001"]["table"], align(mirrored, wide)["ite_0001"]["table"]
    assert (right["cc"] > wrong["cc"]).all()


def test_more_iterations_leave_those_before_as_they_are():
    project = {"data": {"particles": "p:particles", "table": "p:table"}, "rounds": [{"bandpass": {"lowpass_fpx": 8}}]}
    keys = []
    for n in (3, 4):
        project["rounds"][0]["iterations"] = n
        steps = alignment.unfold(alignment.Project.model_validate(project))
        keys.append({step.name: step.settings_json for step in steps})
    assert all(keys[0][name] == keys[1][name] for name in ("ite_0001", "ite_0002"))
