"""Inputs spoilt in the ways that files are spoilt, and in those that parsers stumble over. The generator decides everything."""

from __future__ import annotations

import random
import re
import struct
from collections.abc import Callable, Sequence

MOST_BYTES = 400_000

WHOLE = [0, 1, -1, 2, 127, 128, 255, 256, 32767, 65535, 65536, 2**24, 2**30, 2**31 - 1, -(2**31), 2**32 - 1]
REAL = [0.0, -0.0, 1e-45, 1e38, -1e38, float("inf"), float("nan")]
TOKENS = [
    b"1e999", b"-1e999", b"-0", b"0", b"nan", b"NaN", b"inf", b"-Inf", b"1e-400", b"1e15", b"1e16", b"1e300", b"-1", b"1.5",
    b"0x10", b"1_000", b"9" * 16, b"9" * 25, b"9" * 400, b"9" * 5000, b"1" * 300 + b"." + b"1" * 300,
    "²".encode(), "٣".encode(),
    b"true", b"null", b"''", b'""', b"..", b"/", b"/dev/zero", b"../..", b"a" * 300, b"\\", b"*", b"[", b"]", b"{}", b"#", b";",
    b"data_", b"loop_", b"_tag", b"_rlnTomoName", b"save_", b"stop_", b"tag", b"last", b"all", b"even", b"in", b"not", b"and",
    b"<!DOCTYPE m [<!ENTITY a 'b'>]>", b"&a;", b"<marker_set>", b"</marker_set>", b"\\u0000", b"\\ud800", b"\x1b[2J",
    b"2026-01-01",
]  # fmt: skip
_WORD = re.compile(rb"[^\s,;=\[\]\"'<>:()]+")
_NUMBER = re.compile(rb"[-+]?\d+\.?\d*(?:[eE][-+]?\d+)?")

Mutator = Callable[[random.Random, bytes, Sequence[bytes]], bytes]


def case(format_name: str, number: int, made: Sequence[bytes], real: Sequence[bytes] = ()) -> bytes:
    """The input of this number. Only every fourth depends on the real seeds, so that the others are the same without them."""
    generator = random.Random(f"{format_name} {number}")
    corpus = [*made, *real] if number % 4 == 3 else list(made)
    content = generator.choice(corpus)
    for _ in range(generator.choice((1, 1, 1, 2, 2, 3, 5))):
        content = generator.choice(MUTATORS)(generator, content, corpus)[:MOST_BYTES]
    return content


def _slice(generator: random.Random, content: bytes, longest: int) -> tuple[int, int]:
    low = generator.randrange(len(content) + 1)
    return low, min(len(content), low + generator.randint(1, longest))


def _flip(generator: random.Random, content: bytes, corpus: Sequence[bytes]) -> bytes:
    changed = bytearray(content or b"\0")
    for _ in range(generator.choice((1, 1, 2, 4, 16))):
        changed[_place(generator, len(changed))] ^= 1 << generator.randrange(8)
    return bytes(changed)


def _random_bytes(generator: random.Random, content: bytes, corpus: Sequence[bytes]) -> bytes:
    changed = bytearray(content or b"\0")
    for _ in range(generator.choice((1, 2, 5))):
        changed[_place(generator, len(changed))] = generator.randrange(256)
    return bytes(changed)


def _place(generator: random.Random, length: int) -> int:
    """Anywhere, and as often among the first 1100 bytes, where headers lie."""
    return generator.randrange(min(length, 1100) if generator.random() < 0.5 else length)


def _truncate(generator: random.Random, content: bytes, corpus: Sequence[bytes]) -> bytes:
    return content[: generator.randrange(len(content) + 1)]


def _remove(generator: random.Random, content: bytes, corpus: Sequence[bytes]) -> bytes:
    low, high = _slice(generator, content, 200)
    return content[:low] + content[high:]


def _repeat(generator: random.Random, content: bytes, corpus: Sequence[bytes]) -> bytes:
    low, high = _slice(generator, content, 300)
    return content[:high] + content[low:high] * generator.choice((1, 2, 10, 100, 1000)) + content[high:]


def _splice(generator: random.Random, content: bytes, corpus: Sequence[bytes]) -> bytes:
    other = generator.choice(corpus)
    return content[: generator.randrange(len(content) + 1)] + other[generator.randrange(len(other) + 1) :]


