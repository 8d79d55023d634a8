"""Times that a forecast rests on: each is measured once in a process, and only where somebody asks for time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache, wraps
from typing import ParamSpec, TypeVar

Asked = ParamSpec("Asked")
Time = TypeVar("Time")

_is_asked: ContextVar[bool] = ContextVar("time is asked for", default=True)


def measured(nothing: Time) -> Callable[[Callable[Asked, Time]], Callable[Asked, Time]]:
    """A function that measures a time: the same again is not measured again. nothing is given where no time is asked for."""

    def keep(measure: Callable[Asked, Time]) -> Callable[Asked, Time]:
        kept = lru_cache(maxsize=32)(measure)

        @wraps(measure)
        def asked(*args: Asked.args, **others: Asked.kwargs) -> Time:
            return kept(*args, **others) if _is_asked.get() else nothing  # type: ignore[arg-type]

        return asked

    return keep


@contextmanager
def sizes_alone() -> Iterator[None]:
    """Inside, no time is measured: all are nothing. Memory and disk stay what they are."""
    before = _is_asked.set(False)
    try:
        yield
    finally:
        _is_asked.reset(before)
