"""What several files of tests of kinds share."""

import aligned
import pytest


@pytest.fixture(scope="session")
def phantom():
    """The particles that the tests of `alignment` align; other files have phantoms of their own."""
    return aligned.phantom()
