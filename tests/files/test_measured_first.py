"""Files are measured before they are parsed: sizes beyond the file or the memory, bombs, pipes, and numbers that are none."""

from __future__ import annotations

import bz2
import gzip
import io
import os
import struct
import tracemalloc
from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile
from scipy.io import savemat

from engine.data import Volume
from engine.dynamo.card import read_card
from engine.faults import EngineError
from engine.files import (
    limits,
    open_particles,
    read_catalogue,
    read_markers,
    read_marks,
    read_residues,
    read_star,
    read_table,
    read_table_map,
    read_volume,
    volume_facts,
    write_volume,
)
from engine.files.blocks import read_blocks
from engine.files.raw import text_of

CUBE = np.arange(64, dtype=np.float32).reshape(4, 4, 4)


def mrc(path: Path, change) -> Path:
    """A file of 4 x 4 x 4 voxels of 2 Å whose header was changed."""
    write_volume(Volume(CUBE, 2.0), path)
    raw = bytearray(path.read_bytes())
    change(raw)
    path.write_bytes(raw)
    return path


def test_an_extended_header_that_is_longer_than_the_file_is_told(tmp_path: Path) -> None:
    path = mrc(tmp_path / "a.mrc", lambda raw: struct.pack_into("<i", raw, 92, 5000))
    for read in (read_volume, volume_facts):
        with pytest.raises(EngineError, match=r"a\.mrc: the extended header of 5000 bytes is longer than the file"):
            read(path)


@pytest.mark.parametrize("stamp", [b"\x11\x11\0\0", b"\x44\x44\0\0", bytes(4)])
@pytest.mark.parametrize("order", ["<", ">"])
def test_a_wrong_machine_stamp_does_no_harm(tmp_path: Path, stamp: bytes, order: str) -> None:
    path = mrc(tmp_path / "a.mrc", lambda raw: None)
    words = np.frombuffer(path.read_bytes(), "<i4").astype(f"{order}i4").tobytes()
    path.write_bytes(words[:212] + stamp + words[216:])
    np.testing.assert_array_equal(read_volume(path).data, CUBE)
    assert volume_facts(path) == ((4, 4, 4), 2.0)


@pytest.mark.parametrize("place", [(28, "<3i", (0, 4, 4)), (40, "<3f", (0, 0, 0))])
def test_a_voxel_size_of_0_is_one_that_is_not_told(tmp_path: Path, place) -> None:
    offset, form, values = place
    path = mrc(tmp_path / "a.mrc", lambda raw: struct.pack_into(form, raw, offset, *values))
    assert volume_facts(path).pixel_size_A == 0


def test_an_em_machine_that_nobody_knows_is_told(tmp_path: Path) -> None:
    write_volume(Volume(CUBE), tmp_path / "a.em")
    raw = bytearray((tmp_path / "a.em").read_bytes())
    raw[0] = 77
    (tmp_path / "a.em").write_bytes(raw)
    with pytest.raises(EngineError, match=r"a\.em: EM machine 77 is unknown \(known: 0 to 6\)"):
        read_volume(tmp_path / "a.em")


def holey(path: Path, n: int) -> Path:
    """A file whose header and length tell of n x n x n voxels, none of which takes room on the disk."""
    write_volume(Volume(np.zeros((1, 1, 1), np.float32), 1.0), path)
    header = bytearray(path.read_bytes()[:-4])
    if path.suffix == ".npy":
        text = io.BytesIO()
        np.lib.format.write_array_header_1_0(text, {"descr": "<f4", "fortran_order": False, "shape": (n, n, n)})
        header = bytearray(text.getvalue())
    else:
        struct.pack_into("<3i", header, 0 if path.suffix == ".mrc" else 4, n, n, n)
    path.write_bytes(header)
    os.truncate(path, len(header) + 4 * n**3)
    return path


@pytest.mark.parametrize("ending", [".mrc", ".em", ".npy"])
def test_a_volume_beyond_the_memory_that_is_left_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    path = holey(tmp_path / f"a{ending}", 300)
    monkeypatch.setattr(limits, "available_bytes", lambda: 100_000_000)
    with pytest.raises(EngineError, match=r"takes 0\.1 GB of memory, and 0\.1 GB are left; bin or crop it"):
        read_volume(path)
    assert volume_facts(path).shape_zyx == (300, 300, 300)
    monkeypatch.setattr(limits, "available_bytes", lambda: None)
    assert read_volume(path).data.shape == (300, 300, 300)


