"""A step that is broken off: what is finished of it is taken up, only the rest is computed, and no bit differs."""

from __future__ import annotations

import errno
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import toy
from faults import power
from faults.disks import Recording
from faults.small_alignment import N, alignment, assert_same, beside, journals, phantom, stopping_at, undisturbed

from engine.devices import Work
from engine.events import ChunkDone, Event, Noted, Resumed
from engine.interrupt import Interrupt
from engine.run import run
from engine.status import status
from engine.store import Store, journal
from engine.store.disk import Disk, using
from engine.store.journal import Journal
from engine.workers import can_fork

WIDTH = 7
HEAD = {"step": "ite_0001", "key": "k" * 32}


def chunks(n: int, size: int) -> list[range]:
    return [range(first, min(first + size, n)) for first in range(0, n, size)]


def row(number: int) -> np.ndarray:
    return np.sin(np.arange(1.0, WIDTH + 1) * (number + 1)) / 3


def opened(path: Path, head: dict[str, object] = HEAD, note: Callable[[str], None] = lambda text: None) -> Journal:
    return Journal(path, head, note)


class Counted:
    """A function of a range that writes down, in a folder, what it was asked for: in whatever process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()

    def __call__(self, job: range) -> np.ndarray:
        (self.folder / f"{job.start}-{job.stop}-{os.getpid()}-{time.monotonic_ns()}").touch()
        return np.stack([row(number) for number in job])

    def asked(self) -> list[int]:
        """The numbers of all rows that were computed, each as often as it was."""
        spans = (path.name.split("-") for path in self.folder.iterdir())
        return sorted(number for first, end, *_ in spans for number in range(int(first), int(end)))


class Broken(Exception):
    pass


def broken_off(function: Callable[[range], np.ndarray], path: Path, workers: int, chunk: int, after: int) -> None:
    """Computes until so many rows are done, and then no more."""

    def progress(done: int, total: int) -> None:
        if done >= after:
            raise Broken

    with closing(opened(path)) as kept, pytest.raises(Broken):
        Work(workers, progress=progress, journal=kept).rows(function, chunks(60, chunk), WIDTH)


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("chunk", [6, 4, 10])
def test_only_what_is_missing_is_computed_whatever_workers_and_chunk_are_then(
    tmp_path: Path, workers: int, chunk: int
) -> None:
    if workers > 1 and not can_fork():
        pytest.skip("processes are not forked here")
    whole = np.stack([row(number) for number in range(60)])
    broken_off(Counted(tmp_path / "first"), tmp_path / "journal", workers, 6, after=36)
    done, _, _ = finished(tmp_path / "journal", n=60)
    assert 36 <= done.sum() <= 36 + 6 * (workers - 1)
    second, told, seen = Counted(tmp_path / "second"), [], []
    with closing(opened(tmp_path / "journal")) as kept:
        work = Work(3 - workers, progress=lambda *n: seen.append(n), journal=kept, resumed=lambda *n: told.append(n))
        rows = work.rows(second, chunks(60, chunk), WIDTH)
    assert rows.tobytes() == whole.tobytes()
    expected = [number for job in chunks(60, chunk) if not done[job.start : job.stop].all() for number in job]
    assert second.asked() == expected
    assert len(expected) < 60
    assert told == [(60 - len(expected), 60)]
    assert seen[0] == told[0]
    assert seen[-1] == (60, 60)


def finished(path: Path, head: dict[str, object] = HEAD, n: int = 60) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """What a journal says, and what it notes."""
    notes: list[str] = []
    with closing(opened(path, head, notes.append)) as kept:
        return (*kept.begin(n, WIDTH), notes)


def test_several_sets_of_rows_are_told_apart_by_their_order(tmp_path: Path) -> None:
    with closing(opened(tmp_path / "j")) as kept:
        for times in (1, 2):
            Work(journal=kept).rows(lambda job, times=times: times * np.ones((len(job), 2)), chunks(6, 3), 2)
    with closing(opened(tmp_path / "j")) as kept:
        found = [kept.begin(6, 2), kept.begin(6, 2), kept.begin(6, 2)]
    assert [done.all() for done, _ in found] == [True, True, False]
    assert [rows.mean() for _, rows in found[:2]] == [1, 2]
    with closing(opened(tmp_path / "j")) as kept:
        assert not kept.begin(5, 2)[0][3:].any()
        assert not kept.begin(6, 3)[0].any()


@pytest.fixture
def half(tmp_path: Path) -> Path:
    """A journal with six records of six rows."""
    path = tmp_path / "half"
    broken_off(lambda job: np.stack([row(number) for number in job]), path, 1, 6, after=36)
    return path


def ends(content: bytes) -> list[int]:
    """Where each record ends, read by hand."""
    found, at = [], 0
    while at < len(content):
        at += 20 + int.from_bytes(content[at : at + 4], "little")
        found.append(at)
    return found


def test_a_torn_tail_is_left_out_and_written_over(half: Path) -> None:
    content = half.read_bytes()
    limits = ends(content)
    assert len(limits) == 7
    for size in [*range(limits[0] + 1), *range(limits[0], len(content), 7)]:
        half.write_bytes(content[:size])
        done, rows, _ = finished(half)
        n_whole = max(0, sum(limit <= size for limit in limits) - 1)
        assert done.sum() == 6 * n_whole
        assert all(rows[number].tobytes() == row(number).tobytes() for number in np.flatnonzero(done))
    half.write_bytes(content[: limits[3] + 30])
    with closing(opened(half)) as kept:
        Work(journal=kept).rows(lambda job: np.stack([row(number) for number in job]), chunks(60, 6), WIDTH)
    done, rows, _ = finished(half)
    assert done.all()
    assert rows.tobytes() == np.stack([row(number) for number in range(60)]).tobytes()
    assert len(ends(half.read_bytes())) == 11


def test_what_is_damaged_is_never_used(half: Path) -> None:
    content = half.read_bytes()
    for at in range(len(content)):
        spoilt = bytearray(content)
        spoilt[at] ^= 1 << at % 8
        half.write_bytes(spoilt)
        done, rows, _ = finished(half)
        assert done.sum() < 36
        assert all(rows[number].tobytes() == row(number).tobytes() for number in np.flatnonzero(done))


@pytest.mark.parametrize("name", ["step", "key", "engine", "made_on"])
def test_a_journal_of_anything_else_is_not_used_and_makes_room(tmp_path: Path, name: str) -> None:
    store = Store(tmp_path / "pr_1")
    with closing(store.journal("ite_0001", "k" * 32, "CPU", print)) as kept:
        Work(journal=kept).rows(lambda job: np.ones((len(job), WIDTH)), chunks(60, 6), WIDTH)
    (path,) = journals(store)
    assert path.name == f".ite_0001.h5.{'k' * 12}.chunks"
    content = path.read_bytes()
    head = json.loads(content[20 : ends(content)[0]])
    assert finished(path, head)[0].all()
    other = {**head, name: "another"}
    assert not finished(path, other)[0].any()
    with closing(opened(path, other)) as kept:
        kept.begin(60, WIDTH)
        kept.add(0, np.zeros((6, WIDTH)))
    assert finished(path, other)[0].sum() == 6
    assert not finished(path, head)[0].any()


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\n",
        b"[1]\n",
        b"{}\n",
        b'{"rows_of": 1, "first": -6, "shape": [6, 7]}\n' + bytes(6 * 7 * 8),
        b'{"rows_of": 1, "first": 0, "shape": [60, 70000000000]}\n' + bytes(8),
        b'{"rows_of": 1, "first": 0, "shape": [6, 7]}\n' + bytes(6 * 7 * 8 - 8),
        b'{"rows_of": 1, "first": 0, "shape": 6}\n' + bytes(8),
        b'{"rows_of": 1, "first": 1e3, "shape": [6, 7]}\n' + bytes(6 * 7 * 8),
        b"[" * 100_000 + b"\n",
        b"\xff\xfe\n",
    ],
)
def test_nonsense_under_a_right_hash_is_not_used(half: Path, payload: bytes) -> None:
    content = half.read_bytes()
    at = ends(content)[2]
    half.write_bytes(content[:at] + journal._record(payload) + content[at:])
    done, _, notes = finished(half)
    assert done.sum() == 12
    assert notes == []


class Full(Disk):
    """A disk on which one operation on journals fails from the n-th time on."""

    def __init__(self, operation: str, n: int) -> None:
        self.operation, self.left = operation, n
        self.handles: set[int] = set()

    def _tried(self, operation: str, is_journal: bool) -> None:
        if is_journal and operation == self.operation:
            self.left -= 1
            if self.left < 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def create(self, path: Path) -> int:
        self._tried("create", path.suffix == ".chunks")
        handle = super().create(path)
        if path.suffix == ".chunks":
            self.handles.add(handle)
        return handle

    def append(self, handle: int, content: bytes | memoryview) -> None:
        if self.operation == "append" and handle in self.handles and self.left == 0:
            super().append(handle, content[:11])
        self._tried("append", handle in self.handles)
        super().append(handle, content)

    def sync(self, handle: int) -> None:
        self._tried("sync", handle in self.handles)
        super().sync(handle)

    def close(self, handle: int) -> None:
        is_journal = handle in self.handles
        self.handles.discard(handle)
        super().close(handle)
        self._tried("close", is_journal)

    def remove(self, path: Path) -> None:
        self._tried("remove", path.suffix == ".chunks")
        super().remove(path)


@pytest.fixture(scope="module")
def particles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return phantom(tmp_path_factory.mktemp("phantom") / "campaign")


@pytest.fixture(scope="module")
def calm(particles: Path, tmp_path_factory: pytest.TempPathFactory) -> Store:
    """What two undisturbed iterations give."""
    return undisturbed(particles, tmp_path_factory.mktemp("calm") / "campaign", alignment(2))


@pytest.mark.parametrize(("workers", "then", "chunk"), [(1, 1, 3), (2, 1, 3), (1, 2, 7), (1, 1, 1)])
def test_an_iteration_that_was_broken_off_ends_on_the_same_bits(
    particles: Path, calm: Store, tmp_path: Path, workers: int, then: int, chunk: int
) -> None:
    path = beside(particles, tmp_path / "campaign", alignment(2))
    store = Store(path.with_suffix(""))

    def in_the_second(event: Event) -> None:
        if isinstance(event, ChunkDone) and event.step == "ite_0002" and event.done >= 12:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run([path], workers=workers, listen=in_the_second)
    assert len(journals(store)) == 1
    path.write_text(alignment(2, chunk=chunk))
    events: list[Event] = []
    run([path], workers=then, listen=events.append)
    (resumed,) = [event for event in events if isinstance(event, Resumed)]
    fresh = [event for event in events if isinstance(event, ChunkDone) and event.step == "ite_0002"][1:]
    assert (resumed.step, resumed.total) == ("ite_0002", N)
    assert resumed.done >= 12 - (0 if 12 % chunk == 0 else chunk)
    assert (
        resumed.done + sum(one.done - before.done for before, one in zip([resumed, *fresh], fresh, strict=False)) == N
    )
    assert len(fresh) <= -(-(N - resumed.done) // chunk) + 1
    assert fresh[-1].done == N
    assert journals(store) == []
    assert_same(store, calm)


@pytest.mark.parametrize("operation", ["create", "append", "sync", "close", "remove"])
@pytest.mark.parametrize("n", [0, 1, 3])
def test_a_full_disk_ends_the_journal_and_not_the_run(
    particles: Path, calm: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, operation: str, n: int
) -> None:
    monkeypatch.setattr(journal, "SYNC_S", 0.0)
    path = beside(particles, tmp_path / "campaign", alignment(2))
    events: list[Event] = []
    disk = Full(operation, n)
    with using(disk):
        run([path], listen=events.append)
    told = [event.text for event in events if isinstance(event, Noted)]
    store = Store(path.with_suffix(""))
    if operation in ("create", "append", "sync") and disk.left < 0:
        assert 1 <= len(told) <= 3  # each step has a journal
        assert all("No space left on device" in text and "the run goes on" in text for text in told)
    else:
        assert told == []
    store.sweep()
    assert journals(store) == []
    assert_same(store, calm)


def test_rows_from_before_the_disk_was_full_are_taken_up(particles: Path, calm: Store, tmp_path: Path) -> None:
    path = beside(particles, tmp_path / "campaign", alignment(2))
    of_the_start = 1 + -(-N // 3)  # the head of its journal, and a record for each chunk
    with using(Full("append", of_the_start + 3)), pytest.raises(KeyboardInterrupt):
        run([path], listen=stopping_at(ChunkDone, 12))
    events: list[Event] = []
    run([path], listen=events.append)
    assert [(event.step, event.done) for event in events if isinstance(event, Resumed)] == [("ite_0001", 6)]
    assert_same(Store(path.with_suffix("")), calm)


def test_journals_of_other_keys_are_swept_and_those_of_steps_to_do_are_kept(particles: Path, tmp_path: Path) -> None:
    path = beside(particles, tmp_path / "campaign", alignment(2))
    store = Store(path.with_suffix(""))
    with pytest.raises(KeyboardInterrupt):
        run([path], listen=stopping_at(ChunkDone, 9))
    (kept,) = journals(store)
    strangers = [store.folder / name for name in (".ite_0001.h5.0123456789ab.chunks", ".ite_0009.h5.x.chunks")]
    for stranger in strangers:
        stranger.write_bytes(kept.read_bytes())
    events: list[Event] = []
    with pytest.raises(KeyboardInterrupt):
        run([path], listen=lambda event: (events.append(event), stopping_at(ChunkDone, 15)(event)))
    assert events[0].leftovers == tuple(sorted(stranger.name for stranger in strangers))
    assert journals(store) == [kept]
    path.write_text(alignment(2, step_deg=8))
    events.clear()
    run([path], listen=events.append)
    assert events[0].leftovers == (kept.name,)
    assert not [event for event in events if isinstance(event, Resumed)]
    assert journals(store) == []


def test_a_journal_that_is_a_link_is_replaced_and_what_it_points_to_is_left_alone(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("not a journal")
    (tmp_path / "j").symlink_to(precious)
    with closing(opened(tmp_path / "j")) as kept:
        kept.begin(6, WIDTH)
        kept.add(0, np.ones((6, WIDTH)))
    assert precious.read_text() == "not a journal"
    assert finished(tmp_path / "j", n=6)[0].all()


def test_what_was_flushed_outlives_a_loss_of_power(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "SYNC_S", 0.0)
    whole = np.stack([row(number) for number in range(24)])
    folder, n_states = tmp_path / "pr_1", 0
    with using(disk := Recording(tmp_path)):
        for n_chunks in (2, 4):
            with closing(opened(folder / "j")) as kept:
                for first in range(int(kept.begin(24, WIDTH)[0].sum()), 6 * n_chunks, 6):
                    kept.add(first, whole[first : first + 6])
                    disk.mark(str(first + 6))
    for n in range(len(disk.done) + 1):
        said = max((int(one.path) for one in disk.done[:n] if one.name == "said"), default=0)
        for number, files in enumerate(power.states(disk.done, n)):
            power.put(files, place := tmp_path / f"{n}_{number}")
            done, rows, _ = finished(place / "pr_1" / "j", n=24)
            assert done[:said].all()
            assert rows[done].tobytes() == whole[done].tobytes()
            n_states += 1
    assert n_states > 20


SEVERAL = 'template = ["phantom:template", "phantom:template"]\ntable = "phantom:table"'
SEVERAL_MORE = 'swap_references = true\nswap_by = "other-half"\nselect = { rule = "all" }'
AGAIN = 'select_again = { rule = "best-fraction", value = 0.8 }'


def impatient(n: int) -> Callable[[Interrupt], None]:
    """Ctrl-C at the n-th place where stopping is safe."""
    places = iter(range(n))

    def check(interrupt: Interrupt) -> None:
        if next(places, None) is None:
            raise KeyboardInterrupt

    return check


@pytest.mark.parametrize(
    "text",
    [
        alignment(more=AGAIN),
        alignment(search="fast", more="", chunk=2),
        alignment(search="global", step_deg=12, chunk=5),
        alignment(data=SEVERAL, more=SEVERAL_MORE, chunk=4),
    ],
    ids=["select_again", "fast", "global", "several references"],
)
def test_runs_that_are_broken_off_again_and_again_end_on_the_same_bits(
    particles: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    calm = undisturbed(particles, tmp_path / "calm", text)
    path = beside(particles, tmp_path / "broken", text)
    resumed: list[Event] = []
    for n in range(120):
        with monkeypatch.context() as context:
            context.setattr(Interrupt, "check", impatient(2 + n // 3))
            try:
                run([path], listen=lambda event: resumed.append(event) if isinstance(event, Resumed) else None)
            except KeyboardInterrupt:
                continue
            break
    else:
        raise AssertionError("never done")
    assert n > 3
    assert resumed
    assert_same(Store(path.with_suffix("")), calm)


def grown(path: Path, size: int) -> bool:
    return path.exists() and path.stat().st_size >= size


def test_a_process_that_is_killed_amid_an_iteration_is_gone_on_with(particles: Path, tmp_path: Path) -> None:
    text = alignment(step_deg=8, chunk=1)
    calm = undisturbed(particles, tmp_path / "calm", text)
    path = beside(particles, tmp_path / "campaign", text)
    store, generator = Store(path.with_suffix("")), random.Random(5)
    wanted = [4, 11]
    record = 20 + 50 + 8 * WIDTH
    for n in wanted:
        command = [sys.executable, "-m", "engine", "run", str(path), "--workers", str(1 + n % 2)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
            end = time.monotonic() + 120
            while not any(grown(one, n * record) for one in journals(store) if "ite_0001" in one.name):
                assert process.poll() is None, process.stdout.read()
                assert time.monotonic() < end
                time.sleep(0.002)
            time.sleep(generator.uniform(0, 0.01))
            process.send_signal(signal.SIGKILL)
        assert store.step_names() == ["ite_0000"]
    events: list[Event] = []
    run([path], listen=events.append)
    (resumed,) = [event for event in events if isinstance(event, Resumed)]
    assert wanted[-1] <= resumed.done < N
    n_fresh = sum(isinstance(event, ChunkDone) and event.step == "ite_0001" for event in events) - 1
    assert n_fresh == N - resumed.done
    assert_same(store, calm)
    assert journals(store) == []


@pytest.fixture
def two_seconds(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The times of events are one second apart."""
    times = iter(f"2026-11-22T10:00:{second:02d}+00:00" for second in range(60))
    monkeypatch.setattr("engine.store.now", lambda: next(times))
    return


def test_the_speed_that_status_tells_is_of_what_was_computed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, two_seconds: None
) -> None:
    project = toy.project(tmp_path)
    toy.use(monkeypatch, project)
    store = Store(project.store_folder)
    of_it = {"project": "pr_1", "step": "ite_0001"}
    for event in (
        {"event": "StepStarted", **of_it},
        {"event": "Resumed", **of_it, "done": 600, "total": 1000},
        {"event": "ChunkDone", **of_it, "done": 600, "total": 1000},
        {"event": "ChunkDone", **of_it, "done": 630, "total": 1000},
    ):
        store.append_event(event)
    with store.lock():
        now = status(project).now
    assert now is not None
    assert (now.done, now.total, now.per_second, now.eta_s) == (630, 1000, 10.0, 37.0)
