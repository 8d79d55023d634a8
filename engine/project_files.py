"""Project files on disk: which are meant, what stands in them, and what there is instead."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

from engine.faults import EngineError

LARGEST_BYTES = 1_000_000
_HAS_KIND = re.compile(r"^\s*[\"']?kind[\"']?\s*[=:]", re.MULTILINE)


def project_files(paths: Iterable[str | Path]) -> list[Path]:
    """The project files meant: files as given, of folders every .toml with a kind, each once, by name in a folder."""
    found: dict[Path, Path] = {}
    for path in map(Path, paths):
        for file in _files(path):
            found.setdefault(without_links(file), file)
    return list(found.values())


def without_links(path: Path) -> Path:
    """The path without links; where they lead in a circle, which pathlib's own raises for, what is left of it."""
    return Path(os.path.realpath(path))


def content_of(path: Path) -> bytes:
    """What stands in a project's file; of one that is larger than any project, a byte more than LARGEST_BYTES."""
    try:
        if path.exists() and not path.is_file():
            raise EngineError(f"{path}: is no file (name a project's .toml, or a folder of them)")
        with path.open("rb") as file:
            return file.read(LARGEST_BYTES + 1)
    except FileNotFoundError:
        raise EngineError(f"{path}: there is no such file{named_like(path)}") from None
    except OSError as error:
        raise EngineError(f"{path}: cannot be read: {error.strerror}") from None


def named_like(path: Path) -> str:
    """` (did you mean pr_1.toml?)`, or the projects there are."""
    import difflib

    stems = sorted(file.stem for file in path.parent.glob("*.toml"))
    close = difflib.get_close_matches(path.stem, stems, n=1)
    if close:
        return f" (did you mean {close[0]}?)"
    return f" (there are {', '.join(stems[:12])})" if stems else ""


def _files(path: Path) -> list[Path]:
    named = path if path.name not in ("", "..") else path.resolve()
    beside = named.parent / f"{named.name}.toml"
    if path.is_dir():
        files = sorted(file for file in path.glob("*.toml") if file.is_file() and _has_kind(file))
        if not files and not beside.is_file():
            raise EngineError(f"{path}: no project in this folder (engine new KIND {path}/NAME makes one)")
        return files or [beside]
    return [beside] if not path.exists() and beside.is_file() else [path]


def _has_kind(path: Path) -> bool:
    return _HAS_KIND.search(content_of(path).decode("utf-8", "replace")) is not None
