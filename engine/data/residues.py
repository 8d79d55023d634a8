"""An atomic model, coarse-grained: a point for each residue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Residues:
    """points_xyz_A (n, 3): the centres of their electrons, in A; electrons (n,); chains (n,): the names of their chains."""

    points_xyz_A: np.ndarray
    electrons: np.ndarray
    chains: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.points_xyz_A)

    def of(self, chains: Sequence[str]) -> Residues:
        """The residues of some chains; of all where none is named."""
        rows = [row for row, chain in enumerate(self.chains) if not chains or chain in chains]
        return Residues(self.points_xyz_A[rows], self.electrons[rows], tuple(self.chains[row] for row in rows))
