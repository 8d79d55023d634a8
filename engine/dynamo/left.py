"""What of a Dynamo card is left behind, and why."""

from __future__ import annotations

from dataclasses import dataclass

from engine.dynamo.card import Value


@dataclass(frozen=True)
class Left:
    """A field of the card that was not carried, or not as it stands: its value, and why.

    matters: the results would differ from what the card asks for.
    """

    field: str
    value: Value | None
    reason: str
    matters: bool = True
