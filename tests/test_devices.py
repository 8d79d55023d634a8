"""How work is spread: in order, ahead of time, and no further than asked."""

import sys
import threading
from types import SimpleNamespace

import numpy as np
import pytest

from engine.devices import READ_AHEAD, Work, matrix_units


@pytest.mark.parametrize("workers", [1, 3])
def test_results_come_in_the_order_of_the_jobs(workers):
    assert list(Work(workers).map(lambda job: job**2, range(20))) == [job**2 for job in range(20)]


def test_items_are_read_ahead_by_another_thread_in_order_and_no_further_than_stated():
    read = []

    def reading(item):
        read.append((item, threading.get_ident()))
        return item

    with Work().ahead(reading, range(10)) as ahead:
        assert list(ahead) == list(range(10))
    assert [item for item, _ in read] == list(range(10))
    assert {thread for _, thread in read} != {threading.get_ident()}
    read.clear()
    with Work().ahead(reading, range(10)) as ahead:
        next(ahead)
    assert len(read) <= READ_AHEAD + 1


def test_what_goes_wrong_while_reading_ahead_reaches_the_caller():
    def reading(item):
        if item == 2:
            raise OSError("gone")
        return item

    found = []
    with pytest.raises(OSError, match="gone"), Work().ahead(reading, range(4)) as ahead:
        found.extend(ahead)
    with Work().ahead(reading, range(2)) as ahead:
        assert list(ahead) == [0, 1]


def failing(items):
    with Work().ahead(lambda item: item, items) as ahead:
        next(ahead)
        raise ZeroDivisionError


def test_the_reader_is_gone_when_the_caller_fails():
    before = threading.active_count()
    with pytest.raises(ZeroDivisionError):
        failing(range(9))
    assert threading.active_count() == before


def test_matrix_units_are_asked_for_on_a_gpu_and_given_back(monkeypatch):
    modes = {"handle": "before"}
    cublas = SimpleNamespace(
        CUBLAS_TF32_TENSOR_OP_MATH="tf32", getMathMode=modes.__getitem__, setMathMode=modes.__setitem__
    )
    device = SimpleNamespace(get_cublas_handle=lambda: "handle")
    cupy = SimpleNamespace(ndarray=list, cuda=SimpleNamespace(cublas=cublas, device=device))
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    with matrix_units([]):
        assert modes == {"handle": "tf32"}
    assert modes == {"handle": "before"}
    with matrix_units(np.empty(0)):
        assert modes == {"handle": "before"}


@pytest.mark.parametrize(
    ("n", "workers", "chunk", "expected"),
    [
        (12, 2, 16, 6),
        (24, 2, 16, 12),
        (40, 2, 16, 10),
        (500, 2, 16, 16),
        (5, 8, 16, 1),
        (0, 4, 16, 1),
        (100, 1, 16, 15),
    ],
)
def test_chunks_are_as_large_as_asked_or_so_that_all_have_the_same(n, workers, chunk, expected):
    assert Work(workers, chunk=chunk).fair_chunk(n) == expected
