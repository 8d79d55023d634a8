"""One project, one run: who holds the lock, who is dead, and what becomes of a holder that was only asleep."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import toy

from engine.cli.progress import Lines
from engine.devices import Work
from engine.events import LockWaited, ProjectStarted
from engine.faults import EngineError
from engine.interrupt import Interrupt
from engine.run import run
from engine.step import Step
from engine.store import LockHeld, Store, lock, process
from engine.store.disk import Disk, using
from engine.workers import can_fork

HERE = process.this_process()
ELSEWHERE = {**HERE, "host": "other", "boot": "another boot", "pid": 4711}
seen_from_here = pytest.mark.skipif(not HERE["boot"], reason="processes are looked up on Linux")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "pr_1")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beats and looks as ever, but a hundred times as often."""
    monkeypatch.setattr(lock, "BEAT_S", 0.05)
    monkeypatch.setattr(lock, "LOOK_S", 0.01)


@pytest.fixture
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(seconds: float) -> None:
        raise AssertionError("there is nothing to wait for")

    monkeypatch.setattr(lock.time, "sleep", refuse)


def forge(store: Store, holder: dict[str, Any] | bytes, number: int = 1) -> Path:
    """The file of a holder's lock."""
    path = store.folder / ".lock" / f"{number:08}"
    path.parent.mkdir(parents=True, exist_ok=True)
    line = holder if isinstance(holder, bytes) else json.dumps({"started": "2026-01-02", **holder}).encode() + b"\n"
    path.write_bytes(line)
    return path


def names(store: Store) -> list[str]:
    return sorted(path.name for path in (store.folder / ".lock").iterdir())


@contextmanager
def beating(path: Path, every_s: float) -> Iterator[None]:
    """Inside, the file is touched, as by a holder elsewhere."""
    is_over = threading.Event()

    def beat() -> None:
        while not is_over.wait(every_s):
            os.utime(path)

    heart = threading.Thread(target=beat)
    heart.start()
    try:
        yield
    finally:
        is_over.set()
        heart.join()


def write(store: Store, step: str = "ite_0001") -> None:
    made = Step(step, toy.keep, 1, toy.Settings(), ("summary",))
    store.write(made, "toy", "k" * 32, {}, {"summary": {"n": 1}}, "2026-01-02T10:00:00+00:00", 1.0, "CPU")


def taken_over(store: Store, sweep: bool = True) -> Any:
    """A lock that another run on another machine takes while the present holder does not move."""
    path = store.folder / ".lock" / names(store)[-1]
    path.write_bytes(json.dumps({"started": "2026-01-02", **ELSEWHERE}).encode() + b"\n")
    os.utime(path, (0, 0))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lock, "LOOK_S", 0.001)
        other = Store(store.folder)
        held = other.lock()
        held.__enter__()
    if sweep:
        other.sweep()
    return held


def test_the_holder_is_told_and_numbers_only_rise(store: Store) -> None:
    for number in (1, 2, 3):
        with store.lock():
            assert names(store) == [f"{number:08}"]
            holder = store.lock_holder()
            assert holder is not None
            assert {name: holder[name] for name in HERE} == HERE
            assert (holder["alive"], holder["silent_s"] < 5) == (True, True)
        assert store.lock_holder() is None


@pytest.mark.usefixtures("no_waiting")
@seen_from_here
def test_a_live_process_is_seen_at_once(store: Store) -> None:
    with (
        store.lock(),
        pytest.raises(
            LockHeld,
            match=rf"pr_1: process {os.getpid()} on .* since 20.* \(wait for it, or engine stop .*pr_1\.toml\)",
        ),
        Store(store.folder).lock(),
    ):
        pass


@pytest.mark.usefixtures("no_waiting")
@seen_from_here
def test_a_dead_process_is_seen_at_once(store: Store) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    assert gone.wait() == 0
    zombie = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, zombie.pid, os.WEXITED | os.WNOWAIT)
    start = process._stat(zombie.pid).start  # type: ignore[union-attr]
    dead = {
        "gone": {"pid": gone.pid},
        "a zombie": {"pid": zombie.pid, "process_start": start},
        "its number is another's now": {"process_start": HERE["process_start"] - 1},
    }
    assert process.lives({**HERE, "process_start": HERE["process_start"]})
    for number, (why, facts) in enumerate(dead.items(), start=1):
        forge(store, {**HERE, **facts}, 10 * number)
        assert store.lock_holder()["alive"] is False, why  # type: ignore[index]
        with store.lock():
            assert names(store) == [f"{10 * number + 1:08}"], why
    zombie.wait()


HALF_DEAD = """
import ctypes, threading, time
threading.Thread(target=time.sleep, args=(60,)).start()
print("ready", flush=True)
ctypes.CDLL(None).pthread_exit(None)
"""


