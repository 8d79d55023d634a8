"""Volumes survive EM, MRC, NumPy and TIFF files, and wrong files are told as one EngineError."""

from __future__ import annotations

import bz2
import gzip
import struct
import warnings
from pathlib import Path

import mrcfile
import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from engine.data import Volume
from engine.faults import EngineError
from engine.files import read_volume, volume_facts, write_volume

here = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
shapes = hnp.array_shapes(min_dims=3, max_dims=3, min_side=1, max_side=6)
floats = hnp.arrays(np.float32, shapes, elements=st.floats(-1e6, 1e6, width=32))


def em_bytes(data: np.ndarray, code: int, order: str, machine: int) -> bytes:
    header = struct.pack("4B", machine, 0, 0, code) + struct.pack(f"{order}3i", *data.shape[::-1])
    return header.ljust(512, b"\0") + data.astype(data.dtype.newbyteorder(order)).tobytes()


@here
@given(
    st.sampled_from([(1, "i1"), (2, "i2"), (4, "i4"), (5, "f4"), (9, "f8")]),
    st.sampled_from([("<", 6), ("<", 1), (">", 3), (">", 5), ("<", 0)]),
    st.data(),
)
def test_every_real_em_type_is_read_in_both_byte_orders(tmp_path: Path, kind, machine, data) -> None:
    (code, dtype), (order, number) = kind, machine
    small = st.integers(-100, 100) if dtype[0] == "i" else st.floats(-1e6, 1e6, width=32)
    array = data.draw(hnp.arrays(np.dtype(dtype), shapes, elements=small))
    path = tmp_path / "a.em"
    path.write_bytes(em_bytes(array, code, order, number))
    np.testing.assert_array_equal(read_volume(path).data, array.astype(np.float32))
    assert volume_facts(path) == (array.shape, 0.0)


@here
@given(floats)
def test_an_em_volume_comes_back_and_emfile_agrees(tmp_path: Path, array) -> None:
    emfile = pytest.importorskip("emfile")
    path = tmp_path / "a.em"
    write_volume(Volume(array), path)
    np.testing.assert_array_equal(read_volume(path).data, array)
    header, data = emfile.read(path)
    assert (header["xdim"], header["ydim"], header["zdim"]) == array.shape[::-1]
    np.testing.assert_array_equal(data, array)


@here
@given(
    floats,
    st.floats(0.1, 100).map(lambda x: float(np.float32(x))),
    st.tuples(*[st.floats(-1e4, 1e4, width=32)] * 3),
    st.sampled_from([".mrc", ".map", ".rec"]),
)
def test_an_mrc_volume_keeps_voxels_pixel_size_and_origin(tmp_path: Path, array, pixel, origin, ending) -> None:
    path = tmp_path / f"a{ending}"
    write_volume(Volume(array, pixel, origin), path)
    back = read_volume(path)
    np.testing.assert_array_equal(back.data, array)
    assert back.pixel_size_A == pytest.approx(pixel, rel=1e-6)  # the cell is kept in float32
    assert back.origin_xyz_A == origin
    assert volume_facts(path)[0] == array.shape


def test_a_written_mrc_file_is_valid_and_a_volume(tmp_path: Path, rng) -> None:
    path = tmp_path / "a.mrc"
    write_volume(Volume(rng.normal(size=(4, 5, 6)).astype(np.float32), 1.35, (1.0, 2.0, 3.0)), path)
    assert mrcfile.validate(path)
    with mrcfile.open(path) as mrc:
        assert (int(mrc.header.mode), int(mrc.header.ispg), int(mrc.header.mz)) == (2, 1, 4)
        assert tuple(mrc.nstart.tolist()) == (0, 0, 0)
        assert mrc.voxel_size.x == pytest.approx(1.35)
        assert mrc.header.rms > 0


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.uint16, np.float16, np.float32])
@pytest.mark.parametrize("packing", ["", ".gz", ".bz2"])
@pytest.mark.parametrize("order", ["<", ">"])
def test_every_real_mrc_mode_is_read_plain_and_packed(tmp_path: Path, dtype, packing, order) -> None:
    array = np.arange(60).reshape(3, 4, 5).astype(np.dtype(dtype).newbyteorder(order))
    plain = tmp_path / "a.mrc"
    with mrcfile.new(plain) as mrc:
        mrc.set_data(array)
        mrc.voxel_size = 2.5
    path = tmp_path / f"b.mrc{packing}"
    pack = {"": bytes, ".gz": gzip.compress, ".bz2": bz2.compress}[packing]
    path.write_bytes(pack(plain.read_bytes()))
    back = read_volume(path)
    assert back.data.dtype == np.float32
    assert back.data.flags.c_contiguous
    np.testing.assert_array_equal(back.data, array)
    assert back.pixel_size_A == pytest.approx(2.5)


