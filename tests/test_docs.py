"""The pages in docs: made from the forms where they tell keys, built without a warning, and every command in them runs."""

from __future__ import annotations

import importlib.util
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from xml.etree import ElementTree

import pytest
from small_campaign import engine
from typed_pages import ROOT, assert_written, blocks, lines, run_python

from engine.kinds import KINDS

DOCS = ROOT / "docs"
PAGES = {path.name: path.read_text("utf-8") for path in sorted(DOCS.glob("*.md"))}


def kind_pages() -> dict[str, str]:
    spec = importlib.util.spec_from_file_location("kind_pages", DOCS / "kind_pages.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.pages()


@pytest.mark.parametrize(("name", "text"), kind_pages().items())
def test_the_page_of_a_kind_is_current(name: str, text: str) -> None:
    assert (DOCS / "kinds" / name).read_text("utf-8") == text, "python docs/kind_pages.py writes the pages anew"


def test_a_kinds_page_tells_every_item_and_a_valid_example(tmp_path: Path) -> None:
    from engine.project import read

    for kind, module in KINDS.items():
        page = (DOCS / "kinds" / f"{kind}.md").read_text("utf-8")
        told = {item for item in module.ITEMS if f"`NAME:{item}`" in page}
        assert all(item.startswith("binned_") for item in set(module.ITEMS) - told)  # one of them stands for all
        assert "binned_4" in told or "binned_4" not in module.ITEMS
        (example,) = blocks(page, "toml")
        assert tomllib.loads(example)["kind"] == kind
        path = tmp_path / f"{kind}.toml"
        path.write_text(example, "utf-8")
        assert read(path)[1] == []
        for key in module.Project.model_fields:
            assert f"| `{key}` |" in page


def test_there_is_no_page_of_a_kind_that_is_gone() -> None:
    assert {path.stem for path in (DOCS / "kinds").glob("*.md")} == {*KINDS, "index"}


@pytest.mark.parametrize("path", sorted((DOCS / "drawings").glob("*.svg")), ids=lambda path: path.stem)
def test_a_drawing_is_shown_and_has_a_title(path: Path) -> None:
    assert f"](drawings/{path.name})" in PAGES["conventions.md"]
    root = ElementTree.parse(path).getroot()
    title = root.find("{http://www.w3.org/2000/svg}title")
    assert title is not None
    assert title.text


@pytest.fixture(scope="module")
def folder(quickstart: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the campaigns; the quickstart has been run, the larger ones have not."""
    copy = tmp_path_factory.mktemp("docs") / "checkout"
    shutil.copytree(quickstart, copy)
    return copy


@pytest.mark.parametrize(
    ("page", "command"), [(name, line) for name, text in PAGES.items() for line in lines(blocks(text, "sh"))]
)
def test_the_command_runs(folder: Path, monkeypatch: pytest.MonkeyPatch, page: str, command: str) -> None:
    """In this process, which is quick; README's commands run in processes of their own."""
    words = shlex.split(command)
    assert words[0] == "engine"
    monkeypatch.chdir(folder)
    done = engine(*words[1:])
    assert done.exit_code == 0, done.output
    assert_written(folder, words)


@pytest.mark.parametrize("code", [code for text in PAGES.values() for code in blocks(text, "python")])
def test_the_python_runs(folder: Path, code: str) -> None:
    run_python(folder, code)


def test_sphinx_builds_all_pages_without_a_warning(tmp_path: Path) -> None:
    if not all(importlib.util.find_spec(name) for name in ("sphinx", "myst_parser", "furo")):
        pytest.skip("sphinx, myst-parser or furo is not installed (pip install '.[docs]'): the pages are not built")
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", str(DOCS), str(tmp_path / "html")],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    pages = {path.relative_to(DOCS).with_suffix("") for path in DOCS.rglob("*.md")}
    built = {path.relative_to(tmp_path / "html").with_suffix("") for path in (tmp_path / "html").rglob("*.html")}
    assert pages <= built
    assert "missing_wedge.svg" in (tmp_path / "html" / "conventions.html").read_text("utf-8")
