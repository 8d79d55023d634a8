"""Whether this machine and these folders are fit for runs: a finding for each thing, with what to do where it is amiss."""

from __future__ import annotations

import os
import platform
import shlex
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from engine.devices import cards
from engine.faults import EngineError
from engine.kernels import quick
from engine.memory import available_bytes
from engine.project_files import project_files
from engine.store import Store, free_bytes
from engine.store.reading import hdf5_version
from engine.store.trial import trial
from engine.version import engine_version, version_of

LITTLE_ROOM_BYTES = 10_000_000_000
LITTLE_MEMORY_BYTES = 2_000_000_000
NETWORK = ("nfs", "cifs", "smb", "lustre", "gpfs", "beegfs", "ceph", "fuse.sshfs", "afs", "panfs")
MOUNTS = Path("/proc/self/mountinfo")

State = Literal["ok", "warning", "broken"]


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. advice is empty where it is ok; bytes is a size where there is one to tell."""

    subject: str
    state: State
    text: str
    advice: str = ""
    bytes: int | None = None


def doctor(paths: Iterable[str | Path]) -> Iterator[Finding]:
    """The machine first, then each folder of the paths, and the locks of the projects in it."""
    yield from _versions()
    yield _loops()
    yield from _gpus()
    yield _memory()
    folders: dict[Path, list[Path]] = {}
    for path in map(Path, paths):
        folder, projects = _projects(path)
        folders[folder] = [*folders.get(folder, ()), *projects]
    for folder, projects in folders.items():
        yield from _folder(folder)
        for project in dict.fromkeys(projects):
            yield from _lock(project)


def _projects(path: Path) -> tuple[Path, list[Path]]:
    """The folder, and the project files meant; a folder without any is looked at all the same."""
    if path.is_dir() and not any(path.glob("*.toml")):
        return path, []
    files = project_files([path])
    return (path if path.is_dir() else path.parent), files


def _versions() -> Iterator[Finding]:
    system = f"{platform.system()} {platform.machine()}"
    yield Finding("engine", "ok", f"{engine_version()}, Python {sys.version.split()[0]}, {system}")
    told = ", ".join(f"{name} {version_of(name)}" for name in ("numpy", "scipy", "h5py", "numba"))
    yield Finding("libraries", "ok", f"{told}, HDF5 {hdf5_version()}")


def _loops() -> Finding:
    if quick.is_ready():
        return Finding("compiled loops", "ok", "ready")
    return Finding(
        "compiled loops",
        "warning",
        "not compiled for this machine yet",
        "nothing: the first run does it, in some ten seconds",
    )


def _gpus() -> Iterator[Finding]:
    found = cards()
    if found is None:
        yield Finding("GPUs", "ok", "none are used: CuPy is not installed")
    elif not found.cards:
        advice = "for GPUs: mend the driver, or install the CuPy of its CUDA; runs compute on the CPU"
        yield Finding("GPUs", "warning", f"CuPy is installed and finds none: {found.problem or 'no card'}", advice)
    else:
        cuda = f"CUDA {_cuda(found.runtime)}, driver for {_cuda(found.driver)}"
        if found.driver < found.runtime // 1000 * 1000:
            advice = "install a newer driver, or the CuPy of an older CUDA"
            yield Finding("CuPy", "warning", f"{cuda}: the driver is too old", advice)
        else:
            yield Finding("CuPy", "ok", cuda)
        for card in found.cards:
            free = f"{_told(card.free_bytes)} of {_told(card.total_bytes)} free"
            yield Finding(f"GPU {card.number}", "ok", f"{card.name}, {free}", bytes=card.free_bytes)


def _cuda(number: int) -> str:
    return f"{number // 1000}.{number % 1000 // 10}"


def _memory() -> Finding:
    available = available_bytes()
    if available is None:
        return Finding("memory", "ok", "the system does not tell what is left")
    if available < LITTLE_MEMORY_BYTES:
        advice = "end other programs, or give fewer workers"
        return Finding("memory", "warning", f"only {_told(available)} left", advice, available)
    return Finding("memory", "ok", f"{_told(available)} left", bytes=available)


def _folder(folder: Path) -> Iterator[Finding]:
    name = str(folder)
    if not folder.is_dir():
        yield Finding(name, "broken", "there is no such folder", "give a folder of projects, or a project")
        return
    kind = _file_system(folder)
    where = f" ({kind})" if kind else ""
    failed = {step: why for step, why in trial(folder).items() if why}
    if "create a file" in failed:
        advice = "get the right to write there, make room, or move the projects"
        yield Finding(name, "broken", f"cannot be written{where}: {failed['create a file']}", advice)
        return
    for step, why in failed.items():
        yield Finding(name, "broken", f"cannot {step}{where}: {why}", "keep projects on another file system")
    if not failed:
        far = "; a network: a run that is asked to stop from another machine may see it late" if _is_far(kind) else ""
        yield Finding(name, "ok", f"can be written, flushed and renamed in{where}{far}")
    try:
        free = free_bytes(folder)
    except EngineError as error:
        yield Finding(name, "warning", str(error), "look at the file system")
        return
    if free < LITTLE_ROOM_BYTES:
        yield Finding(name, "warning", f"only {_told(free)} free", "make room before large runs", free)
    else:
        yield Finding(name, "ok", f"{_told(free)} free", bytes=free)


def _is_far(kind: str) -> bool:
    return kind.startswith(NETWORK)


def _file_system(folder: Path) -> str:
    """The kind of file system that the folder is on; empty where the system does not tell."""
    try:
        lines = MOUNTS.read_text("utf-8", "replace").splitlines()
        real = Path(os.path.realpath(folder))
    except OSError:
        return ""
    best, kind = -1, ""
    for line in lines:
        mine, _, rest = line.partition(" - ")
        place = Path(mine.split()[4].replace("\\040", " "))
        depth = len(place.parts)
        if depth >= best and real.is_relative_to(place):  # of those on the same place the last covers the others
            best, kind = depth, rest.split()[0]
    return kind


def _lock(project: Path) -> Iterator[Finding]:
    """Who runs the project, or did when it died."""
    holder = Store(project.with_suffix("")).lock_holder()
    if holder is None:
        return
    who = f"process {holder['pid']} on {holder['host']} since {holder['started']}"
    if holder["alive"]:
        yield Finding(project.stem, "ok", f"is being run by {who}")
    else:
        advice = f"nothing: engine run {shlex.quote(str(project))} takes it over"
        yield Finding(project.stem, "warning", f"its run died without a word: {who}", advice)


def _told(n_bytes: int) -> str:
    return f"{n_bytes / 1e9:.1f} GB"
