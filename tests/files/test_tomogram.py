"""Tomograms read part by part: the same voxels as read whole, in little memory."""

from __future__ import annotations

import gzip
import resource
import subprocess
import sys
from pathlib import Path

import mrcfile
import numpy as np
import pytest

from engine.data import HeldTomogram, Volume
from engine.files import open_tomogram, read_volume, write_volume
from engine.files.tomogram import MappedTomogram

VOLUME = Volume(np.random.default_rng(0).normal(size=(9, 11, 13)).astype(np.float32), 2.5)
LOW, HIGH = (2, 0, 5), (9, 4, 13)


@pytest.mark.parametrize("name", ["t.mrc", "t.rec", "t.em", "t.npy"])
def test_a_part_has_the_voxels_of_the_whole(tmp_path: Path, name: str) -> None:
    write_volume(VOLUME, tmp_path / name)
    opened = open_tomogram(tmp_path / name)
    assert isinstance(opened, MappedTomogram)
    assert opened.shape_zyx == VOLUME.shape_zyx
    assert opened.pixel_size_A == read_volume(tmp_path / name).pixel_size_A
    found = opened.read(LOW, HIGH)
    assert found.dtype == np.float32
    assert found.flags.owndata
    np.testing.assert_array_equal(found, VOLUME.data[2:9, 0:4, 5:13])


def test_integers_and_turned_axes_are_those_of_the_volume(tmp_path: Path) -> None:
    path = tmp_path / "t.mrc"
    with mrcfile.new(path) as mrc:
        mrc.set_data((VOLUME.data * 100).astype(np.int16))
        mrc.header.mapc, mrc.header.mapr, mrc.header.maps = 1, 3, 2
    whole = read_volume(path)
    opened = open_tomogram(path)
    assert opened.shape_zyx == whole.shape_zyx == (11, 9, 13)
    np.testing.assert_array_equal(opened.read((3, 2, 0), (7, 9, 5)), whole.data[3:7, 2:9, :5])


def test_a_packed_tomogram_is_read_whole(tmp_path: Path) -> None:
    write_volume(VOLUME, tmp_path / "t.mrc")
    (tmp_path / "t.mrc.gz").write_bytes(gzip.compress((tmp_path / "t.mrc").read_bytes()))
    opened = open_tomogram(tmp_path / "t.mrc.gz")
    assert isinstance(opened, HeldTomogram)
    np.testing.assert_array_equal(opened.read(LOW, HIGH), VOLUME.data[2:9, 0:4, 5:13])


def test_beyond_the_edge_is_a_slip(tmp_path: Path) -> None:
    write_volume(VOLUME, tmp_path / "t.mrc")
    with pytest.raises(ValueError, match="is not inside"):
        open_tomogram(tmp_path / "t.mrc").read((0, 0, 0), (9, 11, 14))


SCAN = """
import resource, sys
from engine.files import open_tomogram
tomogram = open_tomogram(sys.argv[1])
n_z, n_y, n_x = tomogram.shape_zyx
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for z in range(0, n_z, 8):
    tomogram.read((z, 0, 0), (z + 8, n_y, n_x))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="pages are given back on Linux")
def test_reading_all_of_a_large_tomogram_does_not_fill_the_memory(tmp_path: Path) -> None:
    """512 MB, of which 128 MB and a slab may stay; measured as the system counts, mapped pages and all."""
    path = tmp_path / "t.mrc"
    with mrcfile.new_mmap(path, (128, 1024, 1024), mrc_mode=2, overwrite=True) as mrc:
        mrc.voxel_size = 1.0
    grown_kB = int(subprocess.run([sys.executable, "-c", SCAN, path], capture_output=True, check=True).stdout)
    assert grown_kB < 260_000
    assert resource.getpagesize() <= 65536  # what the bound above takes for granted
