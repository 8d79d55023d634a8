"""The command line: what is printed, where, and the exit code that scripts go by."""

from __future__ import annotations

import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from small_campaign import ALIGNMENT, TRUTH, engine, run, written

from engine.cli import commands as commands_room
from engine.cli import show
from engine.faults import EngineError, Fault

ENGINE = [sys.executable, "-c", "from engine.cli import main; main()"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return written(tmp_path)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A campaign that has been run."""
    return run(tmp_path_factory.mktemp("done"))


@pytest.mark.parametrize("words", [["--help"], ["run", "--help"], ["--version"]])
def test_help_loads_none_of_the_heavy_libraries(words: list[str]) -> None:
    heavy = {"numpy", "h5py", "scipy", "numba", "rich", "tomlkit", "matplotlib", "pandas"}
    code = f"""
import atexit, sys
atexit.register(lambda: print("LOADED", *(set(sys.modules) & {heavy!r})))
sys.argv = ["engine", *{words!r}]
from engine.cli import main
main()"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert result.stdout.rstrip().endswith("LOADED")
    assert "engine" in result.stdout


@pytest.mark.parametrize("words", [["status", "pr_1.toml"], ["query", "pr_1:table", "--path"]])
def test_looking_loads_nothing_that_computes_or_draws(done: Path, words: list[str]) -> None:
    heavy = {"numba", "rich", "tomlkit", "matplotlib", "pandas", "sklearn", "starfile", "tifffile", "cupy"}
    heavy |= {f"scipy.{part}" for part in ("fft", "interpolate", "linalg", "ndimage", "sparse", "spatial", "special")}
    heavy |= {"numpy", "h5py", "engine.data", "engine.files", "engine.kernels", "engine.kinds", "engine.project"}
    code = f"""
import atexit, sys
atexit.register(lambda: print("LOADED", *(set(sys.modules) & {heavy!r})))
sys.argv = ["engine", *{words!r}]
from engine.cli import main
main()"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=done, check=True)
    assert result.stdout.rstrip().endswith("LOADED")
    assert "pr_1" in result.stdout


def test_shells_complete_the_names_of_projects_and_their_items(folder: Path) -> None:
    (folder / "no name\x1b.toml").write_text("")
    asked = {"_ENGINE_COMPLETE": "complete_fish", "_TYPER_COMPLETE_FISH_ACTION": "get-args"}

    def proposed(words: str) -> list[str]:
        environment = {**os.environ, **asked, "_TYPER_COMPLETE_ARGS": words}
        done = subprocess.run(ENGINE, capture_output=True, text=True, cwd=folder, env=environment, check=True)
        return done.stdout.split()

    assert proposed("engine query ") == ["pr_1", "truth"]
    assert proposed("engine query truth:ob") == ["truth:object"]
    assert {"pr_1:average", "pr_1:table"} <= set(proposed("engine query pr_1:"))
    assert proposed("engine query nothing:") == proposed("engine query 'no name:'") == []


def test_every_command_has_json_whose_shape_is_written_down() -> None:
    import typer

    commands = typer.main.get_command(commands_room.app).commands  # type: ignore[attr-defined]
    page = (Path(__file__).parents[1] / "schemas" / "json.md").read_text("utf-8")
    for name, command in commands.items():
        assert any("--json" in option.opts for option in command.params), name
        assert f"| `{name}`" in page, name


def test_exit_codes_are_those_that_are_written_down() -> None:
    from engine import cli

    page = (Path(__file__).parents[1] / "schemas" / "json.md").read_text("utf-8")
    words = re.findall(r"^\| ([0-9]) \| (\w+)", page, re.MULTILINE)
    names = {"done": 0, "failed": 1, "invalid": 2, "unsafe": 3, "interrupted": 4, "locked": 5}
    assert {word: int(number) for number, word in words} == names
    assert {name: getattr(cli, name.upper()) for name in names} == names


def test_check_says_what_is_good(folder: Path) -> None:
    result = engine("check", ".")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0] == "truth.toml: no faults, 1 step"
    assert lines[1].startswith("  1 step to do, 6 particles; about ")
    assert lines[2] == "pr_1.toml: no faults, 2 steps"
    assert "6 particles" in lines[3]  # known from the plan of truth, which has not run
    assert "rotations" in lines[3]


def test_check_shows_each_fault_with_its_line_and_a_mark_below(folder: Path) -> None:
    (folder / "pr_1.toml").write_text(ALIGNMENT.replace("step_deg = 5", 'step_deg = "5"'))
    result = engine("check", "pr_1.toml")
    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        'pr_1.toml:8:37: E106 rounds no. 1: cone.step_deg: must be a number, got the text "5" (remove the quotes)',
        '  8 | cone = { range_deg = 10, step_deg = "5" }',
        "    |                                     ^^^",
        "1 fault in 1 of 1 project",
    ]


def test_check_as_json_is_for_machines(folder: Path) -> None:
    (folder / "truth.toml").write_text(TRUTH.replace("blobs = 8", "blob = 8"))
    result = engine("check", "truth.toml", "--json")
    assert result.exit_code == 1
    (one,) = json.loads(result.stdout)
    assert one["faults"] == [
        {
            "code": "E101",
            "line": 3,
            "column": 1,
            "key": ["object", "blob"],
            "what": 'unknown key "blob"',
            "advice": 'did you mean "blobs"?',
            "others": [],
        }
    ]


def test_nothing_in_a_file_can_steer_the_terminal(folder: Path) -> None:
    (folder / "truth.toml").write_bytes(b'kind = "phantom"\n"\\u001b]0;owned\\u0007" = "\x1b[31m"\n')
    result = engine("check", "truth.toml")
    assert result.exit_code == 1
    assert "\x1b" not in result.output
    assert "\x07" not in result.output


def test_the_mark_stands_below_wide_letters(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "pr.toml"
    path.write_text('title = "粒子", x = 3\n', "utf-8")
    show.faults([Fault((), "what", path=path, line=1, column=13)])
    source, mark = capsys.readouterr().out.splitlines()[1:]
    assert mark.index("^") == source.index(",") + 2


def test_an_invalid_project_is_not_run(folder: Path) -> None:
    (folder / "truth.toml").write_text(TRUTH.replace("count = 6", "count = 0"))
    result = engine("run", ".")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "truth.toml:6:9: E112 boxes.count: must be at least 1, got 0" in result.stderr
    assert "nothing was run" in result.stderr
    assert not (folder / "truth").exists()


def test_a_neighbour_that_has_not_run_is_named_with_its_command(folder: Path) -> None:
    result = engine("run", "pr_1.toml")
    assert result.exit_code == 1
    assert re.search(r"^error: .*engine run \S*truth\.toml", result.stderr)


def test_a_run_ends_with_the_newest_summary_and_does_nothing_twice(done: Path) -> None:
    result = engine("run", str(done / "pr_1.toml"))
    assert result.exit_code == 0
    assert "pr_1: nothing to do, 2 steps kept" in result.stdout
    assert re.search(r"^  particles +6$", result.stdout, re.MULTILINE)


def test_of_many_projects_those_with_nothing_to_do_take_a_line_each(done: Path) -> None:
    assert engine("run", str(done)).stdout.splitlines() == [
        "truth: nothing to do, 1 step kept",
        "pr_1: nothing to do, 2 steps kept",
    ]


def test_the_plan_says_why_and_does_nothing(folder: Path) -> None:
    result = engine("run", ".", "--plan")
    assert result.exit_code == 0
    assert "pr_1: 2 to do" in result.stdout
    assert re.search(r"do +ite_0001 +not there yet", result.stdout)
    assert not (folder / "pr_1").exists()


def test_a_stale_step_stops_a_run_and_names_the_command(done: Path, tmp_path: Path) -> None:
    for name in ("truth", "pr_1"):
        (tmp_path / f"{name}.toml").write_bytes((done / f"{name}.toml").read_bytes())
        shutil.copytree(done / name, tmp_path / "disk" / name)
        (tmp_path / name).symlink_to(tmp_path / "disk" / name)
    path = tmp_path / "pr_1.toml"
    path.write_text(ALIGNMENT.replace("lowpass_fpx = 5", "lowpass_fpx = 4"))
    result = engine("run", "--follow-links", str(path))
    assert result.exit_code == 1
    assert "--redo stale" in result.stderr
    assert "stale  ite_0001" in engine("run", str(path), "--plan").stdout


def test_ctrl_c_says_how_to_go_on(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from importlib import import_module

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(import_module("engine.run"), "run", interrupted)
    result = engine("run", "truth.toml", "pr_1.toml", "--workers", "2", "--redo", "ite_0001")
    assert result.exit_code == 4
    # what follows from the redone step is stale by now, so the way on must name it
    assert "engine run truth.toml pr_1.toml --workers 2 --redo stale\n" in result.stderr
    assert "--redo" not in engine("run", "truth.toml").stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGUSR1])
def test_a_real_ctrl_c_leaves_a_run_that_goes_on(folder: Path, number: signal.Signals) -> None:
    text = TRUTH.replace("count = 6", "count = 20000")
    (folder / "truth.toml").write_text(text)
    with subprocess.Popen(
        [*ENGINE, "run", "truth.toml"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as run:
        assert run.stdout is not None
        assert "to do" in run.stdout.readline()
        time.sleep(0.3)
        run.send_signal(number)
        _, errors = run.communicate(timeout=60)
    assert run.returncode == 4
    assert "engine run truth.toml" in errors
    assert "Traceback" not in errors
    (folder / "truth.toml").write_text(TRUTH)
    assert engine("run", "truth.toml").exit_code == 0


def test_ctrl_c_while_a_command_is_imported_is_one_word() -> None:
    code = """
import sys
class Interrupted:
    def find_spec(self, name, path=None, target=None):
        if name == WHERE:
            raise KeyboardInterrupt
sys.meta_path.insert(0, Interrupted())
sys.argv = ["engine", "check", "."]
from engine.cli import main
main()"""
    for where in ("typer", "engine.check", "numpy"):
        done = subprocess.run([sys.executable, "-c", f"WHERE = {where!r}{code}"], capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (4, "stopped\n"), where


def test_a_held_lock_has_its_own_exit_code(folder: Path) -> None:
    from engine.store import Store

    with Store(folder / "truth").lock():
        result = engine("run", "truth.toml")
    assert result.exit_code == 5
    assert re.fullmatch(
        rf"error: .*truth: process {os.getpid()} on .* \(wait for it, or engine stop .*truth\.toml\)\n", result.stderr
    )


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (["check", "nowhere.toml"], 1, "there is no such file"),
        (["run", "nowhere.toml"], 2, "there is no such file"),
        (["run", "truth.toml", "--gpus", "one"], 2, "--gpus"),
        (["run", "truth.toml", "--workers", "0"], 2, "--workers"),
        (["new", "fantom", "x"], 1, 'did you mean "phantom"'),
        (["query", "truht:table"], 1, "did you mean 'truth'"),
        (["query", "truth:tabel"], 1, "did you mean 'table'"),
        (["query", "truth"], 1, "engine run"),
        (["query", ":a"], 1, "the name of the project is missing"),
        (["query", "truth:t", "--path", "-o", "z.csv"], 1, "-o and --path do not go together"),
        (["query", "truth:t", "--path", "--sort", "cc"], 1, "leave out --where"),
        (["query", "truth:t", "-o", "z.csv", "--star", "relion4"], 1, "add -o FILE.star"),
        (["new", "alignment", "a b"], 1, '"a b" cannot stand in an address (rename it'),
        (["nonsense"], 2, "No such command"),
        (["run"], 2, "Missing argument"),
    ],
)
def test_what_a_user_can_put_right_is_one_line_and_no_traceback(
    folder: Path, words: list[str], code: int, text: str
) -> None:
    result = engine(*words)
    assert result.exit_code == code
    assert text in result.stderr
    assert "Traceback" not in result.output


def test_notes_of_an_error_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    error = EngineError("particle 3 is constant")
    error.add_note("in step ite_0001 of pr_1")
    show.error(error)
    assert capsys.readouterr().err == "error: particle 3 is constant\n  in step ite_0001 of pr_1\n"


def test_new_writes_a_project_and_says_what_comes_next(folder: Path) -> None:
    result = engine("new", "average", "sum_1")
    assert result.exit_code == 0
    assert "engine check sum_1.toml" in result.stdout
    assert (folder / "sum_1.toml").is_file()
    assert engine("new", "average", "sum_1").exit_code == 1


def test_a_file_in_place_of_the_store_is_one_line_with_what_to_do(folder: Path) -> None:
    (folder / "truth").write_text("")
    result = engine("run", "truth.toml")
    assert result.exit_code == 2
    assert "E212 truth: is a file where the folder of the results belongs (move it away)" in result.stderr


def test_status_is_one_line_a_project(done: Path) -> None:
    lines = engine("status", str(done)).stdout.splitlines()
    assert lines[0].startswith("pr_1: 2 of 2 steps, ite 1")
    assert lines[1] == "truth: 1 of 1 step"
    assert [one["n_done"] for one in json.loads(engine("status", str(done), "--json").stdout)] == [2, 1]


def test_schema_writes_where_it_is_told(tmp_path: Path) -> None:
    assert engine("schema", str(tmp_path / "schemas")).exit_code == 0
    assert (tmp_path / "schemas" / "alignment.schema.json").is_file()


def test_a_log_gets_at_most_one_line_in_half_a_minute(capsys: pytest.CaptureFixture[str]) -> None:
    from engine.cli.progress import Lines
    from engine.events import ChunkDone, ProjectDone, ProjectStarted

    now = iter(range(0, 1000, 6))
    lines = Lines([], clock=lambda: float(next(now)))
    lines(ProjectStarted("pr_1", 3, 3))
    for done in range(20):
        lines(ChunkDone("pr_1", "ite_0001", done, 20))
    lines(ProjectDone("pr_1", 3, 0, 12.0))
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == "pr_1: 3 steps to do, 0 kept"
    assert printed[-1] == "pr_1: done, 3 steps in 12 s"
    assert 2 <= len(printed) - 2 <= 5


def test_on_a_terminal_bars_come_and_go_and_the_summary_stays(folder: Path) -> None:
    leader, follower = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "100"}
    run = subprocess.Popen([*ENGINE, "run", "truth.toml"], stdout=follower, stderr=follower, env=environment)
    os.close(follower)
    seen = b""
    while True:
        try:
            part = os.read(leader, 65536)
        except OSError:  # a terminal without writers reads as an error on Linux
            break
        if not part:
            break
        seen += part
    os.close(leader)
    assert run.wait(timeout=60) == 0
    assert b"truth: done, 1 step in" in seen
    assert re.search(rb"particles +6", seen)
    assert b"\x1b[" in seen


def test_the_python_door_opens_on_the_same_rooms(done: Path) -> None:
    import engine as door

    assert door.load(done / "truth.toml").kind == "phantom"
    assert [one.faults for one in door.check(done)] == [[], []]
    assert [outcome.stored for outcome in door.run([done])] == [(), ()]
    assert len(door.query("pr_1:table", folder=done).value) == 6
    import engine.run

    assert door.run is engine.run
    assert callable(engine.run.run)


def test_importing_the_package_is_light() -> None:
    code = "import sys, engine; print(engine.__version__, *({'numpy', 'pydantic', 'typer'} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert re.fullmatch(r"[\w.]+ ?\n", result.stdout)


def test_a_plan_names_projects_of_one_name_by_their_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "truth.toml").write_text(TRUTH)
    (tmp_path / "b" / "more.toml").write_text(TRUTH)
    told = json.loads(engine("run", "a", "b", "--plan", "--json").stdout)
    assert set(told) == {"a/truth.toml", "b/truth.toml", "more"}


def test_one_damaged_file_keeps_nobody_from_asking_how_far_the_others_are(
    done: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(done, tmp_path / "done")
    monkeypatch.chdir(tmp_path / "done")
    (tmp_path / "done" / "pr_1" / "ite_0001.h5").write_bytes(b"torn")
    result = engine("status", ".")
    assert result.exit_code == 0
    damaged, whole = result.stdout.splitlines()
    assert damaged.startswith("pr_1: 2 of 2 steps, ")
    assert "pr_1/ite_0001.h5: not a whole results file" in damaged
    assert whole == "truth: 1 of 1 step"


def test_numbers_that_are_none_are_refused(done: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(done)
    for sigma in ("nan", "inf"):
        result = engine("show", "pr_1:average", "--dry-run", "--sigma", sigma)
        assert result.exit_code == 1
        assert f"a surface at {sigma} deviations is none" in result.stderr
    assert engine("status", ".", "--watch", "--every", "inf").exit_code == 2
