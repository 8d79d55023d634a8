"""What all tests share: quiet Hypothesis deadlines, and the real data beside the checkout when it is there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("engine", deadline=None, max_examples=40)
settings.load_profile("engine")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data; without it the test is skipped, and says so."""
    folder = Path(os.environ.get("ENGINE_TEST_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"real data absent: {folder} (set ENGINE_TEST_DATA)")
    return folder


@pytest.fixture(scope="session")
def quickstart(tmp_path_factory) -> Path:
    """A folder that holds projects/quickstart as it ships, run to its end by the command line."""
    folder = tmp_path_factory.mktemp("quickstart")
    ignored = shutil.ignore_patterns(
        "best_*[0-9]", "phantom", "post_*[0-9]", "truth", "data", "boxes_*[0-9]", "pr_*[0-9]", "unaligned_*[0-9]"
    )
    shutil.copytree(Path(__file__).resolve().parents[1] / "projects", folder / "projects", ignore=ignored)
    shutil.copytree(Path(__file__).resolve().parents[1] / "schemas", folder / "schemas")
    command = [sys.executable, "-m", "engine", "run", "projects/quickstart"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=300)
    return folder
