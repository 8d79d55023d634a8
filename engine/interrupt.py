"""Ctrl-C in two steps: the first lets the particles in hand be finished, the second stops at once.

An exception raised wherever the program happens to be can get lost in a callback of some library; so the first Ctrl-C is only
written down, and asked for at the places where stopping is safe.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


class Interrupt:
    """Whether the user has asked to stop."""

    def __init__(self, tell: Callable[[], None]) -> None:
        self._is_asked = False
        self._tell = tell

    def ask(self, number: int, frame: FrameType | None) -> None:
        """The signal's handler."""
        if self._is_asked:
            raise KeyboardInterrupt
        self._is_asked = True
        self._tell()

    def check(self) -> None:
        """A KeyboardInterrupt when a stop was asked for."""
        if self._is_asked:
            raise KeyboardInterrupt


@contextmanager
def watched(tell: Callable[[], None]) -> Iterator[Interrupt]:
    """Inside, SIGINT is written down and told; outside the main thread, where Python has no handlers, nothing changes."""
    interrupt = Interrupt(tell)
    if threading.current_thread() is not threading.main_thread():
        yield interrupt
        return
    before = signal.signal(signal.SIGINT, interrupt.ask)
    try:
        yield interrupt
    finally:
        signal.signal(signal.SIGINT, before)
