"""Devices: which arrays live where, and how work is spread over workers."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from threading import Lock
from typing import Any, TypeVar

import numpy as np
from threadpoolctl import threadpool_limits

from engine.faults import EngineError

READ_AHEAD = 2
"""Items that are read while the one before them is computed."""

Job = TypeVar("Job")
Result = TypeVar("Result")


def namespace(array: Any) -> Any:
    """The module whose functions work on the array where it lives: numpy or cupy."""
    cupy = sys.modules.get("cupy")
    return cupy if cupy is not None and isinstance(array, cupy.ndarray) else np


def ndimage(array: Any) -> Any:
    """The module of scipy.ndimage's functions for the array where it lives."""
    if namespace(array) is np:
        import scipy.ndimage

        return scipy.ndimage
    import cupyx.scipy.ndimage

    return cupyx.scipy.ndimage


def to_host(array: Any) -> np.ndarray:
    """The array in the host's memory; a host array as it is."""
    return np.asarray(array.get() if hasattr(array, "get") else array)


def visible_gpus() -> list[int]:
    """Numbers of the GPUs that CuPy can use here; empty without CuPy or without a driver."""
    try:
        import cupy

        return list(range(cupy.cuda.runtime.getDeviceCount()))
    except (ImportError, RuntimeError, OSError):  # no package, no driver, no library: no GPU
        return []


def chosen_gpus(asked: tuple[int, ...] | str) -> tuple[int, ...]:
    """The GPUs to use: "all" gives every visible one, possibly none; a listed GPU that is not there is an EngineError."""
    have = visible_gpus()
    if asked == "all":
        return tuple(have)
    absent = [number for number in asked if number not in have]
    if absent:
        raise EngineError(
            f"compute.gpus: no GPU {absent[0]} here; visible: {have or 'none'} (use gpus = [] for the CPU)"
        )
    return tuple(int(number) for number in asked)


def _no_progress(done: int, total: int) -> None:
    return None


def _no_note(text: str) -> None:
    return None


def _go_on() -> None:
    return None


@dataclass(frozen=True)
class Work:
    """How a step may work: threads or GPUs, the size of its chunks, whom to tell, and whom to ask whether to stop.

    None of it changes a result: chunks are handed out and returned in order, and each worker computes with one BLAS thread.
    """

    workers: int = 1
    gpus: tuple[int, ...] = ()
    chunk: int = 16
    progress: Callable[[int, int], None] = _no_progress
    check: Callable[[], None] = _go_on
    note: Callable[[str], None] = _no_note

    def map(self, function: Callable[[Job], Result], jobs: Iterable[Job]) -> Iterator[Result]:
        """The results in the order of the jobs; at most a few jobs per worker are in flight at any time."""
        with threadpool_limits(1):
            if len(self.gpus) > 1 or (self.workers > 1 and not self.gpus):
                yield from self._map_in_threads(function, jobs)
            else:
                for job in jobs:
                    self.check()
                    with self.device(0):
                        yield function(job)

    def _map_in_threads(self, function: Callable[[Job], Result], jobs: Iterable[Job]) -> Iterator[Result]:
        n_threads = len(self.gpus) or self.workers

        def on_device(number: int, job: Job) -> Result:
            with self.device(number):
                return function(job)

        pool = ThreadPoolExecutor(n_threads)
        numbered = enumerate(jobs)
        try:
            waiting: list[Future[Result]] = [
                pool.submit(on_device, number, job) for number, job in islice(numbered, 2 * n_threads)
            ]
            while waiting:
                yield waiting.pop(0).result()
                self.check()
                waiting += [pool.submit(on_device, number, job) for number, job in islice(numbered, 1)]
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    @contextmanager
    def ahead(self, read: Callable[[Job], Result], items: Iterable[Job]) -> Iterator[Iterator[Result]]:
        """Inside, read(item) for each item in order; a thread reads the next READ_AHEAD while the caller computes."""
        device = self._current_device()

        def read_here(item: Job) -> Result:
            with self._on(device):
                return read(item)

        def found() -> Iterator[Result]:
            waiting: deque[Future[Result]] = deque()
            for item in items:
                waiting.append(reader.submit(read_here, item))
                if len(waiting) > READ_AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()

        reader = ThreadPoolExecutor(1)
        try:
            yield found()
        finally:
            reader.shutdown(wait=True, cancel_futures=True)

    @contextmanager
    def device(self, number: int) -> Iterator[None]:
        """Inside, new device arrays live on one of the GPUs, chosen by turns; on the CPU nothing happens."""
        with self._on(self.gpus[number % len(self.gpus)] if self.gpus else -1):
            yield

    @contextmanager
    def _on(self, device: int) -> Iterator[None]:
        """Inside, new device arrays live on the GPU of that number; -1 is the CPU."""
        if device < 0:
            yield
            return
        import cupy

        with cupy.cuda.Device(device):
            yield

    def once_per_device(self, make: Callable[[], Result]) -> Callable[[], Result]:
        """A function that gives what make() builds on the calling worker's device, built once on each."""
        made: dict[int, Result] = {}
        lock = Lock()

        def get() -> Result:
            device = self._current_device()
            with lock:
                if device not in made:
                    made[device] = make()
                return made[device]

        return get

    def _current_device(self) -> int:
        if not self.gpus:
            return -1
        import cupy

        return int(cupy.cuda.Device().id)

    def array(self, values: Any) -> Any:
        """The values as an array where this work computes."""
        if not self.gpus:
            return np.asarray(values)
        import cupy

        return cupy.asarray(values)
