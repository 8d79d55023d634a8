"""Pieces of HTML that a notebook shows: tables, slices and curves. All text is escaped; nothing is fetched, nothing runs."""

from __future__ import annotations

import base64
import html
import math
import struct
import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from engine.steering import made_visible

MOST_ROWS, MOST_PANELS, MOST_PX = 12, 6, 160
_LONGEST_TEXT = 400
_WIDTH, _HEIGHT, _MARGIN = 230, 130, 16


def text(value: Any) -> str:
    """The value as text that nothing takes for a tag, shortened."""
    found = number(float(value)) if isinstance(value, float | np.floating) else str(value)
    found = found if len(found) <= _LONGEST_TEXT else f"{found[: _LONGEST_TEXT - 2]} …"
    return html.escape(made_visible(found))


def whole(lines: str) -> str:
    """A text of several lines, none left out."""
    return "\n".join(html.escape(made_visible(line.replace("\t", "    "))) for line in lines.splitlines())


def number(value: float) -> str:
    """Six digits; all of a whole number."""
    return (
        f"{value:.0f}" if math.isfinite(value) and float(value).is_integer() and abs(value) < 1e15 else f"{value:.6g}"
    )


def table(rows: Iterable[Sequence[Any]], head: Sequence[Any] = ()) -> str:
    """A table of texts and numbers."""
    top = f"<thead><tr>{''.join(f'<th>{text(cell)}</th>' for cell in head)}</tr></thead>" if head else ""
    body = "".join(f"<tr>{''.join(f'<td>{text(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table>{top}<tbody>{body}</tbody></table>"


def titled(title: str, *parts: str) -> str:
    """The parts under a bold line."""
    return f"<div><p><b>{text(title)}</b></p>{''.join(parts)}</div>"


def columns(named: Mapping[str, np.ndarray]) -> str:
    """The first rows of equally long columns."""
    n_rows = len(next(iter(named.values()), ()))
    shown = list(zip(*(values[:MOST_ROWS] for values in named.values()), strict=True))
    rest = f"<p>… {n_rows - len(shown)} more rows</p>" if n_rows > len(shown) else ""
    return table(shown, list(named)) + rest


def of(value: Any) -> str:
    """Whatever the value is: its own HTML, a mapping's rows, or its text."""
    if hasattr(value, "_repr_html_"):
        return str(value._repr_html_())
    if isinstance(value, Mapping):
        return table(value.items())
    if isinstance(value, np.ndarray):
        return f"<p>array {text(' x '.join(map(str, value.shape)))}, {text(value.dtype)}</p>"
    return f"<p>{text(value)}</p>"


def slices(data: np.ndarray) -> str:
    """Three slices of a zyx array through its centre n // 2 in one scale of grey; the second axis named is up."""
    z, y, x = (size // 2 for size in data.shape)
    named = {f"x, y at z = {z}": data[z], f"x, z at y = {y}": data[:, y], f"y, z at x = {x}": data[:, :, x]}
    finite = data[np.isfinite(data)]
    low, high = np.percentile(finite, [0.5, 99.5]) if finite.size else (0.0, 0.0)
    step = max(1, -(-max(data.shape) // MOST_PX))
    scale = 255 / (high - low) if high > low else 1.0
    images = []
    for name, pixels in named.items():
        seen = np.nan_to_num(pixels[::-step, ::step], nan=low, posinf=high, neginf=low)
        grey = np.clip((seen - low) * scale, 0, 255).astype(np.uint8)
        images.append(
            f"<figure style='display:inline-block;margin:4px'>{_png(grey, name)}<figcaption>{name}</figcaption></figure>"
        )
    return "".join(images)


def _png(grey: np.ndarray, alt: str) -> str:
    """(rows, columns) uint8, the first row on top, as an image inside the page."""
    height, width = grey.shape
    rows = np.zeros((height, width + 1), dtype=np.uint8)  # each row starts with its filter, 0
    rows[:, 1:] = grey

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    parts = (
        chunk(b"IHDR", struct.pack(">2I5B", width, height, 8, 0, 0, 0, 0)),
        chunk(b"IDAT", zlib.compress(rows.tobytes())),
    )
    content = base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"".join(parts) + chunk(b"IEND", b"")).decode()
    source = f"data:image/png;base64,{content}"
    return f'<img alt="{html.escape(alt)}" width="{MOST_PX}" style="image-rendering:pixelated" src="{source}">'


def curves(named: Mapping[str, np.ndarray]) -> str:
    """A small panel for each of the first columns, against the first of all; each with its own scale."""
    names = list(named)
    return "".join(_panel(names[0], named[names[0]], name, named[name]) for name in names[1 : 1 + MOST_PANELS])


def _panel(x_name: str, x: np.ndarray, y_name: str, y: np.ndarray) -> str:
    is_there = np.isfinite(x) & np.isfinite(y)
    x, y = x[is_there], y[is_there]
    if not len(x):
        return ""
    across, up = _placed(x, _WIDTH), _placed(y, _HEIGHT)
    points = " ".join(f"{a:.1f},{_HEIGHT - b:.1f}" for a, b in zip(across, up, strict=True))
    told = f"{y_name}: {number(y.min())} to {number(y.max())}; {x_name}: {number(x.min())} to {number(x.max())}"
    return (
        f'<svg width="{_WIDTH}" height="{_HEIGHT + 18}" role="img"><title>{text(told)}</title>'
        f'<rect x="0.5" y="0.5" width="{_WIDTH - 1}" height="{_HEIGHT - 1}" fill="none" stroke="#888"/>'
        f'<polyline points="{points}" fill="none" stroke="#1f77b4" stroke-width="1.5"/>'
        f'<text x="4" y="{_HEIGHT + 13}" font-size="10" fill="currentColor">{text(told[:70])}</text></svg>'
    )


def _placed(values: np.ndarray, size: int) -> np.ndarray:
    """Values between the margins of a panel."""
    low, span = values.min(), float(np.ptp(values))
    return _MARGIN + (values - low) / (span or 1.0) * (size - 2 * _MARGIN)
