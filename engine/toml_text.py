"""TOML text to values; what is wrong with the text is said in plain words, with the slip that was probably made."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

from engine.faults import Fault, Key
from engine.toml_spans import Spans, scan

LARGEST_BYTES = 1_000_000
_LONGEST_KEY_PARTS = 100
_DEEPEST = 30
_LARGEST_WHOLE = 2**63 - 1
_LONGEST_LINE_WITH_HINT = 1000
_POSITION = re.compile(r" \((?:at line (\d+), column (\d+)|at end of document)\)$")
_NUMBER = r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?"
_PART = r"(?:[A-Za-z0-9_-]+|\"(?:[^\"\\\n]|\\.)*\"|'[^'\n]*')"
_LONG_KEY = re.compile(rf"(?<![A-Za-z0-9_-])(?:{_PART}[ \t]*\.[ \t]*){{{_LONGEST_KEY_PARTS}}}{_PART}")


class Slip(Exception):
    """The text is no TOML: the fault says why."""

    def __init__(self, line: int, column: int, what: str, advice: str = "") -> None:
        super().__init__(what)
        self.fault = Fault((), what, advice, line=line, column=column)


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
        raise Slip(1, 1, f"is no project: more than {LARGEST_BYTES / 1e6:g} MB of text", "a project file has a few KB")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode("utf-8", "replace")
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        advice = "save it as UTF-8 text in your editor"
        raise Slip(line, column, f"is not UTF-8 text: byte {raw[error.start]:#04x}", advice) from None


def _refuse_long_keys(text: str) -> None:
    """Dotted keys of thousands of parts take the parser minutes."""
    if found := _LONG_KEY.search(text):
        line = text.count("\n", 0, found.start()) + 1
        raise Slip(line, 1, f"a key of more than {_LONGEST_KEY_PARTS} parts")


def _refuse_monsters(value: Any, spans: Spans, key: Key = ()) -> None:
    """Whole numbers that TOML does not promise to keep, and what lies deeper than the forms of any kind."""
    if len(key) > _DEEPEST:
        raise _too_deep(spans, key)
    if isinstance(value, dict | list):
        for name, part in value.items() if isinstance(value, dict) else enumerate(value):
            _refuse_monsters(part, spans, (*key, name))
    elif isinstance(value, int) and abs(value) > _LARGEST_WHOLE:
        span = spans.place(key)
        raise Slip(span.line, span.column, "a whole number of more than 64 bits", "write a smaller one")


def _too_deep(spans: Spans, key: Key) -> Slip:
    span = spans.place(key)
    return Slip(
        span.line, span.column, "lists or tables are nested too deep", "no project needs more than a few levels"
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
    if "Illegal character '\\n'" in plain and column > len(lines[line - 1]) + 1:
        column = len(lines[line - 1]) + 1
    for number in dict.fromkeys((line, max(1, line - 1))):
        content = lines[number - 1].rstrip("\r")
        if len(content) > _LONGEST_LINE_WITH_HINT:
            break
        at = column if number == line else len(content)
        for hint in (*_HINTS, *_HINTS_AFTER.get(plain, ())):
            for place, what, advice in hint(content, at):
                return Slip(number, place, what, advice)
        if content.strip() and number == line:
            break
    return Slip(line, column, _PLAIN_WORDS.get(plain, plain[:1].lower() + plain[1:]))


_PLAIN_WORDS = {
    "Invalid value": 'no value that TOML knows: a number, "text", true, false, [list] or { table }',
    "Expected '=' after a key in a key/value pair": 'expected "=" after the key',
    "Expected newline or end of document after a statement": "something follows the value; one key and value to a line",
    "Invalid statement": "this line is neither key = value nor a [table]",
    "Unclosed array": 'a list is not closed: "]" or a comma is missing',
    "Invalid initial character for a key part": "this cannot start a key; a { table } must stay on one line",
    "Unclosed inline table": 'a { table } is not closed: "}" or a comma is missing; it must stay on one line',
    "Unterminated string": "a text is not closed",
    "Expected ']' at the end of a table declaration": 'the "]" of the table is missing',
    "Expected ']]' at the end of an array declaration": 'the "]]" is missing',
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
        name = ".".join(str(part) for part in path)
        written = text.split("\n")[second.line - 1].strip()
        what, advice = f'the key "{path[-1]}" is here twice', f"the first is in line {first.line}"
        if written.startswith("["):
            what = f"the table [{name}] is here twice"
            advice += f"; join them, or write [[{name}]] each time if it is one of several"
        return Slip(second.line, second.column, what, advice)
    if header := re.match(r"\[\[?\s*([^\]]+?)\s*\]", content):
        name = header.group(1)
        advice = f"write [[{name}]] each time if there are several, [{name}] once if not"
        return Slip(line, 1, f"[{name}] is used in two ways", advice)
    return Slip(line, column, f"a key is used in two ways: {plain}")


Hint = Iterator[tuple[int, str, str]]


def _colon_for_equals(content: str, column: int) -> Hint:
    if found := re.match(r"\s*([\w.-]+)\s*(:)\s*(.*)", content):
        what = 'a key and its value are joined by "=", not ":"'
        yield found.start(2) + 1, what, f"write {found[1]} = {found[3].strip() or '…'}"


def _curly_quotes(content: str, column: int) -> Hint:
    if found := re.search(r"=.*?([“”„‘’])", content):
        yield found.start(1) + 1, f"{found[1]} is not a quote that TOML knows", 'write straight quotes: "text"'


def _open_quote(content: str, column: int) -> Hint:
    rest = re.sub(r'"""|\'\'\'', "", content)
    rest = re.sub(r'"(?:[^"\\]|\\.)*"|\'[^\']*\'', lambda whole: "_" * len(whole[0]), rest)
    rest = rest.split("#")[0] if '"' not in rest.split("#")[0] else rest
    if len(rest) == len(content) and (found := re.search(r"=\s*(?:[\[{].*?)?([\"'])([^\"']*)$", rest)):
        yield found.start(1) + 1, "a text is not closed", f"write the second {found[1]} in the same line"


