"""Every fault is found before anything runs, at its line, with what to do about it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from engine import project
from engine.check import check
from engine.data import Table
from engine.faults import EngineError, Fault
from engine.files import write_table

WRONG = Path(__file__).parent / "wrong"
EXPECT = re.compile(r"# expect (\d+):(\d+) (E\d{3}) (.*?) ?\| (.+)")
FEWEST = 160


def expectations() -> list:
    """One parameter set per wrong file; files without an expectation are good neighbours."""
    found = [(path, EXPECT.match(path.read_text("utf-8-sig"))) for path in sorted(WRONG.glob("*.toml"))]
    return [pytest.param(path, *match.groups(), id=path.stem) for path, match in found if match]


@pytest.mark.parametrize(("path", "line", "column", "code", "words", "advice"), expectations())
def test_each_wrong_file_has_one_fault_at_its_place(
    path: Path, line: str, column: str, code: str, words: str, advice: str
) -> None:
    (checked,) = check([path])
    (fault,) = checked.faults
    text = str(fault)
    assert (fault.path, fault.line, fault.column, fault.code) == (path, int(line), int(column), code), text
    assert words in text
    assert advice in text


def test_the_wrong_files_are_many() -> None:
    assert len(expectations()) >= FEWEST


@pytest.mark.parametrize(
    ("name", "others"),
    [
        ("lowpass_twice", [(9, 28)]),
        ("key_twice", [(6, 1)]),
        ("single_brackets_then_double", [(8, 2)]),
        ("step_beyond_range", [(10, 22)]),
        ("band_upside_down", [(9, 29)]),
        ("global_with_unequal_limits", [(7, 10), (8, 28)]),
        ("selection_distance_in_A_and_px", [(8, 14)]),
    ],
)
def test_a_conflict_tells_its_other_places(name: str, others: list[tuple[int, int]]) -> None:
    (fault,) = faults_of(WRONG / f"{name}.toml")
    assert [(one.line, one.column) for one in fault.others] == others


def test_the_good_neighbours_of_the_wrong_files_are_good() -> None:
    assert [one.faults for one in check([WRONG / "truth.toml", WRONG / "pr_0.toml"])] == [[], []]


PROJECT = """\
kind = "alignment"
[data]
particles = "truth:particles"
table = "truth:table"
[[rounds]]
bandpass = { lowpass_fpx = 8 }
"""


def campaign(folder: Path, **texts: str) -> Path:
    for name, text in {"truth": 'kind = "phantom"\n', **texts}.items():
        (folder / f"{name}.toml").write_text(text, "utf-8")
    return folder


def faults_of(path: Path) -> list[Fault]:
    (checked,) = check([path])
    return checked.faults


def test_all_faults_come_at_once_sorted_by_line(tmp_path: Path) -> None:
    text = PROJECT.replace("table =", "tabel =").replace('kind = "alignment"', 'kind = "alignment"\ntitel = 3')
    text += "cone = 20\n[[rounds]]\niterations = 0\n"
    faults = faults_of(campaign(tmp_path, pr_1=text) / "pr_1.toml")
    assert [fault.line for fault in faults] == [2, 5, 8, 9, 10]
    assert str(faults[-1]).endswith("rounds no. 2: iterations: must be at least 1, got 0")


def test_broken_references_are_told_together(tmp_path: Path) -> None:
    text = PROJECT.replace("truth:particles", "thruth:particles").replace("truth:table", "truth:tables")
    assert [fault.line for fault in faults_of(campaign(tmp_path, pr_1=text) / "pr_1.toml")] == [3, 4]


def test_a_campaign_is_checked_in_the_order_in_which_it_runs(tmp_path: Path) -> None:
    folder = campaign(tmp_path, a_last=PROJECT.replace("truth:table", "m_first:table"), m_first=PROJECT)
    assert [one.path.stem for one in check(folder)] == ["truth", "m_first", "a_last"]


def test_one_bad_project_hides_none_of_the_others(tmp_path: Path) -> None:
    folder = campaign(tmp_path, good=PROJECT, bad="kind = 3\n")
    assert {one.path.stem: len(one.faults) for one in check(folder)} == {"bad": 1, "good": 0, "truth": 0}


def test_a_note_names_the_command_for_a_neighbour_that_has_not_run(tmp_path: Path) -> None:
    path = campaign(tmp_path, pr_1=PROJECT) / "pr_1.toml"
    (checked,) = check([path])
    assert checked.notes == [f"truth has not run yet: engine run {tmp_path / 'truth.toml'}"]


def test_a_mark_of_byte_order_is_no_fault_and_counts_as_no_column(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.toml", tmp_path / "bad.toml"
    good.write_bytes(b'\xef\xbb\xbfkind = "phantom"\n')
    bad.write_bytes(b'\xef\xbb\xbfkind = "phantasm"\n')
    assert faults_of(good) == []
    assert [(fault.line, fault.column) for fault in faults_of(bad)] == [(1, 8)]


@pytest.mark.parametrize(
    ("raw", "place", "words"),
    [
        (b'kind = "phantom"\ntitle = "\xe9"\n', (2, 10), "UTF-8"),
        (b"# \n" * 500_000, (1, 1), "more than 1 MB"),
        (b"a = " + b"[" * 5000 + b"]" * 5000, (1, 1), "nested too deep"),
        (b"kind = " + b"9" * 5000, (1, 1), "cannot be read"),
        (b"kind = 1\n" + b"a." * 20_000 + b"a = 1", (2, 1), "key of more than 100 parts"),
        (b"\x00\x01\x02", (1, 1), "neither key = value"),
        (b"", (1, 1), "kind: is missing"),
    ],
)
def test_what_is_no_text_of_a_project_is_one_fault_and_soon(
    tmp_path: Path, raw: bytes, place: tuple, words: str
) -> None:
    path = tmp_path / "pr.toml"
    path.write_bytes(raw)
    (fault,) = faults_of(path)
    assert (fault.line, fault.column) == place
    assert words in str(fault)


def test_a_missing_file_names_the_nearest(tmp_path: Path) -> None:
    campaign(tmp_path)
    with pytest.raises(EngineError, match="did you mean truth"):
        check([tmp_path / "thruth.toml"])


def test_a_folder_without_projects_is_told_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="engine new"):
        check([tmp_path])


def test_a_campaign_in_which_much_is_read_twice_is_checked_without_going_every_way(tmp_path, monkeypatch):
    """Each project reads the two before it: there are more ways through thirty of them than can be gone."""
    write_table(Table.blank(3), tmp_path / "start.tbl")
    rest = '[[operations]]\ndo = "randomise-azimuth"\n'
    for number in range(30):
        names = [f"t_{before}:table" for before in (number - 2, number - 1) if before >= 0] or ["start.tbl"]
        listed = ", ".join(f'"{name}"' for name in names)
        (tmp_path / f"t_{number}.toml").write_text(f'kind = "transform"\n[data]\ntable = [{listed}]\n{rest}')
    n_read = 0

    def counted(path):
        nonlocal n_read
        n_read += 1
        return project.read(path)

    monkeypatch.setattr("engine.check.read", counted)
    assert [str(fault) for report in check([tmp_path]) for fault in report.faults] == []
    assert n_read < 30 * 30 * 3
