"""What steps without particles cost, and what is done once in a step that has them."""

import shutil
from pathlib import Path

import pytest

import engine
from engine import forecast as forecasting
from engine.data import ParticleFacts
from engine.forecast import forecast
from engine.geometry import symmetry
from engine.kernels import helix as helices
from engine.kernels import quick
from engine.kinds import alignment, average, imposing, shares
from engine.kinds.alignment import costs
from engine.kinds.alignment.timing import Seconds
from engine.kinds.form import Helix

QUICKSTART = Path(__file__).resolve().parents[1] / "projects" / "quickstart"


@pytest.fixture
def folder(tmp_path):
    for path in QUICKSTART.glob("*.toml"):
        shutil.copy(path, tmp_path)
    return tmp_path


def taken(folder):
    return sum(path.stat().st_size for path in folder.rglob("*.h5"))


def test_a_postprocess_is_told_before_its_halves_are_there(folder):
    told = forecast(engine.load(folder / "post_1.toml"))
    assert (told.steps_to_do, told.particles, told.unknown) == (1, 0, [])
    assert 0 < told.seconds < 60
    assert told.memory_bytes > forecasting.BASE_BYTES + 44**3 * 40


def test_the_disk_of_a_postprocess_is_what_it_then_takes(quickstart, tmp_path):
    shutil.copytree(quickstart / "projects" / "quickstart", tmp_path / "again")
    shutil.rmtree(tmp_path / "again" / "post_1")
    told = forecast(engine.load(tmp_path / "again" / "post_1.toml"))
    assert 0.8 < told.disk_bytes / taken(quickstart / "projects" / "quickstart" / "post_1") < 1.2


def test_windows_and_cones_cost_more(folder):
    text = (folder / "post_1.toml").read_text().replace("sampling_A = 20", "sampling_A = 8")
    (folder / "finer.toml").write_text(text)
    (folder / "plain.toml").write_text(text[: text.index("[local]")])
    plain, coarse, finer = (forecast(engine.load(folder / f"{name}.toml")) for name in ("plain", "post_1", "finer"))
    assert plain.seconds < coarse.seconds < finer.seconds


def test_a_mask_is_told_and_nothing_is_compiled_for_it(tmp_path, monkeypatch):
    monkeypatch.setattr(quick, "ready", lambda slow: pytest.fail("loops were asked for"))
    path = tmp_path / "mask_1.toml"
    path.write_text('kind = "mask"\nmask = { shape = "sphere", radius_px = 12 }\n[data]\nbox_px = 40\n')
    told = forecast(engine.load(path))
    assert told.seconds > 0
    engine.run([path])
    assert 0.8 < told.disk_bytes / taken(tmp_path) < 1.2


def test_the_map_that_a_mask_is_cut_from_tells_the_box(folder):
    text = 'kind = "mask"\nmask = { from_map = "phantom:object", threshold = 0.5 }\n[data]\n'
    (folder / "of_map.toml").write_text(text + 'map = "phantom:object"\n')
    (folder / "of_particles.toml").write_text(text + 'particles = "phantom:particles"\n')
    for name in ("of_map", "of_particles"):
        told = forecast(engine.load(folder / f"{name}.toml"))
        assert (told.unknown, told.disk_bytes) == ([], 4 * 44**3)


HELIX = Helix(turn_deg=-30.0, rise_px=2.5)


@pytest.mark.parametrize(("name", "helix"), [("C1", None), ("D7", None), ("I", None), ("C1", HELIX), ("D3", HELIX)])
def test_as_many_moves_are_told_as_are_made(name, helix):
    made = len(symmetry.operators(name))
    if helix is not None:
        furthest_px = helices.furthest_px(40, helices.central_px(40, helix.central_fraction))
        made = len(symmetry.helical(name, helix.turn_deg, 2.5, furthest_px)[0])
    assert imposing.n_operators(name, helix, 40, 3.0) == made


def test_a_symmetry_costs_by_its_operators_once_a_step(monkeypatch):
    monkeypatch.setattr(costs, "seconds_to_align", lambda *_: Seconds(each=0.0, once=0.0))
    facts = ParticleFacts(10, 32, 4.0)

    def of_average(name):
        values = {"data": {"particles": "p", "table": "t.tbl"}, "average": {"symmetry": name}}
        return average.share_of(average.Project.model_validate(values))(facts).once_seconds

    plain = of_average("C1")  # what becomes of the sums
    octahedral = of_average("O") - plain
    assert of_average("I") - plain == pytest.approx(59 / 23 * octahedral)
    assert of_average("I") - plain == pytest.approx(shares.symmetrised(32, "I", None, 4.0).once_seconds)

    def of_alignment(**settings):
        one = {"bandpass": {"lowpass_fpx": 6.0}, "cone": {"range_deg": 0.0}, **settings}
        data = {"particles": "p", "table": "t.tbl"}
        steps = alignment.unfold(alignment.Project.model_validate({"data": data, "rounds": [one]}))
        return steps[-1].cost.share(facts).once_seconds

    assert of_alignment() == pytest.approx(plain)
    assert of_alignment(symmetry="O") - plain == pytest.approx(2 * octahedral)
    assert of_alignment(symmetry="O", select_again={}) - 2 * plain == pytest.approx(3 * octahedral)
    assert of_alignment(helix={"turn_deg": 20.0, "rise_A": 8.0}) > plain


def test_a_rise_that_fills_the_box_with_thousands_of_subunits_is_a_fault():
    ((fault),) = imposing.faults("C1", Helix(turn_deg=22.0, rise_px=0.002), 96, 4.0)
    assert fault.key == ("helix", "rise_px")
    assert "repeats the central part" in fault.what
    assert not list(imposing.faults("C1", Helix(turn_deg=22.0, rise_A=1.4), 64, 10.0))  # TMV, binned


def test_with_a_gpu_its_memory_is_told_too(folder):
    project = engine.load(folder / "pr_1.toml")
    assert forecast(project, n_gpus=0).gpu_bytes == 0
    assert forecast(project, n_gpus=2).gpu_bytes == forecast(project, n_gpus=1).gpu_bytes > 4 * 44**3


def test_where_all_times_are_known_the_loops_are_not_loaded(folder, monkeypatch):
    project = engine.load(folder / "pr_1.toml")
    told = forecast(project)
    monkeypatch.setattr(quick, "ready", lambda slow: pytest.fail("loops were asked for"))
    assert forecast(project) == told
