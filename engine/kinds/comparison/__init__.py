"""comparison: poses and an average against the truth."""

from engine.kinds.comparison.form import Project, check
from engine.kinds.comparison.recipe import ITEMS, unfold

__all__ = ["ITEMS", "Project", "check", "unfold"]
