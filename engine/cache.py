"""What the engine keeps for a user between commands: files in the cache folder, each of which may be deleted at any time."""

from __future__ import annotations

import os
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path


def folder() -> Path:
    """The folder of what is kept: ENGINE_CACHE, else engine/ in XDG_CACHE_HOME or ~/.cache."""
    if own := os.environ.get("ENGINE_CACHE"):
        return Path(own)
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if Path(base).is_absolute() else Path.home() / ".cache") / "engine"


def write(path: Path, text: str) -> None:
    """Keeps a text, whole; where nothing can be written, nothing is kept."""
    aside = path.with_suffix(f".{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        aside.write_text(text, "utf-8")
        aside.replace(path)
    except OSError:
        with suppress(OSError):
            aside.unlink()


def hashed(content: bytes) -> str:
    """A name for what is kept under it, or proof that it is as it was."""
    return blake2b(content, digest_size=16).hexdigest()