@seen_from_here
def test_a_process_is_dead_when_its_last_thread_is() -> None:
    with subprocess.Popen([sys.executable, "-c", HALF_DEAD], stdout=subprocess.PIPE) as half:
        wait_for(lambda: process._stat(half.pid).state == "Z")  # type: ignore[union-attr]
        facts = {**HERE, "pid": half.pid, "process_start": process._stat(half.pid).start}  # type: ignore[union-attr]
        assert process.lives(facts) is None
        half.kill()
        os.waitid(os.P_PID, half.pid, os.WEXITED | os.WNOWAIT)
        assert process.lives(facts) is False


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    "holder",
    [
        ELSEWHERE,
        {**HERE, "boot": "the boot before"},
        {**HERE, "pid_namespace": "pid:[1]"},
        {**HERE, "boot": "", "pid_namespace": "", "process_start": 0},
        b"",
        b'{"host": "oth',
        b"\xff\x00",
        b"[]\n",
        b'{"host": "other", "pid": "../1", "started": ""}\n',
        b'{"host": "other", "pid": -1, "started": ""}\n',
        b'{"host": "other", "pid": 99999999999999999999, "started": ""}\n',
        b"[" * 5000,
    ],
    ids=lambda holder: str(holder)[:40],
)
def test_a_process_that_cannot_be_looked_at_is_dead_when_it_is_long_silent(
    store: Store, holder: dict[str, Any] | bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, told, slept = forge(store, holder), [], []
    sleep = time.sleep
    monkeypatch.setattr(lock.time, "sleep", lambda seconds: slept.append(seconds) or sleep(seconds))
    with store.lock(told.append):
        assert not path.exists()
        assert len(slept) == lock.LOOKS
    assert len(set(told)) == 1
    who = f"process {holder['pid']} on {holder['host']}" if isinstance(holder, dict) else "another process"
    assert who in told[0]
    assert told[0].endswith("may be dead: waiting 0 s for a sign of life")


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("holder", [ELSEWHERE, b'{"host": "oth'])
def test_a_process_that_cannot_be_looked_at_lives_while_it_beats(store: Store, holder: dict[str, Any] | bytes) -> None:
    path = forge(store, holder)
    who = "process 4711 on other" if isinstance(holder, dict) else "another process is"
    with beating(path, 0.05), pytest.raises(LockHeld, match=who), store.lock():
        pass
    assert names(store) == [path.name]


@pytest.mark.usefixtures("impatient")
def test_a_holder_that_has_just_written_who_it_is_has_all_the_time_again(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    forge(store, b"")
    n_looks, sleep = [0], time.sleep

    def slept(seconds: float) -> None:
        n_looks[0] += 1
        sleep(seconds)
        if n_looks[0] == 20:
            forge(store, ELSEWHERE)

    monkeypatch.setattr(lock.time, "sleep", slept)
    with store.lock():
        assert n_looks[0] == 20 + lock.LOOKS


def test_what_is_told_of_a_process_elsewhere_goes_by_its_last_beat(store: Store) -> None:
    path = forge(store, ELSEWHERE)
    holder = store.lock_holder()
    assert holder is not None
    assert (holder["host"], holder["pid"], holder["alive"]) == ("other", 4711, True)
    os.utime(path, (time.time() - 90, time.time() - 90))
    holder = store.lock_holder()
    assert holder is not None
    assert holder["alive"] is False
    assert 89 < holder["silent_s"] < 99


@seen_from_here
def test_a_process_of_another_user_may_be_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(pid: int, number: int) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(process, "_stat", lambda pid: None)
    monkeypatch.setattr(process.os, "kill", refuse)
    assert process.lives(HERE) is None
    monkeypatch.undo()
    assert process.lives(HERE) is True


@pytest.mark.usefixtures("impatient")
def test_a_holder_beats(store: Store) -> None:
    with store.lock():
        path = store.folder / ".lock" / names(store)[0]
        seen = set()
        for _ in range(200):
            seen.add(path.stat().st_mtime_ns)
            time.sleep(0.01)
            if len(seen) == 3:
                break
        assert len(seen) == 3
        assert lock._look(path).holder["pid"] == os.getpid()
    assert not any(thread.name == "lock" for thread in threading.enumerate())


@pytest.mark.usefixtures("impatient")
def test_a_full_disk_stops_no_beat_for_good(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    failed = threading.Event()
    touch = os.utime

    def full(handle: int) -> None:
        if not failed.is_set():
            failed.set()
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        touch(handle)

    monkeypatch.setattr(lock.os, "utime", full)
    with store.lock():
        path = store.folder / ".lock" / names(store)[0]
        assert failed.wait(5)
        before = path.stat().st_mtime_ns
        for _ in range(200):
            if path.stat().st_mtime_ns != before:
                break
            time.sleep(0.01)
        assert path.stat().st_mtime_ns != before
        store.append_event({"event": "Begun"})


class Full(Disk):
    """A disk that takes new names, and no bytes."""

    def write(self, handle: int, content: bytes | memoryview, offset: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.usefixtures("no_waiting")
def test_a_lock_on_a_full_disk_is_refused_and_leaves_nothing_to_wait_for(store: Store) -> None:
    with (
        using(Full()),
        pytest.raises(EngineError, match=r"cannot lock .*pr_1: No space left .*\(make room"),
        store.lock(),
    ):
        pass
    assert names(store) == []
    with store.lock():
        pass


class Broken(Full):
    """A disk that changes nothing any more."""

    def remove(self, path: Path) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))


@pytest.mark.usefixtures("no_waiting")
@seen_from_here
def test_a_process_does_not_wait_for_a_lock_that_it_could_not_release(store: Store) -> None:
    with store.lock():
        held = store._held
        assert held is not None
        with using(Broken()):
            held.release()
    assert names(store) == ["00000001"]
    assert store.lock_holder()["alive"] is False  # type: ignore[index]
    with store.lock():
        assert names(store) == ["00000002"]


@pytest.mark.usefixtures("no_waiting")
def test_a_lock_is_released_on_a_full_disk(store: Store) -> None:
    with store.lock():
        held = store._held
        assert held is not None
        with using(Full()):
            held.release()
    assert store.lock_holder() is None
    with store.lock():
        pass


def test_a_folder_that_cannot_be_written_is_one_error(store: Store) -> None:
    class ReadOnly(Disk):
        def create(self, path: Path) -> int:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))

    with (
        using(ReadOnly()),
        pytest.raises(EngineError, match=r"cannot lock .*pr_1: Read-only .*\(move the project"),
        store.lock(),
    ):
        pass
    assert store.lock_holder() is None


