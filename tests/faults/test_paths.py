"""A campaign reads what `check` tells, and writes nothing outside its folder: what a stranger's folder may try."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

import made_up_dynamo
import numpy as np
import pytest
from small_campaign import ALIGNMENT, TRUTH, engine, run, written

from engine.check import check
from engine.data import Table, Volume
from engine.dynamo.importing import import_dynamo
from engine.faults import EngineError
from engine.files import (
    write_table,
    write_volume,
)
from engine.outside import Unsafe
from engine.project import load
from engine.run import run as run_projects


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The campaign's folder, beside a folder `outside` that is none of its business."""
    (tmp_path / "outside").mkdir()
    campaign = tmp_path / "campaign"
    campaign.mkdir()
    monkeypatch.chdir(campaign)
    return campaign


def everything(place: Path) -> dict[str, bytes]:
    return {str(path.relative_to(place)): path.read_bytes() for path in sorted(place.rglob("*")) if path.is_file()}


def test_a_device_or_a_pipe_is_no_file_to_read(folder: Path) -> None:
    written(folder)
    os.mkfifo(folder / "pipe.mrc")
    os.mkfifo(folder / "waiting.toml")
    (folder / "endless.toml").symlink_to("/dev/zero")
    for name in ("pipe.mrc", "/dev/zero"):
        (folder / "pr_1.toml").write_text(ALIGNMENT.replace("truth:template", name))
        (one,) = check("pr_1.toml")
        assert [fault.what for fault in one.faults] == [f'"{name}" is a device or a pipe']
        with pytest.raises(EngineError, match="is a device or a pipe"):
            run_projects(["pr_1.toml", "truth.toml"])
    assert engine("check", "endless.toml").exit_code == 1
    assert engine("check", "waiting.toml").exit_code == 1
    assert "2 projects" in engine("check", ".").stdout  # pipes among the projects are passed by


def boxes(place: Path) -> None:
    place.mkdir()
    noise = np.random.default_rng(1).normal(size=(3, 12, 12, 12)).astype(np.float32)
    for tag, box in enumerate(noise, start=1):
        write_volume(Volume(box, 2.0), place / f"particle_{tag:05d}.mrc")


def average(folder: Path, particles: str, table: str = "t.tbl") -> None:
    write_table(Table.blank(3, tag=[1, 2, 3], averaged=1, aligned=1, apix=2.0), folder / table)
    text = f'kind = "average"\n[data]\nparticles = "{particles}"\ntable = "{table}"\n'
    (folder / "av.toml").write_text(text)


def outside_of(name: str) -> list[tuple[str, str]]:
    (one,) = check(name)
    assert not one.faults
    return [(place.path.name, place.named_in) for place in one.outside]


def test_nothing_is_told_of_a_campaign_that_keeps_to_its_folder(folder: Path) -> None:
    boxes(folder / "boxes")
    average(folder, "boxes")
    result = engine("check", ".")
    assert result.exit_code == 0
    assert "outside" not in result.stdout
    assert json.loads(engine("check", ".", "--json").stdout)[0]["outside"] == []


def test_paths_that_lead_out_are_told(folder: Path) -> None:
    boxes(folder.parent / "outside" / "boxes")
    average(folder, "../outside/boxes", "../outside/t.tbl")
    assert outside_of("av.toml") == [("boxes", "data.particles"), ("t.tbl", "data.table")]
    average(folder, str(folder.parent / "outside" / "boxes"))
    assert outside_of("av.toml") == [("boxes", "data.particles")]


def test_links_that_lead_out_are_told_and_links_inside_are_not(folder: Path) -> None:
    boxes(folder.parent / "outside" / "boxes")
    (folder / "boxes").symlink_to(folder.parent / "outside" / "boxes")
    average(folder, "boxes")
    assert outside_of("av.toml") == [("boxes", "data.particles")]
    (folder / "boxes").unlink()
    (folder.parent / "outside" / "boxes").rename(folder / "real")
    (folder / "boxes").symlink_to("real")
    assert outside_of("av.toml") == []
    (folder / "real" / "particle_00002.mrc").rename(folder.parent / "outside" / "two.mrc")
    (folder / "real" / "particle_00002.mrc").symlink_to(folder.parent / "outside" / "two.mrc")
    assert outside_of("av.toml") == [("two.mrc", "boxes")]


