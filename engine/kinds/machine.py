"""What this machine adds to the work itself: the start of a run, and workers that get in each other's way."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import time
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier

import numpy as np
from threadpoolctl import threadpool_limits

from engine.kernels.fourier import spectrum_block
from engine.kinds.measuring import measured
from engine.workers import can_fork

_BOX_PX, _REACH = 64, 24
_TIMES = 60
_LONGEST_S = 60.0

_START = (
    "import sys; sys.path[:] = {places!r}; "
    "import engine.cli.commands, engine.cli.progress, engine.check, engine.kinds.alignment; "
    "from engine.kernels import quick; quick.ready(lambda: None)"
)
"""Modules come from where they came from here: what lies in the current folder, which -c would look at first, is not run."""


@measured(0.0)
def starting_s() -> float:
    """Seconds until a run begins its first step: Python, its libraries, and the compiled loops."""
    before = os.times()
    script = _START.format(places=sys.path)
    subprocess.run([sys.executable, "-P", "-c", script], check=False, capture_output=True)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


@measured(1.0)
def crowding(n_workers: int) -> float:
    """How many times longer a core takes while so many work at once: they share memory, caches and heat."""
    if n_workers < 2 or not can_fork():
        return 1.0
    _block()  # what it needs is loaded before the forks
    try:
        return max(1.0, _together(n_workers) / _together(1))
    except OSError:  # no processes, or no means by which they wait for each other
        return 1.0


def _together(n_workers: int) -> float:
    """The mean of the seconds that processes take for the same, at the same time; OSError where they cannot."""
    context = multiprocessing.get_context("fork")
    start = context.Barrier(n_workers)
    lines = [context.Pipe(duplex=False) for _ in range(n_workers)]
    processes = [context.Process(target=_work, args=(start, line), daemon=True) for _, line in lines]
    try:
        for process in processes:
            process.start()
        return float(np.mean([_received(mine) for mine, _ in lines]))
    finally:
        for process in processes:
            if process.pid is not None:
                process.kill()
                process.join()


def _received(line: Connection) -> float:
    """The seconds that a process tells; OSError from one that has died, which closes no line that others hold too."""
    if not line.poll(_LONGEST_S):
        raise OSError("a process that is timed tells nothing")
    return float(line.recv())


def _work(start: Barrier, line: Connection) -> None:
    with threadpool_limits(1):
        _block()
        start.wait()
        before = time.thread_time()
        for _ in range(_TIMES):
            _block()
        line.send(time.thread_time() - before)


def _block() -> None:
    spectrum_block(np.ones((_BOX_PX,) * 3, np.float32), _REACH)
