"""Atomic models, PDB and mmCIF, packed or not, through gemmi: residues without hydrogens, water and alternatives."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from engine.data import Residues
from engine.faults import EngineError
from engine.files.raw import reading

LARGEST_BYTES = 500_000_000
ENDINGS = (".pdb", ".ent", ".cif", ".mmcif")


def read_residues(path: str | Path) -> Residues:
    """The first model of a file. What is no model, is empty, or holds what is no number is an EngineError."""
    path = Path(path)
    try:
        import gemmi
    except ImportError:
        raise EngineError(f"{path}: atomic models are read by gemmi (pip install 'subtomo-engine[models]')") from None
    if not path.name.removesuffix(".gz").lower().endswith(ENDINGS):
        raise EngineError(f"{path}: is no atomic model by its name (give a .pdb or .cif, as it is or in .gz)")
    with reading(path, "an atomic model"):
        if path.stat().st_size > LARGEST_BYTES:
            raise EngineError(f"{path}: is larger than {LARGEST_BYTES / 1e6:.0f} MB (leave out what is not needed)")
        structure = gemmi.read_structure(str(path))
    structure.remove_hydrogens()
    structure.remove_waters()
    structure.remove_alternative_conformations()
    if not len(structure):
        raise EngineError(f"{path}: holds no atoms")
    points, electrons, chains = [], [], []
    for chain in structure[0]:
        for residue in chain:
            weights = np.array([atom.element.atomic_number for atom in residue], dtype=np.float64)
            if weights.sum() > 0:
                places = np.array([atom.pos.tolist() for atom in residue])
                points.append(weights @ places / weights.sum())
                electrons.append(weights.sum())
                chains.append(chain.name)
    found = Residues(np.array(points).reshape(-1, 3), np.array(electrons), tuple(chains))
    if not len(found) or not np.isfinite(found.points_xyz_A).all():
        raise EngineError(f"{path}: holds no residues, or places that are no numbers")
    return found
