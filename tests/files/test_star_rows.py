"""What starfile would take for something else is told with its line; what other systems write is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.faults import EngineError
from engine.files import read_star

HEADER = "data_particles\n\nloop_\n_rlnCoordinateX #1\n_rlnCoordinateY #2\n_rlnCoordinateZ #3\n"
ROWS = "1 2 3\n4 5 6\n"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (HEADER + "1 2 3\n4 5\n", r":8: 2 values where the loop names 3 columns; repair the line"),
        (HEADER + "1 2 3 4\n4 5 6 7\n", r":7: 4 values where the loop names 3 columns"),
        (HEADER + ROWS + HEADER + ROWS, r":9: the block 'data_particles' is there twice"),
        (HEADER + "1 2 3\n4 5 'a b\n", r":8: a quote is not closed"),
        (HEADER.replace("X", "X\n_rlnTomoName") + "1 TS#2 2 3\n", r":8: a # within a value would begin a comment"),
        (HEADER + ROWS + "loop_\n_rlnAngleRot\n1\n", r":9: 1 values where the loop names 3"),
        ("data_particles\n\nloop_\n" + "_a\n" * 1001 + "1 " * 1001, r":1004: more than 1000 columns"),
        (HEADER.replace("loop_\n", "") + ROWS, ":3: a column of a list without a loop_ before it"),
        ("data_\n\n_rlnTomoName " + "a" * 100_000, r":3: a line of more than 100000 characters"),
        (HEADER.replace("data_particles", ""), "no data_ block"),
        (HEADER.replace("_rlnCoordinateZ", "_rlnCoordinateX"), r"(twice|missing)"),
        (
            "data_\n\nloop_\n"
            + "".join(f"_rlnCoordinate{axis}\n_rlnOrigin{axis}\n_rlnOrigin{axis}Angst\n" for axis in "XYZ")
            + "1 2 3 4 5 6 7 8 9\n",
            r"mixes RELION 3\.0 \(_rlnOriginX, in px\) and 3\.1 \(_rlnOriginXAngst, in Å\)",
        ),
    ],
)
def test_a_misleading_list_is_told(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "a.star").write_text(text, "utf-8")
    with pytest.raises(EngineError, match=told) as caught:
        read_star(tmp_path / "a.star")
    assert str(caught.value).startswith(f"{tmp_path / 'a.star'}:")


@pytest.mark.parametrize(
    "text",
    [
        HEADER + ROWS,
        "\ufeff" + HEADER + ROWS,
        (HEADER + ROWS).replace("\n", "\r\n"),
        (HEADER + ROWS).replace(" ", "\t"),
        HEADER + "\"1\" 2 '3'\n\n  4   5 6   \n",
        HEADER + "1 2 3 # the first\n4 5 6\n# the end",
        "# version 30001\n\n" + HEADER + ROWS + "\n\ndata_other\n\n_rlnTomoName TS_01\n",
        HEADER + ROWS.rstrip("\n"),
    ],
)
def test_marks_line_ends_tabs_quotes_and_comments_do_no_harm(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.star").write_bytes(text.encode())
    assert read_star(tmp_path / "a.star").table.positions_xyz_px.tolist() == [[1, 2, 3], [4, 5, 6]]


def test_a_loop_without_rows_lists_no_particle(tmp_path: Path) -> None:
    (tmp_path / "a.star").write_text(HEADER)
    assert len(read_star(tmp_path / "a.star").table) == 0
