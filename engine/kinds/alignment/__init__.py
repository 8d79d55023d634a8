"""alignment: every particle is aligned to the reference and averaged, round after round."""

from engine.kinds.alignment.checking import check
from engine.kinds.alignment.form import Project
from engine.kinds.alignment.recipe import ITEMS, unfold

__all__ = ["ITEMS", "Project", "check", "unfold"]
