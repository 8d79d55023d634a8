"""Atomic models, PDB and mmCIF, packed or not, through gemmi: residues without hydrogens, water and alternatives."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from engine.data import Residues
from engine.faults import EngineError
from engine.files.limits import LARGEST_TEXT_BYTES
from engine.files.raw import bytes_of, ending, reading

PDB, CIF = (".pdb", ".ent"), (".cif", ".mmcif")


def read_residues(path: str | Path) -> Residues:
    """The first model of a file. What is no model, is empty, or holds what is no number is an EngineError."""
    path = Path(path)
    try:
        import gemmi
    except ImportError:
        raise EngineError(f"{path}: atomic models are read by gemmi (pip install 'subtomo-engine[models]')") from None
    if ending(path) not in (*PDB, *CIF):
        raise EngineError(f"{path}: is no atomic model by its name (give a .pdb or .cif, as it is or in .gz or .bz2)")
    with reading(path, "an atomic model"):
        is_pdb = ending(path) in PDB
        text = bytes_of(path, LARGEST_TEXT_BYTES).decode("ascii" if is_pdb else "utf-8", "replace")
        text = text.replace("\ufffd", "?")  # which PDB's fixed columns would cut in two
        structure = (
            gemmi.read_pdb_string(text) if is_pdb else gemmi.make_structure_from_block(gemmi.cif.read_string(text)[0])
        )
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
