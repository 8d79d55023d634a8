"""The text of a Python file that a project brings along."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import NamedTuple


class Source(NamedTuple):
    """A source file as it was read."""

    path: Path
    code: bytes

    @property
    def digest(self) -> str:
        """What tells this text from another, 16 hexadecimal digits."""
        return hashlib.blake2b(self.code, digest_size=8).hexdigest()
