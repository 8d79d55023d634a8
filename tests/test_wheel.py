"""What the wheel holds: nothing that unpickles, evaluates text, starts a shell or calls another machine.

Hooks are the one exception: `kinds/hooks.py` runs a function of the campaign's own, which the project names and its key holds.
Workers are forks that send numbers through pipes of multiprocessing; only a process and its own children hold the ends.
"""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from fnmatch import fnmatch
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]

MODULES = {
    "cPickle", "cloudpickle", "code", "dill", "ftplib", "http", "joblib", "jsonpickle", "marshal", "pickle", "requests",
    "runpy", "shelve", "smtplib", "socketserver", "telnetlib", "torch", "urllib", "urllib3", "webbrowser", "xmlrpc", "yaml",
}  # fmt: skip
CALLS = {"eval", "exec", "compile", "__import__", "breakpoint", "input"}
METHODS = {
    "system",
    "popen",
    "spawnl",
    "spawnv",
    "connect",
    "create_connection",
    "getoutput",
    "getstatusoutput",
    "read_pickle",
}
WORDS = {"allow_pickle=True", "shell=True", "weights_only=False", "HDF5_PLUGIN_PATH"}
HOST = re.compile(r"\b(?:https?|ftp|wss?)://([^/\s\"']+)")
NAMED_ONLY = {"json-schema.org"}
"""Stands in the schemas as the name of their dialect; nothing is fetched from there."""
HARMLESS = {"platform.system"}
"""Says what system it is."""
EXCEPTIONS = {"engine/kinds/hooks.py": {"exec", "compile"}}


def packaged() -> dict[str, str]:
    """Name in the wheel to text: every .py of the packages that pyproject.toml includes, and their data."""
    patterns, data = SETTINGS["packages"]["find"]["include"], SETTINGS["package-data"]
    found = {}
    for path in sorted(ROOT.glob("*/**/*")):
        name = path.relative_to(ROOT).as_posix()
        package = name.split("/")[0]
        is_ours = any(fnmatch(package, pattern) for pattern in patterns) and "__pycache__" not in name
        inner = name.partition("/")[2]
        if is_ours and (path.suffix == ".py" or any(fnmatch(inner, one) for one in data.get(package, ()))):
            found[name] = path.read_text("utf-8")
    return found


def suspicions(name: str, text: str) -> Iterator[str]:
    """What in a source could run what it reads, or reach another machine; each with its line."""
    for found in HOST.finditer(text):
        if found[1] not in NAMED_ONLY:
            yield f"{name}: the host {found[1]}"
    if not name.endswith(".py"):
        return
    allowed = EXCEPTIONS.get(name, set())
    for node in ast.walk(ast.parse(text)):
        where = f"{name}:{getattr(node, 'lineno', 0)}"
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [one.name for one in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            yield from (f"{where}: imports {one}" for one in names if one.split(".")[0] in MODULES)
        elif isinstance(node, ast.Call):
            called = getattr(node.func, "id", "")
            if called in CALLS - allowed:
                yield f"{where}: calls {called}"
            if getattr(node.func, "attr", "") in METHODS and ast.unparse(node.func) not in HARMLESS:
                yield f"{where}: calls {node.func.attr}"
            for keyword in node.keywords:
                if f"{keyword.arg}={ast.unparse(keyword.value)}" in WORDS:
                    yield f"{where}: {keyword.arg}={ast.unparse(keyword.value)}"
    for word in WORDS:
        if word in text:
            yield f"{name}: {word}"


def test_nothing_in_the_wheel_runs_what_it_reads_or_calls_another_machine() -> None:
    sources = packaged()
    assert {"engine/__init__.py", "engine/kernels/score.cu", "engine/store/reading.py"} <= set(sources)
    assert [one for name, text in sources.items() for one in suspicions(name, text)] == []


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("import pickle", "imports pickle"),
        ("from urllib.request import urlopen", "imports urllib.request"),
        ("def f():\n    import yaml.x", "a.py:2: imports yaml.x"),
        ("eval('1')", "calls eval"),
        ("exec(compile(text, 'a', 'exec'))", "calls exec"),
        ("os.system('ls')", "calls system"),
        ("subprocess.run('ls', shell=True)", "shell=True"),
        ("numpy.load(path, allow_pickle = True)", "allow_pickle=True"),
        ("socket.create_connection(('a', 1))", "calls create_connection"),
        ("X = 'https://example.org/a'", "the host example.org"),
    ],
)
def test_what_is_looked_for_is_found(text: str, told: str) -> None:
    assert any(told in one for one in suspicions("a.py", text))


def test_the_one_exception_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    hooks = "engine/kinds/hooks.py"
    monkeypatch.setitem(EXCEPTIONS, hooks, set())
    found = list(suspicions(hooks, packaged()[hooks]))
    assert len(found) == 2
    assert all("calls exec" in one or "calls compile" in one for one in found)


def test_the_wheel_is_what_was_looked_through(tmp_path: Path) -> None:
    try:
        if int(version("setuptools").split(".")[0]) < 77:
            pytest.skip("setuptools is older than what builds the wheel")
    except PackageNotFoundError:
        pytest.skip("setuptools is not installed")
    copy = tmp_path / "copy"
    shutil.copytree(ROOT / "engine", copy / "engine", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    build = "import sys; from setuptools.build_meta import build_wheel; print(build_wheel(sys.argv[1]))"
    subprocess.run([sys.executable, "-c", build, str(tmp_path)], cwd=copy, check=True, capture_output=True, timeout=300)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as held:
        inside = {name for name in held.namelist() if ".dist-info/" not in name}
        assert inside == set(packaged())
        assert [one for name in inside for one in suspicions(name, held.read(name).decode())] == []
