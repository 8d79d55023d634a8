"""The store: what is written comes back, whole or not at all."""

from __future__ import annotations

import errno
import os
import random
import subprocess
import sys
import threading
from pathlib import Path

import h5py
import numpy as np
import pytest
import toy

from engine.data import Curve, Particles, Spectra, Table, Volume
from engine.devices import Work
from engine.faults import EngineError
from engine.outputs import SpectraStream, Stream
from engine.step import Step
from engine.store import LockHeld, Store
from engine.store.disk import Disk, using
from engine.store.reading import MOST_OPEN

GENERATOR = np.random.default_rng(3)
BOXES = GENERATOR.normal(size=(5, 8, 8, 8)).astype(np.float32)
TAGS = np.array([2, 3, 5, 7, 11])


def outputs(with_stream: bool = False) -> dict:
    volume = Volume(GENERATOR.normal(size=(6, 7, 8)).astype(np.float32), 1.35, (1.0, 2.0, 3.0))
    made = {
        "refs/001/average": volume,
        "table": Table.blank(4, cc=[0.1, 0.2, 0.3, 0.4], half=[1, 2, 1, 2]),
        "fsc": Curve({"shell": np.arange(3.0), "fsc": np.array([1, 0.5, np.nan])}, {"gold": True, "resolution_A": 8.5}),
        "summary": {"mean cc": np.float64(0.25), "note": "größer", "nested": {"list": [1, 2]}},
        "weights": np.arange(12, dtype=np.int32).reshape(3, 4),
        "chosen": np.array([True, False]),
    }
    return {**made, "particles": Stream(TAGS, 8, 1.35, iter(BOXES))} if with_stream else made


def step(made: dict, name: str = "half_even/ite_0003") -> Step:
    return Step(name, toy.iterate, 4, toy.Settings(), tuple(made), labels={"ite": 3, "round": 2, "half": "even"})


def write(store: Store, made: dict, name: str = "half_even/ite_0003", seconds: float = 1.5) -> Path:
    started = "2026-11-22T10:00:00+00:00"
    return store.write(step(made, name), "alignment", "k" * 32, {"table": "abc"}, made, started, seconds, "CPU")


@pytest.mark.parametrize("with_stream", [False, True])
def test_every_item_comes_back_with_its_bits(tmp_path: Path, with_stream: bool) -> None:
    store, made = Store(tmp_path / "pr_1"), outputs(with_stream)
    write(store, made)
    name = "half_even/ite_0003"
    volume = store.read(name, "refs/001/average")
    assert np.array_equal(volume.data, made["refs/001/average"].data)
    assert (volume.pixel_size_A, volume.origin_xyz_A) == (1.35, (1.0, 2.0, 3.0))
    assert store.read(name, "table").equals(made["table"])
    curve = store.read(name, "fsc")
    assert list(curve.columns) == ["shell", "fsc"]
    assert np.array_equal(curve["fsc"], made["fsc"]["fsc"], equal_nan=True)
    assert curve.notes == {"gold": True, "resolution_A": 8.5}
    assert store.read(name, "summary") == {"mean cc": 0.25, "note": "größer", "nested": {"list": [1, 2]}}
    weights = store.read(name, "weights")
    assert np.array_equal(weights, made["weights"])
    assert weights.dtype == np.int32
    assert store.read(name, "chosen").tolist() == [True, False]
    assert store.volume_facts(name, "refs/001/average") == ((6, 7, 8), 1.35)
    assert store.step_names() == [name]


def test_a_step_tells_of_itself_what_its_file_holds(tmp_path: Path) -> None:
    store, made = Store(tmp_path / "pr_1"), outputs(with_stream=True)
    made["fsc"] = Curve(made["fsc"].columns, {"resolution_A": np.nan, "of": "größer", "shells": [1, 2]})
    made["summary"] = {"note": "größer", "mean cc": 0.25}
    path = write(store, made)
    items = store.items("half_even/ite_0003")
    with h5py.File(path) as file:
        for name, one in items.items():
            assert one.shape == file[name].shape, name
            assert one.what == file[name].attrs["what"].decode()
    assert set(items) == set(made)
    assert (items["particles"].pixel_size_A, items["chosen"].pixel_size_A) == (1.35, 0)
    assert np.isnan(items["fsc"].notes["resolution_A"])
    assert (items["fsc"].notes["of"], items["fsc"].notes["shells"]) == ("größer", [1, 2])
    assert items["summary"].notes == store.read("half_even/ite_0003", "summary")
    assert list(items["summary"].notes) == ["note", "mean cc"]
    assert store.what("half_even/ite_0003", "fsc") == "curve"
    assert store.what("half_even/ite_0003", "absent") == ""
    assert "seal" not in store.damage("half_even/ite_0003")


