"""Devices: which arrays live where, and how work is spread over workers."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from itertools import islice
from threading import Lock
from typing import Any, Protocol, TypeVar

import numpy as np
from threadpoolctl import threadpool_limits

from engine.faults import EngineError
from engine.workers import Team, can_fork, is_device_fault

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


ASKING = (sys.executable, "-P", "-c")
"""-P: what lies in the current folder, a campaign of somebody else's perhaps, is not taken for CuPy."""

COUNT = "import cupy; print(cupy.cuda.runtime.getDeviceCount())"


@lru_cache(maxsize=1)
def visible_gpus() -> tuple[int, ...]:
    """Numbers of the GPUs that CuPy can use here; empty without CuPy, a driver or a card.

    Another process counts them: where a driver has been started, workers that use it cannot be forked any more.
    """
    if find_spec("cupy") is None:
        return ()
    counted = subprocess.run([*ASKING, COUNT], capture_output=True, text=True, check=False)
    return tuple(range(int(counted.stdout))) if counted.returncode == 0 else ()


CARDS = """
import json, cupy
r = cupy.cuda.runtime
cards = []
for number in range(r.getDeviceCount()):
    with cupy.cuda.Device(number):
        free, total = r.memGetInfo()
    cards.append([number, r.getDeviceProperties(number)["name"].decode(), free, total])
print(json.dumps([r.driverGetVersion(), r.runtimeGetVersion(), cards]))
"""


@dataclass(frozen=True)
class Card:
    """A GPU and its memory."""

    number: int
    name: str
    free_bytes: int
    total_bytes: int


@dataclass(frozen=True)
class Cards:
    """What CuPy finds here. Versions are CUDA's, as in 12040 for 12.4; problem says why there are no cards."""

    driver: int = 0
    runtime: int = 0
    cards: tuple[Card, ...] = ()
    problem: str = ""


def cards() -> Cards | None:
    """The GPUs as another process sees them; None without CuPy."""
    if find_spec("cupy") is None:
        return None
    asked = subprocess.run([*ASKING, CARDS], capture_output=True, text=True, check=False)
    try:
        driver, runtime, found = json.loads(asked.stdout)
    except ValueError:
        return Cards(problem=(asked.stderr.strip().splitlines() or [f"exit code {asked.returncode}"])[-1])
    return Cards(driver, runtime, tuple(Card(*one) for one in found))


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


def _load_for_all() -> None:
    """SciPy loads its parts when they are first used: before the workers are forked, so that not each of them does so."""
    for part in ("fft", "ndimage", "spatial.transform"):
        import_module(f"scipy.{part}")


def _go_on() -> None:
    return None


class Journal(Protocol):
    """What has been finished of a step that is not stored yet."""

    def begin(self, n: int, width: int) -> tuple[np.ndarray, np.ndarray]:
        """Of the step's next n rows of width numbers: which are finished (n,), and the rows (n, width) float64."""

    def add(self, first: int, rows: np.ndarray) -> None:
        """These rows, from the first on, are finished too."""


class NoJournal:
    """Nothing is finished, and nothing is written down."""

    def begin(self, n: int, width: int) -> tuple[np.ndarray, np.ndarray]:
        return np.zeros(n, dtype=bool), np.empty((n, width))

    def add(self, first: int, rows: np.ndarray) -> None:
        return None


