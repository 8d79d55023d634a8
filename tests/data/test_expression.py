"""Conditions on the rows of a table."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.data import Table
from engine.data.expression import rows
from engine.faults import EngineError

TABLE = Table.blank(6, cc=[0.1, 0.2, 0.3, 0.4, 0.5, 0.6], tomo=[1, 1, 2, 3, 3, 4], dx=[-2, -1, 0, 1, 2, 3])


@pytest.mark.parametrize(
    ("expression", "tags"),
    [
        ("cc > 0.2", [3, 4, 5, 6]),
        ("cc >= 0.2 and tomo == 3", [4, 5]),
        ("tomo in (1, 3)", [1, 2, 4, 5]),
        ("tomo not in (1,3)", [3, 6]),
        ("not tomo == 1 and cc < .5", [3, 4]),
        ("not (tomo == 1 and cc < .5)", [3, 4, 5, 6]),
        ("cc < 0.15 or tomo == 4 and cc > 0.5", [1, 6]),
        ("(cc < 0.15 or tomo == 4) and cc > 0.5", [6]),
        ("dx*dx + 1 <= 2", [2, 3, 4]),
        ("-dx == 2 or 1 - 1 - dx == 1", [1, 2]),
        ("8 / 2 / 2 == 2", [1, 2, 3, 4, 5, 6]),
        ("0.2 < cc <= 0.4", [3, 4]),
        ("tag != 1e0", [2, 3, 4, 5, 6]),
        ("dx in (-1, 2 - 1)", [2, 4]),
        ("1 / dx > 0.4", [3, 4, 5]),
    ],
)
def test_an_expression_chooses_its_rows(expression: str, tags: list[int]) -> None:
    assert TABLE.where(rows(expression, TABLE)).tags.tolist() == tags


@pytest.mark.parametrize(
    ("expression", "column", "says"),
    [
        ("cc > 0.2 and tmo == 3", 14, "did you mean 'tomo'"),
        ("cc = 0.2", 4, "== compares"),
        ("cc > 0.2 & tomo == 1", 10, "write: and"),
        ("cc", 1, "a number, not a condition"),
        ("cc + (tomo == 1) > 0", 6, "a condition, not a number"),
        ("cc >", 5, "missing before"),
        ("(cc > 0.2", 10, "')' is missing"),
        ("cc > 0.2 tomo", 10, "does not continue"),
        ("tomo in 3", 9, "'(' is missing"),
        ("tomo in (1, cc)", 13, "numbers, not columns"),
        ("", 1, "missing before"),
        ("__import__('os')", 12, "means nothing"),
        ("cc.real > 0", 3, "means nothing"),
    ],
)
def test_a_wrong_expression_is_pointed_at(expression: str, column: int, says: str) -> None:
    with pytest.raises(EngineError) as caught:
        rows(expression, TABLE)
    assert f"column {column}:" in str(caught.value)
    assert says in str(caught.value)


def test_deep_nesting_and_long_text_are_refused_not_followed() -> None:
    with pytest.raises(EngineError, match="levels"):
        rows("(" * 500 + "cc > 0" + ")" * 500, TABLE)
    with pytest.raises(EngineError, match="levels"):
        rows("not " * 400 + "cc > 0", TABLE)
    with pytest.raises(EngineError, match="characters"):
        rows("cc > 0 or " * 1000, TABLE)


@given(st.text(alphabet="cctomoandrni nt0123.()<>=!+-*/,", max_size=40))
def test_any_text_gives_a_mask_or_one_clear_error(text: str) -> None:
    try:
        mask = rows(text, TABLE)
    except EngineError:
        return
    assert mask.dtype == bool
    assert mask.shape == (6,)


def test_an_empty_table_gives_an_empty_mask() -> None:
    assert rows("cc > 0.2 or 1 < 2", Table({}, 0)).shape == (0,)
    assert not np.any(rows("cc > 2", TABLE))
