"""Times that a forecast rests on: each is measured once on a machine, and only where somebody asks for time.

What is timed is the processor's time of one thread, so that a busy machine tells nearly the same as an idle one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache, wraps
from typing import Any, ParamSpec, TypeVar

import numpy as np
from threadpoolctl import threadpool_limits

from engine import calibration

PACE_S = 0.3
"""How long the pace is looked at."""

_SIDE = 256

Asked = ParamSpec("Asked")
Time = TypeVar("Time")

_is_asked: ContextVar[bool] = ContextVar("time is asked for", default=True)
_first: ContextVar[Callable[[], None]] = ContextVar("done before anything is measured", default=lambda: None)


def measured(nothing: Time) -> Callable[[Callable[Asked, Time]], Callable[Asked, Time]]:
    """A function that measures a time, or several as a NamedTuple: on one machine the same is measured once.

    nothing is given where no time is asked for. The arguments say in their repr all that they are.
    """

    def keep(measure: Callable[Asked, Time]) -> Callable[Asked, Time]:
        @lru_cache(maxsize=32)
        def kept(*args: Asked.args, **others: Asked.kwargs) -> Time:
            what = f"{measure.__module__}.{measure.__qualname__}{args}{sorted(others.items())}: {nothing}"

            def now() -> tuple[float, ...]:
                _first.get()()
                return _numbers(measure(*args, **others))

            return _made(nothing, calibration.kept(what, now, pace))

        @wraps(measure)
        def asked(*args: Asked.args, **others: Asked.kwargs) -> Time:
            return kept(*args, **others) if _is_asked.get() else nothing  # type: ignore[arg-type]

        return asked

    return keep


def _numbers(times: Any) -> tuple[float, ...]:
    return tuple(times) if isinstance(times, tuple) else (float(times),)


def _made(like: Any, numbers: tuple[float, ...]) -> Any:
    several: Any = type(like)
    return several(*numbers) if isinstance(like, tuple) else numbers[0]


@lru_cache(maxsize=1)
def pace() -> float:
    """The seconds that a core takes for a fixed piece of work, as this process found them.

    A product of matrices, a function and a gather: arithmetic and memory, in buffers that are there before, since what it takes
    to get memory from the system depends on what the process has done.
    """
    generator = np.random.default_rng(0)
    matrix = generator.random((_SIDE, _SIDE), dtype=np.float32)
    values = generator.random(1 << 20, dtype=np.float32)
    places = generator.integers(0, values.size, 1 << 16)
    product, found = np.empty_like(matrix), np.empty(places.size, np.float32)

    def piece() -> None:
        np.matmul(matrix, matrix, out=product)
        np.take(values, places, out=found, mode="clip")
        np.exp(found, out=found)

    with threadpool_limits(1):
        piece()
        n_done, start = 0, time.thread_time()
        while (spent := time.thread_time() - start) < PACE_S:
            piece()
            n_done += 1
    return spent / n_done


@measured(0.0)
def piece_s() -> float:
    """The seconds of a fixed piece of work, for what is told in such pieces."""
    return pace()


def seconds(action: Callable[[], object], budget_s: float = 0.4) -> float:
    """The median time of an action on one thread, repeated within the budget, once warmed up."""
    times: list[float] = []
    with threadpool_limits(1):
        action()
        start = time.perf_counter()
        while not times or (time.perf_counter() - start < budget_s and len(times) < 9):
            before = time.thread_time()
            action()
            times.append(time.thread_time() - before)
    return float(np.median(times))


@contextmanager
def after(first: Callable[[], None]) -> Iterator[None]:
    """Inside, first() is called before anything is measured; where all times are known already, it is not."""
    before = _first.set(first)
    try:
        yield
    finally:
        _first.reset(before)


@contextmanager
def sizes_alone() -> Iterator[None]:
    """Inside, no time is measured: all are nothing. Memory and disk stay what they are."""
    before = _is_asked.set(False)
    try:
        yield
    finally:
        _is_asked.reset(before)
