"""Being asked to stop: the particles in hand are finished, and a second Ctrl-C or SIGTERM stops at once.

A terminal sends SIGINT, a batch system SIGTERM, or SIGUSR1 some time before the limit (`--signal`), `engine stop` SIGUSR1. An
exception raised wherever the program happens to be can get lost in a callback of some library; so the first is only written
down, and asked for at the places where stopping is safe. Batch systems may send SIGUSR1 to all they started, and twice: it
never stops at once.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

SOFT = signal.SIGUSR1
SIGNALS = (signal.SIGINT, signal.SIGTERM, SOFT)


class Interrupt:
    """Whether somebody has asked to stop."""

    def __init__(self, tell: Callable[[], None]) -> None:
        self._is_asked = False
        self._tell = tell

    def ask(self, number: int, frame: FrameType | None) -> None:
        """The signal's handler."""
        if not self._is_asked:
            self.request()
        elif number != SOFT:
            raise KeyboardInterrupt

    def request(self) -> None:
        """As the first signal does."""
        self._is_asked = True
        self._tell()

    def check(self) -> None:
        """A KeyboardInterrupt when a stop was asked for."""
        if self._is_asked:
            raise KeyboardInterrupt


@contextmanager
def watched(tell: Callable[[], None]) -> Iterator[Interrupt]:
    """Inside, a signal is written down and told; outside the main thread, where Python has no handlers, nothing changes."""
    interrupt = Interrupt(tell)
    if threading.current_thread() is not threading.main_thread():
        yield interrupt
        return
    before = {number: signal.signal(number, interrupt.ask) for number in SIGNALS}
    try:
        yield interrupt
    finally:
        for number, handler in before.items():
            # None is a handler that was not set from Python, and cannot be set from it
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
