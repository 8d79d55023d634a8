"""Conditions on the rows of a table, as people type them: `cc > 0.2 and tomo in (1, 3)`."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

import numpy as np

from engine.data.table import Table
from engine.faults import EngineError

__all__ = ["rows"]

_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|(?P<name>[A-Za-z_]\w*)|(?P<sign><=|>=|==|!=|[-+*/<>(),]))",
    re.ASCII,
)
_WORDS = ("and", "or", "not", "in")
_COMPARISONS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
    "==": np.equal,
    "!=": np.not_equal,
}
_MOST_CHARACTERS = 2000
_DEEPEST = 40
_SHOWN = 160


def rows(expression: str, table: Table) -> np.ndarray:
    """(n,) bool: the rows for which the expression is true.

    It may hold comparisons (< <= > >= == !=, also 0.2 < cc < 0.5), `in (1, 3)`, and, or, not, parentheses, + - * /,
    numbers and column names. Anything else is an EngineError that counts its column from 1. What is no number (0/0, or an empty
    value of a table) compares as false, and != as true.
    """
    if len(expression) > _MOST_CHARACTERS:
        raise EngineError(f"a condition has at most {_MOST_CHARACTERS} characters, this one has {len(expression)}")
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return np.broadcast_to(_Parser(expression, table).whole(), (len(table),)).copy()


@dataclass(frozen=True)
class _Token:
    """kind is number, name, sign, word or end; start counts from 0."""

    kind: str
    text: str
    start: int


def _tokens(expression: str) -> list[_Token]:
    found: list[_Token] = []
    position = 0
    while expression[position:].strip():
        match = _TOKEN.match(expression, position)
        if not match:
            start = position + len(expression[position:]) - len(expression[position:].lstrip())
            _stop(expression, start, f"{expression[start]!r} means nothing here{_hint(expression[start])}")
        kind = str(match.lastgroup)
        text = match[kind]
        found.append(_Token("word" if text in _WORDS else kind, text, match.start(kind)))
        position = match.end()
    return [*found, _Token("end", "the end", len(expression))]


def _hint(character: str) -> str:
    hints = {"=": "== compares", "&": "write: and", "|": "write: or", "!": "write: not, or !="}
    return f" ({hints[character]})" if character in hints else ""


def _stop(expression: str, start: int, what: str) -> NoReturn:
    """An EngineError at a column; of a long condition only what is around it is shown."""
    shown = expression if len(expression) <= _SHOWN else f"… {expression[max(0, start - _SHOWN // 2) :][:_SHOWN]} …"
    raise EngineError(f"{shown!r}, column {start + 1}: {what}")


class _Parser:
    """Recursive descent, one method per level of binding; truths are bool arrays, everything else is float64."""

    def __init__(self, expression: str, table: Table) -> None:
        self.expression = expression
        self.table = table
        self.tokens = _tokens(expression)
        self.depth = 0

    def whole(self) -> np.ndarray:
        start = self.next.start
        value = self._truth(self._either(), start)
        if self.next.kind != "end":
            _stop(self.expression, self.next.start, f"{self.next.text!r} does not continue the condition")
        return value

    @property
    def next(self) -> _Token:
        return self.tokens[0]

    def _take(self, *texts: str) -> _Token | None:
        """The next token, consumed, when it is one of these words or signs."""
        if self.next.kind in ("word", "sign") and self.next.text in texts:
            return self.tokens.pop(0)
        return None

    def _need(self, text: str) -> None:
        if not self._take(text):
            _stop(self.expression, self.next.start, f"{text!r} is missing before {self.next.text!r}")

    def _either(self) -> np.ndarray:
        start = self.next.start
        value = self._both()
        while self._take("or"):
            right = self.next.start
            value = self._truth(value, start) | self._truth(self._both(), right)
        return value

    def _both(self) -> np.ndarray:
        start = self.next.start
        value = self._negation()
        while self._take("and"):
            right = self.next.start
            value = self._truth(value, start) & self._truth(self._negation(), right)
        return value

    def _negation(self) -> np.ndarray:
        if not self._take("not"):
            return self._comparison()
        start = self.next.start
        return ~self._truth(self._deeper(self._negation), start)

    def _comparison(self) -> np.ndarray:
        start = self.next.start
        left = self._sum()
        if self.next.text == "in" or (self.next.text == "not" and self.tokens[1].text == "in"):
            inverted = self._take("not") is not None
            self._need("in")
            return np.isin(self._number(left, start), self._list()) ^ inverted
        truth: np.ndarray | None = None
        while sign := self._take(*_COMPARISONS):
            right_start = self.next.start
            right = self._sum()
            one = _COMPARISONS[sign.text](self._number(left, start), self._number(right, right_start))
            truth = one if truth is None else truth & one
            left, start = right, right_start
        return left if truth is None else truth

    def _list(self) -> list[float]:
        self._need("(")
        values = []
        while True:
            start = self.next.start
            value = self._number(self._sum(), start)
            if value.ndim:
                _stop(self.expression, start, "a list holds numbers, not columns")
            values.append(float(value))
            if not self._take(","):
                break
        self._need(")")
        return values

    def _sum(self) -> np.ndarray:
        start = self.next.start
        value = self._product()
        while sign := self._take("+", "-"):
            right_start = self.next.start
            left, right = self._number(value, start), self._number(self._product(), right_start)
            value = left + right if sign.text == "+" else left - right
        return value

    def _product(self) -> np.ndarray:
        start = self.next.start
        value = self._signed()
        while sign := self._take("*", "/"):
            right_start = self.next.start
            left, right = self._number(value, start), self._number(self._signed(), right_start)
            value = left * right if sign.text == "*" else left / right
        return value

    def _signed(self) -> np.ndarray:
        sign = self._take("-", "+")
        if not sign:
            return self._atom()
        value = self._number(self._deeper(self._signed), sign.start)
        return -value if sign.text == "-" else value

    def _atom(self) -> np.ndarray:
        if self._take("("):
            value = self._deeper(self._either)
            self._need(")")
            return value
        token = self.next
        if token.kind == "number":
            self.tokens.pop(0)
            number = float(token.text)
            if not math.isfinite(number):
                _stop(self.expression, token.start, "this number is too large")
            return np.asarray(number)
        if token.kind == "name":
            self.tokens.pop(0)
            return self._column(token)
        _stop(self.expression, token.start, f"a column or a number is missing before {token.text!r}")

    def _column(self, token: _Token) -> np.ndarray:
        columns = list(self.table)
        if token.text not in columns:
            close = difflib.get_close_matches(token.text, columns, n=1, cutoff=0.5)
            nearest = f" (did you mean {close[0]!r}?)" if close else f"; the columns are {', '.join(columns)}"
            _stop(self.expression, token.start, f"a table has no column {token.text!r}{nearest}")
        return self.table[token.text]

    def _deeper(self, level: Callable[[], np.ndarray]) -> np.ndarray:
        self.depth += 1
        if self.depth > _DEEPEST:
            _stop(self.expression, self.next.start, f"more than {_DEEPEST} levels inside one another")
        value = level()
        self.depth -= 1
        return value

    def _truth(self, value: np.ndarray, start: int) -> np.ndarray:
        if value.dtype != bool:
            _stop(self.expression, start, "this is a number, not a condition (compare it, as in cc > 0.2)")
        return value

    def _number(self, value: np.ndarray, start: int) -> np.ndarray:
        if value.dtype == bool:
            _stop(self.expression, start, "this is a condition, not a number")
        return value
