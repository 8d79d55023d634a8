"""Nothing that comes from a file, a name or an error can steer the terminal, forge a line or break the JSON."""

from __future__ import annotations

import ast
import io
import json
import os
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from small_campaign import ALIGNMENT, TRUTH, engine, written
from typer.testing import Result

from engine.cli import progress, show
from engine.data import Catalogue, Particles, TomogramFacts
from engine.events import ProjectDone, ProjectStarted, StepStarted
from engine.faults import EngineError, Fault
from engine.outputs import Stream
from engine.plan import plan
from engine.project import load
from engine.store import Store

CLI = Path(show.__file__).parent
HOSTILE = "\x1b[31mred\x1b]0;owned\x07\x08\x7f\x9b2J\x84\u202etxt\u2066\u200f\u061c\u2028[bold]b[/bold][/nope]\\["
STEERING = [
    *map(chr, range(0x20)),
    *map(chr, range(0x7F, 0xA0)),
    *"\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c\u2028\u2029",
]


def steering(text: str) -> set[str]:
    """The letters in it that steer a terminal, line breaks aside."""
    return set(text) & (set(STEERING) - {"\n"})


def clean(result: Result) -> str:
    assert steering(result.output) == set()
    return result.output


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("letter", STEERING)
def test_each_letter_that_steers_is_made_visible(letter: str, capsys: pytest.CaptureFixture[str]) -> None:
    show.say(f"a{letter}b", bold=f"c{letter}d")
    show.rows([(f"e{letter}f", 1)])
    show.fields(f"g{letter}h", "i")
    show.error(EngineError(f"j{letter}k"))
    show.json_text({f"l{letter}m": letter})
    out, err = capsys.readouterr()
    assert steering(out.replace("\ti\n", "")) | steering(err) == set()
    for ends in ("ab", "cd", "ef", "gh", "jk"):
        place = (out + err).index(ends[0])
        assert (out + err)[place + 2] == ends[1]  # one letter in its place, or a line break
    assert json.loads(out[out.index("{") :]) == {f"l{letter}m": letter}


def test_a_cell_of_a_table_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    show.rows([("name", "a\nforged: no faults"), ("b", "c")])
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_names_that_are_no_utf_8_are_printed_and_are_valid_json(folder: Path) -> None:
    (folder / "boxes").mkdir()
    Path(os.fsdecode(b"boxes/ma\xfftable.tbl")).write_bytes(b"")
    (folder / "av.toml").write_text('kind = "average"\n[data]\nparticles = "boxes"\ntable = "boxes/x.tbl"\n')
    assert "ma\ufffdtable.tbl" in clean(engine("check", "."))
    assert "ma\ufffd.toml" in clean(engine("status", os.fsdecode(b"ma\xff.toml")))
    (found,) = json.loads(engine("check", ".", "--json").stdout)
    assert any("ma\udcfftable.tbl" in fault["advice"] for fault in found["faults"])


