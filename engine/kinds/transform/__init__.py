"""transform: tables through operations, in order, and the average's map along with them."""

from engine.kinds.transform.checking import check
from engine.kinds.transform.form import Project
from engine.kinds.transform.recipe import ITEMS, unfold

__all__ = ["ITEMS", "Project", "check", "unfold"]
