"""Of misspelt keys, systematically made from all keys of all forms, the right one is proposed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from engine.kinds import KINDS
from engine.wording import everywhere, nearest

ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
SHARE = 0.9


def neighbour(letter: str) -> str:
    """The key to the right on a keyboard, to the left at the end of its row."""
    for row in ROWS:
        if (at := row.find(letter.lower())) >= 0:
            other = row[at + 1] if at + 1 < len(row) else row[at - 1]
            return other.upper() if letter.isupper() else other
    return letter


def misspelt(word: str) -> Iterator[str]:
    """The word with two letters swapped, one dropped, one doubled, one of the neighbouring key: at every place."""
    for at, letter in enumerate(word):
        if at + 1 < len(word):
            yield word[:at] + word[at + 1] + letter + word[at + 2 :]
        yield word[:at] + word[at + 1 :]
        yield word[:at] + letter + word[at:]
        yield word[:at] + neighbour(letter) + word[at + 1 :]


def tables() -> Iterator[tuple[str, list[str]]]:
    """Each table of each kind, and the keys that it has."""
    for kind in KINDS:
        known: dict[tuple[str, ...], set[str]] = {}
        for path, _ in everywhere(KINDS[kind].Project):
            known.setdefault(path[:-1], set()).add(path[-1])
        yield from ((".".join((kind, *path)), sorted(names)) for path, names in known.items())


@pytest.mark.parametrize("kind", KINDS)
def test_of_misspelt_keys_nine_of_ten_are_told_the_right_one(kind: str) -> None:
    asked, missed = 0, []
    for table, names in tables():
        if table.split(".")[0] != kind:
            continue
        for right in names:
            for wrong in set(misspelt(right)) - set(names) - {""}:
                asked += 1
                if f'"{right}"' not in nearest(wrong, names):
                    missed.append(f"{table}.{right}: {wrong}")
    assert asked > 100
    assert 1 - len(missed) / asked >= SHARE, missed[:20]
