"""Every key and value of a TOML text is found, at its line and column."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
import tomlkit
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.toml_spans import Span, scan


def paths(value: Any, path: tuple = ()) -> set[tuple]:
    """Every path of a parsed document."""
    here = {path} if path else set()
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return here.union(*(paths(child, (*path, name)) for name, child in children))


KEYS = st.sampled_from(["a", "b", "c-1", '"d e"', "'f.g'", '"h\\u00e9\\n"', '"#"', "7"])
NUMBERS = st.sampled_from(["1", "-2.5", "1e3", "inf", "true", "0x1F", "1979-05-27 07:32:00", "1979-05-27", "07:32:00"])
STRINGS = st.sampled_from(
    [
        '"x = 1 # no"',
        '"a\\"b\\\\"',
        "'C:\\data'",
        '""',
        "''",
        '"]"',
        "'}'",
        '"é \U0001f980"',
        '"""one\n[two] = "3" """',
        "'''a\n'' b'''",
        '"""q\\""""""',
        "'''q''''",
        '""""""',
        '"""\\\n  x"""',
    ]
)
GAPS = st.sampled_from(["", " ", "\n", " # comment ]\n", "\r\n\t"])


@st.composite
def dotted(draw: st.DrawFn) -> str:
    return draw(st.sampled_from([".", " . "])).join(draw(st.lists(KEYS, min_size=1, max_size=3)))


@st.composite
def arrays(draw: st.DrawFn, values: st.SearchStrategy[str]) -> str:
    items = draw(st.lists(values, max_size=3))
    gap = draw(GAPS)
    tail = draw(st.sampled_from(["", ","])) if items else ""
    return "[" + gap + f"{gap},{gap}".join(items) + gap + tail + gap + "]"


@st.composite
def inline_tables(draw: st.DrawFn, values: st.SearchStrategy[str]) -> str:
    pairs = draw(st.dictionaries(KEYS, values, max_size=3))
    return "{ " + " , ".join(f"{key} = {value}" for key, value in pairs.items()) + " }"


VALUES = st.recursive(NUMBERS | STRINGS, lambda inner: arrays(inner) | inline_tables(inner), max_leaves=6)


@st.composite
def statements(draw: st.DrawFn) -> str:
    form = draw(st.integers(0, 5))
    if form == 0:
        return f"[ {draw(dotted())} ]"
    if form == 1:
        return f"[[{draw(dotted())}]]"
    return f"{draw(dotted())} = {draw(VALUES)}{draw(st.sampled_from(['', ' # [c] = 1']))}"


@st.composite
def documents(draw: st.DrawFn) -> str:
    """A valid text: statements that would make it invalid are left out."""
    end = draw(st.sampled_from(["\n", "\r\n", "\n\n"]))
    text = ""
    for statement in draw(st.lists(statements(), max_size=10)):
        longer = text + statement + end
        try:
            tomllib.loads(longer)
        except tomllib.TOMLDecodeError:
            continue
        text = longer
    return text


@settings(max_examples=300, deadline=None)
@given(documents())
def test_the_paths_are_those_of_the_parser(text: str) -> None:
    spans = scan(text)
    assert set(spans.values) == paths(tomllib.loads(text))
    assert not spans.again


@settings(max_examples=100, deadline=None)
@given(documents())
def test_every_value_stands_where_the_span_says(text: str) -> None:
    lines = text.split("\n")
    parsed = tomllib.loads(text)
    for path, span in scan(text).values.items():
        piece = lines[span.line - 1][span.column - 1 :][: span.width]
        assert len(piece) == span.width
        value: Any = parsed
        for part in path:
            value = value[part]
        if isinstance(value, int | float) and not isinstance(value, bool):
            assert tomllib.loads(f"x = {piece}")["x"] == value


@settings(max_examples=50, deadline=None)
@given(
    st.recursive(
        st.integers() | st.text(),
        lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text(), v, max_size=3),
        max_leaves=12,
    )
)
def test_what_tomlkit_writes_is_found(value: Any) -> None:
    text = tomlkit.dumps({"x": value})
    assert set(scan(text).values) == paths(tomllib.loads(text))


TEXT = """\
kind = "alignment"  # x = 3
[data]
"table" = 'a.tbl'

[[rounds]]
cone = { range_deg = 20, step_deg = 5 }
shifts.limits_xyz_px = [ 1,
   22, 3]
[[rounds]]
[rounds.cone]
step_deg = 7
"""


@pytest.mark.parametrize(
    ("key", "of_key", "span"),
    [
        (("kind",), True, Span(1, 1, 4)),
        (("kind",), False, Span(1, 8, 11)),
        (("data",), False, Span(2, 1, 6)),
        (("data", "table"), True, Span(3, 1, 7)),
        (("rounds", 0), False, Span(5, 1, 10)),
        (("rounds", 0, "cone"), False, Span(6, 8, 32)),
        (("rounds", 0, "cone", "step_deg"), False, Span(6, 37, 1)),
        (("rounds", 0, "shifts", "limits_xyz_px", 1), False, Span(8, 4, 2)),
        (("rounds", 0, "shifts", "limits_xyz_px"), False, Span(7, 24, 4)),
        (("rounds", 1, "cone", "step_deg"), False, Span(11, 12, 1)),
        (("rounds", 1, "cone", "range_deg"), False, Span(10, 1, 13)),
        (("rounds", 1, "bandpass", "lowpass_A"), False, Span(9, 1, 10)),
        (("nothing",), False, Span(1, 1, 1)),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_places_are_exact(key: tuple, of_key: bool, span: Span, end: str, mark: str) -> None:
    assert scan(mark + TEXT.replace("\n", end)).place(key, of_key=of_key) == span


@pytest.mark.parametrize(
    ("text", "key", "lines"),
    [
        ("a = 1\nb = 2\na = 3\n", ("a",), (1, 3)),
        ("[t]\na = 1\na = [1]\n", ("t", "a"), (2, 3)),
        ("[t]\n[u]\n[t]\n", ("t",), (1, 3)),
        ("t = { a = 1, a = 2 }\n", ("t", "a"), (1, 1)),
    ],
)
def test_what_is_written_twice_is_told_with_both_places(text: str, key: tuple, lines: tuple[int, int]) -> None:
    ((path, first, second),) = scan(text).again
    assert (path, (first.line, second.line)) == (key, lines)


def test_a_text_that_is_no_toml_is_refused() -> None:
    with pytest.raises(ValueError, match="character"):
        scan("a = [1 2]")