@dataclass(frozen=True)
class Work:
    """How a step may work: workers or GPUs, the size of its chunks, whom to tell, and whom to ask whether to stop.

    journal: where finished rows are written down; resumed is told how many of how many particles were there already.
    None of it changes a result: chunks are put in order, and each worker computes with one BLAS thread.
    """

    workers: int = 1
    gpus: tuple[int, ...] = ()
    chunk: int = 16
    progress: Callable[[int, int], None] = _no_progress
    check: Callable[[], None] = _go_on
    note: Callable[[str], None] = _no_note
    journal: Journal = field(default_factory=NoJournal)
    resumed: Callable[[int, int], None] = _no_progress

    def fair_chunk(self, n: int) -> int:
        """Particles in a chunk of so many: `chunk` at most, and so that no worker has more than its share."""
        n_workers = len(self.gpus) or self.workers
        n_turns = -(-n // (n_workers * self.chunk))
        return -(-n // max(1, n_workers * n_turns)) or 1

    def map(
        self, function: Callable[[Job], Result], jobs: Iterable[Job], describe: Callable[[Job], str] = repr
    ) -> Iterator[Result]:
        """The results in the order of the jobs; at most a few jobs per worker are in flight at any time.

        Several workers, or GPUs, are processes (threads where processes cannot be forked): function changes nothing of the
        caller's, and what it gives lies in the host's memory. describe names a job where it has to be told.
        """
        early: dict[int, Result] = {}
        n_given = 0
        for number, result in self._as_they_come(function, list(jobs), describe):
            early[number] = result
            while n_given in early:
                yield early.pop(n_given)
                n_given += 1

    def rows(
        self,
        function: Callable[[range], np.ndarray],
        jobs: Sequence[range],
        width: int,
        describe: Callable[[range], str] = repr,
    ) -> np.ndarray:
        """The rows of all jobs, (n, width) float64: jobs are runs of 0 … n - 1, function(job) gives a row for each number.

        A finished job survives the program: the same step takes its rows from the journal when it is run again, whatever its
        jobs were then. A job is done whole or not at all, so that a group that is computed together stays together.
        """
        total = sum(map(len, jobs))
        is_done, rows = self.journal.begin(total, width)
        missing = [job for job in jobs if not is_done[job.start : job.stop].all()]
        done = total - sum(map(len, missing))
        if done:
            self.resumed(done, total)
            self.progress(done, total)
        for number, found in self._as_they_come(function, missing, describe):
            job = missing[number]
            rows[job.start : job.stop] = found
            self.journal.add(job.start, rows[job.start : job.stop])
            done += len(job)
            self.progress(done, total)
        return rows

    def quiet(self) -> Work:
        """The same without progress, for what no bar counts."""
        return replace(self, progress=_no_progress, resumed=_no_progress)

    def _as_they_come(
        self, function: Callable[[Job], Result], jobs: list[Job], describe: Callable[[Job], str]
    ) -> Iterator[tuple[int, Result]]:
        """The number of each job and its result, in the order in which they are finished."""
        n_workers = len(self.gpus) or self.workers
        # One job is not worth a fork; but where workers are forked, no GPU's driver may be started.
        is_alone = n_workers == 1 or (len(jobs) <= 1 and not self.gpus)
        with threadpool_limits(1):
            if is_alone:
                yield from self._here(function, jobs, describe)
            elif can_fork():
                yield from self._in_processes(function, jobs, n_workers, describe)
            else:
                yield from self._in_threads(function, jobs, n_workers)

    def _here(
        self, function: Callable[[Job], Result], jobs: list[Job], describe: Callable[[Job], str]
    ) -> Iterator[tuple[int, Result]]:
        for number, job in enumerate(jobs):
            self.check()
            try:
                with self.device(0):
                    result = function(job)
            except Exception as fault:
                if not is_device_fault(fault):
                    raise
                what = f"{type(fault).__name__}: {fault}"
                raise EngineError(
                    f"{describe(job)}: {what} (free memory, or compute elsewhere; then run again)"
                ) from fault
            yield number, result

    def _on_device(self, function: Callable[[Job], Result]) -> Callable[[int, Job], Result]:
        def on_device(number: int, job: Job) -> Result:
            with self.device(number):
                return function(job)

        return on_device

    def _in_processes(
        self, function: Callable[[Job], Result], jobs: list[Job], n_workers: int, describe: Callable[[Job], str]
    ) -> Iterator[tuple[int, Result]]:
        self.check()
        _load_for_all()
        team = Team(self._on_device(function), jobs, n_workers, describe, self.note)
        try:
            yield from team.results(self.check)
        finally:
            team.dismiss()

    def _in_threads(
        self, function: Callable[[Job], Result], jobs: list[Job], n_threads: int
    ) -> Iterator[tuple[int, Result]]:
        on_device = self._on_device(function)
        pool = ThreadPoolExecutor(n_threads)
        numbered = enumerate(jobs)
        try:
            waiting = deque(
                (number, pool.submit(on_device, number, job)) for number, job in islice(numbered, 2 * n_threads)
            )
            while waiting:
                number, future = waiting.popleft()
                yield number, future.result()
                self.check()
                waiting += [(number, pool.submit(on_device, number, job)) for number, job in islice(numbered, 1)]
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
