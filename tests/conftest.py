"""What all tests share: quiet Hypothesis deadlines, and the real data beside the checkout when it is there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import small_phantom as small_phantom_campaign
from hypothesis import settings

settings.register_profile("engine", deadline=None, max_examples=40)
settings.load_profile("engine")


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory) -> None:
    """What the engine keeps for a user is kept for the tests alone."""
    os.environ["ENGINE_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data; without it the test is skipped, and says so."""
    folder = Path(os.environ.get("ENGINE_TEST_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"real data absent: {folder} (set ENGINE_TEST_DATA)")
    return folder


def results(_: str, names: list[str]) -> list[str]:
    """The names in a folder that are results of the project files beside them, or data that was brought along."""
    return [name for name in names if f"{name}.toml" in names or name == "data"]


@pytest.fixture(scope="session")
def quickstart(tmp_path_factory) -> Path:
    """A folder that holds projects/quickstart as it ships, run to its end by the command line."""
    folder = tmp_path_factory.mktemp("quickstart")
    shutil.copytree(Path(__file__).resolve().parents[1] / "projects", folder / "projects", ignore=results)
    shutil.copytree(Path(__file__).resolve().parents[1] / "schemas", folder / "schemas")
    command = [sys.executable, "-m", "engine", "run", "projects/quickstart"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=300)
    return folder


@pytest.fixture(scope="session")
def small_phantom(tmp_path_factory) -> Path:
    """The folder of the campaign hiv1-phantom on two small tomograms, run to its end by the command line."""
    folder = small_phantom_campaign.write(tmp_path_factory.mktemp("small") / "hiv1-phantom")
    subprocess.run([sys.executable, "-m", "engine", "run", str(folder)], check=True, capture_output=True, timeout=1500)
    return folder
