"""A helix of Dynamo's, written into the name of the symmetry: h60,5 or h[60,5]."""

from __future__ import annotations

import re
from typing import Any

from engine.dynamo.card import Entry
from engine.dynamo.left import Left

_NUMBER = r"([+-]?\d+(?:\.\d*)?)"
_HELIX = re.compile(rf"h\[?\s*{_NUMBER}\s*[,\s]\s*{_NUMBER}\s*\]?", re.ASCII | re.IGNORECASE)


def helix_of(entry: Entry, left: list[Left]) -> dict[str, Any] | None:
    """The table helix of a round whose symmetry is one of turn (deg) and rise (px); None where it is none, or has no rise."""
    match = _HELIX.fullmatch(str(entry.value))
    if match is None or float(match[2]) == 0:
        return None
    turn_deg, rise_px = float(match[1]), float(match[2])
    if rise_px < 0:  # one subunit down is the same helix as one up
        turn_deg, rise_px = -turn_deg, -rise_px
    turn_deg = (turn_deg + 180) % 360 - 180
    told = f"helix.turn_deg = {turn_deg:g} is right-handed; which way Dynamo turns is not published: compare both signs"
    left.append(Left(entry.field, entry.value, told))
    return {"symmetry": "C1", "helix": {"turn_deg": turn_deg, "rise_px": rise_px}}
