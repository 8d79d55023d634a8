"""selection: a table goes through filters; what is kept and what is rejected, with the reason, are tables again."""

from engine.kinds.selection.checking import check
from engine.kinds.selection.form import Project
from engine.kinds.selection.recipe import ITEMS, unfold

__all__ = ["ITEMS", "Project", "check", "unfold"]
