"""The command line: the only room that prints, colours or exits. The commands are in `commands`."""

from __future__ import annotations

import gc
import io
import os
import signal
import sys
import warnings
from typing import TextIO

DONE, FAILED, INVALID, UNSAFE, INTERRUPTED, LOCKED = range(6)
"""Exit codes; click's own usage errors are 2 as well. Interrupted is what Ctrl-C or a batch system ends."""

OBJECTS_BETWEEN_COLLECTIONS = 50_000
"""New objects after which garbage is looked for. At Python's 700 a tenth of a command's start goes into that, in vain."""


def main() -> None:
    """The command that was typed. Ctrl-C is one word from the first moment on, so nothing is imported outside; so is what a
    batch system sends.

    What a terminal has no letters for is printed as \\u2192, and the traceback of what should not happen cannot steer it.
    """
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS)
    os.environ.setdefault(
        "PYDANTIC_DISABLE_PLUGINS", "__all__"
    )  # no other package has a say in what a project file means
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    warnings.showwarning = _warn
    for number in (signal.SIGTERM, signal.SIGUSR1):  # of batch systems, which send SIGUSR1 before the limit
        signal.signal(number, signal.default_int_handler)
    try:
        from engine.cli.commands import app

        app(prog_name="engine")
    except KeyboardInterrupt:
        sys.stderr.write("stopped\n")
        sys.exit(INTERRUPTED)
    except Exception:
        from traceback import format_exc

        from engine.cli.show import complain

        complain(format_exc().rstrip())
        sys.exit(1)


def _warn(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """What a library warns of, in a line."""
    from engine.cli.show import complain

    complain(f"{category.__name__}: {message} ({filename}:{lineno})")
