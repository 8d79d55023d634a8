"""Names that a stranger's files bring along: of projects, steps, tomograms, columns and markers. None becomes a path."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from small_campaign import ALIGNMENT, TRUTH, engine, written

from engine.address import is_name, parse
from engine.check import check
from engine.data import Catalogue, Curve, Table, TomogramFacts
from engine.export import export
from engine.faults import EngineError
from engine.files import (
    open_particles,
    read_catalogue,
    read_star,
    read_table_map,
    write_star,
)
from engine.files.blocks import Facts, read_blocks, write_blocks
from engine.files.catalogue import write_catalogue
from engine.files.cmm import Markers, read_markers, write_markers
from engine.files.doc import write_table_map
from engine.project import read
from engine.step import Step

HOSTILE_NAMES = [
    "pr_1.",
    "..",
    ".hidden",
    "../up",
    "a/b",
    "/etc/x",
    "a b",
    "a\nb",
    "a\x1b[31m",
    "a\u202eb",
    "-rf",
    "~root",
    "$HOME",
    "nul",
    "CON",
    "com1.x",
    "x" * 81,
    "",
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The campaign's folder, beside a folder `outside` that is none of its business."""
    (tmp_path / "outside").mkdir()
    campaign = tmp_path / "campaign"
    campaign.mkdir()
    monkeypatch.chdir(campaign)
    return campaign


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_such_a_name_names_no_project_no_step_and_no_item(name: str, tmp_path: Path) -> None:
    assert not is_name(name)
    if name == "a/b":  # two names, each good: a step may lie in a folder
        return
    if "/" not in name:  # an address that is typed in a shell may lead through folders
        with pytest.raises(EngineError):
            parse(f"{name}:table")
    with pytest.raises(ValueError, match="part of a path"):
        Step(f"tomo_001/{name}", print, 1, None, ("average",))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="part of a path"):
        Step("ite_0001", print, 1, None, (name,))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="part of a path"):
        Step("ite_0001", print, 1, None, ("average",), {}, {"half": name})  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["a b", "a\nb", "a\x1b[31m", "-rf", "nul", "x" * 81])
def test_a_file_of_such_a_name_is_no_project_and_none_is_made(name: str, folder: Path) -> None:
    path = folder / f"{name}.toml"
    path.write_text(TRUTH)
    _, (fault,) = read(path)
    assert "cannot stand in an address" in fault.what
    assert "letters, digits" in fault.advice
    path.unlink()
    assert engine("new", "--", "phantom", name).exit_code == 1
    assert not list(folder.iterdir())


@pytest.mark.parametrize("address", ["../truth:table", "/etc/truth:table", "..:table", "truth/../../x:table"])
def test_an_address_in_a_file_never_leaves_the_folder(address: str, folder: Path) -> None:
    (folder.parent / "truth.toml").write_text(TRUTH)
    (written(folder) / "pr_1.toml").write_text(ALIGNMENT.replace("truth:table", address))
    (one,) = check("pr_1.toml")
    assert re.search("never leaves its folder|is not a project name", one.faults[0].what)


@pytest.mark.parametrize("text", ["a\\nb.mrc", "a\\u0000b", "a\\u001b[31m", "a\\u009bx", "a\\u202eb", "a\\tb"])
def test_a_text_with_a_letter_that_steers_is_a_fault_at_its_key(text: str, folder: Path) -> None:
    (written(folder) / "pr_1.toml").write_text(ALIGNMENT.replace("truth:template", text))
    result = engine("check", "pr_1.toml")
    assert result.exit_code == 1
    assert "pr_1.toml:5:12: E116 data.template: holds a line break or a control character" in result.stdout


def test_a_name_longer_than_the_disk_takes_is_a_fault(folder: Path) -> None:
    (written(folder) / "pr_1.toml").write_text(ALIGNMENT.replace("truth:template", "x" * 300))
    (one,) = check("pr_1.toml")
    assert [fault.key for fault in one.faults] == [("data", "template")]
    assert "too long" in one.faults[0].what


def test_a_tomogram_number_that_makes_no_name_is_a_fault(folder: Path) -> None:
    (folder / "tomos.toml").write_text(f'kind = "catalogue"\n[[tomograms]]\nnumber = {10**12}\npath = "x.mrc"\n')
    (one,) = check("tomos.toml")
    assert "must be at most 999999999" in one.faults[0].what


