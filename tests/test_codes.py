"""Each kind of fault has a code, and the table of codes says what is true."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

import engine
from engine.cli.commands import app
from engine.codes import CODES
from engine.toml_text import Slip, parse

ROOM = Path(engine.__file__).parent
TEXTS = [code for code in CODES if "E004" <= code <= "E024"]


def test_every_fault_has_a_code_of_the_table_and_every_code_is_used() -> None:
    used = set()
    for path in ROOM.rglob("*.py"):
        text = path.read_text("utf-8")
        used |= set(re.findall(r'"(E\d{3})"', text)) if path.name != "codes.py" else set()
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Fault":
                assert "code" in {word.arg for word in node.keywords}, f"{path}:{node.lineno}"
    assert used == set(CODES)


@pytest.mark.parametrize("code", TEXTS)
def test_the_examples_of_what_is_no_toml_have_that_fault_and_lose_it(code: str) -> None:
    with pytest.raises(Slip) as slip:
        parse(CODES[code].wrong.encode())
    assert slip.value.fault.code == code
    parse(CODES[code].right.encode())


def test_a_code_is_explained_in_words_and_as_json() -> None:
    told = CliRunner().invoke(app, ["explain", "e012"]).stdout
    assert told.startswith("E012 A decimal comma.\n")
    assert "pixel_size_A = 1.35\n" in told
    assert json.loads(CliRunner().invoke(app, ["explain", "E012", "--json"]).stdout)["right"] == "pixel_size_A = 1.35"
    unknown = CliRunner().invoke(app, ["explain", "E999"])
    assert (unknown.exit_code, unknown.stderr.count("\n")) == (1, 1)


def test_check_shows_code_and_both_places_of_a_conflict(tmp_path: Path) -> None:
    path = tmp_path / "m_1.toml"
    path.write_text('kind = "mask"\n[data]\nbox_px = 48\n[mask]\nshape = "sphere"\nradius_A = 9\nradius_px = 8\n')
    told = CliRunner().invoke(app, ["check", str(path)]).stdout
    assert "7:13: E116 mask.radius_px: give the radius exactly once" in told
    assert "  6 | radius_A = 9\n    |            -\n  7 | radius_px = 8\n    |             ^\n" in told
    (one,) = json.loads(CliRunner().invoke(app, ["check", str(path), "--json"]).stdout)
    (fault,) = one["faults"]
    assert (fault["code"], fault["line"], fault["column"]) == ("E116", 7, 13)
    assert fault["others"] == [{"line": 6, "column": 12, "key": ["mask", "radius_A"]}]
