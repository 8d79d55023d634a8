"""Conditions that somebody means ill with: no code, no endless work, one clear error."""

from __future__ import annotations

import time
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_campaign import engine, written

from engine.data import Table
from engine.data.expression import rows
from engine.faults import EngineError

TABLE = Table.blank(4, cc=[0.1, np.nan, 0.3, np.inf], tomo=[1, 1, 2, 3])


def tags(expression: str) -> list[int]:
    return TABLE.where(rows(expression, TABLE)).tags.tolist()


@pytest.mark.parametrize(
    "expression",
    [
        "__import__('os').system('touch owned')",
        "exec('x') == 1",
        "cc.__class__ == 1",
        "cc.__class__.__mro__[1] == 1",
        "[x for x in cc] == 1",
        "lambda: cc > 1",
        "cc > 0; cc > 1",
        "cc if cc else cc",
        "f'{cc}' == 1",
        "cc[0] > 1",
        "max(cc) > 1",
        "cc ** 2 > 1",
        "2**9999999999 > cc",
        "cc // 2 > 1",
        "cc % 2 == 1",
        "1 << 99999 > cc",
        "cc @ cc > 1",
        "cc := 3",
        "cc == 'a'",
        "cc == 0x10",
        "cc == 1_000",
        "cc == 1j",
        "cc == nan",
        "cc > 1e999",
        "cc > -1e400",
        f"cc > 1{'0' * 400}",
        "cc == \u0661",
        "cc \uff1e 1",
        "cc > 1 \x1b[31m",
        "cc > 1\x00",
        "cc in ()",
        "cc in (1,)",
        "cc in (tomo)",
    ],
)
def test_what_is_no_condition_is_one_error_with_its_column(expression: str) -> None:
    with pytest.raises(EngineError, match=r"column \d+: "):
        rows(expression, TABLE)


@pytest.mark.parametrize(
    "expression",
    [
        "(" * 990 + "cc > 0" + ")" * 990,
        "-" * 1990 + "cc > 0",
        "not " * 490 + "cc > 0",
        "cc in (" * 280,
        "(cc > 0 and " * 160,
        "- (" * 600 + "cc",
    ],
)
def test_depth_is_an_error_and_no_overflow_of_the_stack(expression: str) -> None:
    with pytest.raises(EngineError, match=r"levels inside one another|not columns|is missing before 'the end'"):
        rows(expression, TABLE)


def test_as_many_levels_as_are_allowed_are_followed() -> None:
    assert tags("(" * 39 + "cc > 0.2" + ")" * 39) == [3, 4]


def test_a_long_condition_is_an_error_that_is_short() -> None:
    with pytest.raises(EngineError) as caught:
        rows("cc > 0 or " * 100_000, TABLE)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    "expression",
    [
        "+".join(["cc"] * 660) + ">0",
        "cc in (" + ",".join(["1"] * 990) + ")",
        " or ".join(["cc>0"] * 240),
        "0<" + "<".join(["cc"] * 600),
        "(" * 30 + "cc>0" + " and cc<9)" * 30,
    ],
)
def test_the_most_that_fits_takes_no_time(expression: str) -> None:
    """Of 20 000 rows. The work grows with the length of the text alone; seconds of this process, whatever else runs."""
    table = Table.blank(20_000, cc=np.linspace(0, 1, 20_000))
    start = time.process_time()
    rows(expression, table)
    assert time.process_time() - start < 2


@pytest.mark.parametrize(
    ("expression", "chosen"),
    [
        ("cc > 0", [1, 3, 4]),
        ("not cc > 0", [2]),
        ("cc == cc", [1, 3, 4]),
        ("cc != cc", [2]),
        ("cc > 1/0", []),
        ("cc == 1/0", [4]),
        ("cc < -1/0", []),
        ("0/0 == 0/0", []),
        ("cc != 0/0", [1, 2, 3, 4]),
        ("cc in (0/0, 0.1)", [1]),
        ("cc not in (1/0)", [1, 2, 3]),
        ("0 * cc == 0", [1, 3]),
        ("1e308 * 10 > cc", [1, 3]),
    ],
)
def test_division_by_zero_and_missing_values_warn_nobody_and_compare_as_numbers_do(
    expression: str, chosen: list[int]
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert tags(expression) == chosen


def test_an_unknown_column_is_told_with_the_nearest_or_with_all() -> None:
    with pytest.raises(EngineError, match="did you mean 'tomo'"):
        rows("tomos == 1", TABLE)
    with pytest.raises(EngineError, match="the columns are tag, aligned"):
        rows("zzzzzzzz == 1", TABLE)


@given(
    st.text(
        alphabet=st.sampled_from(list("ctomandrin ()<>=!+-*/,.0123eE_'\"[]{}\\\n\x00\u0661\u202e\U0001f600")),
        max_size=60,
    )
)
def test_any_text_chooses_rows_or_is_one_error(text: str) -> None:
    try:
        chosen = rows(text, TABLE)
    except EngineError:
        return
    assert chosen.shape == (4,)
    assert chosen.dtype == bool


def test_the_command_line_says_it_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert engine("run", str(written(tmp_path) / "truth.toml")).exit_code == 0
    for words in (
        ["--where", "(" * 3000 + "cc"],
        ["--where", "cc.__class__ > 1"],
        ["--where", "cc > 1\x1b]0;owned\x07"],
        ["--sort", "--cc"],
        ["--sort", "\x1b[31m"],
        ["--columns", "tag,,cc"],
        ["--columns", "../../etc/passwd"],
    ):
        result = engine("query", "truth:table", *words)
        assert result.exit_code == 1, words
        assert result.stderr.startswith("error: ")
        assert result.stderr.count("\n") == 1
        assert "\x1b" not in result.stderr
