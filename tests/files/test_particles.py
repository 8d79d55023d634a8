"""Particles come back from folders, stacks, STAR lists and HDF5, also to several threads; wrong sets are told."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import h5py
import mrcfile
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.data import ParticleArray, Particles, Volume
from engine.faults import EngineError
from engine.files import open_particles, particle_facts, write_particle_folder, write_particle_stack, write_volume

here = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@st.composite
def particle_sets(draw) -> ParticleArray:
    n, box = draw(st.integers(1, 4)), draw(st.integers(1, 6))
    generator = np.random.default_rng(draw(st.integers(0, 2**32)))
    boxes = generator.normal(size=(n, box, box, box)).astype(np.float32)
    return ParticleArray(boxes, np.sort(generator.choice(10**6, n, replace=False) + 1), 2.5)


def write_h5(particles: ParticleArray, path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["particles"], file["tags"] = particles.boxes, particles.tags
        file.attrs["pixel_size_A"] = particles.pixel_size_A


def assert_same(found: Particles, wanted: ParticleArray, pixel_size_A: float, tags: np.ndarray) -> None:
    assert isinstance(found, Particles)
    assert (found.box_px, found.pixel_size_A) == (wanted.box_px, pixel_size_A)
    np.testing.assert_array_equal(found.tags, tags)
    with ThreadPoolExecutor(4) as threads:
        boxes = list(threads.map(pickle.loads(pickle.dumps(found)).read, tags.tolist()))  # noqa: S301
    np.testing.assert_array_equal(boxes, wanted.boxes)
    with pytest.raises(KeyError):
        found.read(10**7)


@pytest.mark.parametrize(("ending", "pixel"), [(".em", 0.0), (".mrc", 2.5)])
@here
@given(particle_sets())
def test_a_folder_of_particles_comes_back(tmp_path_factory, ending, pixel, particles) -> None:
    folder = tmp_path_factory.mktemp("data")
    write_particle_folder(particles, folder, ending)
    assert_same(open_particles(folder), particles, pixel, particles.tags)
    assert particle_facts(folder) == (len(particles.tags), particles.box_px, pixel)


@here
@given(particle_sets())
def test_a_stack_of_particles_comes_back_numbered_from_1(tmp_path: Path, particles) -> None:
    path = tmp_path / "a.mrcs"
    write_particle_stack(particles, path)
    assert_same(open_particles(path), particles, 2.5, np.arange(1, len(particles.tags) + 1))


@here
@given(particle_sets())
def test_an_hdf5_file_of_particles_comes_back(tmp_path: Path, particles) -> None:
    write_h5(particles, tmp_path / "a.h5")
    assert_same(open_particles(tmp_path / "a.h5"), particles, 2.5, particles.tags)


def test_a_written_stack_is_a_valid_volume_stack(tmp_path: Path, rng) -> None:
    write_particle_stack(ParticleArray.numbered(rng.normal(size=(3, 4, 4, 4)), 1.5), tmp_path / "a.mrc")
    assert mrcfile.validate(tmp_path / "a.mrc")
    with mrcfile.open(tmp_path / "a.mrc") as mrc:
        assert mrc.is_volume_stack()
        assert mrc.data.shape == (3, 4, 4, 4)
        assert mrc.voxel_size.z == pytest.approx(1.5)


@pytest.mark.parametrize(("file_column", "tag_column"), [("particleFile", "tag"), ("rlnImageName", None)])
def test_star_lists_name_particles(tmp_path: Path, rng, file_column, tag_column) -> None:
    particles = ParticleArray(rng.normal(size=(2, 4, 4, 4)).astype(np.float32), np.array([3, 12]), 2.5)
    write_particle_folder(particles, tmp_path / "data", ".mrc")
    columns = (
        ["tag", file_column] if tag_column else [file_column, "rlnCoordinateX", "rlnCoordinateY", "rlnCoordinateZ"]
    )
    rows = [
        f"{tag} data/particle_{tag:05d}.mrc" if tag_column else f"data/particle_{tag:05d}.mrc 1 2 3" for tag in (3, 12)
    ]
    names = "\n".join(f"_{name}" for name in columns)
    (tmp_path / "a.star").write_text(f"data_\n\nloop_\n{names}\n" + "\n".join(rows) + "\n")
    assert_same(open_particles(tmp_path / "a.star"), particles, 2.5, particles.tags)


def test_a_particle_of_another_box_is_named(tmp_path: Path) -> None:
    write_particle_folder(ParticleArray.numbered(np.zeros((2, 6, 6, 6))), tmp_path)
    write_volume(Volume(np.zeros((4, 4, 4), np.float32)), tmp_path / "particle_00007.em")
    particles = open_particles(tmp_path)
    with pytest.raises(EngineError, match="particle 7: box 4 where the others have 6"):
        particles.read(7)


def test_a_particle_of_another_pixel_size_is_named(tmp_path: Path) -> None:
    write_particle_folder(ParticleArray.numbered(np.zeros((2, 6, 6, 6)), 4.0), tmp_path, ".mrc")
    write_volume(Volume(np.zeros((6, 6, 6), np.float32), 5.0), tmp_path / "particle_00007.mrc")
    particles = open_particles(tmp_path)
    assert particles.read(2).shape == (6, 6, 6)
    with pytest.raises(EngineError, match="particle 7: 5 A pixels where the others have 4"):
        particles.read(7)


def test_a_particle_that_went_away_is_named(tmp_path: Path) -> None:
    write_particle_folder(ParticleArray.numbered(np.zeros((2, 4, 4, 4))), tmp_path)
    particles = open_particles(tmp_path)
    (tmp_path / "particle_00002.em").unlink()
    with pytest.raises(EngineError, match=r"particle_00002\.em: no such file"):
        particles.read(2)


def no_particles(folder: Path) -> Path:
    return folder


def two_of_one_tag(folder: Path) -> Path:
    for name in ("particle_1.em", "particle_00001.em"):
        write_volume(Volume(np.zeros((2, 2, 2), np.float32)), folder / name)
    return folder


def no_cube(folder: Path) -> Path:
    write_volume(Volume(np.zeros((2, 2, 3), np.float32)), folder / "particle_00001.em")
    return folder


def no_stack(folder: Path) -> Path:
    write_volume(Volume(np.zeros((5, 2, 2), np.float32)), folder / "a.mrc")
    return folder / "a.mrc"


def no_tags(folder: Path) -> Path:
    with h5py.File(folder / "a.h5", "w") as file:
        file["particles"] = np.zeros((2, 2, 2, 2))
    return folder / "a.h5"


def doubled_tags(folder: Path) -> Path:
    write_h5(ParticleArray(np.zeros((2, 2, 2, 2)), np.array([1, 1])), folder / "a.h5")
    return folder / "a.h5"


def no_hdf5(folder: Path) -> Path:
    (folder / "a.h5").write_text("not HDF5")
    return folder / "a.h5"


def image_of_a_stack(folder: Path) -> Path:
    text = "data_\n\nloop_\n_tag\n_particleFile\n1 000001@a.mrcs\n"
    (folder / "a.star").write_text(text)
    return folder / "a.star"


def list_without_files(folder: Path) -> Path:
    (folder / "a.star").write_text("data_\n\nloop_\n_tag\n1\n")
    return folder / "a.star"


def lost_file(folder: Path) -> Path:
    (folder / "a.star").write_text("data_\n\nloop_\n_tag\n_particleFile\n1 lost.em\n")
    return folder / "a.star"


def unknown_ending(folder: Path) -> Path:
    (folder / "a.zip").touch()
    return folder / "a.zip"


def absent(folder: Path) -> Path:
    return folder / "absent"


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (no_particles, "holds no particles"),
        (two_of_one_tag, r"tag \d+ is there twice"),
        (no_cube, "3 x 2 x 2 voxels are no cubic box"),
        (no_stack, "no stack of cubes"),
        (no_tags, "tags"),
        (doubled_tags, "give each its own"),
        (no_hdf5, "cannot be read as an HDF5"),
        (image_of_a_stack, "one image of a stack"),
        (list_without_files, "names no particle files"),
        (lost_file, r"lost\.em: no such file"),
        (unknown_ending, r"not read from '\.zip'"),
        (absent, "no such file or folder"),
    ],
)
def test_what_is_no_set_of_particles_is_told(tmp_path: Path, make, told) -> None:
    with pytest.raises(EngineError, match=told):
        open_particles(make(tmp_path))