def test_files_that_a_list_names_are_told_in_one_short_line_and_wholly_as_json(folder: Path) -> None:
    place = folder.parent / "outside" / "boxes"
    boxes(place)
    rows = "".join(f"{tag} ../outside/boxes/particle_{tag:05d}.mrc\n" for tag in (1, 2, 3))
    (folder / "list.star").write_text(f"data_\nloop_\n_tag\n_particleFile\n{rows}")
    average(folder, "list.star")
    (line,) = [line for line in engine("check", ".").stdout.splitlines() if "outside" in line]
    assert line == f"  reads from outside the campaign folder, 3 paths: {place} (3 files)"
    (one,) = json.loads(engine("check", ".", "--json").stdout)
    assert one["outside"] == [
        {"path": str(place / f"particle_{tag:05d}.mrc"), "named_in": "list.star"} for tag in (1, 2, 3)
    ]


def test_tomograms_of_a_list_are_told_and_with_those_who_read_them(folder: Path) -> None:
    write_volume(Volume(np.ones((16, 16, 16), np.float32), 2.0), folder.parent / "outside" / "t.mrc")
    (folder / "tomos.vll").write_text(f"{folder.parent / 'outside' / 't.mrc'}\n")
    (folder / "tomos.toml").write_text('kind = "catalogue"\n[data]\nlist = "tomos.vll"\n')
    assert outside_of("tomos.toml") == [("t.mrc", "tomos.vll")]
    write_table(Table.blank(1, tag=[1], x=8, y=8, z=8, tomo=1, averaged=1, apix=2.0), folder / "t.csv")
    data = '[data]\ncatalogue = "tomos:tomograms"\ntable = "t.csv"\n'
    (folder / "crop.toml").write_text(f'kind = "extraction"\neach = "tomogram"\n{data}[box]\nsize_px = 8\n')
    assert outside_of("crop.toml") == [("t.mrc", "tomos: tomos.vll")]
    assert engine("run", "tomos.toml").exit_code == 0
    (folder / "tomos.vll").write_text("t.mrc\n")
    (folder.parent / "outside" / "t.mrc").rename(folder / "t.mrc")
    assert ("t.mrc", "tomos:tomograms:tomo=1") in outside_of("crop.toml")  # as it is stored, until it is done again


def test_the_tilt_series_of_a_list_are_told(folder: Path) -> None:
    write_volume(Volume(np.ones((16, 16, 16), np.float32), 2.0), folder / "t.mrc")
    (folder.parent / "outside" / "TS_01.star").write_text("data_TS_01\nloop_\n_rlnTomoYTilt\n-60\n60\n")
    names = ["rlnTomoName", "rlnTomoHand", "rlnTomoReconstructedTomogram", "rlnTomoTiltSeriesStarFile"]
    values = "TS_01 -1 t.mrc ../outside/TS_01.star"
    text = "data_global\nloop_\n" + "".join(f"_{name}\n" for name in names) + values + "\n"
    (folder / "tomograms.star").write_text(text)
    (folder / "tomos.toml").write_text('kind = "catalogue"\n[data]\nlist = "tomograms.star"\n')
    assert outside_of("tomos.toml") == [("TS_01.star", "tomograms.star")]


def test_a_hook_behind_a_link_is_told(folder: Path) -> None:
    written(folder)
    (folder.parent / "outside" / "mine.py").write_text("def keep(average, table, at): return None\n")
    (folder / "hooks.py").symlink_to(folder.parent / "outside" / "mine.py")
    (folder / "pr_1.toml").write_text(ALIGNMENT + '[hooks]\nafter_iteration = "hooks:keep"\n')
    assert outside_of("pr_1.toml") == [("mine.py", "hooks: hooks:keep")]


def test_results_on_another_disk_are_told_and_wait_for_a_word(folder: Path) -> None:
    written(folder)
    scratch = folder.parent / "outside" / "truth"
    scratch.mkdir()
    (folder / "truth").symlink_to(scratch)
    line = f"  its results go to {scratch}, outside the campaign folder: truth is a link (engine run --follow-links)"
    assert line in engine("check", "truth.toml").stdout.splitlines()
    refused = engine("run", "truth.toml")
    assert refused.exit_code == 3
    assert refused.stderr.startswith("error: ")
    assert "engine run --follow-links" in refused.stderr
    assert not list(scratch.iterdir())
    assert engine("run", "truth.toml", "--follow-links").exit_code == 0
    assert (scratch / "phantom.h5").is_file()
    assert ("truth", "truth:particles") in outside_of("pr_1.toml")


def test_projects_are_run_in_their_order_where_results_lie_elsewhere(folder: Path) -> None:
    written(folder)
    scratch = folder.parent / "outside" / "alignment"
    scratch.mkdir()
    (folder / "pr_1").symlink_to(scratch)
    result = engine("run", ".", "--follow-links", "--gpus", "none")
    assert result.exit_code == 0, result.output
    assert (scratch / "ite_0001.h5").is_file()


def leads_nowhere(folder: Path) -> str:
    (folder / "pr_1").symlink_to(folder.parent / "unmounted")
    return "where no folder is (mount that disk, or remove the link)"


