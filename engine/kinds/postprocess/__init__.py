"""postprocess: two half maps become FSC curves, a resolution and one sharpened map."""

from engine.kinds.postprocess.checking import check
from engine.kinds.postprocess.form import Project
from engine.kinds.postprocess.recipe import ITEMS, unfold

__all__ = ["ITEMS", "Project", "check", "unfold"]
