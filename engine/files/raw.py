"""Bytes and text of a file, plain or packed (.gz, .bz2), and one EngineError for whatever is wrong with it."""

from __future__ import annotations

import bz2
import csv
import gzip
import math
import struct
import sys
import tokenize
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np

from engine.faults import EngineError, clipped
from engine.files.limits import LARGEST_TEXT_BYTES, refuse_beyond_memory, refuse_large, too_large

PACKED = (".gz", ".bz2")
LONGEST_REASON = 200
_BLOCK_BYTES = 1 << 20

# Foreign parsers document no exceptions: this is what they were seen to throw on truncated, garbled and wrong files.
_THROWN = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    csv.Error,
    struct.error,
    tokenize.TokenError,
    zlib.error,
)


def ending(path: Path) -> str:
    """The lower-case ending that tells the format: `.star` for both `a.star` and `a.STAR.gz`."""
    suffix = path.suffix.lower()
    return Path(path.stem).suffix.lower() if suffix in PACKED else suffix


@contextmanager
def reading(path: Path, form: str) -> Iterator[None]:
    """Around a parser: whatever it throws becomes one EngineError that names the file and the expected form."""
    try:
        yield
    except FileNotFoundError as error:
        raise EngineError(f"{path}: no such file; check the name and the folder") from error
    except PermissionError as error:
        raise EngineError(f"{path}: may not be read; ask its owner for the right to read it") from error
    except IsADirectoryError as error:
        raise EngineError(f"{path}: is a folder where {form} was expected; give a file") from error
    except _THROWN as error:
        reason = shortened(str(error)) or type(error).__name__
        raise EngineError(
            f"{path}: cannot be read as {form} ({reason}); check that the file is complete and its ending true"
        ) from error


def shortened(text: str) -> str:
    """A parser's complaint in one line, without the whole of what it complains about."""
    return clipped(" ".join(text.split()), LONGEST_REASON)


def listed(names: Iterable[str]) -> str:
    """The names, as far as a message should hold them."""
    return clipped(", ".join(names), LONGEST_REASON)


def is_there(path: Path) -> bool:
    """Whether there is such a file or folder; what no system takes for a name is not there."""
    try:
        return path.exists()
    except OSError:
        return False


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Around a writer: a folder that is not there, a full disk and the like become one EngineError."""
    try:
        with np.errstate(over="ignore"):  # the deviation of very large voxels, in float32, is inf
            yield
    except FileNotFoundError as error:
        raise EngineError(f"{path}: cannot be written, its folder does not exist; make the folder first") from error
    except OSError as error:
        raise EngineError(f"{path}: cannot be written ({error.strerror or error}); choose another place") from error


def first_bytes(path: Path, count: int) -> bytes:
    """The first bytes of a file, unpacked; fewer when the file is shorter."""
    with _opened(path) as stream:
        return stream.read(count)


def bytes_of(path: Path, most_bytes: int) -> bytes:
    """All bytes of a file, unpacked; an EngineError when they are more."""
    refuse_large(path, most_bytes)
    found = _unpacked(path, most_bytes + 1)
    if len(found) > most_bytes:
        raise too_large(path, most_bytes)
    return bytes(found)


def text_of(path: Path, form: str, most_bytes: int = LARGEST_TEXT_BYTES) -> str:
    """The whole text of a UTF-8 file, unpacked. A file that is not text, or has more bytes, is an EngineError."""
    with reading(path, form):
        content = bytes_of(path, most_bytes)
    if b"\0" in content:
        raise EngineError(f"{path}: is not text, so it is not {form}; check that the ending is true")
    with reading(path, form):
        try:
            return content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = content.count(b"\n", 0, error.start) + 1
            raise EngineError(
                f"{path}:{line}: is not UTF-8 text; save it as UTF-8, or check that it is {form}"
            ) from error


def write_text(text: str, path: Path) -> None:
    """Writes UTF-8 with LF line ends on every system."""
    with writing(path):
        path.write_bytes(text.encode())


def check_length(path: Path, offset: int, dtype: np.dtype, shape: tuple[int, ...]) -> None:
    """EngineError when a plain file is shorter than its header says. A packed one is measured when it is unpacked."""
    if path.suffix.lower() not in PACKED:
        _refuse_short(path, path.stat().st_size, offset, dtype, shape)


def voxels(path: Path, offset: int, dtype: np.dtype, shape: tuple[int, ...]) -> np.ndarray:
    """The array that starts at a byte offset, as float32 of the given shape; EngineError when bytes are missing.

    What follows it in a packed file is not unpacked.
    """
    count = math.prod(shape)
    is_packed = path.suffix.lower() in PACKED
    check_length(path, offset, dtype, shape)
    refuse_beyond_memory(path, count * (4 + dtype.itemsize * (is_packed or dtype != np.float32)))
    if is_packed:
        content = _unpacked(path, offset + count * dtype.itemsize)
        _refuse_short(path, len(content), offset, dtype, shape)
        found = np.frombuffer(content, dtype, count, offset)
    else:
        found = np.fromfile(path, dtype, count, offset=offset)
    with np.errstate(over="ignore"):
        return np.require(found.reshape(shape), dtype=np.float32, requirements=["C", "W"])


def _refuse_short(path: Path, size: int, offset: int, dtype: np.dtype, shape: tuple[int, ...]) -> None:
    wanted = offset + math.prod(shape) * dtype.itemsize
    if size < wanted:
        box = " x ".join(str(n) for n in reversed(shape))
        raise EngineError(
            f"{path}: holds {size} bytes where its header ({box} voxels of {dtype.name}) asks for {wanted}; "
            "it was cut short or is no such file: fetch it again"
        )


def _unpacked(path: Path, most_bytes: int) -> bytearray:
    """As many bytes as there are, at most so many: block by block, since what a header asks for need not be there."""
    found = bytearray()
    with _opened(path) as stream:
        while block := stream.read(min(_BLOCK_BYTES, most_bytes - len(found))):
            found += block
    return found


def _opened(path: Path) -> BinaryIO:
    refuse_large(path, sys.maxsize)
    match path.suffix.lower():
        case ".gz":
            return cast(BinaryIO, gzip.open(path, "rb"))
        case ".bz2":
            return cast(BinaryIO, bz2.open(path, "rb"))
        case _:
            return path.open("rb")