def leads_to_itself(folder: Path) -> str:
    (folder / "pr_1").symlink_to(folder / "pr_1")
    return "where no folder is"


def leads_to_another_project(folder: Path) -> str:
    (folder / "truth").mkdir()
    (folder / "pr_1").symlink_to("truth")
    return "is a link to the results of"


def is_a_file(folder: Path) -> str:
    (folder / "pr_1").write_text("mine")
    return "is a file where the folder of the results belongs (move it away)"


@pytest.mark.parametrize("make", [leads_nowhere, leads_to_itself, leads_to_another_project, is_a_file])
def test_results_without_a_place_of_their_own_are_a_fault_and_nothing_is_run(make, folder: Path) -> None:
    words = make(written(folder))
    checked = engine("check", ".")
    assert checked.exit_code == 1
    assert re.search(r"^pr_1\.toml:1:1: E212 .*" + re.escape(words), checked.stdout, re.MULTILINE)
    result = engine("run", ".", "--follow-links", "--gpus", "none")
    assert result.exit_code == 2
    assert words in result.output
    assert not (folder / "truth" / "phantom.h5").exists()
    for word in ("verify", "status"):
        assert engine(word, ".").exit_code == 0
    with pytest.raises(Unsafe, match=re.escape(words)):
        run_projects([folder], follow_links=True)


def test_two_projects_never_write_into_one_folder(folder: Path) -> None:
    written(folder)
    scratch = folder.parent / "outside" / "both"
    scratch.mkdir()
    for name in ("truth", "pr_1"):
        (folder / name).symlink_to(scratch)
    result = engine("run", ".", "--follow-links")
    assert result.exit_code == 3
    assert "are one folder, by links" in result.stderr
    assert not list(scratch.iterdir())


def test_a_project_that_is_a_link_to_itself_is_one_line(folder: Path) -> None:
    (folder / "pr_1.toml").symlink_to("pr_1.toml")
    for words in (["check", "pr_1.toml"], ["run", "pr_1.toml"], ["status", "pr_1.toml"], ["query", "pr_1:table"]):
        result = engine(*words)
        assert result.exit_code in (1, 2)
        assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("name", [".lock", "events.jsonl", "half_odd", "new.json"])
@pytest.mark.parametrize("is_there", [True, False])
def test_a_link_among_results_is_never_written_through(name: str, is_there: bool, folder: Path) -> None:
    written(folder)
    target = folder.parent / "outside" / "precious"
    if is_there:
        target.write_text("precious")
    (folder / "truth").mkdir()
    (folder / "truth" / name).symlink_to(target)
    before = everything(folder.parent / "outside")
    for words in (["--follow-links"], ["--redo", "all"], ["--json"]):
        result = engine("run", "truth.toml", *words)
        assert result.exit_code == 3
        assert "is a link or no file, and a run may write there" in result.stderr
    with pytest.raises(Unsafe):
        run_projects(["truth.toml"])
    assert everything(folder.parent / "outside") == before


def test_a_step_behind_a_link_is_told_and_replaced_where_it_stands(folder: Path) -> None:
    run(folder)
    kept = folder.parent / "outside" / "phantom.h5"
    (folder / "truth" / "phantom.h5").rename(kept)
    (folder / "truth" / "phantom.h5").symlink_to(kept)
    before = kept.read_bytes()
    assert outside_of("truth.toml") == [("phantom.h5", "results of truth")]
    assert engine("run", "truth.toml", "--redo", "all", "--gpus", "none").exit_code == 0
    assert kept.read_bytes() == before
    assert not (folder / "truth" / "phantom.h5").is_symlink()


def test_a_project_behind_a_link_is_told(folder: Path) -> None:
    (folder.parent / "outside" / "x.toml").write_text(TRUTH)
    (folder / "truth.toml").symlink_to(folder.parent / "outside" / "x.toml")
    assert outside_of("truth.toml") == [("x.toml", "truth.toml")]


def test_a_file_whose_name_nobody_typed_is_not_written_through_a_link(folder: Path) -> None:
    run(folder)
    precious = folder.parent / "outside" / "precious"
    precious.write_text("precious")
    for name in ("pr_1_table.png", "a_0000.csv", "a_0001.csv"):
        (folder / name).symlink_to(precious)
    (folder / "boxes").mkdir()
    (folder / "boxes" / "particle_00002.em").symlink_to(precious)
    (folder / "schemas").mkdir()
    (folder / "schemas" / "table.md").symlink_to(precious)
    asked = [
        ("query", "pr_1:table", "--plot"),
        ("query", "pr_1:table:ite=0:last", "-o", "a.csv"),
        ("query", "truth:particles", "-o", "boxes"),
        ("schema",),
    ]
    for words in asked:
        result = engine(*words)
        assert result.exit_code == 1, words
        assert "is a link, what it leads to would be overwritten" in result.stderr
    for words in (("new", "phantom", "pr_1_table.png"), ("query", "pr_1", "--as-dynamo", "boxes")):
        assert engine(*words).exit_code in (0, 1)
    assert precious.read_text() == "precious"


