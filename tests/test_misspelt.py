"""Of misspelt keys, systematically made from all keys of all forms, the right one is proposed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from engine.cli import show
from engine.kinds import KINDS
from engine.new import template
from engine.project import read
from engine.toml_spans import scan
from engine.wording import everywhere, nearest

ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
SHARE = 0.9
KEYS_THAT_CHOOSE = ("kind", "shape", "model", "by", "do")
"""Without them the form of a table is not known, and that is the fault."""


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


def tables() -> set[tuple[str, ...]]:
    """The keys of each table of each kind, the same table of several kinds once."""
    known: dict[tuple[str, ...], set[str]] = {}
    for kind in KINDS:
        for path, _ in everywhere(KINDS[kind].Project):
            known.setdefault((kind, *path[:-1]), set()).add(path[-1])
    return {tuple(sorted(names)) for names in known.values()}


def test_of_misspelt_keys_nine_of_ten_are_told_the_right_one() -> None:
    asked, missed = 0, []
    for names in tables():
        for right in names:
            for wrong in set(misspelt(right)) - set(names):
                asked += 1
                if f'"{right}"' not in nearest(wrong, names):
                    missed.append(f"{right}: {wrong}")
    assert asked > 5000
    assert 1 - len(missed) / asked >= SHARE, missed[:20]


def test_a_misspelt_key_of_a_new_project_is_found_at_its_place(tmp_path: Path) -> None:
    path = tmp_path / "fresh.toml"
    missed, n = [], 0
    for kind in KINDS:
        lines = template(kind, depth=0).split("\n")
        for number, line in enumerate(lines, 1):
            for found in re.finditer(r"\b([A-Za-z]\w+) = ", line.split("#")[0]):
                if found[1] in KEYS_THAT_CHOOSE:
                    continue
                ways = list(misspelt(found[1]))
                wrong = ways[n % len(ways)]
                n += 1
                changed = line[: found.start()] + wrong + line[found.end(1) :]
                path.write_text("\n".join([*lines[: number - 1], changed, *lines[number:]]), "utf-8")
                faults = [one for one in read(path)[1] if (one.line, one.column) == (number, found.start() + 1)]
                if [one.code for one in faults] != ["E101"] or found[1] not in faults[0].advice:
                    missed.append(f"{kind}, line {number}: {wrong} for {found[1]}")
    assert n > 150
    assert len(missed) <= (1 - SHARE) * n, missed


def test_of_many_faults_the_form_and_the_file_are_looked_through_once(tmp_path, capsys, monkeypatch):
    scans = []
    monkeypatch.setattr("engine.toml_spans.scan", lambda text: scans.append(text) or scan(text))
    path = tmp_path / "many.toml"
    path.write_text('kind = "alignment"\n' + "[[rounds]]\nbandpas = { lowpass_fpx = 8 }\nradius_A = -5\n" * 700)
    project, faults = read(path)
    looked = everywhere.cache_info().misses
    show.faults(faults)
    assert project is None
    assert len(faults) > 1400
    assert capsys.readouterr().out.count("many.toml:") == len(faults)
    assert len(scans) <= 1
    read(path)
    assert everywhere.cache_info().misses == looked