def test_the_lock_file_of_earlier_versions_gives_way(store: Store) -> None:
    store.folder.mkdir()
    (store.folder / ".lock").write_text('{"host": "other", "pid": 1, "started": "2026-01-02"}')
    assert store.lock_holder() is None
    with store.lock():
        assert names(store) == ["00000001"]


def test_ctrl_c_and_errors_release(store: Store) -> None:
    for error in (KeyboardInterrupt, EngineError, ValueError):
        with pytest.raises(error), store.lock():
            raise error("enough")
        assert store.lock_holder() is None


def test_ctrl_c_ends_the_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    project = toy.project(tmp_path)
    toy.use(monkeypatch, project)
    monkeypatch.setattr(lock, "LOOK_S", 0.01)
    forge(Store(project.store_folder), ELSEWHERE)
    events: list[Any] = []
    looks = iter(range(3))

    def check(self: Interrupt) -> None:
        if next(looks, None) is None:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Interrupt, "check", check)
        with pytest.raises(KeyboardInterrupt):
            run([project.path], listen=events.append)
    assert [type(event) for event in events] == [LockWaited]
    assert names(Store(project.store_folder)) == ["00000001"]
    run([project.path], listen=events.append)
    assert [type(event) for event in events[1:3]] == [LockWaited, ProjectStarted]
    Lines([])(events[1])
    who = "process 4711 on other has been running this project since 2026-01-02"
    assert capsys.readouterr().err == (
        f"{project.store_folder}: {who}, and may be dead: waiting 0 s for a sign of life\n"
    )


def test_a_holder_that_was_overtaken_commits_nothing(store: Store) -> None:
    told = r"pr_1: process \d+ on .* has taken this project over, .* \(this run ends and changes nothing more\)"
    with store.lock():
        store.append_event({"event": "Begun"})
        write(store)
        other = taken_over(store)
        whole = (store.folder / "ite_0001.h5").read_bytes()
        halfway = store.folder / ".ite_0002.h5.1-ab.tmp"
        halfway.touch()
        for work in (
            write,
            Store.sweep,
            lambda store: store.append_event({"event": "Late"}),
            lambda store: store.set_aside("ite_0001"),
        ):
            with pytest.raises(LockHeld, match=told):
                work(store)
    assert (store.folder / "ite_0001.h5").read_bytes() == whole
    assert [event["event"] for event in store.events()] == ["Begun"]
    assert halfway.exists()
    assert [path for path in store.folder.iterdir() if path.suffix == ".tmp"] == [halfway]
    holder = store.lock_holder()
    assert holder is not None
    assert holder["alive"]
    other.__exit__(None, None, None)
    assert store.lock_holder() is None


