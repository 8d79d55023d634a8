"""How things look on a terminal and in a log: faults under their source line, errors in one line, aligned rows.

All that the engine prints goes through here, so that nothing of a file, a name or an error can steer the terminal.
"""

from __future__ import annotations

import os
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from engine.faults import EngineError, Fault
from engine.steering import escaped, made_visible

if TYPE_CHECKING:
    from engine.pace import Progress

STATES = {"keep": "to keep", "do": "to do", "stale": "stale"}
COMPILING = "compiling the inner loops for this machine (once, some ten seconds)"
ROUNDING = 1e-11
"""Numbers of summaries are lengths, angles, shares and counts: what is smaller is what rounding left of 0."""
_LONGEST_LINE = 160


def say(text: str, err: bool = False, bold: str = "", colour: str = "") -> None:
    """Prints a line, what is bold in front; nothing in it can steer the terminal."""
    front = typer.style(clean(bold), bold=True, fg=colour or None) if bold and _has_colour(err) else clean(bold)
    typer.echo(front + clean(text), err=err)


def complain(text: str) -> None:
    say(text, err=True)


def error(problem: Exception) -> None:
    """One line on stderr, and a line for each note."""
    if isinstance(problem, OSError) and not isinstance(problem, EngineError):
        text = f"{problem.filename}: {problem.strerror}" if problem.filename else str(problem)
    else:
        text = str(problem)
    say(text, err=True, bold="error: ", colour="red")
    for note in getattr(problem, "__notes__", []):
        complain(f"  {note}")


def faults(found: Iterable[Fault], err: bool = False) -> None:
    """Each fault as `file:line:column: code key: what (advice)`, its source line with ^ below what is meant.

    The other keys of a conflict have - below them.
    """
    sources: dict[Path, _Source] = {}
    for fault in found:
        if fault.path is None:
            say(str(fault), err)
            continue
        say(str(fault).removeprefix(fault.where), err, bold=f"{short(fault.path)}:{fault.line}:{fault.column}: ")
        if fault.path not in sources:
            sources[fault.path] = _Source(_lines(fault.path))
        source = sources[fault.path]
        marks = {(one.line, one.column): "-" for one in fault.others} | {(fault.line, fault.column): "^"}
        for line in sorted({line for line, _ in marks if 0 < line <= len(source.lines)}):
            _show_line(source, line, {column: mark for (of, column), mark in marks.items() if of == line}, err)


class _Source:
    """The lines of a file, and how wide what stands in them is."""

    def __init__(self, lines: list[str]) -> None:
        from engine.toml_spans import Spans, scan

        self.lines = lines
        try:
            self.spans = scan("\n".join(lines))
        except (ValueError, RecursionError):
            self.spans = Spans()


def _show_line(source: _Source, number: int, marks: dict[int, str], err: bool) -> None:
    """The line, or the part of it that its first mark is in, and the marks below."""
    line = source.lines[number - 1]
    start = max(0, min(marks) - 1 - _LONGEST_LINE // 2)
    below = ""
    for column, mark in sorted(marks.items()):
        at = _columns(clean(line[start : column - 1]))
        meant = clean(line[column - 1 : column - 1 + source.spans.width_at(number, column)])
        width = max(1, _columns(meant[: max(1, _LONGEST_LINE - at)]))
        below = (below.ljust(at)[:at] + mark * width) if at <= _LONGEST_LINE else below
    say(f"  {number} | {clean(line[start : start + _LONGEST_LINE])}", err)
    say(f"  {' ' * len(str(number))} | {below}", err)


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text("utf-8", "replace").removeprefix("\ufeff").split("\n")
    except OSError:
        return []


def _columns(text: str) -> int:
    """How many columns of a terminal the text takes."""
    wide = sum(unicodedata.east_asian_width(letter) in "WF" for letter in text)
    return len(text) + wide - sum(unicodedata.combining(letter) > 0 for letter in text)


def rows(table: Sequence[Sequence[Any]], right: Iterable[int] = ()) -> None:
    """Prints rows with their columns aligned; those named by right on their right side."""
    texts = [[clean(str(cell).replace("\n", " ")) for cell in row] for row in table]
    widths = [max(map(_columns, column)) for column in zip(*texts, strict=True)]
    to_right = set(right)
    for row in texts:
        cells = [
            " " * (width - _columns(cell)) + cell if at in to_right else cell + " " * (width - _columns(cell))
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        typer.echo("  ".join(cells).rstrip())


def fields(*texts: str) -> None:
    """Prints texts with tabs between them, for scripts; empty ones at the end are left out."""
    typer.echo("\t".join(map(clean, texts)).rstrip("\t"))


def json_text(value: Any) -> None:
    """Prints JSON. Letters that steer are escaped as JSON escapes them, so that a reader gets them back."""
    import json

    from engine.export import as_json

    lines = json.dumps(as_json(value), indent=1, ensure_ascii=False).split("\n")
    typer.echo("\n".join(escaped(line) for line in lines))


def json_line(value: Any) -> None:
    """The same in one line."""
    import json

    from engine.export import as_json

    typer.echo(escaped(json.dumps(as_json(value), ensure_ascii=False)))


def short(path: Path) -> str:
    """The path from here when it lies below, else as it is."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except (ValueError, OSError):
        return str(path)


def counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def duration(seconds: float) -> str:
    """`43 s`, `5 min 10 s`, `3 h 20 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{whole} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def progress_text(now: Progress) -> str:
    """`320 of 1000, 3.2/s, 12,300 orientations/s, 4 min 10 s left`, as far as it is known; empty where nothing is counted."""
    if not now.total:
        return ""
    parts = [f"{now.done} of {now.total}"]
    if now.per_second:
        parts.append(f"{now.per_second:.3g}/s")
    if now.orientations_per_second:
        parts.append(f"{now.orientations_per_second:,.0f} orientations/s")
    left_s = now.eta_s if now.run_eta_s is None else now.run_eta_s
    if left_s is not None:
        parts.append(f"{duration(left_s)} left")
    return ", ".join(parts)


def moment(text: str) -> str:
    """A time of a file, `2026-11-28T17:27:06.408+00:00`, as clocks here show it: `2026-11-28 17:27:06`; else as it is."""
    from datetime import datetime

    try:
        return datetime.fromisoformat(text).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    except (ValueError, OverflowError, OSError):
        return text


def size(n_bytes: float) -> str:
    """A number of bytes in the unit that reads best."""
    if n_bytes < 1000:
        return "under 1 kB" if n_bytes else "nothing"
    for unit in ("kB", "MB", "GB"):
        n_bytes /= 1000
        if n_bytes < 1000 or unit == "GB":
            break
    return f"{n_bytes:.1f} {unit}" if n_bytes < 10 else f"{n_bytes:.0f} {unit}"


def number_text(value: Any) -> str:
    """A plain value as people read it."""
    if isinstance(value, bool) or not isinstance(value, float):
        return str(value)
    if abs(value) < ROUNDING:
        return "0"
    return f"{value:.0f}" if value.is_integer() and abs(value) < 1e15 else f"{value:.5g}"


def cell(value: Any) -> str:
    """The same in a table; a dash for what is not there."""
    return "-" if value is None else number_text(value)


def clean(text: str) -> str:
    """The text with a mark for each letter that steers a terminal or turns a text; line breaks stay, tabs become spaces."""
    return "\n".join(made_visible(line.replace("\t", " ")) for line in text.replace("\r\n", "\n").split("\n"))


def _has_colour(err: bool) -> bool:
    return (sys.stderr if err else sys.stdout).isatty() and not os.environ.get("NO_COLOR")
