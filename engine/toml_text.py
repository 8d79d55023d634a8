"""TOML text to values; what is wrong with the text is said in plain words, with the slip that was probably made."""

from __future__ import annotations

import re
import tomllib
from functools import lru_cache
from typing import Any

from engine.faults import Fault, Key, Place
from engine.project_files import LARGEST_BYTES
from engine.toml_hints import hints
from engine.toml_spans import IN_ONE, IN_THREE, Spans, scan

_LONGEST_KEY_PARTS = 100
_DEEPEST = 30
_LARGEST_WHOLE = 2**63 - 1
_LONGEST_LINE_WITH_HINT = 1000
_POSITION = re.compile(r" \((?:at line (\d+), column (\d+)|at end of document)\)$")
_PART = r"(?:[A-Za-z0-9_-]+|\"(?:[^\"\\\n]|\\.)*\"|'[^'\n]*')"
_LONG_KEY = re.compile(rf"(?<![A-Za-z0-9_-])(?:{_PART}[ \t]*\.[ \t]*){{{_LONGEST_KEY_PARTS}}}{_PART}")


class Slip(Exception):
    """The text is no TOML: the fault says why."""

    def __init__(
        self, line: int, column: int, what: str, advice: str = "", code: str = "E001", others: tuple[Place, ...] = ()
    ) -> None:
        super().__init__(what)
        self.fault = Fault((), what, advice, line=line, column=column, code=code, others=others)


@lru_cache(maxsize=256)
def parse(raw: bytes) -> tuple[dict[str, Any], str, Spans]:
    """The values, the text without byte-order mark, and where everything stands; a Slip when it is no TOML.

    Remembered, since the projects of a campaign are read once for each that names them: nobody changes the values.
    """
    text = _decoded(raw).removeprefix("\ufeff")
    _refuse_long_keys(text)
    try:
        values, spans = tomllib.loads(text), scan(text)
        _refuse_monsters(values, spans)
        return values, text, spans
    except tomllib.TOMLDecodeError as error:
        raise _slip(text, str(error)) from None
    except RecursionError:
        raise _too_deep(Spans(), ()) from None
    except ValueError as error:
        raise Slip(1, 1, f"cannot be read: {error}") from None


def _decoded(raw: bytes) -> str:
    if len(raw) > LARGEST_BYTES:
        raise Slip(
            1, 1, f"is no project: more than {LARGEST_BYTES / 1e6:g} MB of text", "a project file has a few KB", "E003"
        )
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode("utf-8", "replace")
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        advice = "save it as UTF-8 text in your editor"
        raise Slip(line, column, f"is not UTF-8 text: byte {raw[error.start]:#04x}", advice, "E002") from None


def _refuse_long_keys(text: str) -> None:
    """Dotted keys of thousands of parts take the parser minutes."""
    if found := _LONG_KEY.search(text):
        line = text.count("\n", 0, found.start()) + 1
        raise Slip(line, 1, f"a key of more than {_LONGEST_KEY_PARTS} parts", "", "E003")


def _refuse_monsters(value: Any, spans: Spans, key: Key = ()) -> None:
    """Whole numbers that TOML does not promise to keep, and what lies deeper than the forms of any kind."""
    if len(key) > _DEEPEST:
        raise _too_deep(spans, key)
    if isinstance(value, dict | list):
        for name, part in value.items() if isinstance(value, dict) else enumerate(value):
            _refuse_monsters(part, spans, (*key, name))
    elif isinstance(value, int) and abs(value) > _LARGEST_WHOLE:
        span = spans.place(key)
        raise Slip(span.line, span.column, "a whole number of more than 64 bits", "write a smaller one", "E003")


def _too_deep(spans: Spans, key: Key) -> Slip:
    span = spans.place(key)
    return Slip(
        span.line, span.column, "lists or tables are nested too deep", "no project needs more than a few levels", "E003"
    )