@pytest.mark.parametrize("words", ["ite=²", "tag=²", f"tag={'9' * 5000}", "tomo=[1,²]", "ite=1:²"])
def test_digits_that_are_no_number_are_one_error(words: str) -> None:
    with pytest.raises(EngineError):
        parse(f"pr_1:table:{words}")


WORDS = [
    "a b",
    "data_x",
    "loop_",
    "_rlnX",
    "=1+1",
    "$x",
    "[x]",
    "",
    "12",
    "nan",
    "a'b",
    'a"b',
    "a'\"b",
    "#x",
    "a#b",
    "a\nb",
    "a\tb",
    "a\\b",
]


@pytest.mark.parametrize("word", [*WORDS, "x\x85y", "x\u2028y", "\x1b[31m"])
def test_a_name_in_a_star_file_is_read_back_or_refused(word: str, tmp_path: Path) -> None:
    path = tmp_path / "a.star"
    files = {"particle_files": [word, "plain"]}
    facts = {"general": Facts(rlnMaskName=word, rlnX=1.0)}
    if set(word) & set("'\"#\\\n\t\x85\u2028\x1b"):
        with pytest.raises(EngineError, match="cannot stand in a STAR file"):
            write_star(Table.blank(2), path, **files)
        with pytest.raises(EngineError, match="cannot stand in a STAR file"):
            write_blocks(facts, path)
        assert not path.exists()
        return
    write_star(Table.blank(2), path, **files)
    write_blocks(facts, tmp_path / "facts.star")
    assert read_blocks(path)[""].words("particleFile") == [word, "plain"]
    assert read_blocks(tmp_path / "facts.star")["general"].words("rlnMaskName") == [word]
    assert len(read_star(path).table) == 2


@pytest.mark.parametrize("name", ["a b", 'a"b', "a,b", "=1+1", "#x", "a'b", "a;b", " a", "a\nb", "a\rb"])
def test_a_name_in_a_catalogue_is_read_back_or_refused(name: str, tmp_path: Path) -> None:
    catalogue = Catalogue((TomogramFacts(3, f"{name}.mrc", name),))
    paths = {3: Path(f"{name}.mrc")}
    if name in (" a", "a\nb", "a\rb"):
        with pytest.raises(EngineError, match="rename it"):
            write_catalogue(catalogue, tmp_path / "c.csv")
        with pytest.raises(EngineError, match="rename it"):
            write_table_map(paths, tmp_path / "c.doc")
        return
    write_catalogue(catalogue, tmp_path / "c.csv")
    write_table_map(paths, tmp_path / "c.doc")
    assert read_catalogue(tmp_path / "c.csv") == catalogue
    assert read_table_map(tmp_path / "c.doc") == paths


def test_the_names_of_columns_are_quoted_in_csv(tmp_path: Path) -> None:
    path = export(Curve({"a,b": np.zeros(1), 'c"\nd': np.ones(1)}), tmp_path / "c.csv")
    assert path.read_text() == '"a,b","c""\ufffdd"\n0,1\n'


def test_a_marker_set_of_any_name_is_read_back(tmp_path: Path) -> None:
    for name, back in (('<a> & "b" --', '<a> & "b" --'), ("a\x1b[b", "a\ufffd[b")):
        write_markers(Markers(np.zeros((1, 3)), np.ones(1), np.array([1]), name=name), tmp_path / "m.cmm")
        assert read_markers(tmp_path / "m.cmm").name == back


@pytest.mark.filterwarnings("ignore:Glyph")
def test_a_picture_takes_no_name_for_a_formula_or_for_markup(tmp_path: Path) -> None:
    from xml.etree import ElementTree

    columns = {"axis": np.arange(3.0), "$x_{$": np.ones(3), "--><script>&": np.ones(3), "\x1b[31m": np.ones(3)}
    for ending in (".svg", ".png", ".pdf"):
        path = export(Curve(columns, {"shows": "$\\frac$"}), tmp_path / f"c{ending}")
    text = (tmp_path / "c.svg").read_text()
    ElementTree.fromstring(text)
    assert "<script" not in text
    assert path.stat().st_size > 1000


def test_particles_are_opened_by_names_that_stay_names(tmp_path: Path) -> None:
    """A STAR list may name any file, which `check` tells; a name of many parts opens nothing else."""
    (tmp_path / "l.star").write_text("data_\nloop_\n_tag\n_particleFile\n1 ../../../../../../nowhere/x.mrc\n")
    with pytest.raises(EngineError, match="no such file"):
        open_particles(tmp_path / "l.star")
