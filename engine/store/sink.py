"""A file that HDF5 writes through our disk. An error in the middle of libhdf5 can end the process, so none reaches it."""

from __future__ import annotations

import os
from collections.abc import Callable

from engine.store.disk import disk
from engine.store.staging import Staging


class Sink:
    """What h5py calls a file object. The first error is kept, what comes after it is thrown away; `check` raises it.

    Of a file that is_huge, large pieces go past the system's cache.
    """

    def __init__(self, handle: int, is_huge: bool = False) -> None:
        self._handle = handle
        self._staging = Staging(handle) if is_huge else None
        self._at = 0
        self._size = 0
        self._fault: BaseException | None = None

    def check(self) -> None:
        """Raises what went wrong so far, be it that the user wants to stop."""
        if self._fault is not None:
            raise self._fault

    @property
    def size(self) -> int:
        """Bytes of the file so far."""
        return self._size

    def finish(self) -> None:
        """All is written afterwards, or `check` says why not."""
        if self._staging:
            self._try(self._staging.drain)
            self._try(self._staging.close)
            self._staging = None
        self.check()

    def read_at(self, offset: int, n_bytes: int) -> bytes:
        """So many bytes from there on."""
        if self._staging:
            self._try(self._staging.drain)
        return os.pread(self._handle, n_bytes, offset)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def read(self, n_bytes: int) -> bytes:
        """So many bytes from here on. HDF5 fills a buffer instead; h5py takes for a file what can be read."""
        found = self.read_at(self._at, n_bytes)
        self._at += len(found)
        return found

    def readinto(self, buffer: memoryview) -> int:
        found = self.read_at(self._at, len(buffer))
        buffer[: len(found)] = found
        buffer[len(found) :] = bytes(len(buffer) - len(found))
        self._at += len(buffer)
        return len(buffer)

    def write(self, content: memoryview) -> int:
        staging = self._staging
        self._try(
            lambda: staging.write(content, self._at) if staging else disk().write(self._handle, content, self._at)
        )
        self._at += len(content)
        self._size = max(self._size, self._at)
        return len(content)

    def truncate(self, size: int | None = None) -> int:
        self._size = self._at if size is None else size
        if self._staging:
            self._try(self._staging.drain)
        self._try(lambda: disk().truncate(self._handle, self._size))
        return self._size

    def flush(self) -> None:
        """Nothing: the file is flushed once, when it is whole."""

    def _try(self, operation: Callable[[], None]) -> None:
        if self._fault is None:
            try:
                operation()
            except BaseException as fault:
                self._fault = fault
