"""Large pieces past the system's cache: more than memory holds would only push out what others read, at twice the work."""

from __future__ import annotations

import errno
import mmap
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress

from engine.store.disk import disk

BLOCK_BYTES = 4096
STAGED_BYTES = 16 << 20
LARGE_BYTES = 1 << 20
"""Of a piece that is staged; smaller ones, which HDF5 writes here and there, go through the cache."""


class Staging:
    """Writes a file. Pieces that follow one another are gathered, and written in whole blocks as soon as there are enough.

    A thread writes while the next ones are gathered.
    """

    def __init__(self, handle: int) -> None:
        self._handle = handle
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="staging")
        self._writing: Future[None] | None = None
        self._direct: int | None = None
        with suppress(OSError):  # a file system that knows no other way than its cache
            self._direct = disk().open_direct(handle)
        # memory that begins at a block, as such writing wants it: one part is filled, the other is being written
        self._held, self._spare = mmap.mmap(-1, STAGED_BYTES), mmap.mmap(-1, STAGED_BYTES)
        self._base = 0  # place in the file of what is held first, the beginning of a block
        self._low = self._high = 0  # what is held, in places of the file

    def write(self, content: memoryview, offset: int) -> None:
        """Writes or keeps the content, which belongs there."""
        if self._low < self._high and offset == self._high:
            self._keep(content)
            return
        if len(content) < LARGE_BYTES and not (offset < self._high and offset + len(content) > self._low):
            self._wait()
            disk().write(self._handle, content, offset)
            return
        self.drain()
        self._base, self._low, self._high = offset - offset % BLOCK_BYTES, offset, offset
        self._keep(content)

    def drain(self) -> None:
        """Writes what is held; what begins or ends amid a block goes through the cache."""
        self._write_blocks()
        self._wait()
        if self._low < self._high:
            disk().write(self._handle, self._view(self._low, self._high), self._low)
        self._low = self._high

    def close(self) -> None:
        """After the last piece was drained, or given up."""
        self._writer.shutdown()
        if self._direct is not None:
            disk().close(self._direct)
            self._direct = None

    def _keep(self, content: memoryview) -> None:
        while content:
            n = min(len(content), self._base + STAGED_BYTES - self._high)
            self._view(self._high, self._high + n)[:] = content[:n]
            self._high += n
            content = content[n:]
            if self._high == self._base + STAGED_BYTES:
                self._write_blocks()
                self._held, self._spare = self._spare, self._held
                self._base = self._low = self._high

    def _wait(self) -> None:
        """The blocks that were on their way are written afterwards, or an OSError says why not."""
        writing, self._writing = self._writing, None
        if writing is not None:
            writing.result()

    def _write_blocks(self) -> None:
        """Begins to write the whole blocks that are held, and before them writes what stands amid one."""
        self._wait()
        first = min(-(-self._low // BLOCK_BYTES) * BLOCK_BYTES, self._high)
        last = max(first, self._high - self._high % BLOCK_BYTES)
        if self._low < first:
            disk().write(self._handle, self._view(self._low, first), self._low)
        if first < last:
            self._writing = self._writer.submit(self._write_direct, self._view(first, last), first)
        self._low = last

    def _write_direct(self, blocks: memoryview, offset: int) -> None:
        if self._direct is not None:
            try:
                disk().write(self._direct, blocks, offset)
            except OSError as error:
                if error.errno != errno.EINVAL:
                    raise
                disk().close(self._direct)
                self._direct = None
        if self._direct is None:
            disk().write(self._handle, blocks, offset)

    def _view(self, low: int, high: int) -> memoryview:
        return memoryview(self._held)[low - self._base : high - self._base]
