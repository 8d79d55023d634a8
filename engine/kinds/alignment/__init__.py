"""alignment: every particle is aligned to the reference and averaged, round after round."""

from engine.kinds.alignment.form import Project
from engine.kinds.alignment.recipe import ITEMS, check, unfold

__all__ = ["ITEMS", "Project", "check", "unfold"]