def _slip(text: str, message: str) -> Slip:
    """The parser's message at its place, replaced by a plainer one where the slip is a common one."""
    lines = text.split("\n")
    found = _POSITION.search(message)
    if found and found.group(1):
        line, column = int(found.group(1)), int(found.group(2))
    else:
        line = max((number for number, content in enumerate(lines, 1) if content.strip()), default=1)
        column = len(lines[line - 1].rstrip()) + 1
    plain = _POSITION.sub("", message)
    if "overwrite" in plain or "twice" in plain or "Duplicate" in plain or "mutate" in plain:
        return _written_twice(text, line, column, plain)
    if plain in _OPEN_TO_THE_END and (opened := _opening_quote(text)):
        return opened
    if "Illegal character '\\n'" in plain and column > len(lines[line - 1]) + 1:
        column = len(lines[line - 1]) + 1
    for number in dict.fromkeys((line, max(1, line - 1))):
        content = lines[number - 1].rstrip("\r")
        if len(content) > _LONGEST_LINE_WITH_HINT:
            break
        at = column if number == line else len(content)
        for code, place, what, advice in hints(content, at, plain):
            return Slip(number, place, what, advice, code)
        if content.strip() and number == line:
            break
    what, code = _PLAIN_WORDS.get(plain, (plain[:1].lower() + plain[1:], "E001"))
    return Slip(line, column, what, code=code)


_OPEN_TO_THE_END = ("Illegal character '\\n'", 'Expected "\'"', "Expected \"'''\"", "Unterminated string")
_QUOTED_OR_NOT = re.compile(rf"#[^\n]*|{IN_THREE}|(?P<open>\"\"\"|''')|{IN_ONE}|(?P<one>[\"'])", re.DOTALL)


def _opening_quote(text: str) -> Slip | None:
    """The first quote that no second one of its line, or of the whole text for three quotes, answers."""
    for found in _QUOTED_OR_NOT.finditer(text):
        if mark := found["open"] or found["one"]:
            line, column = text.count("\n", 0, found.start()) + 1, found.start() - text.rfind("\n", 0, found.start())
            where = "at the end of the text" if found["open"] else "in the same line"
            return Slip(line, column, "a text is not closed", f"write the second {mark} {where}", "E008")
    return None


_PLAIN_WORDS = {
    "Invalid value": ('no value that TOML knows: a number, "text", true, false, [list] or { table }', "E001"),
    "Expected '=' after a key in a key/value pair": ('expected "=" after the key', "E018"),
    "Expected newline or end of document after a statement": (
        "something follows the value; one key and value to a line",
        "E021",
    ),
    "Invalid statement": ("this line is neither key = value nor a [table]", "E001"),
    "Unclosed array": ('a list is not closed: "]" or a comma is missing', "E019"),
    "Invalid initial character for a key part": ("this cannot start a key; a { table } must stay on one line", "E019"),
    "Unclosed inline table": ('a { table } is not closed: "}" or a comma is missing; it must stay on one line', "E019"),
    "Unterminated string": ("a text is not closed", "E008"),
    "Expected ']' at the end of a table declaration": ('the "]" of the table is missing', "E019"),
    "Expected ']]' at the end of an array declaration": ('the "]]" is missing', "E019"),
}


def _written_twice(text: str, line: int, column: int, plain: str) -> Slip:
    """Which key or table is there a second time, and where the first is."""
    try:
        again = scan(text).again
    except (ValueError, RecursionError):
        again = []
    content = text.split("\n")[line - 1].strip()
    if again:
        path, first, second = again[0]
        name = ".".join(part for part in path if isinstance(part, str))
        written = text.split("\n")[second.line - 1].strip()
        what, advice, code = f'the key "{path[-1]}" is here twice', f"the first is in line {first.line}", "E004"
        if written.startswith("["):
            code = "E005"
            what = f"the table [{name}] is here twice"
            advice += f"; join them, or write [[{name}]] each time if it is one of several"
        return Slip(second.line, second.column, what, advice, code, (Place(path, first.line, first.column),))
    if header := re.match(r"\[\[?\s*([^\]]+?)\s*\]", content):
        name = header.group(1)
        advice = f"write [[{name}]] each time if there are several, [{name}] once if not"
        return Slip(line, 1, f"[{name}] is used in two ways", advice, "E005")
    return Slip(line, column, f"a key is used in two ways: {plain}", "", "E005")