class Opened:
    """Every file and folder that Python code opens, and whether it is opened to be written."""

    def __init__(self) -> None:
        self.is_on = False
        self.found: set[tuple[str, bool]] = set()
        sys.addaudithook(self.hear)

    def hear(self, event: str, values: tuple[object, ...]) -> None:
        if self.is_on and event in ("open", "os.scandir", "os.listdir") and isinstance(values[0], str | os.PathLike):
            flags = values[2] if event == "open" else 0
            is_written = isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) > 0
            self.found.add((os.path.realpath(values[0]), is_written))


@pytest.fixture(scope="module")
def opened() -> Opened:
    """One for all tests: such a hook stays."""
    return Opened()


def test_a_run_opens_outside_what_check_has_told_and_nothing_else(folder: Path, opened: Opened) -> None:
    outside = folder.parent / "outside"
    boxes(outside / "boxes")
    boxes(folder / "more")
    (folder / "more" / "particle_00002.mrc").rename(outside / "two.mrc")
    (folder / "more" / "particle_00002.mrc").symlink_to(outside / "two.mrc")
    rows = f"1 ../outside/boxes/particle_00001.mrc\n2 more/particle_00002.mrc\n3 {folder}/more/particle_00003.mrc\n"
    (folder / "list.star").write_text(f"data_\nloop_\n_tag\n_particleFile\n{rows}")
    average(folder, "list.star", "../outside/t.tbl")
    write_volume(Volume(np.random.default_rng(2).normal(size=(16,) * 3).astype(np.float32), 2.0), outside / "t.mrc")
    (outside / "list.vll").write_text("t.mrc\n")
    (folder / "tomos.vll").symlink_to(outside / "list.vll")
    (folder / "t.mrc").symlink_to(outside / "t.mrc")
    (folder / "tomos.toml").write_text('kind = "catalogue"\n[data]\nlist = "tomos.vll"\n[binned]\nbin_factors = [2]\n')
    write_table(Table.blank(1, tag=[1], x=8, y=8, z=8, tomo=1, averaged=1, apix=2.0), folder / "t.csv")
    data = 'each = "tomogram"\n[data]\ncatalogue = "tomos:tomograms"\ntable = "t.csv"\n'
    (folder / "crop.toml").write_text(f'kind = "extraction"\n{data}[box]\nsize_px = 8\n')
    told = {str(place.path) for one in check(".") for place in one.outside}
    assert len(told) == 5
    before = everything(outside)
    opened.found.clear()
    opened.is_on = True
    run_projects(["."], gpus=())
    opened.is_on = False
    assert everything(outside) == before
    led_out = {path for path, _ in opened.found if path.startswith(f"{outside}/")}
    assert led_out == told
    below = [path for path, is_written in opened.found if is_written and path.startswith(f"{folder.parent}/")]
    assert below
    assert all(path.startswith((f"{folder}/av", f"{folder}/tomos", f"{folder}/crop")) for path in below)


def test_the_page_on_json_names_its_keys(folder: Path) -> None:
    page = (Path(__file__).parents[2] / "schemas" / "check.md").read_text("utf-8")
    (one,) = json.loads(engine("check", str(written(folder) / "truth.toml"), "--json").stdout)
    assert re.findall(r"^\| `(\w+)` ", page, re.MULTILINE) == list(one)


def test_a_card_of_dynamo_writes_one_new_file_whatever_it_says(folder: Path) -> None:
    hostile = 'x"\n[hooks]\nafter_iteration = "evil:run"\n#\x1b[31m\u2028'
    paths = {"file_mask": "/dev/zero", "file_template_initial": "../../../../../../../etc/passwd"}
    card = made_up_dynamo.project(
        folder.parent, "pr_0", name_project=hostile, **paths, **{f"weird{i}": hostile for i in "ab"}
    )
    before = everything(folder.parent)
    made = import_dynamo(card)
    assert made.path.absolute() == folder / "pr_0.toml"
    assert {**everything(folder.parent), "campaign/pr_0.toml": b""} == {**before, "campaign/pr_0.toml": b""}
    text = made.path.read_text()
    assert "\x1b" not in text
    assert not any(line.startswith("[hooks]") for line in text.split("\n"))
    assert load(made.path).form.hooks.after_iteration is None  # type: ignore[attr-defined]
