"""TOML texts, addresses and conditions put together piece by piece: what is right is understood, all else is told in place."""

from __future__ import annotations

import time
import tomllib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from faults.seeds import TABLE
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.address import ALL, LAST, LETTERS, Address, Numbers, parse
from engine.data.expression import rows
from engine.faults import EngineError
from engine.toml_text import Slip
from engine.toml_text import parse as parse_toml

many = settings(max_examples=150)


def told(function: Callable[[Any], Any], given: Any) -> Any:
    """What the function returns, or its clear error."""
    try:
        return function(given)
    except (EngineError, Slip) as error:
        return error


# TOML

PIECES = st.sampled_from(
    [
        "kind", "=", " = ", '"phantom"', "[", "]", "[[", "]]", "{", "}", ",", ".", "\n", "\n\n", " ", "\t", "# note", "'",
        '"', '"""',
        "'''", "rounds", "data", "cone.step_deg", "1", "-0", "1.", ".5", "1e999", "nan", "inf", "0x10", "1_0", "true", "True",
        "1979-05-27T07:32:00Z", "07:32", "\\", "\\u0041", "\\ud800", "é", "“", "\x00", "\r\n", "\r",
        "9" * 25, "a." * 120, "[" * 40,
    ]
)  # fmt: skip


@many
@given(st.lists(PIECES, max_size=25).map("".join))
def test_any_text_of_tomls_pieces_is_read_as_tomllib_does_or_has_one_slip_in_it(text: str) -> None:
    found = told(parse_toml, text.encode())
    if isinstance(found, Slip):
        lines = text.split("\n")
        assert 1 <= found.fault.line <= len(lines) + 1
        assert 1 <= found.fault.column <= max(map(len, lines)) + 2
        assert found.fault.what
        return
    values, _, spans = found
    assert repr(values) == repr(tomllib.loads(text))
    assert all((name,) in spans.values for name in values)


@many
@given(st.integers(0, 60), st.integers(0, 60), st.integers(-(2**70), 2**70))
def test_deep_and_large_values_are_told(n_lists: int, n_tables: int, number: int) -> None:
    text = "a = " + "[" * n_lists + "{ b = " * n_tables + str(number) + " }" * n_tables + "]" * n_lists
    if n_lists + n_tables + 1 > 30:
        told = "nested too deep"
    elif abs(number) >= 2**63:
        told = "more than 64 bits"
    else:
        assert parse_toml(text.encode())[0] == tomllib.loads(text)
        return
    with pytest.raises(Slip, match=told):
        parse_toml(text.encode())


@pytest.mark.parametrize(
    "text",
    [
        "x = { " + "a." * 20_000 + "a = 1 }",
        '"=".' + "a." * 20_000 + "a = 1",
        '"\\"".' * 20_000 + "a = 1",
        "[" + "a." * 20_000 + "a]",
        "x = [ " + "1" * 20_000 + " " + "1" * 20_000 + "z",
        "x = " + "[=" * 20_000 + '"',
    ],
)
def test_what_takes_parsers_minutes_is_refused_at_once(text: str) -> None:
    start = time.process_time()
    with pytest.raises(Slip):
        parse_toml(text.encode())
    assert time.process_time() - start < 2


# Addresses

NAMES = st.from_regex(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,12}[A-Za-z0-9_-])?", fullmatch=True)
WHOLE = st.integers(0, 10**15 - 1)


@st.composite
def numbers(draw: Any, has_last: bool) -> tuple[str, Numbers]:
    first, last = draw(WHOLE), draw(WHOLE)
    several = draw(st.lists(WHOLE, min_size=1, max_size=4))
    return draw(
        st.sampled_from(
            [
                (str(first), Numbers(listed=(first,))),
                (f"{first}:{last}", Numbers(first=first, last=last)),
                (f"{first}:last", Numbers(first=first)),
                (f"[{', '.join(map(str, several))}]", Numbers(listed=tuple(several))),
                ("*", ALL),
                ("all", ALL),
                *([("last", LAST)] if has_last else []),
            ]
        )
    )


@many
@given(
    NAMES,
    st.sampled_from(["average", "table", *LETTERS]),
    st.fixed_dictionaries(
        {},
        optional={
            "ite": numbers(has_last=True),
            "ref": numbers(has_last=False),
            "tomo": numbers(has_last=False),
            "half": st.sampled_from([("even", "even"), ("odd", "odd")]),
            "tag": WHOLE.map(lambda tag: (str(tag), tag)),
        },
    ),
    st.randoms(),
)
def test_an_address_is_what_it_was_put_together_from(name: str, item: str, keys: dict, generator: Any) -> None:
    order = list(keys)
    generator.shuffle(order)
    text = ":".join([name, item, *(f"{key}={keys[key][0]}" for key in order)])
    assert parse(text) == Address(name, LETTERS.get(item, item), **{key: value for key, (_, value) in keys.items()})


WORDS = st.sampled_from(
    [
        "pr_1", ":", "average", "ite", "ref", "=", "last", "*", "[", "]", ",", "1", "0", "²", "٣", "9" * 30, "even", "tag",
        " ", "\x00", "/", "..", "a" * 90,
    ]
)  # fmt: skip


@many
@given(st.lists(WORDS, max_size=14).map("".join))
def test_any_text_is_an_address_or_one_clear_error(text: str) -> None:
    found = told(parse, text)
    if isinstance(found, EngineError):
        assert str(found).startswith(repr(text)[:20])
    else:
        assert parse(str(found)) == found


# Conditions

VALUES = st.sampled_from([(name, TABLE[name]) for name in ("cc", "tomo", "x", "tag")]) | st.integers(0, 99).map(
    lambda number: (str(number), np.float64(number))
)


def sums(inner: st.SearchStrategy) -> st.SearchStrategy:
    both = st.tuples(inner, inner)
    return st.one_of(
        both.map(lambda pair: (f"({pair[0][0]} + {pair[1][0]})", pair[0][1] + pair[1][1])),
        both.map(lambda pair: (f"({pair[0][0]} * {pair[1][0]})", pair[0][1] * pair[1][1])),
        inner.map(lambda one: (f"(-{one[0]})", -one[1])),
    )


def comparisons(pair: tuple) -> st.SearchStrategy:
    (left, left_value), (right, right_value) = pair
    return st.sampled_from(
        [
            (f"{left} < {right}", left_value < right_value),
            (f"{left} >= {right}", left_value >= right_value),
            (f"{left} != {right}", left_value != right_value),
            (f"{left} in (1, 3)", np.isin(left_value, [1, 3])),
        ]
    )


def truths(inner: st.SearchStrategy) -> st.SearchStrategy:
    both = st.tuples(inner, inner)
    return st.one_of(
        both.map(lambda pair: (f"({pair[0][0]} and {pair[1][0]})", pair[0][1] & pair[1][1])),
        both.map(lambda pair: (f"({pair[0][0]} or {pair[1][0]})", pair[0][1] | pair[1][1])),
        inner.map(lambda one: (f"(not ({one[0]}))", ~one[1])),
    )


NUMBERS = st.recursive(VALUES, sums, max_leaves=5)
CONDITIONS = st.recursive(st.tuples(NUMBERS, NUMBERS).flatmap(comparisons), truths, max_leaves=5)


@many
@given(CONDITIONS)
def test_a_condition_chooses_the_rows_that_it_was_put_together_for(condition: tuple) -> None:
    text, chosen = condition
    np.testing.assert_array_equal(rows(text, TABLE), np.broadcast_to(chosen, len(TABLE)))
