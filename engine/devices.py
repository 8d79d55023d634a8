"""Devices: which arrays live where, and how work is spread over workers."""

from __future__ import annotations

import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from itertools import islice
from threading import Lock
from typing import Any, TypeVar

import numpy as np
from threadpoolctl import threadpool_limits

from engine.faults import EngineError
from engine.workers import Team, can_fork

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


@contextmanager
def matrix_units(array: Any) -> Iterator[None]:
    """Inside, float32 matrix products where the array lives may round their factors to 11 bits (tf32), on a GPU.

    For screening only: what is reported is computed outside.
    """
    xp = namespace(array)
    if xp is np:
        yield
        return
    handle = xp.cuda.device.get_cublas_handle()
    before = xp.cuda.cublas.getMathMode(handle)
    xp.cuda.cublas.setMathMode(handle, xp.cuda.cublas.CUBLAS_TF32_TENSOR_OP_MATH)
    try:
        yield
    finally:
        xp.cuda.cublas.setMathMode(handle, before)


COUNT = "import cupy; print(cupy.cuda.runtime.getDeviceCount())"


@lru_cache(maxsize=1)
def visible_gpus() -> tuple[int, ...]:
    """Numbers of the GPUs that CuPy can use here; empty without CuPy, a driver or a card.

    Another process counts them: where a driver has been started, workers that use it cannot be forked any more.
    """
    if find_spec("cupy") is None:
        return ()
    counted = subprocess.run([sys.executable, "-c", COUNT], capture_output=True, text=True, check=False)
    return tuple(range(int(counted.stdout))) if counted.returncode == 0 else ()


def chosen_gpus(asked: tuple[int, ...] | str) -> tuple[int, ...]:
    """The GPUs to use: "all" gives every visible one, possibly none; a listed GPU that is not there is an EngineError."""
    have = visible_gpus()
    if asked == "all":
        return have
    absent = [number for number in asked if number not in have]
    if absent:
        raise EngineError(
            f"compute.gpus: no GPU {absent[0]} here; visible: {list(have) or 'none'} (use gpus = [] for the CPU)"
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
    """How a step may work: workers or GPUs, the size of its chunks, whom to tell, and whom to ask whether to stop.

    None of it changes a result: chunks are handed out and returned in order, and each worker computes with one BLAS thread.
    """

    workers: int = 1
    gpus: tuple[int, ...] = ()
    chunk: int = 16
    progress: Callable[[int, int], None] = _no_progress
    check: Callable[[], None] = _go_on
    note: Callable[[str], None] = _no_note

    def map(self, function: Callable[[Job], Result], jobs: Iterable[Job]) -> Iterator[Result]:
        """The results in the order of the jobs; at most a few jobs per worker are in flight at any time.

        Several workers, or GPUs, are processes (threads where processes cannot be forked): function changes nothing of the
        caller's, and what it gives lies in the host's memory.
        """
        n_workers, jobs = len(self.gpus) or self.workers, list(jobs)
        # One job is not worth a fork; but where workers are forked, no GPU's driver may be started.
        is_alone = n_workers == 1 or (len(jobs) <= 1 and not self.gpus)
        with threadpool_limits(1):
            if is_alone:
                yield from self._map_here(function, jobs)
            elif can_fork():
                yield from self._map_in_processes(function, jobs, n_workers)
            else:
                yield from self._map_in_threads(function, jobs, n_workers)

    def _map_here(self, function: Callable[[Job], Result], jobs: Iterable[Job]) -> Iterator[Result]:
        for job in jobs:
            self.check()
            with self.device(0):
                yield function(job)

    def _on_device(self, function: Callable[[Job], Result]) -> Callable[[int, Job], Result]:
        def on_device(number: int, job: Job) -> Result:
            with self.device(number):
                return function(job)

        return on_device

    def _map_in_processes(self, function: Callable[[Job], Result], jobs: list[Job], n_workers: int) -> Iterator[Result]:
        self.check()
        team = Team(self._on_device(function), jobs, n_workers)
        try:
            yield from team.results(self.check)
        finally:
            team.dismiss()

    def _map_in_threads(
        self, function: Callable[[Job], Result], jobs: Iterable[Job], n_threads: int
    ) -> Iterator[Result]:
        on_device = self._on_device(function)
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
        """A function that gives what make() builds on the calling worker's device, built once on each.

        On the CPU it is built here and now: forked workers then share it.
        """
        made: dict[int, Result] = {} if self.gpus else {-1: make()}
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