def mrc_with(path: Path, change) -> Path:
    """A 4 x 4 x 4 file whose header bytes were changed."""
    write_volume(Volume(np.arange(64, dtype=np.float32).reshape(4, 4, 4), 2.0), path)
    raw = bytearray(path.read_bytes())
    change(raw)
    path.write_bytes(raw)
    return path


def test_a_missing_map_word_and_machine_stamp_do_no_harm(tmp_path: Path) -> None:
    path = mrc_with(tmp_path / "a.mrc", lambda raw: raw.__setitem__(slice(208, 216), bytes(8)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_volume(path).data[3, 3, 3] == 63


def test_start_indices_tell_the_origin_where_it_is_zero(tmp_path: Path) -> None:
    path = mrc_with(tmp_path / "a.mrc", lambda raw: struct.pack_into("<3i", raw, 16, 1, -2, 3))
    assert read_volume(path).origin_xyz_A == (2.0, -4.0, 6.0)


def test_stored_axes_in_another_order_come_out_zyx(tmp_path: Path) -> None:
    path = mrc_with(tmp_path / "a.mrc", lambda raw: struct.pack_into("<3i", raw, 64, 3, 2, 1))  # columns run along z
    stored = np.arange(64, dtype=np.float32).reshape(4, 4, 4)
    np.testing.assert_array_equal(read_volume(path).data, stored.transpose(2, 1, 0))


def test_imod_bytes_without_the_signed_flag_are_unsigned(tmp_path: Path) -> None:
    path = tmp_path / "a.rec"
    with mrcfile.new(path) as mrc:
        mrc.set_data(np.full((1, 1, 1), -56, dtype=np.int8))
    raw = bytearray(path.read_bytes())
    assert read_volume(path).data[0, 0, 0] == -56
    struct.pack_into("<2i", raw, 152, 1146047817, 0)
    path.write_bytes(raw)
    assert read_volume(path).data[0, 0, 0] == 200


def test_a_npy_volume_comes_back(tmp_path: Path, rng) -> None:
    array = rng.normal(size=(3, 4, 5)).astype(np.float32)
    write_volume(Volume(array), tmp_path / "a.npy")
    np.testing.assert_array_equal(read_volume(tmp_path / "a.npy").data, array)
    assert volume_facts(tmp_path / "a.npy") == ((3, 4, 5), 0.0)


def test_a_coloured_tif_is_no_volume(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((8, 8, 3), np.uint8), photometric="rgb")
    with pytest.raises(EngineError, match="no volume"):
        read_volume(tmp_path / "a.tif")


@pytest.mark.parametrize(("unit", "pixel"), [("nm", 10.52), ("micron", 10520.0), ("angstrom", 1.052), ("inch", 0.0)])
def test_a_tif_stack_is_zyx_with_imagej_pixel_size(tmp_path: Path, unit, pixel) -> None:
    array = np.arange(60, dtype=np.uint8).reshape(3, 4, 5)
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, array, imagej=True, metadata={"spacing": 1.052, "unit": unit, "axes": "ZYX"})
    back = read_volume(path)
    np.testing.assert_array_equal(back.data, array)
    assert back.pixel_size_A == pytest.approx(pixel)
    assert volume_facts(path) == ((3, 4, 5), back.pixel_size_A)


def test_the_microtubule_tif_has_its_published_pixel_size(real_data: Path) -> None:
    assert volume_facts(real_data / "microtubule" / "13pf_MT.tif") == ((36, 206, 94), pytest.approx(10.52))


def test_the_hiv_image_is_read_from_bz2(real_data: Path) -> None:
    shape, pixel = volume_facts(real_data / "hiv10164" / "image" / "TS_01_000_0.0_1.35A_int16.mrc.bz2")
    assert (shape, pixel) == ((1, 3838, 3710), pytest.approx(1.35))


def test_the_motive_list_in_em_form_has_its_known_rows(real_data: Path) -> None:
    rows = read_volume(real_data / "dynamo_tables" / "cryocat_allmotl_hiv_vlp.em.gz").data
    assert rows.shape == (1, 15395, 20)
    tomograms, counts = np.unique(rows[0, :, 4], return_counts=True)
    assert dict(zip(tomograms, counts, strict=True)) == {31: 2933, 53: 4480, 59: 2852, 60: 3085, 65: 2045}


def write_good(folder: Path, ending: str) -> Path:
    path = folder / f"good{ending}"
    if ending == ".tif":
        tifffile.imwrite(path, np.ones((4, 4, 4), np.float32), photometric="minisblack")
    else:
        write_volume(Volume(np.ones((4, 4, 4), np.float32), 1.0), path)
    return path


@pytest.mark.parametrize("ending", [".em", ".mrc", ".npy", ".tif"])
@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda raw: b"", id="empty"),
        pytest.param(lambda raw: raw[:20], id="short"),
        pytest.param(lambda raw: raw[:-60], id="truncated"),
        pytest.param(lambda raw: b"x y z are not voxels\n" * 100, id="text"),
        pytest.param(lambda raw: bytes(np.random.default_rng(3).integers(0, 256, 3000, np.uint8)), id="garbled"),
        pytest.param(lambda raw: raw[:4] + b"\xff" * 40 + raw[44:], id="absurd dimensions"),
    ],
)
def test_a_spoilt_volume_is_one_error_that_names_the_file(tmp_path: Path, ending, spoil) -> None:
    path = write_good(tmp_path, ending)
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(EngineError, match=path.name):
        read_volume(path)


