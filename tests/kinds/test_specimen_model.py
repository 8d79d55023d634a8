"""specimen: an atomic model in place of the built-in unit cell."""

import numpy as np
import pytest

import engine
from engine.check import check
from engine.data import Residues
from engine.kernels.rotate import moved
from engine.kinds.specimen.form import Hexamer
from engine.kinds.specimen.hexamer import ELECTRONS_OF_A_BEAD, unit_cell_beads

RESIDUES = Residues(np.array([[140.0, 130, 150], [100, 100, 90]]), np.array([70.0, 35]), ("A", "B"))
MODEL = {"file": "m.pdb", "chains": ["A"], "origin_xyz_A": [130.0, 130, 140]}


def beads(residues=RESIDUES, **changes):
    mirrored = changes.pop("is_mirrored", False)
    return unit_cell_beads(Hexamer.model_validate({"model": {**MODEL, **changes}, "is_mirrored": mirrored}), residues)


def test_a_chain_is_copied_about_its_axis_and_weighs_its_electrons():
    cell = beads()
    assert len(cell.points_A) == 6
    np.testing.assert_allclose(np.hypot(*cell.points_A[:, :2].T), 10)
    np.testing.assert_allclose(cell.points_A[:, 2], 10)
    np.testing.assert_allclose(cell.masses, 70 / ELECTRONS_OF_A_BEAD)
    assert len(beads(chains=[], symmetry="C2").points_A) == 4


def test_upside_down_is_a_turn_and_mirrored_is_none():
    three = Residues(np.array([[135.0, 130, 145], [130, 140, 150], [150, 130, 141]]), np.ones(3), ("A",) * 3)
    cell, turned, mirrored = (
        beads(three, symmetry="C1", **changes) for changes in ({}, {"is_upside_down": True}, {"is_mirrored": True})
    )
    hand = np.linalg.det(cell.points_A)
    assert np.linalg.det(turned.points_A) == pytest.approx(hand)
    assert np.linalg.det(mirrored.points_A) == pytest.approx(-hand)
    np.testing.assert_allclose(turned.points_A[:, 2], -cell.points_A[:, 2])


def write(folder, text):
    (folder / "vlps.toml").write_text(
        'kind = "specimen"\n[tomograms]\ncount = 1\nsize_xyz_px = [128, 128, 120]\n[particles]\nper_tomogram = 1\n'
        f"radius_A = [430, 440]\n[hexamer.model]\n{text}\n"
    )
    return folder / "vlps.toml"


def test_the_lattice_of_hiv_is_made_of_its_model(tmp_path, real_data):
    model = real_data / "hiv10164" / "model" / "5l93_chainsABC.pdb.gz"
    (tmp_path / model.name).symlink_to(model)
    path = write(tmp_path, f'file = "{model.name}"\nchains = ["A"]\norigin_xyz_A = [129.6, 129.6, 131]')
    engine.run([path])
    cell = engine.query(f"{tmp_path}/vlps:unit_cell").value.data
    near = cell[6:22, 8:25, 8:25]  # the hexamer itself, below the membrane
    about_z = np.array([[0.5, -np.sqrt(0.75), 0], [np.sqrt(0.75), 0.5, 0], [0, 0, 1]])
    turned = np.asarray(moved(cell, about_z, np.zeros(3)))[6:22, 8:25, 8:25]
    assert np.corrcoef(near.ravel(), turned.ravel())[0, 1] > 0.9
    bundle, beside = cell[13, 16, 16], cell[13, 16, 19]  # CA-SP1 lies 32 A below, on the axis
    assert bundle > 2 * beside
    assert len(engine.query(f"{tmp_path}/vlps:truth").value) > 100


def test_what_is_wrong_with_a_model_is_told_where_it_stands(tmp_path, real_data):
    model = real_data / "hiv10164" / "model" / "5l93_chainsABC.pdb.gz"
    (tmp_path / model.name).symlink_to(model)
    for text, words in (
        ('file = "nothing.pdb"\norigin_xyz_A = [0, 0, 0]', "no file"),
        (f'file = "{model.name}"\nchains = ["X"]\norigin_xyz_A = [129.6, 129.6, 131]', "no chain X"),
        (f'file = "{model.name}"\norigin_xyz_A = [0, 0, 0]', "A from this point"),
        (f'file = "{model.name}"\norigin_xyz_A = [129.6, 129.6, 131]\nsymmetry = "Q6"', "Q6"),
    ):
        ((fault,),) = (one.faults for one in check([write(tmp_path, text)]))
        assert words in f"{fault.what} {fault.advice}", text
