"""The slip that was probably made in a line that is no TOML: habits of other languages, and what is easily left out."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator

Hint = Iterator[tuple[int, str, str]]
"""Column from 1, what is wrong, what to write."""

_NUMBER = r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?"
_IN_QUOTES = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'[^']*'|(#.*)")
_NO_SPACES = {"\u00a0": "no-break space", "\u2007": "figure space", "\u202f": "narrow space", "\u200b": "empty space"}
_OTHER_VALUES = {
    **dict.fromkeys(("true", "yes", "on"), "true"),
    **dict.fromkeys(("false", "no", "off"), "false"),
    **dict.fromkeys(("none", "null", "nil", "nan", "inf"), ""),
}


def hints(content: str, column: int, plain: str) -> Iterator[tuple[str, int, str, str]]:
    """Code, column, what is wrong and advice of each slip that the line may hold; plain is what the parser said of it."""
    for code, hint in (*_HINTS, *_HINTS_AFTER.get(plain, ())):
        yield from ((code, *told) for told in hint(content, column))


def _bare(content: str) -> str:
    """The line, as long as it is, without what stands in quotes or in a comment."""
    return _IN_QUOTES.sub(lambda found: (" " if found[1] else "_") * len(found[0]), content)


def _as_value(text: str) -> str:
    """The text as a value of TOML: as it is, or in quotes."""
    text = text.strip().rstrip(";,").rstrip()
    try:
        tomllib.loads(f"x = {text}")
    except tomllib.TOMLDecodeError:
        return '"{}"'.format(text.strip("\"'").replace("\\", "/"))
    return text


def _separated(numbers: str) -> str:
    """Numbers with whatever between them, as a list has them."""
    return ", ".join(re.split(r"[,;\s]+", numbers.strip(" ,;")))


def _merge_mark(content: str, column: int) -> Hint:
    if re.match(r"(<{7}|={7}|>{7}|\|{7})( |$)", content):
        yield 1, "the mark of a merge that was not finished", "keep one of both versions, and remove the marks"


def _odd_space(content: str, column: int) -> Hint:
    if found := re.search("[" + "".join(_NO_SPACES) + "]", _bare(content)):
        yield (
            found.start() + 1,
            f"a {_NO_SPACES[found[0]]}, which looks like a space and is none",
            "type the space anew",
        )


def _other_comment(content: str, column: int) -> Hint:
    if found := re.match(r"\s*(%+|//|/\*|--|;)", content) or re.search(r"=.*\S\s+(%|//|/\*)\s*\S", _bare(content)):
        yield found.start(1) + 1, f"{found[1]} begins no comment", "write #"


def _list_of_yaml(content: str, column: int) -> Hint:
    if found := re.match(r"\s*(-)\s+[\w.-]+\s*[:=]", content):
        yield (
            found.start(1) + 1,
            "a dash begins no table of a list",
            "write a line [[name]] above each of several tables",
        )


def _colon_for_equals(content: str, column: int) -> Hint:
    if found := re.match(r"\s*\"?([\w.-]+)\"?\s*(:)(?!=)\s*([^#]*)", content):
        what = 'a key and its value are joined by "=", not ":"'
        yield found.start(2) + 1, what, f"write {found[1]} = {_as_value(found[3]) if found[3].strip() else '…'}"
    elif found := re.search(r"[{,]\s*([\w-]+)\s*(:)\s*", _bare(content)):
        yield found.start(2) + 1, 'a key and its value are joined by "=", not ":"', f"write {found[1]} = …"


def _doubled_equals(content: str, column: int) -> Hint:
    if found := re.match(r"\s*([\w.-]+)\s*(==+|:=|=>|\+=|<-|->|＝)\s*([^#]*)", content):
        what = f'a key and its value are joined by one "=", not by {found[2]}'
        yield found.start(2) + 1, what, f"write {found[1]} = {_as_value(found[3])}"


def _curly_quotes(content: str, column: int) -> Hint:
    if found := re.search(r"=.*?([“”„‘’«»`´])", content):
        yield found.start(1) + 1, f"{found[1]} is not a quote that TOML knows", 'write straight quotes: "text"'


def _quote_inside(content: str, column: int) -> Hint:
    if found := re.match(r"\s*[\w.-]+\s*=\s*('([^'\"]*)'([^'\"]+)'\s*(?:#.*)?)$", content):
        what = "a ' inside single quotes ends the text"
        yield found.start(1) + 1, what, f'write "{found[2]}\'{found[3]}"'


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


def _round_brackets(content: str, column: int) -> Hint:
    if found := re.search(r"[=\[,]\s*(\(([^()]*)\)?)", _bare(content)):
        inside = content[found.start(2) : found.end(2)]
        yield (
            found.start(1) + 1,
            "a list has square brackets",
            f"write [{_separated(inside)}]",
        )


def _decimal_commas(content: str, column: int) -> Hint:
    if found := re.search(r"\[\s*([-+]?\d+,\d+(?:(?:\s*;\s*|\s+)[-+]?\d+,\d+)+)\s*\]", content):
        numbers = [number.replace(",", ".") for number in re.split(r"[;\s]+", found[1])]
        yield found.start() + 1, "decimal commas", f"write [{', '.join(numbers)}]"


def _spaces_for_commas(content: str, column: int) -> Hint:
    found = re.search(rf"\[\s*({_NUMBER}(?:\s*[,;\s]\s*{_NUMBER})+)\s*[,;]?\s*(?:\]|#|$)", _bare(content))
    if found and re.search(r"\d\s*;|\d\s+[-+.\d]", found[1]):
        what = "the numbers of a list are separated by commas"
        rows = [_separated(row) for row in found[1].split(";") if row.strip(" ,")]
        is_matrix = len(rows) > 1 and all("," in row for row in rows)
        inside = ", ".join(f"[{row}]" for row in rows) if is_matrix else _separated(found[1])
        yield found.start() + 1, what, f"write [{inside}]"


def _texts_without_comma(content: str, column: int) -> Hint:
    if found := re.search(r"\[.*?([\"'])\s+([\"'])", re.sub(r"[^\"'\[\]#,\s]", "_", content).split("#")[0]):
        yield found.start(2) + 1, "a comma is missing before this text", "separate what is in a list by commas"


def _comma_twice(content: str, column: int) -> Hint:
    if found := re.search(r"[\[{].*?,\s*(,)|[\[{]\s*(,)", _bare(content)):
        yield found.start(1 if found[1] else 2) + 1, "a comma too many", "remove it"


def _comma_at_the_end(content: str, column: int) -> Hint:
    if found := re.search(r"\{[^{}]*(,)\s*\}", _bare(content)):
        yield found.start(1) + 1, "no comma follows the last key of a { table }", "remove it"


def _no_comma_in_table(content: str, column: int) -> Hint:
    if found := re.search(r"\{[^{}]*?=\s*(?:\[[^\]]*\]|[^\s,{}=\[]+)\s+([\w.-]+)\s*=", _bare(content)):
        yield found.start(1) + 1, f"a comma is missing before {found[1]}", "separate the keys of a { table } by commas"


def _other_value(content: str, column: int) -> Hint:
    words = "|".join(_OTHER_VALUES)
    if found := re.search(rf"[=\[,]\s*({words})\s*([,;}}\]#]|$)", content, re.IGNORECASE):
        right = _OTHER_VALUES[found[1].lower()]
        if found[1] != right:
            advice = f"write {right}" if right else "leave the key out, or put # before it"
            yield found.start(1) + 1, f"{found[1]} is none of TOML's values", advice


def _decimal_comma(content: str, column: int) -> Hint:
    if found := re.search(r"=\s*([-+]?\d+),(\d+)\s*(#|}|;|$)", content):
        or_thousands = f", or {found[1]}{found[2]} for thousands" if len(found[2]) == 3 else ""
        yield found.start(1) + 1, "a decimal comma", f"write {found[1]}.{found[2]}{or_thousands}"


def _unit(content: str, column: int) -> Hint:
    if found := re.search(rf"=\s*({_NUMBER})\s*([A-Za-zÅµ°%]+)\s*([,}}#]|$)", content):
        yield found.start(2) + 1, f"{found[2]} behind a number", f"write {found[1]}; the unit is in the key's name"


def _bare_list(content: str, column: int) -> Hint:
    if found := re.search(rf"=\s*({_NUMBER}(?:\s*,\s*{_NUMBER})+)\s*(#|$)", content):
        yield found.start(1) + 1, "a list needs brackets", f"write [{found[1]}]"


def _bare_point(content: str, column: int) -> Hint:
    if found := re.search(r"(?<![\w.])([-+]?)(\.\d+|\d+\.)(?![\w.])", _bare(content)):
        digits = f"0{found[2]}" if found[2].startswith(".") else f"{found[2]}0"
        yield found.start() + 1, "a number needs digits on both sides of its point", f"write {found[1]}{digits}"


def _long_minus(content: str, column: int) -> Hint:
    if found := re.search(r"[=\[,]\s*([−–—])\s*(\d[\d.]*)", _bare(content)):
        yield found.start(1) + 1, f"{found[1]} is no minus sign that TOML knows", f"write -{found[2]}"


def _zero_in_front(content: str, column: int) -> Hint:
    if found := re.search(r"[=\[,]\s*([-+]?)0+([1-9]\d*)(?![\w.:-])", _bare(content)):
        yield found.end(1) + 1, "a number does not begin with 0", f"write {found[1]}{found[2]}"


def _no_value(content: str, column: int) -> Hint:
    if found := re.match(r"\s*[\w.-]+\s*=\s*(#|$)", content):
        yield found.start(1) + 1, "the value is missing", "write it after the =, or put # before the key"


def _header(content: str, column: int) -> Hint:
    """A [table] or [[table]] that is not written as one."""
    found = re.match(r"\s*(\[\[?)([\w.\- ]*)(\]*)\s*(.*)$", _bare(content))
    if found is None:
        return
    opened, name, closed, rest = found[1], found[2].strip(), found[3], found[4].strip()
    if not name:
        yield found.start(2) + 1, "a table needs a name", "as in [data]"
    elif " " in name:
        yield found.start(2) + 1, "the name of a table has no spaces", f"write [{name.replace(' ', '_')}]"
    elif len(opened) != len(closed) and not rest:
        most = "[[{}]]" if len(opened) + len(closed) > 2 else "[{}]"
        what = "the brackets of a table are as many at its end as at its beginning"
        yield found.start(1) + 1, what, f"write {most.format(name)}"
    elif rest and len(opened) == len(closed):
        yield found.start(4) + 1, "something follows the [table]", "its keys stand in the lines below"


def _mark_at_the_end(content: str, column: int) -> Hint:
    bare = _bare(content)
    found = re.search(r"=.*\S\s*([;,])\s*$", bare)
    if found and all(bare.count(opened) == bare.count(closed) for opened, closed in ("[]", "{}")):
        yield found.start(1) + 1, "no mark ends a line", f"remove the {found[1]}"


def _calculation(content: str, column: int) -> Hint:
    if found := re.search(rf"[=\[,]\s*({_NUMBER}\s*(?:[*/^+]|\*\*)\s*[\d.\[(][^\],}}#]*)", _bare(content)):
        yield found.start(1) + 1, "TOML does not calculate", "write the number that comes out"
    elif found := re.search(rf"[=\[,]\s*({_NUMBER}:{_NUMBER}(?::{_NUMBER})?)", _bare(content)):
        yield found.start(1) + 1, f"{found[1]} is a range of another language", "write the numbers: [lowest, highest]"


def _transposed(content: str, column: int) -> Hint:
    if found := re.search(r"\]\s*(')", content):
        yield found.start(1) + 1, "a ' behind a list, as MATLAB turns vectors", "remove it"


def _call(content: str, column: int) -> Hint:
    if found := re.match(r"\s*([A-Za-z][\w.]*)\s*\(", content):
        yield found.start(1) + 1, f"{found[1]}(…) is a command, and a project file has none", "write key = value"


def _letter_of_no_key(content: str, column: int) -> Hint:
    if found := re.search(r"(?:^|[{,])\s*([^\s=,{}\[\]\"'#]*[^\x00-\x7f\s][^\s=,{}\[\]\"'#]*)\s*=", _bare(content)):
        odd = next(letter for letter in found[1] if letter > "\x7f")
        right = re.sub("[\u00c5\u212b]", "A", re.sub("[\u00b5\u03bc]", "u", found[1]))
        advice = f"write {right} = …" if right.isascii() else "letters a to z, digits and _"
        yield found.start(1) + 1 + found[1].index(odd), f"{odd} stands in no name of a key", advice


def _unquoted_text(content: str, column: int) -> Hint:
    if found := re.match(r"[A-Za-z./~*\\_$<][^\s,\]}#\"']*", content[column - 1 :]):
        yield column, f"a text needs quotes: {found[0]}", f'write "{found[0].replace(chr(92), "/")}"'


def _key_with_space(content: str, column: int) -> Hint:
    if found := re.match(r"\s*([\w-]+(?: +[\w-]+)+)\s*=\s*", content):
        what = "the name of a key has no spaces"
        yield found.start(1) + 1, what, f"write {'_'.join(found[1].split())} = …"


def _no_equals(content: str, column: int) -> Hint:
    if found := re.match(r"\s*([\w-]+)\s+([^=\s#].*)", content):
        yield found.start(2) + 1, 'expected "=" after the key', f"write {found[1]} = {found[2]}"


_HINTS: tuple[tuple[str, Callable[[str, int], Hint]], ...] = (
    ("E020", _merge_mark),
    ("E020", _odd_space),
    ("E020", _list_of_yaml),
    ("E006", _colon_for_equals),
    ("E006", _doubled_equals),
    ("E007", _curly_quotes),
    ("E008", _quote_inside),
    ("E010", _transposed),
    ("E008", _open_quote),
    ("E009", _backslash),
    ("E014", _round_brackets),
    ("E012", _decimal_commas),
    ("E010", _spaces_for_commas),
    ("E022", _texts_without_comma),
    ("E022", _comma_twice),
    ("E022", _comma_at_the_end),
    ("E022", _no_comma_in_table),
    ("E011", _other_value),
    ("E012", _decimal_comma),
    ("E011", _calculation),
    ("E024", _long_minus),
    ("E024", _zero_in_front),
    ("E013", _bare_point),
    ("E014", _bare_list),
    ("E015", _unit),
    ("E020", _other_comment),
    ("E016", _no_value),
    ("E019", _header),
    ("E020", _mark_at_the_end),
    ("E020", _call),
    ("E023", _letter_of_no_key),
)
_HINTS_AFTER: dict[str, tuple[tuple[str, Callable[[str, int], Hint]], ...]] = {
    "Invalid value": (("E017", _unquoted_text),),
    "Expected '=' after a key in a key/value pair": (("E023", _key_with_space), ("E018", _no_equals)),
}
