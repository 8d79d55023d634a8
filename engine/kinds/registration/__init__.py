"""registration: a map is laid onto another, or onto a drawn object, and the move is kept for tables."""

from engine.kinds.registration.checking import check
from engine.kinds.registration.form import Project
from engine.kinds.registration.recipe import ITEMS, unfold

__all__ = ["ITEMS", "Project", "check", "unfold"]
