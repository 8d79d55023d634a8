"""The command line: the only room that prints, colours or exits. The commands are in `commands`."""

from __future__ import annotations

import sys

INTERRUPTED = 4
"""Exit code after Ctrl-C."""


def main() -> None:
    """The command that was typed. Ctrl-C is one word from the first moment on, so nothing is imported outside."""
    try:
        from engine.cli.commands import app

        app(prog_name="engine")
    except KeyboardInterrupt:
        sys.stderr.write("stopped\n")
        sys.exit(INTERRUPTED)
