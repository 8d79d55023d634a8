"""Tables survive .tbl, .csv and Dynamo's .star; real tables are read whole; wrong ones are told with their line."""

from __future__ import annotations

import gzip
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from engine.data import COLUMNS, EXTRA_COLUMNS, Table
from engine.faults import EngineError
from engine.files import read_table, write_table

here = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
numbers = st.floats(-1e6, 1e6) | st.integers(-(10**6), 10**6).map(float) | st.sampled_from([np.nan, np.inf, -np.inf])
matrices = hnp.arrays(np.float64, st.tuples(st.integers(1, 6), st.integers(1, 42)), elements=numbers)


@st.composite
def tables(draw) -> Table:
    table = Table.from_matrix(draw(matrices))
    return table.with_columns(half=draw(hnp.arrays(np.float64, len(table), elements=st.sampled_from([0.0, 1.0, 2.0]))))


@here
@given(matrices)
def test_a_tbl_of_any_width_is_read_with_positions_counted_from_0(tmp_path: Path, matrix) -> None:
    path = tmp_path / "a.tbl"
    path.write_text("\n".join(" ".join(map(repr, row)) for row in matrix.tolist()))
    table = read_table(path)
    width = matrix.shape[1]
    for place, name in enumerate(COLUMNS):
        stored = matrix[:, place] if place < width else np.zeros(len(matrix))
        shift = 1 if name in ("x", "y", "z") and place < width else 0
        np.testing.assert_array_equal(table[name], stored - shift)


@here
@given(tables())
def test_a_tbl_comes_back_without_half(tmp_path: Path, table) -> None:
    write_table(table, tmp_path / "a.tbl")
    back = read_table(tmp_path / "a.tbl")
    for name in COLUMNS:
        # Ten digits; x, y and z lose up to 1e-9 absolute where they are near 0, because 1 is added.
        np.testing.assert_allclose(back[name], table[name], rtol=1e-9, atol=1e-9)
    assert not back["half"].any()


@here
@given(tables())
def test_csv_gives_back_the_same_bits(tmp_path: Path, table) -> None:
    write_table(table, tmp_path / "a.csv")
    back = read_table(tmp_path / "a.csv")
    for name in (*COLUMNS, *EXTRA_COLUMNS):
        np.testing.assert_array_equal(back[name], table[name])


@here
@given(tables())
def test_a_dynamo_star_keeps_every_column(tmp_path: Path, table) -> None:
    write_table(table, tmp_path / "a.star")
    back = read_table(tmp_path / "a.star")
    for name in (*COLUMNS, *EXTRA_COLUMNS):
        # x, y and z take one rounding of 1 + x; the parser of numbers in pandas may miss the last bit.
        np.testing.assert_allclose(back[name], table[name], rtol=1e-14, atol=1e-9 if name in "xyz" else 0)


@pytest.mark.parametrize(("name", "text"), [("a.csv", "tag,x\n7,2\n"), ("a.star", "data_\n\nloop_\n_tag\n_x\n7 3\n")])
def test_particles_of_a_short_list_take_part(tmp_path: Path, name, text) -> None:
    (tmp_path / name).write_text(text)
    table = read_table(tmp_path / name)
    assert [table[column][0] for column in ("tag", "x", "aligned", "averaged", "ref")] == [7, 2, 1, 1, 1]


def test_a_written_tbl_has_42_columns_lf_and_whole_numbers_without_point(tmp_path: Path) -> None:
    write_table(Table.blank(1, x=9.0, cc=0.125, tag=[2147483647]), tmp_path / "a.tbl")
    raw = (tmp_path / "a.tbl").read_bytes()
    words = raw.decode().split(" ")
    assert raw.endswith(b"\n")
    assert b"\r" not in raw
    assert len(words) == 42
    assert (words[0], words[9], words[23], words[24]) == ("2147483647", "0.125", "10", "1")


def test_dynamotable_reads_what_is_written(tmp_path: Path, rng) -> None:
    dynamotable = pytest.importorskip("dynamotable")
    table = Table.blank(5, x=rng.uniform(0, 1000, 5), tdrot=rng.uniform(-180, 180, 5), cc=rng.uniform(size=5))
    write_table(table, tmp_path / "a.tbl")
    theirs = dynamotable.read(tmp_path / "a.tbl")
    np.testing.assert_allclose(theirs["x"], table["x"] + 1, rtol=1e-9)
    np.testing.assert_allclose(theirs["tdrot"], table["tdrot"], rtol=1e-9)
    np.testing.assert_allclose(theirs["cc"], table["cc"], rtol=1e-9)