def test_the_facts_of_a_step_are_the_attributes_of_its_file(tmp_path: Path) -> None:
    store = Store(tmp_path / "pr_1")
    assert store.facts("half_even/ite_0003") is None
    path = write(store, outputs())
    facts = store.facts("half_even/ite_0003")
    assert facts is not None
    assert (facts.key, facts.kind, facts.version, facts.seconds, facts.devices) == (
        "k" * 32,
        "alignment",
        4,
        1.5,
        "CPU",
    )
    assert facts.settings == {"cone": {"step_deg": 5.0}, "number": 0}
    assert facts.labels == {"ite": 3, "round": 2, "half": "even"}
    assert facts.inputs == {"table": "abc"}
    assert facts.pixel_size_A == 1.35
    with h5py.File(path) as file:
        assert (file.attrs["layout"], file.attrs["ite"], file.attrs["half"]) == (3, 3, b"even")
        assert file["refs/001/average"].attrs["axes"] == b"zyx"
    assert {path: item.what for path, item in store.items("half_even/ite_0003").items()} == {
        "chosen": "array",
        "fsc": "curve",
        "refs/001/average": "volume",
        "summary": "summary",
        "table": "table",
        "weights": "array",
    }


@pytest.mark.parametrize("shape", [(44, 44, 44), (70, 33, 31), (1, 5, 200)])
def test_a_volume_lies_in_equal_parts_and_a_box_of_it_is_read_alone(
    tmp_path: Path, shape: tuple[int, int, int]
) -> None:
    values = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    store = Store(tmp_path / "pr_1")
    path = write(store, {"tomogram": Volume(values, 2.0)}, name="tomo_001/specimen")
    with h5py.File(path, "r") as file:
        parts = file["tomogram"].chunks
    assert max(parts) <= 32
    assert np.prod([-(-n // part) * part for n, part in zip(shape, parts, strict=True)]) < 1.1 * values.size
    tomogram = store.tomogram("tomo_001/specimen", "tomogram")
    low, high = tuple(n // 3 for n in shape), tuple(n // 3 + max(1, n // 4) for n in shape)
    box = values[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
    np.testing.assert_array_equal(tomogram.read(low, high), box)


@pytest.mark.parametrize("side", [96, 160])
def test_large_boxes_lie_in_equal_parts_of_a_few_megabytes(tmp_path: Path, side: int) -> None:
    """Larger parts take several times as long to write: each has its buffers mapped anew."""
    box = np.random.default_rng(0).normal(size=(side,) * 3).astype(np.float32)
    store = Store(tmp_path / "pr_1")
    path = write(store, {"particles": Stream(np.array([7]), side, 2.0, iter([box]))}, name="ite_0001")
    with h5py.File(path, "r") as file:
        _, depth, *rest = file["particles"].chunks
    assert rest == [side, side]
    assert side % depth == 0
    assert 4 * depth * side**2 <= 4 << 20
    particles = store.read("ite_0001", "particles")
    assert isinstance(particles, Particles)
    np.testing.assert_array_equal(particles.read(7), box)


def test_boxes_past_the_cache_are_the_same_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is more than memory will hold is written in whole blocks, by another way of the system's."""
    boxes = np.random.default_rng(0).normal(size=(7, 96, 96, 96)).astype(np.float32)
    files = []
    for share in (0.25, 0.0):
        monkeypatch.setattr("engine.store.writing.HUGE_SHARE", share)
        store = Store(tmp_path / f"pr_{share}")
        path = write(store, {"particles": Stream(np.arange(7), 96, 2.0, iter(boxes))}, name="ite_0001")
        assert (
            store.damage("ite_0001") == "its key is not that of the settings and inputs that stand in it"
        )  # made up here
        files.append(path.read_bytes())
    assert files[0] == files[1]


def test_particles_are_read_box_by_box_from_several_threads(tmp_path: Path) -> None:
    store = Store(tmp_path / "pr_1")
    path = write(store, outputs(with_stream=True))
    particles = store.read("half_even/ite_0003", "particles")
    assert isinstance(particles, Particles)
    assert (particles.tags.tolist(), particles.box_px, particles.pixel_size_A) == (TAGS.tolist(), 8, 1.35)
    wrong: list[int] = []

    def reader() -> None:
        wrong.extend(tag for row, tag in enumerate(TAGS) if not np.array_equal(particles.read(int(tag)), BOXES[row]))

    threads = [threading.Thread(target=reader) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    with pytest.raises(KeyError):
        particles.read(4)
    assert store.particle_facts("half_even/ite_0003", "particles") == (5, 8, 1.35)
    with h5py.File(path) as file:
        assert file["particles"].chunks == (1, 8, 8, 8)
        assert file["particles"].compression is None


def test_forked_workers_and_their_caller_read_one_file_at_once(tmp_path: Path) -> None:
    """What the caller has opened before has one place in the file for all: each must read through a file of its own."""
    boxes = np.random.default_rng(0).normal(size=(40, 28, 28, 28)).astype(np.float32)
    store = Store(tmp_path / "pr_1")
    write(store, {"particles": Stream(np.arange(40), 28, 1.0, iter(boxes))}, name="ite_0001")
    particles = store.read("ite_0001", "particles")
    assert isinstance(particles, Particles)
    particles.read(0)

    def n_wrong(seed: int) -> int:
        rows = np.random.default_rng(seed).integers(0, 40, 1500)
        return sum(not np.array_equal(particles.read(int(row)), boxes[row]) for row in rows)

    assert list(Work(workers=4).map(n_wrong, range(4))) == [0, 0, 0, 0]


def test_particles_that_were_replaced_meanwhile_are_one_clear_error(tmp_path: Path) -> None:
    store = Store(tmp_path / "pr_1")
    made = outputs(with_stream=True)
    write(store, made)
    particles = store.read("half_even/ite_0003", "particles")
    assert isinstance(particles, Particles)
    again = {**made, "particles": Stream(TAGS, 8, 1.35, iter(BOXES + 1))}
    store.write(step(again), "alignment", "n" * 32, {"table": "abc"}, again, "2026-11-22T11:00:00+00:00", 1.0, "CPU")
    with pytest.raises(EngineError, match="was replaced while it was being read"):
        particles.read(int(TAGS[0]))


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="open files are counted in /proc")
def test_many_particles_hold_few_files_open(tmp_path: Path) -> None:
    store = Store(tmp_path / "pr_1")
    write(store, outputs(with_stream=True))
    before = len(os.listdir("/proc/self/fd"))
    many = [store.read("half_even/ite_0003", "particles") for _ in range(2 * MOST_OPEN)]
    for row in (0, 1):
        for particles in many:
            np.testing.assert_array_equal(particles.read(int(TAGS[row])), BOXES[row])
    assert len(os.listdir("/proc/self/fd")) <= before + MOST_OPEN
    del many, particles
    assert len(os.listdir("/proc/self/fd")) <= before


def blocks(reach: int = 2) -> list[tuple[np.ndarray, float]]:
    shape = (len(TAGS), 2 * reach + 1, 2 * reach + 1, reach + 1)
    values = (GENERATOR.normal(size=shape) + 1j * GENERATOR.normal(size=shape)).astype(np.complex64)
    return [(block, float(number)) for number, block in enumerate(values, start=1)]


def test_spectra_are_written_and_read_one_by_one_with_their_bits(tmp_path: Path) -> None:
    store, made = Store(tmp_path / "pr_1"), blocks()
    path = write(store, {"spectra": SpectraStream(TAGS, 8, 2, iter(made))}, "spectra")
    spectra = store.read("spectra", "spectra")
    assert isinstance(spectra, Spectra)
    assert (spectra.box_px, spectra.reach, 7 in spectra, 4 in spectra) == (8, 2, True, False)
    for tag, (block, variance) in zip(TAGS, made, strict=True):
        np.testing.assert_array_equal(spectra.block(tag), block)
        assert spectra.variance(tag) == variance
    with h5py.File(path) as file:
        assert (file["spectra"].chunks, file["spectra"].compression) == ((1, 5, 5, 3, 2), None)


def test_spectra_of_no_particles_are_stored_too(tmp_path: Path) -> None:
    store = Store(tmp_path)
    write(store, {"spectra": SpectraStream(np.array([], int), 8, 0, iter(()))}, "spectra")
    assert 1 not in store.read("spectra", "spectra")


def test_spectra_other_than_announced_are_a_slip(tmp_path: Path) -> None:
    for number, wrong in enumerate([blocks(3), blocks()[:2], blocks() * 2]):
        with pytest.raises(ValueError, match=r"announced|5 tags but 2 blocks"):
            write(Store(tmp_path), {"spectra": SpectraStream(TAGS, 8, 2, iter(wrong))}, f"spectra_{number}")
    huge = {"spectra": SpectraStream(TAGS, 10**6, 10**5, iter(()))}
    with pytest.raises(EngineError, match="make room"):
        write(Store(tmp_path), huge, "spectra")
    assert Store(tmp_path).step_names() == []


@pytest.mark.parametrize("with_stream", [False, True])
def test_the_same_values_give_the_same_bytes(tmp_path: Path, with_stream: bool) -> None:
    first = outputs(with_stream)
    second = {**first, **({"particles": Stream(TAGS, 8, 1.35, iter(BOXES))} if with_stream else {})}
    one, other = write(Store(tmp_path / "a"), first), write(Store(tmp_path / "b"), second)
    assert one.read_bytes() == other.read_bytes()


def test_a_step_without_rows_or_boxes_is_stored_too(tmp_path: Path) -> None:
    made = {"table": Table({}, 0), "particles": Stream(np.array([], int), 8, 1.0, iter(())), "summary": {}}
    store = Store(tmp_path)
    write(store, made, "cut")
    assert len(store.read("cut", "table")) == 0
    assert len(store.read("cut", "particles").tags) == 0
    assert store.read("cut", "summary") == {}


def test_settings_of_any_length_fit(tmp_path: Path) -> None:
    class Long(toy.Settings):
        text: str

    made = {"summary": {"a": 1}}
    long = Step("long", toy.iterate, 1, Long(text="ä" * 100_000), ("summary",))
    Store(tmp_path).write(long, "toy", "k", {}, made, "", 0.0, "")
    facts = Store(tmp_path).facts("long")
    assert facts is not None
    assert facts.settings["text"] == "ä" * 100_000


def test_outputs_other_than_promised_are_a_slip(tmp_path: Path) -> None:
    made = outputs()
    promised = Step("ite_0001", toy.iterate, 1, toy.Settings(), ("table",))
    with pytest.raises(ValueError, match="makes"):
        Store(tmp_path).write(promised, "toy", "k", {}, made, "", 0.0, "")
    short = {"particles": Stream(np.arange(3), 8, 1.0, iter(BOXES[:2]))}
    with pytest.raises(ValueError, match="3 tags but 2 boxes"):
        write(Store(tmp_path), short, "cut")
    assert Store(tmp_path).step_names() == []
    assert Store(tmp_path).sweep() == []


def test_torn_temporary_files_are_swept(tmp_path: Path) -> None:
    store = Store(tmp_path / "pr_1")
    path = write(store, outputs())
    torn = path.with_name(".ite_0004.h5.4711.tmp")
    torn.write_bytes(path.read_bytes()[:1000])
    assert store.step_names() == ["half_even/ite_0003"]
    assert store.sweep() == ["half_even/.ite_0004.h5.4711.tmp"]
    assert not torn.exists()
    assert store.facts("half_even/ite_0003") is not None


class Full(Disk):
    """No room is left."""

    def write(self, handle: int, content: bytes | memoryview, offset: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("with_stream", [False, True])
def test_a_full_disk_is_one_line_and_leaves_the_old_result(tmp_path: Path, with_stream: bool) -> None:
    store = Store(tmp_path / "pr_1")
    before = write(store, outputs()).read_bytes()
    with using(Full()), pytest.raises(EngineError, match="No space left"):
        write(store, outputs(with_stream), seconds=9.0)
    assert store.path("half_even/ite_0003").read_bytes() == before
    assert store.sweep() == []
    huge = {"particles": Stream(np.arange(9), 10**6, 1.0, iter(()))}
    with pytest.raises(EngineError, match="make room"):
        write(store, huge, "cut")


def spoilt(content: bytes, how: str, generator: random.Random) -> bytes:
    if how == "truncated":
        return content[: generator.randrange(len(content))]
    if how == "foreign":
        return generator.randbytes(3000)
    changed = bytearray(content)
    changed[generator.randrange(len(content))] ^= 1 << generator.randrange(8)
    return bytes(changed)


def reads_right_or_says_why(store: Store, name: str, facts: object, made: dict) -> bool:
    """True when everything reads as it was written, False when one line names the file."""
    try:
        right = store.facts(name) == facts and store.read(name, "table").equals(made["table"])
        right &= np.array_equal(store.read(name, "refs/001/average").data, made["refs/001/average"].data)
        if "particles" in made:
            particles = store.read(name, "particles")
            right &= all(np.array_equal(particles.read(int(tag)), BOXES[row]) for row, tag in enumerate(TAGS))
    except EngineError as error:
        text = str(error)
    else:
        assert right
        return True
    assert str(store.path(name)) in text
    assert "\n" not in text
    return False


@pytest.mark.parametrize("with_stream", [False, True])
@pytest.mark.parametrize("how", ["flipped", "truncated", "foreign"])
def test_a_spoilt_file_gives_the_right_bits_or_one_clear_error(tmp_path: Path, how: str, with_stream: bool) -> None:
    """No silent change: checksums lie on all metadata and chunks, what is not covered is not read."""
    store, made = Store(tmp_path / "pr_1"), outputs(with_stream)
    path = write(store, made)
    content, generator, refused = path.read_bytes(), random.Random(5), 0
    name = "half_even/ite_0003"
    facts = store.facts(name)
    for _ in range(25):
        path.write_bytes(spoilt(content, how, generator))
        if reads_right_or_says_why(store, name, facts, made):
            continue
        refused += 1
    assert refused == 25 if how != "flipped" else refused > 2


def test_a_file_under_the_name_of_another_step_is_refused(tmp_path: Path) -> None:
    store = Store(tmp_path)
    path = write(store, outputs(), "ite_0001")
    path.rename(path.with_name("ite_0002.h5"))
    with pytest.raises(EngineError, match="holds the step 'ite_0001'"):
        store.facts("ite_0002")


def test_an_absent_item_names_those_there(tmp_path: Path) -> None:
    store = Store(tmp_path)
    write(store, outputs(), "ite_0001")
    with pytest.raises(EngineError, match=r"no item 'fcs'; it has chosen, fsc"):
        store.read("ite_0001", "fcs")
    with pytest.raises(EngineError, match="not a volume"):
        store.volume_facts("ite_0001", "table")


def test_events_survive_a_torn_line(tmp_path: Path) -> None:
    store = Store(tmp_path / "pr_1")
    assert store.events() == []
    store.append_event({"event": "StepStarted", "step": "ite_0001"})
    with (tmp_path / "pr_1" / "events.jsonl").open("a") as file:
        file.write('{"event": "Chunk')
    store.append_event({"event": "StepStored", "step": "ite_0001"})
    assert [event["event"] for event in store.events()] == ["StepStarted", "StepStored"]
    assert "time" in store.events()[0]


HOLDER = """
import sys, time
from pathlib import Path
from engine.store import Store
with Store(Path(sys.argv[1])).lock():
    print("held", flush=True)
    time.sleep(60)
"""


def test_one_holder_at_a_time_and_a_dead_one_gives_way(tmp_path: Path) -> None:
    store = Store(tmp_path / "pr_1")
    assert store.lock_holder() is None
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path / "pr_1")], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(LockHeld, match=rf"process {other.pid} on .* since 20"), store.lock():
            pass
        holder = store.lock_holder()
        assert holder is not None
        assert (holder["pid"], holder["alive"]) == (other.pid, True)
        other.kill()
        other.wait()
        dead = store.lock_holder()
        assert dead is not None
        assert (dead["pid"], dead["alive"]) == (other.pid, False)
        with store.lock():
            held = store.lock_holder()
            assert held is not None
            assert (held["pid"], held["alive"], held["silent_s"] < 5) == (os.getpid(), True, True)
        assert store.lock_holder() is None


def test_what_the_system_refuses_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "ph").write_text("")
    for work in (lambda store: store.lock().__enter__(), lambda store: store.append_event({"event": "Begun"})):
        with pytest.raises(EngineError, match=r"cannot make the folder .*ph for results: File exists \(move that file"):
            work(Store(tmp_path / "ph"))
    assert Store(tmp_path / "ph").events() == []
    with pytest.raises(EngineError, match="move that file away"):
        write(Store(tmp_path / "ph"), outputs())

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    class Refusing(Disk):
        create = open_end = remove = refuse

    store = Store(tmp_path / "pr_1")
    (tmp_path / "pr_1").mkdir()
    (tmp_path / "pr_1" / ".ite_0001.h5.9.tmp").touch()
    with using(Refusing()):
        with pytest.raises(EngineError, match=r"events.jsonl: Operation not permitted \(get the right to write"):
            store.append_event({"event": "Begun"})
        with pytest.raises(EngineError, match=r"half-written .*: Operation not permitted \(get the right"):
            store.sweep()
        with pytest.raises(EngineError, match=r"not written: Operation not permitted \(get the right"):
            write(store, outputs(), "ite_0003")
        with pytest.raises(EngineError, match=r"cannot lock .*: Operation not permitted \(get the right"):
            store.lock().__enter__()


def test_a_log_that_is_none_is_no_log(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.append_event({"event": "Begun"})
    with (tmp_path / "events.jsonl").open("a") as file:
        file.write("[" * 100_000 + "\n")
    store.append_event({"event": "Ended"})
    assert [event["event"] for event in store.events()] == ["Begun", "Ended"]
    (tmp_path / "events.jsonl").unlink()
    os.mkfifo(tmp_path / "events.jsonl")
    assert store.events() == []