def test_a_holder_that_sleeps_between_its_last_look_and_the_renaming_commits_nothing(store: Store) -> None:
    others: list[Any] = []

    class Sleepy(Disk):
        def rename(self, path: Path, new: Path) -> None:
            others.append(taken_over(store))
            super().rename(path, new)

    with store.lock(), using(Sleepy()), pytest.raises(LockHeld, match="has taken this project over"):
        write(store)
    assert store.step_names() == []
    assert list(store.folder.rglob("*.tmp")) == []
    others[0].__exit__(None, None, None)


def test_a_sleeper_never_renames_what_a_process_of_the_same_number_is_writing(store: Store) -> None:
    made: list[str] = []

    class Noting(Disk):
        def create(self, path: Path) -> int:
            made.append(path.name)
            return super().create(path)

    with using(Noting()):
        write(store)
        write(store)
    assert len(set(made)) == 2


def test_a_lock_that_was_removed_by_hand_and_taken_again_is_lost(store: Store) -> None:
    with store.lock():
        shutil.rmtree(store.folder / ".lock")
        with pytest.raises(LockHeld, match="the lock of this run was removed"):
            write(store)
        with Store(store.folder).lock():
            assert names(store) == ["00000001"]
            with pytest.raises(LockHeld, match="has taken this project over"):
                write(store)
    assert lock._look(store.folder / ".lock" / "00000001").is_over


@pytest.mark.usefixtures("no_waiting")
def test_a_number_that_was_removed_is_not_taken_by_who_saw_it_last_long_ago(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    forge(store, {**ELSEWHERE}, 7)
    look, stale = lock._numbers, [[3]]  # 3 was gone when 7 was taken
    with monkeypatch.context() as patch:
        patch.setattr(lock, "_numbers", lambda place: stale.pop() if stale else look(place))
        patch.setattr(lock, "lives", lambda holder: True if holder else None)
        with pytest.raises(LockHeld, match="process 4711 on other"), store.lock():
            pass
    assert lock._look(store.folder / ".lock" / "00000004").is_over
    assert not lock._look(store.folder / ".lock" / "00000007").is_over


@pytest.mark.skipif(not can_fork(), reason="processes are not forked here")
@pytest.mark.usefixtures("impatient")
def test_forked_workers_neither_beat_nor_release(store: Store) -> None:
    with store.lock():
        held = store._held
        assert held is not None

        def leave(number: int) -> int:
            held.release()
            return len([thread for thread in threading.enumerate() if thread.name == "lock" and thread.is_alive()])

        for _ in range(10):  # forks at all moments of the beat
            assert list(Work(workers=2).map(leave, range(4))) == [0, 0, 0, 0]
        held.check()
        with pytest.raises(LockHeld), Store(store.folder).lock():
            pass


SLEEPER = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
import toy, engine.run, engine.store.process
from engine.faults import EngineError
engine.store.process._view = lambda: {{"boot": "another boot", "pid_namespace": "pid:[1]"}}
project = toy.project(Path(sys.argv[1]))
engine.run.campaign = lambda paths: [project]
try:
    engine.run.run([project.path])
except EngineError as error:
    sys.exit(f"{{type(error).__name__}}: {{error}}")
"""


def start(folder: Path, wait_s: float) -> subprocess.Popen[str]:
    """A process that runs the toy project as if on another machine, each of its 32 boxes taking wait_s."""
    script = SLEEPER.format(tests=str(Path(toy.__file__).parent))
    return subprocess.Popen(
        [sys.executable, "-c", script, str(folder)],
        env={**os.environ, "TOY_WAIT_S": str(wait_s)},
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(is_so: Callable[[], Any]) -> None:
    for _ in range(3000):
        if is_so():
            return
        time.sleep(0.01)
    raise AssertionError("in vain")


def test_a_run_that_was_stopped_and_overtaken_ends_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = toy.project(tmp_path)
    toy.use(monkeypatch, project)
    store = Store(project.store_folder)
    with start(project.campaign, 0.02) as sleeper:
        wait_for(lambda: "ite_0000" in store.step_names())
        sleeper.send_signal(signal.SIGSTOP)
        monkeypatch.setattr(lock, "LOOK_S", 0.01)
        (outcome,) = run([project.path])
        before = {path: path.read_bytes() for path in store.folder.rglob("*") if path.is_file()}
        sleeper.send_signal(signal.SIGCONT)
        _, told = sleeper.communicate(timeout=60)
    assert sleeper.returncode == 1
    assert told == (
        f"LockHeld: {store.folder}: process {os.getpid()} on {HERE['host']} has taken this project over, "
        "since this run showed no sign of life (this run ends and changes nothing more)\n"
    )
    assert "ite_0003" in outcome.stored
    assert {path: path.read_bytes() for path in store.folder.rglob("*") if path.is_file()} == before
