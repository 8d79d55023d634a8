"""How large a foreign file may be: refused before a parser meets it, and before memory is taken.

The caps lie above all that people have, and low enough that a file within them is read in minutes and a few GB.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from engine.faults import EngineError

LARGEST_TEXT_BYTES = 500_000_000
"""Tables, STAR files and atomic models: a million particles take 250 MB as .tbl, and some 3 GB while they are read."""

LARGEST_LIST_BYTES = 10_000_000
"""Markers, and lists with a line for each tomogram: 100 000 lines of 100 characters."""

LARGEST_MODEL_BYTES = 100_000_000
"""IMOD's and MATLAB's models: eight million points."""

MOST_PACKED_TIMES = 1100
"""No zlib stream unpacks to more than 1032 times its length; LZW's share of a TIFF strip is smaller."""


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
    """EngineError when so many bytes would not fit into the memory that is free."""
    if n_bytes > (free := free_bytes()):
        raise EngineError(
            f"{path}: takes {n_bytes / 2**30:.1f} GiB of memory, {free / 2**30:.1f} GiB are free; "
            "bin or crop it, or use a machine with more"
        )


def free_bytes() -> int:
    """What a process may take without others being stopped for it; where the system does not tell, all there is."""
    try:
        lines = Path("/proc/meminfo").read_text("ascii").splitlines()
        told = {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines)}
        return (told["MemAvailable"] + told["SwapFree"]) * 1024
    except (OSError, KeyError):
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
