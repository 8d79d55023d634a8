"""Letters that steer: what moves a terminal's cursor, breaks a line or turns the direction of a text, and prints nothing."""

from __future__ import annotations

import re

_TURNS = "\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069"
_STEERS = re.compile(rf"[\x00-\x1f\x7f-\x9f\ud800-\udfff{_TURNS}]")
"""C0, C1, halves of letters (bytes of a file's name that are no UTF-8), marks and overrides of direction."""


def steers(text: str) -> bool:
    """Whether the text holds such a letter; line breaks and tabs are some."""
    return _STEERS.search(text) is not None


def escaped(text: str) -> str:
    """The text with \\u009b for each such letter, as JSON writes it."""
    return _STEERS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def made_visible(text: str) -> str:
    """The text with U+FFFD for each such letter."""
    return _STEERS.sub("\ufffd", text)