def _backslash(content: str, column: int) -> Hint:
    if found := re.search(r'"([^"\\]*\\[^"]*)"', content):
        advice = f"in double quotes \\ means something else; write '{found[1]}' in single quotes, or / for \\"
        yield found.start() + 1, r"a \ inside double quotes", advice


def _spaces_for_commas(content: str, column: int) -> Hint:
    if found := re.search(rf"\[\s*({_NUMBER}(?:\s+{_NUMBER})+)\s*\]", content):
        what = "the numbers of a list are separated by commas"
        yield found.start() + 1, what, f"write [{', '.join(found[1].split())}]"


def _capital_truth(content: str, column: int) -> Hint:
    words = "|".join(_OTHER_TRUTHS)
    if found := re.search(rf"[=\[,]\s*({words})\s*([,}}\]#]|$)", content, re.IGNORECASE):
        right = _OTHER_TRUTHS[found[1].lower()]
        if found[1] != right:
            advice = f"write {right}" if right else "leave the key out, or put # before it"
            yield found.start(1) + 1, f"{found[1]} is none of TOML's values", advice


_OTHER_TRUTHS = {
    **dict.fromkeys(("true", "yes", "on"), "true"),
    **dict.fromkeys(("false", "no", "off"), "false"),
    **dict.fromkeys(("none", "null"), ""),
}


def _decimal_comma(content: str, column: int) -> Hint:
    if found := re.search(r"=\s*([-+]?\d+),(\d+)\s*(#|}|$)", content):
        yield found.start(1) + 1, "a decimal comma", f"write {found[1]}.{found[2]}"


def _unit(content: str, column: int) -> Hint:
    if found := re.search(rf"=\s*({_NUMBER})\s*([A-Za-zÅµ°%]+)\s*([,}}#]|$)", content):
        yield found.start(2) + 1, f"{found[2]} behind a number", f"write {found[1]}; the unit is in the key's name"


def _bare_list(content: str, column: int) -> Hint:
    if found := re.search(rf"=\s*({_NUMBER}(?:\s*,\s*{_NUMBER})+)\s*(#|$)", content):
        yield found.start(1) + 1, "a list needs brackets", f"write [{found[1]}]"


def _bare_point(content: str, column: int) -> Hint:
    if found := re.search(r"(?<![\w.])([-+]?)(\.\d+|\d+\.)(?![\w.])", content.split("#")[0]):
        digits = f"0{found[2]}" if found[2].startswith(".") else f"{found[2]}0"
        yield found.start() + 1, "a number needs digits on both sides of its point", f"write {found[1]}{digits}"


def _unquoted_text(content: str, column: int) -> Hint:
    if found := re.match(r"[A-Za-z./~*\\_][^\s,\]}#\"']*", content[column - 1 :]):
        yield column, f"a text needs quotes: {found[0]}", f'write "{found[0].replace(chr(92), "/")}"'


def _no_equals(content: str, column: int) -> Hint:
    if found := re.match(r"\s*([\w-]+)\s+([^=\s#].*)", content):
        yield found.start(2) + 1, 'expected "=" after the key', f"write {found[1]} = {found[2]}"


def _no_value(content: str, column: int) -> Hint:
    if found := re.match(r"\s*[\w.-]+\s*=\s*(#|$)", content):
        yield found.start(1) + 1, "the value is missing", "write it after the =, or put # before the key"


_HINTS: tuple[Callable[[str, int], Hint], ...] = (
    _colon_for_equals,
    _curly_quotes,
    _open_quote,
    _backslash,
    _spaces_for_commas,
    _capital_truth,
    _decimal_comma,
    _bare_point,
    _bare_list,
    _unit,
    _no_value,
)
_HINTS_AFTER: dict[str, tuple[Callable[[str, int], Hint], ...]] = {
    "Invalid value": (_unquoted_text,),
    "Expected '=' after a key in a key/value pair": (_no_equals,),
}