def _insert_part(generator: random.Random, content: bytes, corpus: Sequence[bytes]) -> bytes:
    other = generator.choice(corpus)
    low, high = _slice(generator, other, 400)
    place = generator.randrange(len(content) + 1)
    return content[:place] + other[low:high] + content[place:]


def _binary_number(generator: random.Random, content: bytes, corpus: Sequence[bytes]) -> bytes:
    """A number that means something, where a header may have one."""
    changed = bytearray(content.ljust(8, b"\0"))
    for _ in range(generator.choice((1, 1, 3))):
        order, at = generator.choice("<>"), min(_place(generator, len(changed)) // 4 * 4, len(changed) - 8)
        value = generator.choice(WHOLE)
        pieces = [
            struct.pack(f"{order}I", value & 0xFFFFFFFF),
            struct.pack(f"{order}H", value & 0xFFFF),
            struct.pack(f"{order}q", generator.choice((value, value << 31, 2**63 - 1, -(2**63)))),
            struct.pack(f"{order}f", generator.choice(REAL)),
        ]
        piece = generator.choice(pieces)
        changed[at : at + len(piece)] = piece
    return bytes(changed)


def _token(generator: random.Random, content: bytes, corpus: Sequence[bytes]) -> bytes:
    """A word or a number of the text replaced."""
    found = list((generator.choice((_WORD, _NUMBER, _NUMBER))).finditer(content))
    if not found:
        return content + generator.choice(TOKENS)
    one = generator.choice(found)
    return content[: one.start()] + generator.choice(TOKENS) + content[one.end() :]


def _long_token(generator: random.Random, content: bytes, corpus: Sequence[bytes]) -> bytes:
    place = generator.randrange(len(content) + 1)
    piece = generator.choice(
        (b"a", b"1", b" ", b"\t", b"\n", b"a.", b"1 ", b"1,", b'"', b"'", b"=", b"-", b"\\", b"_a ", b"\xc3\xa9")
    )
    return content[:place] + piece * generator.choice((100, 1000, 5000, 20_000, 100_000)) + content[place:]


def _nest(generator: random.Random, content: bytes, corpus: Sequence[bytes]) -> bytes:
    place, times = generator.randrange(len(content) + 1), generator.choice((10, 50, 200, 1000, 5000, 50_000))
    opening, closing = generator.choice(
        (
            (b"[", b"]"),
            (b"{a=", b"}"),
            (b"(", b")"),
            (b"<a>", b"</a>"),
            (b"not ", b""),
            (b"-", b""),
            (b"a.", b"a=1"),
            (b"[a.", b"]"),
        )
    )
    return content[:place] + opening * times + closing * generator.choice((0, times)) + content[place:]


def _lines(generator: random.Random, content: bytes, corpus: Sequence[bytes]) -> bytes:
    """Lines lost, doubled, exchanged or moved."""
    lines = content.split(b"\n")
    at, other = generator.randrange(len(lines)), generator.randrange(len(lines))
    match generator.randrange(4):
        case 0:
            del lines[at]
        case 1:
            lines.insert(other, lines[at])
        case 2:
            lines[at], lines[other] = lines[other], lines[at]
        case _:
            lines[at] = generator.choice(generator.choice(corpus).split(b"\n"))
    return b"\n".join(lines)


def _encoding(generator: random.Random, content: bytes, corpus: Sequence[bytes]) -> bytes:
    """Byte-order marks, line ends and code pages of other systems, and NULs."""
    place = generator.randrange(len(content) + 1)
    text = content.decode("latin-1")
    return generator.choice(
        (
            b"\xef\xbb\xbf" + content,
            b"\xff\xfe" + content,
            text.encode("utf-16"),
            content.replace(b"\n", b"\r\n"),
            content.replace(b"\n", b"\r"),
            content.replace(b" ", b"\t"),
            content[:place] + b"\0" * generator.choice((1, 8, 4096)) + content[place:],
            content[:place]
            + generator.choice(("\u2028", "\x85", "\x0c", "\ufeff", "\u00a0", "😀")).encode()
            + content[place:],
            content[:place] + b"\xed\xa0\x80" + content[place:],
            b"",
        )
    )


MUTATORS: tuple[Mutator, ...] = (
    _flip,
    _flip,
    _random_bytes,
    _truncate,
    _remove,
    _repeat,
    _splice,
    _insert_part,
    _binary_number,
    _binary_number,
    _token,
    _token,
    _token,
    _long_token,
    _nest,
    _lines,
    _encoding,
)
