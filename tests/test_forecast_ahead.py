"""What is known of boxes that no project has cut yet: their number, side and pixel size, through the chain of projects."""

from pathlib import Path

import mrcfile
import numpy as np
import pytest

import engine
from engine import forecast
from engine.look import FileLook

CATALOGUE = 'kind = "catalogue"\n[[tomograms]]\nnumber = 1\npath = "one.mrc"\n'
PICKS = 'kind = "selection"\n[data]\ntable = "all.tbl"\n[compute]\nexpected_particles = 40\n'
DATA = '[data]\ncatalogue = "tomos:tomograms"\ntable = "picks:table"\n'
CUT = f'kind = "extraction"\neach = "tomogram"\n{DATA}[box]\nsize_px = 24\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with mrcfile.new(tmp_path / "one.mrc") as file:
        file.set_data(np.zeros((40, 48, 56), np.float32))
        file.voxel_size = 2.7
    (tmp_path / "picks.toml").write_text(PICKS)
    return tmp_path


def known(folder: Path, catalogue: str = CATALOGUE, cut: str = CUT) -> object:
    (folder / "tomos.toml").write_text(catalogue)
    (folder / "cut.toml").write_text(cut)
    (folder / "pr_1.toml").write_text('kind = "average"\n[data]\nparticles = "cut:particles"\ntable = "cut:table"\n')
    project = engine.load(folder / "pr_1.toml")
    (step,) = project.steps
    return forecast._particles(project, step.inputs["particles"].source, FileLook(project))


def test_the_pixel_size_is_that_of_the_tomogram(folder: Path) -> None:
    count, box_px, pixel_size_A = known(folder)
    assert (count, box_px, pixel_size_A) == (40, 24, pytest.approx(2.7))


def test_what_is_typed_goes_before(folder: Path) -> None:
    assert known(folder, CATALOGUE + "pixel_size_A = 5.4\n") == (40, 24, 5.4)
    assert known(folder, cut=CUT.replace("[box]", "pixel_size_A = 8.1\n[box]")) == (40, 24, 8.1)


@pytest.mark.parametrize("typed", ["", "pixel_size_A = 2.7\n"])
def test_binned_tomograms_have_larger_pixels(folder: Path, typed: str) -> None:
    binned = f"{CATALOGUE}{typed}[binned]\nbin_factors = [2]\n"
    assert known(folder, binned, CUT.replace("[box]", "bin_factor = 2\n[box]")) == (40, 24, pytest.approx(5.4))


def test_tomograms_that_are_not_made_yet_tell_theirs_too(folder: Path) -> None:
    (folder / "vlps.toml").write_text('kind = "specimen"\n[tomograms]\ncount = 1\npixel_size_A = 10.8\n')
    assert known(folder, CATALOGUE.replace("one.mrc", "vlps:tomogram:tomo=1")) == (40, 24, 10.8)
