"""A campaign of six particles and one iteration, and the command line as a function: what several files of tests share."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner, Result

from engine.cli.commands import app

TRUTH = """\
kind = "phantom"
[object]
blobs = 8
radius_px = 2
[boxes]
count = 6
box_px = 24
[start]
template_lowpass_fpx = 4
"""
ALIGNMENT = """\
kind = "alignment"
[data]
particles = "truth:particles"
table = "truth:table"
template = "truth:template"
[[rounds]]
iterations = 1
cone = { range_deg = 10, step_deg = 5 }
azimuth = { range_deg = 0 }
refine = { levels = 0 }
shifts = { limits_xyz_px = [2, 2, 2] }
bandpass = { highpass_fpx = 0, lowpass_fpx = 5 }
"""


def engine(*words: str) -> Result:
    return CliRunner().invoke(app, list(words), prog_name="engine", catch_exceptions=False)


def written(folder: Path) -> Path:
    """The folder, with the campaign's files in it."""
    (folder / "truth.toml").write_text(TRUTH)
    (folder / "pr_1.toml").write_text(ALIGNMENT)
    return folder


def run(folder: Path) -> Path:
    """The folder, with a campaign in it that has been run."""
    result = engine("run", str(written(folder)), "--gpus", "none")
    assert result.exit_code == 0, result.output
    return folder
