"""A project of each tomogram: planned, run, resumed, looked at, and read by others, tomogram by tomogram or as one."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import two_tomograms
from two_tomograms import CHAIN, NUMBERS
from typer.testing import CliRunner

import engine
from engine.address import Numbers, parse
from engine.check import check
from engine.cli.commands import app
from engine.data import Table, Volume
from engine.faults import EngineError
from engine.files import write_table, write_volume
from engine.forecast import forecast
from engine.geometry import euler
from engine.kernels import blobs
from engine.plan import plan
from engine.project import load
from engine.project_files import content_of

FILES = {
    **two_tomograms.FILES,
    "pr_1": """kind = "alignment"
each = "tomogram"
[data]
particles = "crop:particles"
table = "crop:table"
template = "mean:average"
[[rounds]]
iterations = 2
cone = { range_deg = 10, step_deg = 5 }
azimuth = { range_deg = 10, step_deg = 5 }
shifts = { limits_xyz_px = [1, 1, 1] }
bandpass = { lowpass_fpx = 6 }
""",
    "all": 'kind = "average"\n[data]\nparticles = "crop:particles"\ntable = "pr_1:table"\n',
}


def write_data(folder: Path) -> None:
    """Two tomograms of eight copies of one object each, turned anyhow."""
    generator = np.random.default_rng(1)
    tag, tables = 1, []
    for number in NUMBERS:
        data = generator.normal(scale=0.05, size=(20, 40, 72)).astype(np.float32)
        x, y = (values.ravel() for values in np.meshgrid([11, 27, 43, 59], [11, 28]))
        angles = euler.random(len(x), generator)
        for at_x, at_y, rotation in zip(x, y, euler.matrices(angles), strict=True):
            data[2:18, at_y - 8 : at_y + 8, at_x - 8 : at_x + 8] += blobs.render(CHAIN @ rotation.T, 1.2, 16)
        write_volume(Volume(data, 4.0), folder / f"TS_{number}.mrc")
        rows = Table.blank(len(x), tag=tag + np.arange(len(x)), x=x, y=y, z=10, tomo=number)
        tables.append(rows.with_poses(angles, np.zeros((len(x), 3))))
        tag += len(x)
    write_table(tables[0].joined(tables[1]), folder / "picks.csv")


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("each")
    write_data(folder)
    for name, text in FILES.items():
        (folder / f"{name}.toml").write_text(text, "utf-8")
    assert [str(fault) for one in check(folder) for fault in one.faults] == []
    assert forecast(load(folder / "mean.toml")).particles == 8  # of one tomogram at a time, before anything is cut
    engine.run([folder])
    return folder


def read(folder: Path, address: str):
    return engine.query(address, folder=folder).value


def test_each_tomogram_has_a_folder_of_its_own(campaign: Path) -> None:
    found = sorted(path.relative_to(campaign / "pr_1").as_posix() for path in (campaign / "pr_1").rglob("ite_*.h5"))
    assert found == [f"tomo_00{number}/ite_000{ite}.h5" for number in NUMBERS for ite in range(3)]


def test_an_address_gains_tomo(campaign: Path) -> None:
    table = read(campaign, "pr_1:table:tomo=3")
    assert set(table["tomo"]) == {3}
    answer = engine.query("pr_1:average:tomo=*:ite=1", folder=campaign)
    assert [(one.tomo, one.ite) for one in answer.found] == [(1, 1), (3, 1)]
    assert list(answer.values) == ["tomo=1:ite=1", "tomo=3:ite=1"]
    assert [one.tomo for one in engine.query("pr_1:average", folder=campaign).found] == [1, 3]
    assert read(campaign, "pr_1:particles:tomo=3").tags.tolist() == list(range(9, 17))
    assert len(read(campaign, "pr_1:particles").tags) == 16


def test_each_tomograms_average_is_that_of_its_own_particles(campaign: Path) -> None:
    """The same bits as a project that reads that tomogram alone."""
    text = FILES["mean"].replace('each = "tomogram"\n', "").replace("crop:particles", "crop:particles:tomo=3")
    (campaign / "alone.toml").write_text(text.replace("crop:table", "crop:table:tomo=3"), "utf-8")
    engine.run([campaign / "alone.toml"])
    of_each, alone = read(campaign, "mean:average:tomo=3"), read(campaign, "alone:average")
    assert of_each.data.tobytes() == alone.data.tobytes()
    assert np.corrcoef(of_each.data.ravel(), blobs.render(CHAIN, 1.2, 16).ravel())[0, 1] > 0.6


def test_a_project_of_all_reads_the_tomograms_as_one(campaign: Path) -> None:
    assert read(campaign, "all:table").tags.tolist() == list(range(1, 17))
    assert read(campaign, "all:summary")["averaged"] == 16


def test_a_run_resumes_and_redoes_by_tomogram(campaign: Path) -> None:
    assert all(one.state == "keep" for name in FILES for one in plan(load(campaign / f"{name}.toml")))
    states = {one.step.name: one.state for one in plan(load(campaign / "pr_1.toml"), ["tomo_003/ite_0001"])}
    done = [name for name, state in states.items() if state == "do"]
    assert {"tomo_003/ite_0001", "tomo_003/ite_0002"} <= set(done)
    assert not any(name.startswith("tomo_001") for name in done)
    (campaign / "pr_1/tomo_003/ite_0002.h5").unlink()
    (outcome,) = engine.run([campaign / "pr_1.toml"])
    assert "tomo_003/ite_0002" in outcome.stored
    assert not any(name.startswith("tomo_001") for name in outcome.stored)


def test_the_commands_show_tomograms(campaign: Path) -> None:
    def said(*words: str) -> str:
        result = CliRunner().invoke(app, list(words))
        assert result.exit_code == 0, result.output
        return result.output

    listing = said("query", f"{campaign}/tomos:tomograms")
    assert "TS_3.mrc" in listing
    assert "72 x 40 x 20" in listing
    assert "pr_1:average:tomo=3:ite=2" in said("query", f"{campaign}/pr_1:average")
    assert "8 of 8 steps, tomogram 3, ite 2" in said("status", str(campaign / "pr_1.toml"))
    assert re.match(
        r"pr_1:summary +tomo=1:ite=2  tomo=3:ite=2\n  particles +8 +8\n", said("query", f"{campaign}/pr_1:summary")
    )
    differences = said("diff", f"{campaign}/pr_1", f"{campaign}/pr_1", "--all")
    assert re.findall(r"tomogram \d: mean cc", differences) == ["tomogram 1: mean cc", "tomogram 3: mean cc"]
    shown = CliRunner().invoke(app, ["show", f"{campaign}/pr_1:average", "--with", "3dmod"])
    assert f"name one, as in {campaign}/pr_1:average:tomo=1:ite=2" in shown.output
    said("query", f"{campaign}/pr_1:table:tomo=*", "-o", str(campaign / "refined.csv"))
    assert (campaign / "refined_tomo_003.csv").is_file()
    said("query", f"{campaign}/tomos:tomograms", "-o", str(campaign / "tomos.csv"))
    assert "TS_1.mrc" in (campaign / "tomos.csv").read_text("utf-8")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("pr_1:average:tomo=2", "no tomogram 2; there are 1, 3"),
        ("all:average:tomo=1", "all is not kept by tomogram"),
        ("pr_1:average:tomo=x", "tomo is a number"),
        ("all:particles:tomo=9", "no tomogram 9"),
    ],
)
def test_a_wrong_tomogram_is_answered_with_the_right_ones(campaign: Path, text: str, words: str) -> None:
    with pytest.raises(EngineError, match=words):
        engine.query(text, folder=campaign)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("crop:particles", "crop:particles:tomo=1", ""),
        ("[data]", '[data]\nweights = "mean:average"', "mean:average is not a set of boxes"),
        ('each = "tomogram"\n', "", "mean:average names 2 results, one of each tomogram"),
        ("mean:average", "mean:average:tomo=1", ""),
        ("mean:average", "mean:average:tomo=2", "no tomogram 2"),
        ("crop:table", "picks.csv", ""),
    ],
)
def test_what_a_project_of_each_reads_is_checked(campaign: Path, old: str, new: str, words: str) -> None:
    (campaign / "pr_2.toml").write_text(FILES["pr_1"].replace(old, new), "utf-8")
    (found,) = check([campaign / "pr_2.toml"])
    (campaign / "pr_2.toml").unlink()
    assert [words in str(fault) for fault in found.faults] == ([True] if words else []), found.faults


def test_nothing_kept_by_tomogram_is_a_fault_at_the_key(campaign: Path) -> None:
    (campaign / "pr_2.toml").write_text('kind = "phantom"\neach = "tomogram"\n', "utf-8")
    (found,) = check([campaign / "pr_2.toml"])
    (campaign / "pr_2.toml").unlink()
    (fault,) = found.faults
    assert (fault.line, "read a catalogue" in str(fault)) == (2, True)


def test_addresses_spell_tomograms() -> None:
    assert parse("pr_1:table:tomo=[1,3]").tomo == Numbers(listed=(1, 3))
    assert parse("pr_1:table").tomo is None


def test_what_a_project_of_tomograms_makes_once_is_the_same_for_each(tmp_path):
    """A specimen has one unit cell and many tomograms."""
    texts = {
        "vlps": 'kind = "specimen"\n[tomograms]\ncount = 2\n',
        "tomos": 'kind = "catalogue"\n'
        + "".join(f'[[tomograms]]\nnumber = {n}\npath = "vlps:tomogram:tomo={n}"\n' for n in (1, 2)),
        "crop": 'kind = "extraction"\neach = "tomogram"\n[data]\ncatalogue = "tomos:tomograms"\ntable = "vlps:truth"\n'
        "[box]\nsize_px = 32\n",
        "pr": 'kind = "alignment"\neach = "tomogram"\n[data]\nparticles = "crop:particles"\ntable = "crop:table"\n'
        'template = "vlps:unit_cell"\n[[rounds]]\nbandpass = { lowpass_fpx = 8 }\n',
    }
    for name, text in texts.items():
        (tmp_path / f"{name}.toml").write_text(text)
    start = [step for step in engine.load(tmp_path / "pr.toml").steps if step.name.endswith("ite_0000")]
    read = [{str(one.source) for one in step.inputs.values() if "vlps" in str(one.source)} for step in start]
    assert read == [{"vlps:unit_cell"}, {"vlps:unit_cell"}]
    cut = engine.load(tmp_path / "crop.toml").steps
    assert [str(step.inputs["table"].source) for step in cut] == ["vlps:truth:tomo=1", "vlps:truth:tomo=2"]


def test_binned_tomograms_are_read_one_by_one_as_the_catalogue_that_names_them(campaign: Path) -> None:
    """The form names the tomograms; that the step reads them binned is not in it."""
    tomos, crop = ((campaign / f"{name}.toml").read_text() for name in ("tomos", "crop"))
    (campaign / "small_tomos.toml").write_text(f"binned = {{ bin_factors = [2] }}\n{tomos}")
    text = crop.replace("tomos:tomograms", "small_tomos:tomograms").replace("[box]", "bin_factor = 2\n[box]")
    (campaign / "small_crop.toml").write_text(text.replace("size_px = 16", "size_px = 8"))
    steps = load(campaign / "small_crop.toml").steps
    assert [str(step.inputs["tomogram"].source) for step in steps] == [
        f"small_tomos:binned_2:tomo={n}" for n in NUMBERS
    ]
    assert [str(fault) for fault in check([campaign / "small_crop.toml"])[0].faults] == []


def test_a_long_chain_of_projects_is_planned_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in FILES.items():
        (tmp_path / f"{name}.toml").write_text(text)
    for number in range(2, 12):
        text = FILES["pr_1"].replace("crop:table", f"pr_{number - 1}:table").replace("mean:", f"pr_{number - 1}:")
        (tmp_path / f"pr_{number}.toml").write_text(text)
    read = []
    monkeypatch.setattr("engine.project.content_of", lambda path: read.append(path) or content_of(path))
    assert len(load(tmp_path / "pr_11.toml").steps) == len(load(tmp_path / "pr_1.toml").steps)
    assert len(read) < 100
