"""The workshop as a campaign, on two small tomograms: every step, and what the truth says of the end."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

import engine
from engine.export import export
from engine.plan import plan
from engine.project import campaign

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(small_phantom, tmp_path_factory):
    """A copy that tests may add projects to."""
    copy = tmp_path_factory.mktemp("copy") / "hiv1-phantom"
    shutil.copytree(small_phantom, copy)
    return copy


def summary(folder, name):
    return engine.query(f"{folder}/{name}:summary").value


def test_the_lattice_is_found_and_its_cells_are_where_the_truth_has_them(folder):
    told = summary(folder, "verify")
    assert told["found (%)"] > 90
    assert told["false, of those in the table (%)"] < 3
    assert told["median angle error (deg)"] < 1.5
    assert told["median shift error (px)"] < 0.5


def test_the_map_has_the_right_hand_and_its_halves_promise_no_more_than_the_truth_keeps(folder):
    told = summary(folder, "verify")
    assert told["hand"] == "right"
    assert told["FSC to the object at 0.8 Nyquist"] > 0.5
    claimed_A = summary(folder, "post_1")["final resolution (A)"]
    assert claimed_A > 0.9 * told["resolution at FSC 0.5 (A)"]


def test_the_averages_are_moved_along_z_alone(folder):
    for number in (1, 2):
        told = engine.query(f"{folder}/register:summary:tomo={number}").value
        assert (told["turned by (deg)"], told["shift x (px)"], told["shift y (px)"]) == (0, 0, 0)


@pytest.fixture(scope="module")
def mirror(folder):
    """The mirrored unit cell, in the large boxes of the start."""
    text = (folder / "vlps.toml").read_text().replace("count = 2", "count = 1")
    (folder / "mirror.toml").write_text(text.replace("box_px = 28", "box_px = 36\nis_mirrored = true"))
    engine.run([folder / "mirror.toml"])
    return "mirror:unit_cell"


def verified_with(folder, name, before, after):
    """The summary of `verify` with one thing changed."""
    text = (folder / "verify.toml").read_text()
    assert before in text
    (folder / f"{name}.toml").write_text(text.replace(before, after))
    engine.run([folder / f"{name}.toml"])
    return summary(folder, name)


def test_a_mirrored_template_is_told_though_the_data_brought_the_right_hand_back(folder, mirror):
    told = verified_with(folder, "verify_template", "centre:map", mirror)
    assert told["hand of the template"].startswith("wrong")
    assert told["hand"] == "right"


def test_a_mirrored_map_is_told_to_have_the_wrong_hand(folder, mirror):
    """The average against the mirror image is what a mirrored average is against the truth."""
    text = (folder / "mirror.toml").read_text().replace("box_px = 36", "box_px = 28")
    (folder / "mirror_28.toml").write_text(text)
    engine.run([folder / "mirror_28.toml"])
    told = verified_with(folder, "verify_mirror", "vlps:unit_cell", "mirror_28:unit_cell")
    assert told["hand"].startswith("wrong")


def test_markers_from_a_person_give_the_same_as_peaks_that_were_picked(folder):
    """The peaks go through the file that ChimeraX writes."""
    for name, markers, project in (
        ("bundle", "reference_center.cmm", "centre"),
        ("unit_cells", "particle_centers.cmm", "subboxes"),
    ):
        export(engine.query(f"{folder}/{name}:table").value, folder / markers)
        text = (folder / f"{project}.toml").read_text()
        assert f'markers = "{name}:table"' in text
        (folder / f"{project}_by_hand.toml").write_text(text.replace(f"{name}:table", markers))
        engine.run([folder / f"{project}_by_hand.toml"])
        picked, marked = (engine.query(f"{folder}/{one}:table").value for one in (project, f"{project}_by_hand"))
        np.testing.assert_array_equal(picked["tag"], marked["tag"])
        places = [one.positions_xyz_px + one.shifts_xyz_px for one in (picked, marked)]
        np.testing.assert_allclose(places[0], places[1], atol=0.01)


def test_one_number_changed_in_pr_2_redoes_what_depends_on_it_and_nothing_before(folder):
    text = (folder / "pr_2.toml").read_text()
    (folder / "pr_2.toml").write_text(text.replace("lowpass_A = 28", "lowpass_A = 29"))
    stale = {project.name for project in campaign([folder]) if any(one.state != "keep" for one in plan(project))}
    after = {"pr_2", "clean_1", "register", "registered", "cells_2", "crop_3", "pr_eo", "clean_2", "pr_eo_fine"}
    (folder / "pr_2.toml").write_text(text)
    assert after | {"final", "post_1", "verify"} <= stale
    assert stale <= after | {"final", "post_1", "verify", "verify_mirror", "verify_template"}