def test_dimensions_beyond_the_file_take_no_memory(tmp_path: Path) -> None:
    (tmp_path / "a.mrc.gz").write_bytes(
        gzip.compress(mrc(tmp_path / "a.mrc", lambda raw: struct.pack_into("<3i", raw, 0, 200, 200, 200)).read_bytes())
    )
    tracemalloc.start()
    for name in ("a.mrc", "a.mrc.gz"):
        with pytest.raises(
            EngineError, match=r"holds 1280 bytes where its header \(200 x 200 x 200 voxels .* fetch it again"
        ):
            read_volume(tmp_path / name)
    assert tracemalloc.get_traced_memory()[1] < 5_000_000
    tracemalloc.stop()


@pytest.mark.parametrize(("ending", "pack"), [(".gz", gzip.compress), (".bz2", bz2.compress)])
def test_a_packed_volume_is_unpacked_as_far_as_its_header_tells(tmp_path: Path, ending: str, pack) -> None:
    path = tmp_path / f"a.mrc{ending}"
    path.write_bytes(pack(mrc(tmp_path / "a.mrc", lambda raw: None).read_bytes() + bytes(50_000_000)))
    tracemalloc.start()
    np.testing.assert_array_equal(read_volume(path).data, CUBE)
    assert tracemalloc.get_traced_memory()[1] < 5_000_000
    tracemalloc.stop()


@pytest.mark.parametrize(
    ("name", "read", "form"),
    [("a.cmm.gz", read_markers, "cmm"), ("a.doc.bz2", read_table_map, "doc"), ("a.vll.gz", read_catalogue, "vll")],
)
def test_a_text_that_unpacks_to_far_more_than_it_should_is_refused(tmp_path: Path, name: str, read, form: str) -> None:
    pack = gzip.compress if name.endswith(".gz") else bz2.compress
    (tmp_path / name).write_bytes(pack(b" " * 60_000_000))
    tracemalloc.start()
    with pytest.raises(EngineError, match=rf"a\.{form}.* is larger than 10 MB, which no such file is"):
        read(tmp_path / name)
    assert tracemalloc.get_traced_memory()[1] < 25_000_000
    tracemalloc.stop()


def test_the_cap_of_a_text_counts_what_is_unpacked(tmp_path: Path) -> None:
    (tmp_path / "a.tbl").write_bytes(b"1 " * 600)
    (tmp_path / "b.tbl.gz").write_bytes(gzip.compress(b"1 " * 600))
    for name in ("a.tbl", "b.tbl.gz"):
        assert len(text_of(tmp_path / name, "a table", 1200)) == 1200
        with pytest.raises(EngineError, match="is larger than"):
            text_of(tmp_path / name, "a table", 1199)


MATRIX, DOUBLES = struct.pack("<I", 14), struct.pack("<2I", 9, 72)


@pytest.mark.parametrize("name", ["a.omd", "a.mat"])
@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda raw: raw.replace(DOUBLES, struct.pack("<2I", 0x7E09, 72)), "is spoilt"),
        (lambda raw: raw.replace(DOUBLES, struct.pack("<2I", 14, 72)), "is spoilt|beyond its end"),
        (lambda raw: raw.replace(DOUBLES, struct.pack("<2I", 9, 64)), "is spoilt|beyond its end"),
        (lambda raw: raw.replace(struct.pack("<2i", 3, 3), struct.pack("<2i", 30000, 3)), "30000 x 3 is not in it"),
        (lambda raw: raw.replace(struct.pack("<2I", 6, 8) + b"\6", struct.pack("<2I", 6, 8) + b"\x63"), "of class 99"),
    ],
    ids=["no such type", "an array for numbers", "one number less", "dimensions", "no such class"],
)
def test_arrays_of_matlab_that_are_none_never_reach_the_parser(tmp_path: Path, name: str, change, told: str) -> None:
    """SciPy's parser ends the process over a type of number that there is not."""
    savemat(tmp_path / "whole", {"card": {"points": CUBE[0, :3, :3].astype(np.float64)}})
    raw = next(tmp_path.glob("whole*")).read_bytes()
    assert change(raw) != raw
    (tmp_path / name).write_bytes(change(raw))
    with pytest.raises(EngineError, match=told):
        read_marks(tmp_path / name) if name == "a.omd" else read_card(tmp_path / name)


