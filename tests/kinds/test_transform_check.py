"""What a transform, a registration and a collection say before they run, and what they do as files."""

from pathlib import Path

import numpy as np
import pytest

import engine
from engine.check import check
from engine.faults import EngineError
from engine.files import Markers, write_markers
from engine.forecast import forecast
from engine.project import load
from engine.step import key_of

FILES = {
    "truth": 'kind = "phantom"\n[object]\nblobs = 10\nradius_px = 5\n[boxes]\nbox_px = 20\ncount = 6\nshift_px = 1\n',
    "laid": """\
kind = "registration"
[data]
map = "truth:object"
onto = "truth:template"
[search]
cone = { range_deg = 8, step_deg = 4 }
azimuth = { range_deg = 0 }
limits_xyz_px = [2, 2, 2]
bandpass = { lowpass_fpx = 7 }
""",
    "means": 'kind = "collection"\n[data]\nmaps = ["truth:object", "laid:map"]\n',
}


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("craft")
    for name, text in FILES.items():
        (folder / f"{name}.toml").write_text(text, "utf-8")
    places = np.array([[48.0, 36.0, 40.0], [40.0, 40.0, 40.0]])
    write_markers(Markers(places, np.ones(2), np.array([1, 2])), folder / "two.cmm")
    write_markers(Markers(places[:1], np.ones(1), np.array([1])), folder / "one.cmm")
    engine.run([folder])
    return folder


def faults(campaign: Path, text: str) -> list[str]:
    (campaign / "t_1.toml").write_text(text, "utf-8")
    (checked,) = check([campaign / "t_1.toml"])
    return [str(fault).partition(": ")[2] for fault in checked.faults]


TRANSFORM = 'kind = "transform"\n[data]\ntable = "truth:table"\nmap = "truth:object"\n[[operations]]\n'


@pytest.mark.parametrize(
    ("operation", "words"),
    [
        ('do = "recentre"\nmarkers = "two.cmm"\n', "holds 2 markers, and one is the centre (marker = one of 1, 2)"),
        ('do = "recentre"\nmarkers = "truth:table"\n', "truth:table holds 6 markers, and one is the centre"),
        ('do = "subbox"\npoints_xyz_px = [[1, 2, 3]]\nbox_px = 20\n', "box_px: the box is that of the map"),
        ('do = "recentre"\npoint_xyz_px = [1, 2, 3]\nmarkers_in = "px"\n', "there are no markers"),
        ('do = "recentre"\nmarkers = "truth:object"\n', "truth:object is not marked points"),
        ('do = "move"\ntransform = "truth:truth"\n', "truth:truth has 6 rows; a transform is one row"),
        (
            'do = "expand"\nsymmetry = "C2"\n[[operations]]\ndo = "recentre"\nmarkers = "one.cmm"\n',
            "data.map was marked before there were copies",
        ),
        ('do = "expand"\nsymmetry = "C"\n', "symmetry 'C' is not known"),
    ],
)
def test_a_wrong_operation_is_told_before_it_runs(campaign: Path, operation: str, words: str) -> None:
    (fault,) = faults(campaign, TRANSFORM + operation)
    assert words in fault


def test_averages_without_a_pose_are_told(campaign: Path) -> None:
    text = TRANSFORM.replace('map = "truth:object"\n', "") + 'do = "compose"\nposes = "means:table"\nby = "reg"\n'
    (fault,) = faults(campaign, text)
    assert "means:table has no average 0, which particles belong to by reg" in fault
    assert not faults(campaign, text.replace('"reg"', '"tomo"'))


def test_nothing_random_means_no_seed_in_the_key(campaign: Path) -> None:
    still = 'do = "recentre"\nmarkers = "one.cmm"\nmap = "truth:object"\n'
    drawn = still + '[[operations]]\ndo = "perturb"\nangle_deg = 3\n'
    for operations, changes in ((still, False), (drawn, True)):
        text = TRANSFORM.replace('map = "truth:object"\n', "") + operations
        keys = []
        for seed in (0, 1):
            assert not faults(campaign, f"{text}[compute]\nseed = {seed}\n")
            (step,) = load(campaign / "t_1.toml").steps
            keys.append(key_of(step.function_name, step.version, step.settings_json, {}))
        assert (keys[0] != keys[1]) is changes


def test_the_forecast_tells_the_cost_of_a_map_and_of_a_search(campaign: Path) -> None:
    assert not faults(campaign, TRANSFORM + 'do = "expand"\nsymmetry = "I"\n')
    of_map = forecast(load(campaign / "t_1.toml"))
    assert of_map.disk_bytes == 4 * 20**3
    assert of_map.seconds > 0
    (campaign / "t_1.toml").write_text(FILES["laid"].replace("range_deg = 8", "range_deg = 16"), "utf-8")
    of_search = forecast(load(campaign / "t_1.toml"))
    assert of_search.disk_bytes == 2 * 4 * 20**3
    assert of_search.memory_bytes > of_map.memory_bytes
    assert not of_search.unknown


def test_a_marked_point_runs_from_files_and_is_kept(campaign: Path) -> None:
    assert not faults(campaign, TRANSFORM + 'do = "recentre"\nmarkers = "one.cmm"\n')
    (done,) = [one for one in engine.run([campaign / "t_1.toml"], redo=["stale"]) if one.project == "t_1"]
    assert done.stored == ("transform",)
    made = engine.query("t_1:table", folder=campaign).value
    before = engine.query("truth:table", folder=campaign).value
    # the marker lies at (12, 9, 10) px of a box whose centre is 10
    length = np.linalg.norm(made.shifts_xyz_px - before.shifts_xyz_px, axis=1)
    np.testing.assert_allclose(length, np.sqrt(5), atol=1e-9)
    write_markers(Markers(np.full((1, 3), 44.0), np.ones(1), np.array([1])), campaign / "one.cmm")
    with pytest.raises(EngineError, match=r"one\.cmm. changed"):
        engine.run([campaign / "t_1.toml"])


def test_a_collection_is_aligned_without_a_wedge(campaign: Path) -> None:
    text = 'kind = "alignment"\n[data]\nparticles = "means:particles"\ntable = "means:table"\n[[rounds]]\n'
    text += "cone = { range_deg = 0 }\nazimuth = { range_deg = 0 }\nshifts = { limits_xyz_px = [2, 2, 2] }\n"
    assert not faults(campaign, text + "bandpass = { lowpass_fpx = 7 }\n")
    (campaign / "t_1.toml").rename(campaign / "pr_a.toml")
    engine.run([campaign / "pr_a.toml"])
    assert engine.query("pr_a:table", folder=campaign).value["cc"].min() > 0.9
