"""What can be wrong: a fault found by a check, an error that stops a run."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

Key = tuple[str | int, ...]
LONGEST_TEXT = 1000
_LONGEST_KEY_PART = 80


class EngineError(Exception):
    """Something a user can put right. Its text says what is wrong, where, and what to do."""


@dataclass(frozen=True)
class Place:
    """Where a key of a file stands; line and column count from 1."""

    key: Key
    line: int
    column: int


@dataclass(frozen=True)
class Fault:
    """One thing wrong with a project, found before anything runs.

    key is the path of the TOML key, array positions counted from 0: ("rounds", 1, "cone", "step_deg").
    code is a number of the table in `codes`. also: the other keys of a conflict, and others: where they stand in the file.
    line and column count from 1; both are 0 while the fault has not been placed in a file.
    """

    key: Key
    what: str
    advice: str = ""
    path: Path | None = None
    line: int = 0
    column: int = 0
    code: str = ""
    also: tuple[Key, ...] = ()
    others: tuple[Place, ...] = ()

    def __post_init__(self) -> None:
        """A value of a megabyte, told of as wrong, fills no screen."""
        object.__setattr__(self, "what", clipped(self.what, LONGEST_TEXT))
        object.__setattr__(self, "advice", clipped(self.advice, LONGEST_TEXT))

    def placed(self, path: Path, line: int, column: int, others: tuple[Place, ...] = ()) -> Fault:
        return replace(self, path=path, line=line, column=column, others=others)

    def inside(self, *parents: str | int) -> Fault:
        """The fault of a table as one of the whole file: its keys stand below the parents."""
        return replace(self, key=(*parents, *self.key), also=tuple((*parents, *key) for key in self.also))

    @property
    def where(self) -> str:
        """`pr_1.toml:3:1: `, or nothing while it is not placed."""
        return f"{self.path}:{self.line}:{self.column}: " if self.path else ""

    def __str__(self) -> str:
        code = f"{self.code} " if self.code and self.path else ""
        key = f"{key_text(self.key)}: " if self.key else ""
        advice = f" ({self.advice})" if self.advice else ""
        return f"{self.where}{code}{key}{self.what}{advice}"


class InvalidProject(EngineError):
    """A project file with faults; its text has one fault per line."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = list(faults)
        super().__init__("\n".join(map(str, self.faults)))


def clipped(text: str, longest: int) -> str:
    """The text, or its beginning with a mark that more follows."""
    return text if len(text) <= longest else f"{text[:longest]} …"


def key_text(key: Key) -> str:
    """The key as people say it, tables of an array counted from 1: `rounds no. 2: cone.step_deg`."""
    text = ""
    for part in key:
        if isinstance(part, int):
            text += f" no. {part + 1}:"
            continue
        part = clipped(part, _LONGEST_KEY_PART)
        if text.endswith(":"):
            text += f" {part}"
        else:
            text += f".{part}" if text else part
    return text.rstrip(":")