@pytest.mark.parametrize(
    ("word", "value"),
    [("0+1.2e-06i", 0.0), ("1+2i", 1.0), ("-3.1-0i", -3.1), ("1e-3-2.5E+04i", 1e-3), (".5+.5i", 0.5), ("Inf", np.inf)],
)
def test_of_a_matlab_complex_number_the_real_part_is_kept(tmp_path: Path, word, value) -> None:
    (tmp_path / "a.tbl").write_text(f"1 {word}\r\n2 NaN\r\n")
    table = read_table(tmp_path / "a.tbl")
    assert table["aligned"][0] == value
    assert np.isnan(table["aligned"][1])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "no rows"),
        ("\n \n", "no rows"),
        ("1 1 1\n2 1\n", ":2: 2 columns where the first row has 3"),
        ("1 1 1\n\n2 one 1\n", ":3: 'one' is not a number"),
        ("1 1+2x 1\n", ":1: '1\\+2x'"),
        ("1 1_0 1\n", ":1: '1 1_0 1'"),
        ("1 " * 43, "43 columns"),
        ("1 1 \0 1", "is not text"),
    ],
)
def test_a_wrong_tbl_is_told_with_its_line(tmp_path: Path, text, told) -> None:
    (tmp_path / "a.tbl").write_text(text)
    with pytest.raises(EngineError, match=told):
        read_table(tmp_path / "a.tbl")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "'tag' is missing"),
        ("tag,tdrott\n1,2\n", "did you mean 'tdrot'"),
        ("tag,tag\n1,2\n", "twice"),
        ("tag,x\n1\n", ":2: 1 values where the header names 2"),
        ("tag,x\n1,two\n", ":2: 'two' is not a number"),
    ],
)
def test_a_wrong_csv_is_told(tmp_path: Path, text, told) -> None:
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(EngineError, match=told):
        read_table(tmp_path / "a.csv")


@pytest.mark.parametrize("ending", [".tbl", ".csv", ".star"])
@pytest.mark.parametrize("raw", [b"", b"\x00\xff\x80garbled", b"\xff\xfe\xfa", b"Dear reader,\nthis is a letter.\n"])
def test_what_is_no_table_is_one_error(tmp_path: Path, ending, raw) -> None:
    path = tmp_path / f"a{ending}"
    path.write_bytes(raw)
    with pytest.raises(EngineError, match="a" + ending):
        read_table(path)


def test_a_text_of_another_encoding_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "a.tbl"
    path.write_bytes(b"1 1 1\n2 1 1\n# \xe9tat\n")
    with pytest.raises(
        EngineError, match=r"a\.tbl:3: is not UTF-8 text; save it as UTF-8, or check that it is a Dynamo"
    ):
        read_table(path)


def test_broken_gzip_and_unknown_endings_are_told(tmp_path: Path) -> None:
    (tmp_path / "a.tbl.gz").write_bytes(gzip.compress(b"1 2 3\n" * 999)[:-12])
    with pytest.raises(EngineError, match=r"a\.tbl\.gz"):
        read_table(tmp_path / "a.tbl.gz")
    with pytest.raises(EngineError, match=r"\.tbl \.star \.csv, not \.xlsx"):
        read_table(tmp_path / "a.xlsx")
    with pytest.raises(EngineError, match=r"not \.gz"):
        write_table(Table.blank(1), tmp_path / "a.tbl.gz")


@pytest.mark.parametrize(
    ("name", "n_rows", "width"),
    [
        ("dynamotable_t_double.tbl", 300, 35),
        ("dynamotable_t_complex.tbl.gz", 8742, 41),
        ("cryocat_crop.tbl.gz", 4485, 35),
    ],
)
def test_real_tables_are_read_whole_and_fast_and_come_back(
    real_data: Path, tmp_path: Path, name, n_rows, width
) -> None:
    start = time.perf_counter()
    table = read_table(real_data / "dynamo_tables" / name)
    assert time.perf_counter() - start < 1  # about 0.15 s for the longest
    assert len(table) == n_rows
    assert not any(table[column].any() for column in list(COLUMNS)[width:])
    write_table(table, tmp_path / "a.tbl")
    back = read_table(tmp_path / "a.tbl")
    np.testing.assert_allclose(back.to_matrix(), table.to_matrix(), rtol=1e-9, atol=1e-9)


def test_the_first_real_row_has_the_numbers_of_its_text(real_data: Path) -> None:
    table = read_table(real_data / "dynamo_tables" / "dynamotable_t_double.tbl")
    np.testing.assert_allclose(table.angles[0], [175.66, 90.681, -129.51])
    np.testing.assert_allclose(table.shifts_xyz_px[0], [2.5178, -3.523, 2.1043])
    np.testing.assert_allclose(table.positions_xyz_px[0], [140.28, 113.71, 162.08])
    complex_table = read_table(real_data / "dynamo_tables" / "dynamotable_t_complex.tbl.gz")
    assert len(np.unique(complex_table["tomo"])) == 48
