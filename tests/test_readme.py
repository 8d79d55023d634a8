"""Every command and every line of Python in the README runs, in its order: on the quickstart as it ships, and on the campaign
hiv1-phantom with two small tomograms, which has been run before.
"""

import re
import shutil

import pytest
from typed_pages import ROOT, blocks, lines, run_command, run_python

README = (ROOT / "README.md").read_text("utf-8")
COMMANDS = lines(blocks(README, "sh")[1:])
"""Of all shell blocks but the first, which installs and tests; .ci/run runs that one."""


@pytest.fixture(scope="module")
def folder(quickstart, small_phantom, tmp_path_factory):
    copy = tmp_path_factory.mktemp("readme") / "checkout"
    shutil.copytree(quickstart, copy)
    shutil.rmtree(copy / "projects" / "hiv1-phantom")
    shutil.copytree(small_phantom, copy / "projects" / "hiv1-phantom")
    return copy


def test_the_first_block_installs_and_runs_then_tests():
    install, test = blocks(README, "sh")[0].splitlines()
    assert install.endswith("engine run projects/quickstart")
    assert test == ".venv/bin/python -m pytest"


@pytest.mark.parametrize("command", COMMANDS)
def test_the_command_runs(folder, command):
    run_command(folder, command)


@pytest.mark.parametrize("code", blocks(README, "python"))
def test_the_python_runs(folder, code):
    run_python(folder, code)


def test_links_lead_to_files():
    links = re.findall(r"\]\(([^)#]+)", README)
    assert any(link.startswith("docs/") for link in links)
    assert not [link for link in links if not (ROOT / link).exists()]


def test_the_first_run_is_as_near_to_the_truth_as_the_readme_says(quickstart):
    import engine

    summary = engine.query(f"{quickstart}/projects/quickstart/truth:summary").value
    assert "a median angular error below 1°, a median shift error below a\ntenth of a pixel" in README
    assert summary["median angle error (deg)"] < 1
    assert summary["median shift error (px)"] < 0.1
