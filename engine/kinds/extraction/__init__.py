"""extraction: boxes are cut from tomograms, around the rows of a table or around points."""

from engine.kinds.extraction.checking import check
from engine.kinds.extraction.form import ITEMS, Project
from engine.kinds.extraction.recipe import unfold

__all__ = ["ITEMS", "Project", "check", "unfold"]
