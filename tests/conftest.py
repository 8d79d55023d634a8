"""What all tests share: quiet Hypothesis deadlines, and the real data beside the checkout when it is there."""

from __future__ import annotations

import os
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
