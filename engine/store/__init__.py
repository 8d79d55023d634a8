"""The store: one HDF5 file per step beside the TOML, whole or absent. The layout is written in schemas/results.md."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.faults import EngineError
from engine.step import Step, as_json, key_of
from engine.store.atomic import advice, aside, free_bytes, make_folder, told
from engine.store.disk import disk
from engine.store.lock import Lock, LockHeld, lock_holder, locked, now, request_stop
from engine.store.plain import plain
from engine.store.sealed import ADVICE, About, StoredItem, StoredStep, Unjudged, about
from engine.version import engine_version

if TYPE_CHECKING:
    import numpy as np

    from engine.data import Catalogue, Curve, ParticleFacts, Particles, Spectra, Table, Volume, VolumeFacts
    from engine.outputs import Outputs
    from engine.store.journal import Journal
    from engine.store.reading import StoredTomogram

__all__ = ["LockHeld", "Store", "StoredItem", "StoredStep", "Unjudged", "free_bytes"]


class Store:
    """The results of one project. Reading is free for all; writing wants the lock.

    What reads and writes values is imported when it is asked for: which steps are there, what they tell of themselves and who
    holds the lock is known without HDF5 and NumPy.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        self._held: Lock | None = None

    def path(self, step_name: str) -> Path:
        """Where the step lies, whether it is there or not."""
        parts = step_name.split("/")
        if not all(parts) or any(part.startswith(".") for part in parts):
            raise ValueError(f"{step_name!r} is not the name of a step")
        return self.folder.joinpath(*parts[:-1], f"{parts[-1]}.h5")

    def step_names(self) -> list[str]:
        """Names of all the stored steps, sorted."""
        found = (path.relative_to(self.folder).with_suffix("") for path in self.folder.rglob("*.h5"))
        return sorted(name.as_posix() for name in found if not any(part.startswith(".") for part in name.parts))

    def facts(self, step_name: str) -> StoredStep | None:
        """The facts of the stored step; None when it is absent. What is not a results file is an EngineError."""
        path = self.path(step_name)
        if not os.path.lexists(path):
            return None
        found = self._about(path).step
        if found.step != step_name:
            raise EngineError(f"{path}: holds the step {found.step!r}, not {step_name!r} ({ADVICE})")
        return found

    def items(self, step_name: str) -> Mapping[str, StoredItem]:
        """The items of a stored step by their paths, without their values."""
        return self._about(self._present(step_name)).items

    def what(self, step_name: str, item_path: str) -> str:
        """What an item of a stored step is; empty where the step has none of that name."""
        one = self.items(step_name).get(item_path)
        return one.what if one else ""

    def _about(self, path: Path) -> About:
        if found := about(path):
            return found
        from engine.store.reading import about_of

        return about_of(path)

    def read(
        self, step_name: str, item_path: str
    ) -> Volume | Table | Curve | Catalogue | dict[str, Any] | np.ndarray | Particles | Spectra:
        """The value of an item; particles and their spectra stay on disk and are read one by one."""
        from engine.store.reading import value_of

        return value_of(self._present(step_name), item_path)

    def tomogram(self, step_name: str, item_path: str) -> StoredTomogram:
        """A stored volume that stays on disk and is read part by part."""
        from engine.store.reading import StoredTomogram

        return StoredTomogram(self._present(step_name), item_path)

    def volume_facts(self, step_name: str, item_path: str) -> VolumeFacts:
        """Shape and pixel size of a stored volume, without its voxels."""
        from engine.data import VolumeFacts

        one = self._item(step_name, item_path, "volume")
        z, y, x = one.shape
        return VolumeFacts((z, y, x), one.pixel_size_A)

    def particle_facts(self, step_name: str, item_path: str) -> ParticleFacts:
        """Number, box and pixel size of stored particles."""
        from engine.data import ParticleFacts

        one = self._item(step_name, item_path, "particles")
        n_particles, *_, box_px = one.shape
        return ParticleFacts(n_particles, box_px, one.pixel_size_A)

    def _item(self, step_name: str, item_path: str, what: str) -> StoredItem:
        path, items = self.path(step_name), self.items(step_name)
        if item_path not in items:
            raise EngineError(f"{path}: no item {item_path!r}; it has {', '.join(items)}")
        if items[item_path].what != what:
            raise EngineError(f"{path}: {item_path} is a {items[item_path].what}, not a {what}")
        return items[item_path]

    def damage(self, step_name: str) -> str:
        """What is wrong with a stored step, all of which is read; empty where it is as it was written.

        An Unjudged where that cannot be told here.
        """
        from engine.store.reading import damage_of

        path = self._present(step_name)
        try:
            facts = self.facts(step_name)
            what = damage_of(path)
        except Unjudged:
            raise
        except EngineError as error:
            return str(error).removeprefix(f"{path}: ").removesuffix(f" ({ADVICE})")
        if what or facts is None:
            return what
        if facts.key != key_of(facts.function, facts.version, as_json(facts.settings), facts.inputs):
            return "its key is not that of the settings and inputs that stand in it"
        return ""

    def set_aside(self, step_name: str) -> Path:
        """Gives a damaged step's file another name, under which nothing looks for it; returns that."""
        path = self._present(step_name)
        free = next(
            place for n in range(1, 10_000) if not os.path.lexists(place := path.with_name(f"{path.name}.damaged_{n}"))
        )
        self.check_lock()
        with told(f"set {path} aside"):
            disk().rename(path, free)
            disk().sync_folder(path.parent)
        return free

    def _present(self, step_name: str) -> Path:
        path = self.path(step_name)
        if not os.path.lexists(path):
            raise EngineError(f"{path}: this step has not been run")
        return path

    def write(
        self,
        step: Step,
        kind: str,
        key: str,
        input_keys: Mapping[str, str],
        outputs: Outputs,
        started: str,
        seconds: float | Callable[[], float],
        devices: str,
    ) -> Path:
        """Where the step now lies, on disk and flushed. A kill leaves the old file or none, never a torn one.

        started is ISO 8601 in UTC. seconds may be a function, asked after the last box of a Stream.
        """
        from engine.store.writing import facts_of, write  # looking at results needs nothing of it

        if set(outputs) != set(step.makes):
            raise ValueError(f"step {step.name} makes {sorted(step.makes)}, its function gave {sorted(outputs)}")
        path = self.path(step.name)
        try:
            make_folder(path.parent)
            self._need_space(path, outputs)
            with aside(path) as handle:
                facts = facts_of(step, kind, key, input_keys, outputs, started, devices)
                write(handle, facts, outputs, seconds)
                self.check_lock()
        except OSError as error:
            self.check_lock()  # whoever took the lock swept what was being written
            raise EngineError(
                f"{path}: not written: {error.strerror or error} ({advice(error)}; earlier results are whole)"
            ) from error
        return path

    def _need_space(self, path: Path, outputs: Outputs) -> None:
        """Streams look first: a disk that is full in an hour is better known now."""
        from engine.store.writing import stream_bytes

        needed = stream_bytes(outputs)
        free = free_bytes(path.parent)
        if needed * 1.02 > free:
            raise EngineError(
                f"{path}: needs {needed / 2**30:.1f} GiB, free are {free / 2**30:.1f} GiB (make room, run again)"
            )

    def journal(self, step_name: str, key: str, made_on: str, note: Callable[[str], None]) -> Journal:
        """Where a step of that key writes down what it has finished. made_on: "CPU" or "GPU", whose bits differ."""
        from engine.store.journal import Journal

        head = {"journal": 1, "engine": engine_version(), "step": step_name, "key": key, "made_on": made_on}
        return Journal(self._journal_path(step_name, key), head, note)

    def _journal_path(self, step_name: str, key: str) -> Path:
        path = self.path(step_name)
        return path.with_name(f".{path.name}.{key[:12]}.chunks")

    def sweep(self, to_do: Iterable[tuple[str, str]] = ()) -> list[str]:
        """Names of the half-written files that earlier kills left, now removed. Only for the holder of the lock.

        Journals are kept of the steps that are to be done, named with their keys.
        """
        kept = {self._journal_path(*step) for step in to_do}
        found = [path for end in ("tmp", "chunks") for path in self.folder.rglob(f".*.h5.*.{end}")]
        leftovers = sorted(path for path in found if path not in kept)
        self.check_lock()  # after the look: what it found is of nobody who holds the lock later
        for path in leftovers:
            with told(f"remove the half-written {path}"):
                disk().remove(path)
        return [path.relative_to(self.folder).as_posix() for path in leftovers]

    def append_event(self, event: Mapping[str, Any]) -> None:
        """Adds a line to events.jsonl, with the time when the event has none; a torn line before it is closed first."""
        self.check_lock()
        make_folder(self.folder)
        line = json.dumps({"time": now(), **event}, default=plain, ensure_ascii=False)
        path = self.folder / "events.jsonl"
        with told(f"write down what happens in {path}"):
            handle = disk().open_end(path)
            try:
                size = os.fstat(handle).st_size
                is_torn = size > 0 and os.pread(handle, 1, size - 1) != b"\n"
                disk().append(handle, b"\n" * is_torn + line.encode() + b"\n")
            finally:
                disk().close(handle)

    def events(self) -> list[dict[str, Any]]:
        """What happened, oldest first; torn lines are left out."""
        path = self.folder / "events.jsonl"
        if not path.is_file():
            return []
        try:
            lines = path.read_bytes().splitlines()
        except OSError as error:
            raise EngineError(f"{path}: cannot be read: {error.strerror} (get the right to read it)") from error
        found = []
        for line in lines:
            with suppress(ValueError, RecursionError):
                event = json.loads(line)
                if isinstance(event, dict):
                    found.append(event)
        return found

    @contextmanager
    def lock(self, waiting: Callable[[str], None] = lambda text: None) -> Iterator[None]:
        """Inside, this process alone writes here; a LockHeld names the other holder. A dead holder's lock is free.

        waiting is called every second, with one line to tell, where it takes long to find out whether the holder is dead.
        What sleeps through that in its turn has lost the lock: whatever changes the results is then a LockHeld. Its last
        commit comes before the `sweep` of the next holder or never, so that sweep comes first.
        """
        with locked(self.folder, waiting) as self._held:
            try:
                yield
            finally:
                self._held = None

    def check_lock(self) -> None:
        """Inside `lock`, a LockHeld when another process has taken the lock since, or somebody has removed it."""
        if self._held:
            self._held.check()

    def is_asked_to_stop(self) -> bool:
        """Whether somebody has asked the run that holds the lock, this one, to stop; the request is taken away."""
        return self._held is not None and self._held.is_asked_to_stop()

    def request_stop(self, in_a_hurry: bool = False) -> dict[str, Any] | None:
        """Asks the holder of the lock to stop; None where nobody holds it (see `lock.request_stop`)."""
        return request_stop(self.folder, in_a_hurry)

    def lock_holder(self) -> dict[str, Any] | None:
        """host, pid, started, alive and silent_s of the last run that did not end by itself; None when the last one did."""
        return lock_holder(self.folder)
