"""Where every key and value of a TOML text stands, by line and column."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, field

from engine.faults import Key

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
IN_THREE = r'"""(?:[^"\\]|\\.|"{1,2}(?!"))*"{3,5}' + r"|'''(?:[^']|'{1,2}(?!'))*'{3,5}"
"""A text in three quotes; in the pattern a point is any letter."""
IN_ONE = r'"(?:[^"\\\n]|\\.)*"' + r"|'[^'\n]*'"
_STRING = re.compile(f"{IN_THREE}|{IN_ONE}", re.DOTALL)
_PLAIN_VALUE = re.compile(r"[^\s,\]}#]+(?: \d{2}:[^\s,\]}#]+)?")
_ESCAPE = re.compile(r'\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|([btnfr"\\]))')
_ESCAPED = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r", '"': '"', "\\": "\\"}


@dataclass(frozen=True)
class Span:
    """A piece of text: line and column of its first character, counted from 1, and its width within that line."""

    line: int
    column: int
    width: int


@dataclass(frozen=True)
class Spans:
    """keys: path to where the key is written. values: path to its value; for a table, its header or braces.

    Elements of arrays have a value and no key, unless a [[header]] wrote them. again lists what is written a second
    time: path, the first place, the second place.
    """

    keys: dict[Key, Span] = field(default_factory=dict)
    values: dict[Key, Span] = field(default_factory=dict)
    again: list[tuple[Key, Span, Span]] = field(default_factory=list)

    def place(self, key: Key, *, of_key: bool = False) -> Span:
        """Where the value (or the key) of a path stands; for an absent one, its nearest parent that is there."""
        if of_key and key in self.keys:
            return self.keys[key]
        while key and key not in self.values:
            key = key[:-1]
        return self.values.get(key, Span(1, 1, 1))

    def width_at(self, line: int, column: int) -> int:
        """The width of what starts there, 1 when nothing known does."""
        known = [*self.keys.values(), *self.values.values(), *(second for _, _, second in self.again)]
        return max((span.width for span in known if (span.line, span.column) == (line, column)), default=1)


def scan(text: str) -> Spans:
    """The spans of a text that a TOML parser accepts, or refuses only because something is written twice.

    A byte-order mark is not counted as a column. Anything else that is no TOML is a ValueError.
    """
    return _Scanner(text.removeprefix("\ufeff")).document()


class _Scanner:
    """One pass over the text; `at` is the offset of the next character."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.line_starts = [0, *(found.end() for found in re.finditer("\n", text))]
        self.spans = Spans()
        self.implied: set[Key] = set()
        self.counts: dict[Key, int] = {}

    def document(self) -> Spans:
        table: Key = ()
        while True:
            self._skip(_BLANK)
            if self.at >= len(self.text):
                return self.spans
            if self.text[self.at] == "[":
                table = self._header()
            else:
                self._pair(table)

    def _header(self) -> Key:
        """The path of the table that a [header] or [[header]] opens."""
        start = self.at
        is_array = self.text.startswith("[[", start)
        self.at += 2 if is_array else 1
        parts = self._dotted_key()
        self._expect("]]" if is_array else "]")
        header = self._span(start, self.at)
        path: Key = ()
        for name, span in parts[:-1]:
            path = self._into(path, name, span)
        name, span = parts[-1]
        path = (*path, name)
        if not is_array:
            self._note(path, span, header)
            return path
        number = self.counts.get(path, 0)
        if number == 0:
            self._note(path, span, header)
        self.counts[path] = number + 1
        self._note((*path, number), span, header)
        return (*path, number)

    def _into(self, path: Key, name: str, span: Span) -> Key:
        """The path one key further, into the newest table of an array of tables; remembers tables only implied."""
        path = (*path, name)
        if path not in self.spans.values:
            self.spans.keys[path] = self.spans.values[path] = span
            self.implied.add(path)
        if path in self.counts:
            return (*path, self.counts[path] - 1)
        return path

    def _pair(self, table: Key) -> None:
        """One `key = value`."""
        parts = self._dotted_key()
        self._expect("=")
        self._skip(_SPACE)
        for name, span in parts[:-1]:
            table = self._into(table, name, span)
        name, key_span = parts[-1]
        path = (*table, name)
        start = self.at
        is_first = path not in self.spans.values
        self._value(path)
        self._note(path, key_span, self._span(start, self.at), is_new=is_first)

    def _value(self, path: Key) -> None:
        """Steps over a value, noting what is inside arrays and inline tables."""
        if self.text.startswith("[", self.at):
            self._array(path)
        elif self.text.startswith("{", self.at):
            self._inline_table(path)
        elif string := _STRING.match(self.text, self.at):
            self.at = string.end()
        else:
            self._skip(_PLAIN_VALUE, needed=True)

    def _array(self, path: Key) -> None:
        self.at += 1
        number = 0
        while True:
            self._skip(_BLANK)
            if self.text.startswith("]", self.at):
                break
            start = self.at
            self._value((*path, number))
            self.spans.values.setdefault((*path, number), self._span(start, self.at))
            number += 1
            self._skip(_BLANK)
            if not self.text.startswith(",", self.at):
                break
            self.at += 1
        self._expect("]")

    def _inline_table(self, path: Key) -> None:
        self.at += 1
        while True:
            self._skip(_BLANK)
            if self.text.startswith("}", self.at):
                break
            self._pair(path)
            self._skip(_BLANK)
            if not self.text.startswith(",", self.at):
                break
            self.at += 1
        self._expect("}")

    def _dotted_key(self) -> list[tuple[str, Span]]:
        parts = []
        while True:
            self._skip(_SPACE)
            start = self.at
            if string := _STRING.match(self.text, start):
                self.at = string.end()
                name = _unquoted(string.group())
            else:
                self._skip(_BARE_KEY, needed=True)
                name = self.text[start : self.at]
            parts.append((name, self._span(start, self.at)))
            self._skip(_SPACE)
            if not self.text.startswith(".", self.at):
                return parts
            self.at += 1

    def _note(self, path: Key, key: Span, value: Span, is_new: bool | None = None) -> None:
        """Remembers a place; a table that was only implied, and now has a header, is placed anew, anything else is noted as
        written again.

        is_new: of the value of a key.
        """
        known = path in self.spans.values if is_new is None else not is_new
        if known and (path not in self.implied or is_new is not None):
            self.spans.again.append((path, self.spans.keys.get(path, self.spans.values[path]), key))
            return
        self.implied.discard(path)
        self.spans.keys[path] = key
        self.spans.values[path] = value

    def _skip(self, pattern: re.Pattern[str], needed: bool = False) -> None:
        found = pattern.match(self.text, self.at)
        if found:
            self.at = found.end()
        elif needed:
            raise ValueError(f"no TOML at character {self.at}")

    def _expect(self, mark: str) -> None:
        self._skip(_SPACE)
        if not self.text.startswith(mark, self.at):
            raise ValueError(f"expected {mark!r} at character {self.at}")
        self.at += len(mark)

    def _span(self, start: int, end: int) -> Span:
        line = bisect_right(self.line_starts, start)
        first_line = self.text[start:end].split("\n", 1)[0].rstrip("\r")
        return Span(line, start - self.line_starts[line - 1] + 1, max(1, len(first_line)))


def _unquoted(string: str) -> str:
    """The key that a quoted key means."""
    if string.startswith("'"):
        return string[1:-1]
    return _ESCAPE.sub(_unescaped, string[1:-1])


def _unescaped(found: re.Match[str]) -> str:
    short, long, letter = found.groups()
    return _ESCAPED[letter] if letter else chr(int(short or long, 16))