def test_a_matlab_model_that_unpacks_to_far_more_than_points_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.files.omd.LARGEST_MODEL_BYTES", 1_000_000)
    savemat(tmp_path / "a.omd", {"m": {"points": np.zeros((100_000, 3))}}, do_compression=True)
    assert (tmp_path / "a.omd").stat().st_size < 10_000
    with pytest.raises(EngineError, match=r"a\.omd: unpacks to far more than such a file holds \(1 MB\)"):
        read_marks(tmp_path / "a.omd")


def test_a_tiff_of_more_voxels_than_its_bytes_can_tell_is_refused(tmp_path: Path) -> None:
    plain = {"photometric": "minisblack", "compression": "zlib", "metadata": None}
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((8, 8), np.float32), **plain)
    raw = bytearray((tmp_path / "a.tif").read_bytes())
    for tag in (256, 257, 278):  # width, length, rows in a strip
        # the value stands 8 bytes behind the tag
        struct.pack_into("<H", raw, raw.find(struct.pack("<H", tag)) + 8, 40_000)
    (tmp_path / "a.tif").write_bytes(raw)
    for read in (read_volume, volume_facts):
        with pytest.raises(EngineError, match=r"a\.tif: 40000 x 40000 x 1 voxels are not in a file of \d+ bytes"):
            read(tmp_path / "a.tif")


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("a.tbl", read_table),
        ("a.mrc", read_volume),
        ("a.em", read_volume),
        ("a.npy", read_volume),
        ("a.tif", read_volume),
        ("a.star", read_star),
        ("a.cmm", read_markers),
        ("a.mod", read_marks),
        ("a.omd", read_marks),
        ("a.h5", open_particles),
        ("a.pdb", read_residues),
    ],
)
def test_a_pipe_is_not_waited_for(tmp_path: Path, name: str, read) -> None:
    os.mkfifo(tmp_path / name)
    with pytest.raises(EngineError, match=r"is a pipe or a device; give a file"):
        read(tmp_path / name)


def hdf5(path: Path, fill) -> Path:
    with h5py.File(path, "w") as file:
        file["tags"] = np.arange(1, 3)
        fill(file)
    return path


@pytest.mark.parametrize(
    ("fill", "told"),
    [
        (lambda file: None, "has no dataset 'particles', only tags"),
        (lambda file: file.pop("tags"), "has no dataset 'particles', nor any other; write it"),
        (lambda file: file.create_group("particles"), "no dataset of real numbers"),
        (lambda file: file.__setitem__("particles", h5py.SoftLink("/tags")), "a link to elsewhere"),
        (lambda file: file.__setitem__("particles", h5py.ExternalLink("b.h5", "/p")), "a link to elsewhere"),
        (
            lambda file: file.create_dataset("particles", (2, 2, 2, 2), "f4", external=[("secret", 0, 64)]),
            "takes its values from another file",
        ),
        (
            lambda file: file.create_virtual_dataset("particles", h5py.VirtualLayout((2, 2, 2, 2), "f4")),
            "takes its values from another file",
        ),
        (
            lambda file: file.create_dataset("particles", (2, 9999, 9999, 9999), "f4", chunks=(1, 9, 9, 9)),
            r"of shape \(2, 9999, 9999, 9999\) is not in a file of this size",
        ),
        (
            lambda file: file.create_dataset("particles", (2, 4, 4, 4), "f4", scaleoffset=2),
            "packed in another way than gzip or lzf",
        ),
        (lambda file: file.create_dataset("particles", data=np.full((2, 2, 2, 2), b"x")), "no dataset of real numbers"),
        (lambda file: file.create_dataset("particles", data=np.zeros((3, 2, 2, 2))), "`tags` are not 3 whole numbers"),
        (
            lambda file: file.create_dataset("particles", data=np.zeros((2, 2, 2, 2))).attrs.create(
                "pixel_size_A", np.nan
            ),
            "pixel_size_A is nan",
        ),
    ],
)
def test_particles_in_hdf5_lie_in_the_file_itself(tmp_path: Path, fill, told: str) -> None:
    (tmp_path / "secret").write_bytes(bytes(64))
    with pytest.raises(EngineError, match=told):
        open_particles(hdf5(tmp_path / "a.h5", fill))


def test_packed_particles_in_hdf5_are_read(tmp_path: Path) -> None:
    boxes = np.arange(16, dtype=np.float32).reshape(2, 2, 2, 2)
    for options in ({"compression": "gzip", "shuffle": True}, {"compression": "lzf", "fletcher32": True}):
        path = hdf5(
            tmp_path / "a.h5", lambda file, options=options: file.create_dataset("particles", data=boxes, **options)
        )
        np.testing.assert_array_equal(open_particles(path).read(2), boxes[1])


