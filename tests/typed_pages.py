"""Pages whose commands and lines of Python are run by tests."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def blocks(page: str, language: str) -> list[str]:
    """The code blocks of a page in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", page, flags=re.MULTILINE | re.DOTALL)


def lines(found: list[str]) -> list[str]:
    """The commands of shell blocks."""
    return [line for block in found for line in block.splitlines() if line]


def run_command(folder: Path, command: str) -> None:
    """Runs `engine …` in the folder; what it writes must be there. The example addresses of a new file lead nowhere yet."""
    words = shlex.split(command)
    assert words[0] == "engine"
    done = subprocess.run(
        [sys.executable, "-m", *words], cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )
    is_faulty = "first/" in command and words[1] == "check"
    assert done.returncode == (1 if is_faulty else 0), done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert_written(folder, words)


def assert_written(folder: Path, words: list[str]) -> None:
    """Every file that a command names behind -o is there, and holds something."""
    for option, name in pairwise(words):
        assert option not in ("-o", "--output") or (folder / name).stat().st_size > 0


def run_python(folder: Path, code: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
