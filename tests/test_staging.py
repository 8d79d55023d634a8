"""What goes past the system's cache is the same file."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pytest

from engine.store.disk import Disk, using
from engine.store.staging import BLOCK_BYTES, LARGE_BYTES, STAGED_BYTES, Staging


class NoDirect(Disk):
    """A file system that opens files for direct writing, and then refuses it; or does not even open them."""

    def __init__(self, opens: bool) -> None:
        self.opens = opens
        self.refused: set[int] = set()

    def open_direct(self, handle: int) -> int:
        if not self.opens:
            raise OSError(errno.EINVAL, "Invalid argument")
        direct = super().open_direct(handle)
        self.refused.add(direct)
        return direct

    def write(self, handle: int, content: bytes | memoryview, offset: int) -> None:
        if handle in self.refused:
            raise OSError(errno.EINVAL, "Invalid argument")
        super().write(handle, content, offset)

    def close(self, handle: int) -> None:
        self.refused.discard(handle)
        super().close(handle)


class Watched(Disk):
    """Knows how much went past the cache."""

    def __init__(self) -> None:
        self.direct, self.n_direct_bytes = -1, 0

    def open_direct(self, handle: int) -> int:
        self.direct = super().open_direct(handle)
        return self.direct

    def write(self, handle: int, content: bytes | memoryview, offset: int) -> None:
        if handle == self.direct:
            assert offset % BLOCK_BYTES == 0
            assert len(content) % BLOCK_BYTES == 0
            self.n_direct_bytes += len(content)
        super().write(handle, content, offset)


def pieces(generator: np.random.Generator) -> list[tuple[int, bytes]]:
    """Large pieces mostly behind one another, small ones anywhere, some of them over what was just written."""
    found, end = [], int(generator.integers(10_000))
    for _ in range(40):
        what = generator.random()
        n_bytes = int(generator.integers(LARGE_BYTES, 6 * LARGE_BYTES) if what < 0.6 else generator.integers(1, 9000))
        offset = end if what < 0.7 else int(generator.integers(0, end + 20_000))
        found.append((offset, generator.bytes(n_bytes)))
        end = max(end, offset + n_bytes)
    return found


@pytest.mark.parametrize("way", ["direct", "refused", "closed"])
@pytest.mark.parametrize("seed", range(4))
def test_the_file_is_what_was_written(tmp_path: Path, way: str, seed: int) -> None:
    disk = Watched() if way == "direct" else NoDirect(opens=way == "refused")
    expected = bytearray()
    handle = os.open(tmp_path / "file", os.O_CREAT | os.O_RDWR)
    with using(disk):
        staging = Staging(handle)
        for number, (offset, content) in enumerate(pieces(np.random.default_rng(seed))):
            staging.write(memoryview(content), offset)
            expected.extend(bytes(max(0, offset + len(content) - len(expected))))
            expected[offset : offset + len(content)] = content
            if number % 7 == 6:
                staging.drain()
                assert os.pread(handle, len(content), offset) == content
        staging.drain()
        staging.close()
    os.close(handle)
    assert (tmp_path / "file").read_bytes() == expected
    if isinstance(disk, Watched) and disk.direct >= 0:
        assert disk.n_direct_bytes > STAGED_BYTES