def test_a_terminal_without_the_letters_gets_them_spelled(folder: Path) -> None:
    (folder / "truth.toml").write_text('kind = "phantom"\ntitle = "→ 粒子"\n"粒" = 1\n')
    done = subprocess.run(
        [sys.executable, "-c", "from engine.cli import main; main()", "check", "truth.toml"],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": "latin-1"},
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert b'unknown key "\\u7c92"' in done.stdout
    assert done.stderr == b""


def test_a_traceback_that_should_not_happen_is_clean_too(folder: Path) -> None:
    code = """
import sys, warnings, engine.check
def broken(paths):
    warnings.warn("wa\\x1b[31mrned\\x07")
    raise ZeroDivisionError("\\x1b[31mowned\\x07")
engine.check.check = broken
sys.argv = ["engine", "check", "."]
from engine.cli import main
main()"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "ZeroDivisionError: \ufffd[31mowned\ufffd" in done.stderr
    assert "UserWarning: wa\ufffd[31mrned\ufffd (" in done.stderr
    assert steering(done.stderr) == set()


@pytest.mark.parametrize(
    "words",
    [["check", f"-{HOSTILE}"], ["check", f"--{HOSTILE}"], [HOSTILE], ["run", "truth.toml", f"--gpus={HOSTILE}"]]
    + [
        ["bench", f"--workers={HOSTILE}"],
        ["query", "truth:x", "-o", "x.star", f"--star={HOSTILE}"],
        ["schema", "a", HOSTILE],
    ],
)
def test_words_that_the_shell_made_of_names_are_clean_in_errors(words: list[str], folder: Path) -> None:
    written(folder)
    result = engine(*words)
    assert result.exit_code in (1, 2)
    assert "rror: " in clean(result)


def test_hostile_keys_values_and_lines_of_a_project_are_clean(folder: Path) -> None:
    spelled = json.dumps(HOSTILE).replace("\\u007f", "\\u007F")
    raw = HOSTILE.replace("\x1b", "").replace("\x07", "").replace("\x08", "").replace("\x7f", "").replace("\\", "")
    texts = [
        f'kind = "phantom"\n{spelled} = 1\n',
        f"kind = {spelled}\n",
        f'kind = "phantom"\ntitle = {spelled}\n',
        f'kind = "phantom"\n[boxes]\ncount = "{raw}"\n',
        f'kind = "phantom"\n# {raw}\n[boxes]\ncount = {raw}\n',
        f'kind = "mask"\n[data]\nbox_px = 16\n[mask]\nshape = {spelled}\n',
        ALIGNMENT.replace('"truth:particles"', f'"{raw}"'),
        ALIGNMENT.replace('"truth:particles"', f'"truth:{raw}"'),
        ALIGNMENT.replace('"truth:particles"', f'"truth:particles:ite={raw}"'),
        HOSTILE,
    ]
    for text in texts:
        (folder / "pr.toml").write_text(text)
        result = engine("check", "pr.toml")
        assert result.exit_code == 1
        assert "fault" in clean(result)
        as_json = engine("check", "pr.toml", "--json")
        assert json.loads(as_json.stdout)[0]["faults"]
        assert steering(as_json.stdout) == set()
        clean(engine("run", "pr.toml"))
        clean(engine("status", "pr.toml"))


def test_hostile_file_names_are_clean_wherever_they_are_told(folder: Path) -> None:
    name = HOSTILE.replace("/", "")
    written(folder)
    (folder / name).write_text("x")
    (folder / "boxes").mkdir()
    (folder / "boxes" / name).write_text("x")
    (folder / f"{name}.toml").write_text(TRUTH)
    (folder / "pr_1.toml").write_text(ALIGNMENT.replace("truth:template", "boxes/x.mrc"))
    for words in (
        ["check", "."],
        ["check", "pr_1.toml"],
        ["check", name],
        ["run", f"{name}.toml"],
        ["status", "."],
        ["query", f"{name}:table"],
        ["query", "pr_1"],
        ["new", "phantom", name],
        ["new", name, "x"],
        ["import-dynamo", name],
        ["explain", name],
        ["schema", f"boxes/{name}"],
    ):
        assert "\ufffd" in clean(engine(*words)) or words[-1] in (".", "pr_1"), words


def test_hostile_lines_of_a_log_and_of_a_lock_are_clean(folder: Path) -> None:
    written(folder)
    assert engine("run", "truth.toml").exit_code == 0
    with (folder / "truth" / "events.jsonl").open("a", encoding="utf-8") as log:
        for event in (
            {"event": HOSTILE, HOSTILE: [HOSTILE, {"a": HOSTILE}], "time": HOSTILE},
            {"event": {"x": 1}, "time": 3},
            {"event": "StepStarted", "step": "phantom", "number": "x", "time": HOSTILE},
            {"event": "ChunkDone", "done": HOSTILE, "total": None},
            {"event": "ChunkDone", "done": 1},
        ):
            log.write(json.dumps(event, ensure_ascii=False) + "\n")
        log.write("[1, 2]\nnull\nNaN\n{\n" + HOSTILE + "\n")
    assert "\ufffd[31mred" in clean(engine("query", "truth:log"))
    assert steering(engine("query", "truth:log", "--json").stdout) == set()
    assert any(HOSTILE in event for event in json.loads(engine("query", "truth:log", "--json").stdout))
    holder = {"host": HOSTILE, "pid": 4711, "started": HOSTILE}
    (folder / "truth" / ".lock" / "99999999").write_text(json.dumps(holder) + "\n")
    assert "\ufffd[31mred" in clean(engine("status", "."))
    assert steering(engine("status", ".", "--json").stdout) == set()
    assert "truth: 1 of 1 step" in clean(engine("status", "truth"))


def hostile_result(folder: Path) -> Store:
    """A campaign that has been run, and whose stored summary somebody has written anew."""
    written(folder)
    assert engine("run", "truth.toml").exit_code == 0
    project = load(folder / "truth.toml")
    store = Store(project.store_folder)
    (one,) = plan(project)
    outputs = {item: store.read(one.step.name, item) for item in one.step.makes}
    for item, value in outputs.items():
        if isinstance(value, Particles):
            outputs[item] = Stream(
                value.tags, value.box_px, value.pixel_size_A, iter([value.read(t) for t in value.tags])
            )
    outputs["summary"] = {
        HOSTILE: HOSTILE,
        "list": [HOSTILE],
        "number": 1.0,
        "not": float("nan"),
        "line\nbreak": "x\ny",
    }
    store.write(one.step, project.kind, one.key, one.input_keys, outputs, HOSTILE, 1.0, HOSTILE)
    return store


def test_a_hostile_summary_is_clean_in_a_query_after_a_run_and_as_json(folder: Path) -> None:
    hostile_result(folder)
    assert "\ufffd[31mred" in clean(engine("query", "truth:summary"))
    ran = engine("run", "truth.toml")
    assert ran.exit_code == 0
    assert "\ufffd[31mred" in clean(ran)
    as_json = engine("query", "truth:summary", "--json")
    assert steering(as_json.stdout) == set()
    assert json.loads(as_json.stdout)[HOSTILE] == HOSTILE
    assert json.loads(as_json.stdout)["not"] is None
    assert engine("query", "truth:summary", "-o", "s.json").exit_code == 0
    assert json.loads((folder / "s.json").read_text("utf-8"))[HOSTILE] == HOSTILE


def test_hostile_names_of_tomograms_are_clean(capsys: pytest.CaptureFixture[str]) -> None:
    from engine.cli.values import print_value

    print_value(Catalogue((TomogramFacts(1, HOSTILE, HOSTILE), TomogramFacts(2, "b\nforged", "c"))))
    out = capsys.readouterr().out
    assert steering(out) == set()
    assert len(out.splitlines()) == 3


def test_a_star_list_may_not_bring_such_names_into_a_catalogue(folder: Path) -> None:
    text = "data_\nloop_\n_rlnTomoName\n_rlnTomoHand\n_rlnTomoReconstructedTomogram\n"
    (folder / "t.star").write_text(text + "TS_\x1b[31m01 -1 t.mrc\n")
    (folder / "tomos.toml").write_text('kind = "catalogue"\n[data]\nlist = "t.star"\n')
    result = engine("check", "tomos.toml")
    assert result.exit_code == 1
    assert "holds a line break or a control character" in clean(result)


def test_names_never_become_markup_of_the_bars(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.delenv("NO_COLOR", raising=False)
    written(folder)
    name = "[bold]x[/nope]\\[\x1b]0;owned\x07"
    with progress.listener([load("truth.toml")]) as listen:
        listen(ProjectStarted(name, 1, 1))
        listen(StepStarted(name, "[red]s[/x]\x1b]0;owned\x07", 1, "r"))
        listen(ProjectDone(name, 1, 0, 1.0))
    assert "[bold]x[/nope]\\[" in terminal.getvalue()
    assert "[red]s[/x]" in terminal.getvalue()
    assert "\x1b]" not in terminal.getvalue()
    assert "\x07" not in terminal.getvalue()


def test_the_source_line_below_a_fault_is_clean_and_its_mark_stands_below(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "pr.toml").write_bytes(b"\x1b[2K\x9b\xff = x\r\n")
    show.faults([Fault((), f"what{HOSTILE}", HOSTILE, path=folder / "pr.toml", line=1, column=2)])
    out = capsys.readouterr().out
    assert steering(out) == set()
    assert len(out.splitlines()) == 3


def test_only_one_file_prints() -> None:
    """Elsewhere in the room, and in the whole house, nothing writes to the terminal."""
    writers = []
    for path in sorted(CLI.parent.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Attribute | ast.Name):
                word = ast.unparse(node)
                if word in ("typer.echo", "typer.secho", "print", "sys.stdout.write", "sys.stderr.write", "rich.print"):
                    writers.append((path.relative_to(CLI.parent).as_posix(), word))
    assert set(writers) == {("cli/show.py", "typer.echo"), ("cli/__init__.py", "sys.stderr.write")}


def test_numbers_are_printed_without_a_warning(capsys: pytest.CaptureFixture[str]) -> None:
    from engine.cli.values import print_value

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        print_value(np.array([np.nan, np.inf, 1.0]))
    assert capsys.readouterr().out.split() == ["nan", "inf", "1"]
