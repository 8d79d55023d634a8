"""Atomic models become residues."""

import gzip
import sys

import numpy as np
import pytest

from engine.faults import EngineError
from engine.files import read_residues

ATOM = "{:<6}{:>5} {:<4}{:1}{:>3} {:1}{:>4}    {:8.3f}{:8.3f}{:8.3f}  1.00  0.00          {:>2}\n"


def pdb(*rows):
    """rows: record, atom, alternative, residue, chain, number, x, y, z, element."""
    lines = [ATOM.format(record, n, f" {atom}", *rest) for n, (record, atom, *rest) in enumerate(rows, start=1)]
    return "".join(lines) + "END\n"


TWO = pdb(
    ("ATOM", "C", "", "ALA", "A", 1, 1.0, 0.0, 0.0, "C"),
    ("ATOM", "O", "", "ALA", "A", 1, 2.0, 0.0, 0.0, "O"),
    ("ATOM", "H", "", "ALA", "A", 1, 90.0, 0.0, 0.0, "H"),
    ("ATOM", "C", "A", "GLY", "B", 7, 0.0, 5.0, 0.0, "C"),
    ("ATOM", "C", "B", "GLY", "B", 7, 0.0, 9.0, 0.0, "C"),
    ("HETATM", "O", "", "HOH", "W", 9, 50.0, 50.0, 50.0, "O"),
)


def test_a_residue_is_the_centre_of_its_electrons_without_hydrogens_water_and_alternatives(tmp_path):
    (tmp_path / "m.pdb").write_text(TWO)
    found = read_residues(tmp_path / "m.pdb")
    np.testing.assert_allclose(found.points_xyz_A, [[(6 * 1 + 8 * 2) / 14, 0, 0], [0, 5, 0]], atol=1e-6)
    assert found.electrons.tolist() == [14, 6]
    assert found.chains == ("A", "B")
    assert len(found.of(["B"])) == 1
    assert len(found.of([])) == 2
    with gzip.open(tmp_path / "m.pdb.gz", "wt") as file:
        file.write(TWO)
    np.testing.assert_array_equal(read_residues(tmp_path / "m.pdb.gz").points_xyz_A, found.points_xyz_A)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("m.txt", TWO, "no atomic model by its name"),
        ("m.pdb", "", "holds no"),
        ("m.pdb", "\x00\x01" * 300, "holds no|cannot be read"),
        ("m.cif", "data_x\nloop_\n_atom_site.id\n1 2 '", "cannot be read"),
        ("m.pdb.gz", "not packed", "holds no|cannot be read"),
        ("m.pdb", TWO.replace("   5.000", "     nan"), "no numbers|cannot be read|holds no"),
    ],
)
def test_what_is_no_model_is_one_clear_error(tmp_path, name, content, words):
    (tmp_path / name).write_text(content)
    with pytest.raises(EngineError, match=words):
        read_residues(tmp_path / name)


def test_a_file_that_is_not_there_and_a_library_that_is_not_installed_are_told(tmp_path, monkeypatch):
    with pytest.raises(EngineError, match="no such file"):
        read_residues(tmp_path / "m.pdb")
    monkeypatch.setitem(sys.modules, "gemmi", None)
    with pytest.raises(EngineError, match="read by gemmi"):
        read_residues(tmp_path / "m.pdb")


def test_the_lattice_model_of_hiv_is_read(real_data):
    found = read_residues(real_data / "hiv10164" / "model" / "5l93_chainsABC.pdb.gz")
    assert len(found) == 3 * 224
    assert set(found.chains) == {"A", "B", "C"}
    assert len(read_residues(real_data / "hiv10164" / "model" / "modelangelo_job080.cif.gz")) == 1586
