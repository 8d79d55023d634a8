"""specimen: tomograms of immature virus-like particles, with the truth of every unit cell beside them."""

from engine.kinds.specimen.form import Project, check
from engine.kinds.specimen.recipe import ITEMS, unfold

__all__ = ["ITEMS", "Project", "check", "unfold"]
