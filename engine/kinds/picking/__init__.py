"""picking: geometric models become oriented points at which particles are cut; spherical vesicles are proposed."""

from engine.kinds.picking.checking import check
from engine.kinds.picking.form import Project
from engine.kinds.picking.recipe import ITEMS, unfold

__all__ = ["ITEMS", "Project", "check", "unfold"]