@pytest.mark.parametrize("ending", [".em", ".mrc"])
def test_headers_alone_show_a_truncated_file(tmp_path: Path, ending) -> None:
    path = write_good(tmp_path, ending)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(EngineError, match="holds"):
        volume_facts(path)


def test_a_truncated_packed_file_is_told(tmp_path: Path) -> None:
    packed = gzip.compress(write_good(tmp_path, ".mrc").read_bytes())
    (tmp_path / "a.mrc.gz").write_bytes(packed[:-20])
    (tmp_path / "b.mrc.gz").write_bytes(gzip.compress(write_good(tmp_path, ".mrc").read_bytes()[:-20]))
    for name in ("a.mrc.gz", "b.mrc.gz"):
        with pytest.raises(EngineError, match=name):
            read_volume(tmp_path / name)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda raw: struct.pack_into("<i", raw, 12, 4), "complex"),
        (lambda raw: struct.pack_into("<i", raw, 12, 77), "mode 77"),
        (lambda raw: struct.pack_into("<f", raw, 40, float("nan")), "cell"),
        (lambda raw: struct.pack_into("<f", raw, 196, float("inf")), "origin"),
        (lambda raw: struct.pack_into("<f", raw, 40, 8.1), "no cubes"),
        (lambda raw: struct.pack_into("<i", raw, 64, 7), "axes"),
        (lambda raw: struct.pack_into("<i", raw, 0, -4), "voxels"),
    ],
)
def test_an_mrc_header_without_sense_is_told(tmp_path: Path, change, told) -> None:
    with pytest.raises(EngineError, match=told):
        read_volume(mrc_with(tmp_path / "a.mrc", change))


@pytest.mark.parametrize(("code", "told"), [(8, "complex"), (10, "complex"), (3, "type 3")])
def test_em_types_that_are_not_real_are_told(tmp_path: Path, code, told) -> None:
    (tmp_path / "a.em").write_bytes(em_bytes(np.zeros((2, 2, 2)), code, "<", 6))
    with pytest.raises(EngineError, match=told):
        read_volume(tmp_path / "a.em")


def test_very_large_voxels_are_written(tmp_path: Path) -> None:
    write_volume(Volume(np.full((2, 2, 2), 1e30, np.float32)), tmp_path / "a.mrc")
    assert read_volume(tmp_path / "a.mrc").data[0, 0, 0] == np.float32(1e30)


def test_voxels_that_are_not_finite_are_not_written_to_mrc(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="1 voxels are not finite"):
        write_volume(Volume(np.array([[[1.0, np.nan]]], np.float32)), tmp_path / "a.mrc")


def test_unknown_endings_missing_files_and_folders_are_told(tmp_path: Path) -> None:
    volume = Volume(np.zeros((2, 2, 2), np.float32))
    with pytest.raises(EngineError, match=r"\.mrc \.map \.rec \.em \.npy \.tif \.tiff, not '?\.spi"):
        read_volume(tmp_path / "a.spi")
    with pytest.raises(EngineError, match=r"not \.tif"):
        write_volume(volume, tmp_path / "a.tif")
    with pytest.raises(EngineError, match="no such file"):
        read_volume(tmp_path / "a.mrc")
    with pytest.raises(EngineError, match="no such file"):
        volume_facts(tmp_path / "a.npy")
    with pytest.raises(EngineError, match="folder does not exist"):
        write_volume(volume, tmp_path / "none" / "a.mrc")
    (tmp_path / "folder.em").mkdir()
    with pytest.raises(EngineError, match="folder"):
        read_volume(tmp_path / "folder.em")