MARKER = '<marker_set><marker id="{}" x="{}" y="2" z="3" radius="1"/></marker_set>'


@pytest.mark.parametrize(
    ("name", "text", "read", "told"),
    [
        ("a.cmm", MARKER.format("1e300", "1"), read_markers, "id of marker 1e300: '1e300' is not a whole number"),
        ("a.cmm", MARKER.format("1", "1e999"), read_markers, "x of marker 1: '1e999' is no finite number"),
        ("a.cmm", MARKER.format("1", "nan"), read_markers, "x of marker 1: 'nan' is no finite number"),
        ("a.doc", f"{'9' * 5000} a.rec\n", read_table_map, ":1: '999.*' is not a whole number of at most 15 digits"),
        ("a.vll", "a.rec\n* apix = nan\n", read_catalogue, ":2: pixel_size_A: 'nan' is no finite number"),
        ("a.vll", "a.rec\n* index = 1e300\n", read_catalogue, ":2: number: '1e300' is not a whole number"),
        ("a.csv", "number,path\n1e400,a.rec\n", read_catalogue, ":2: number: '1e400' is not a whole number"),
        ("a.csv", "region,x,y,z\n1e300,1,2,3\n", read_marks, r"the column 'region': 1e\+300 is not a whole number"),
        ("a.csv", "region,x,y,z\nnan,1,2,3\n", read_marks, "the column 'region': nan is not a whole number"),
        ("a.csv", "x,y,z\n1e999,2,3\n", read_marks, "some coordinates are no finite numbers"),
        ("a.tbl", "1 " * 20 + "1e300 0 0 1 2 3\n", read_marks, r"the column reg: 1e\+300 is not a whole number"),
    ],
)
def test_numbers_are_finite_and_whole_where_it_matters(tmp_path: Path, name: str, text: str, read, told: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(EngineError, match=told):
        read(tmp_path / name)


def test_one_complaint_of_a_parser_is_short(tmp_path: Path) -> None:
    (tmp_path / "a.star").write_text(
        "data_\n\nloop_\n_rlnCoordinateX\n_rlnCoordinateY\n_rlnCoordinateZ\n1 2 " + "x" * 50_000 + "\n"
    )
    with pytest.raises(EngineError, match="_rlnCoordinateZ holds text where numbers belong") as caught:
        read_table(tmp_path / "a.star")
    assert len(str(caught.value)) < 600


def tif(path: Path, *, big: bool = False, order: str = "<") -> bytearray:
    tifffile.imwrite(path, CUBE, byteorder=order, bigtiff=big, metadata=None, photometric="minisblack")
    assert np.array_equal(read_volume(path).data, CUBE)
    return bytearray(path.read_bytes())


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("big", [False, True])
def test_pages_of_a_tiff_that_come_back_or_reach_beyond_the_file_never_reach_the_parser(
    tmp_path: Path, big: bool, order: str
) -> None:
    path = tmp_path / "a.tif"
    raw = tif(path, big=big, order=order)
    with tifffile.TiffFile(path) as file:
        pages = [page.offset for page in file.pages]
        counts = file.pages[1].tags["StripByteCounts"]
    place = f"{order}{'Q' if big else 'I'}"
    n_head, n_tag = (8, 20) if big else (2, 12)
    (n_tags,) = struct.unpack_from(f"{order}{'Q' if big else 'H'}", raw, pages[1])
    coming_back, beyond = raw.copy(), raw.copy()
    struct.pack_into(place, coming_back, pages[1] + n_head + n_tags * n_tag, pages[0])
    struct.pack_into(f"{order}H", beyond, counts.offset + 2, 4)
    struct.pack_into(f"{order}I", beyond, counts.offset + (12 if big else 8), 2_000_000_000)
    for content, told in ((coming_back, "come back to one before"), (beyond, "reaches beyond its end")):
        path.write_bytes(content)
        with pytest.raises(EngineError, match=told):
            read_volume(path)


def test_a_number_of_hundreds_of_digits_in_a_star_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.star"
    path.write_text(f"\ndata_optics\n\n_rlnOpticsGroup {'9' * 400}\n")
    with pytest.raises(EngineError, match="_rlnOpticsGroup holds a number that is too large"):
        read_blocks(path)["optics"].numbers("rlnOpticsGroup")
