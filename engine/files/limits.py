"""How large a foreign file may be: refused before a parser meets it, and before memory is taken.

The caps lie above all that people have, and low enough that a file within them is read in minutes and a few GB.
"""

from __future__ import annotations

import stat
from pathlib import Path

from engine.faults import EngineError
from engine.memory import available_bytes

LARGEST_TEXT_BYTES = 500_000_000
"""Tables, STAR files and atomic models: a million particles take 250 MB as .tbl, and some 3 GB while they are read."""

LARGEST_LIST_BYTES = 10_000_000
"""Markers, and lists with a line for each tomogram: 100 000 lines of 100 characters."""

LARGEST_MODEL_BYTES = 100_000_000
"""IMOD's and MATLAB's models: eight million points."""

MOST_PACKED_TIMES = 1100
"""No zlib stream unpacks to more than 1032 times its length; LZW's share of a TIFF strip is smaller."""

NEVER_TOO_MUCH_BYTES = 64 << 20
"""The system is not asked about less, which a box of a particle has."""


def refuse_large(path: Path, most_bytes: int) -> None:
    """EngineError for a file of more bytes, and for what is no file: a pipe would be waited for, a device never ends."""
    facts = path.stat()
    if stat.S_ISDIR(facts.st_mode):
        raise IsADirectoryError(path)
    if not stat.S_ISREG(facts.st_mode):
        raise EngineError(f"{path}: is a pipe or a device; give a file")
    if facts.st_size > most_bytes:
        raise too_large(path, most_bytes)


def too_large(path: Path, most_bytes: int) -> EngineError:
    return EngineError(
        f"{path}: is larger than {most_bytes / 1e6:.0f} MB, which no such file is; "
        "check that it is the right one, or split it"
    )


def refuse_beyond_memory(path: Path, n_bytes: int) -> None:
    """EngineError when so many bytes are more than the memory that is left."""
    left = available_bytes() if n_bytes > NEVER_TOO_MUCH_BYTES else None
    if left is not None and n_bytes > left:
        raise EngineError(
            f"{path}: takes {n_bytes / 1e9:.1f} GB of memory, and {left / 1e9:.1f} GB are left; "
            "bin or crop it, or use a machine with more"
        )
