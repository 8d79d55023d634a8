"""A new project is a valid one, and says what each of its keys is."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from engine.faults import EngineError
from engine.kinds import KINDS
from engine.new import new, template
from engine.project import read
from engine.schema import write


@pytest.mark.parametrize("kind", KINDS)
def test_every_template_has_no_fault_of_form(tmp_path: Path, kind: str) -> None:
    project, faults = read(new(kind, tmp_path / "fresh"))
    assert not faults
    assert project is not None
    assert project.kind == kind


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_commented_out_is_valid_too(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "all.toml"
    path.write_text(re.sub(r"^# (?=\w+ = )", "", template(kind), flags=re.MULTILINE), "utf-8")
    _, faults = read(path)
    assert not faults


@pytest.mark.parametrize("kind", KINDS)
def test_a_template_tells_its_step_of_the_workshop(kind: str) -> None:
    assert re.match(r"#:schema .*\n# In the workshop: \w.+\nkind = ", template(kind))


@pytest.mark.parametrize("kind", KINDS)
def test_the_template_names_every_key_of_the_form(kind: str) -> None:
    text = template(kind)
    for name, field in KINDS[kind].Project.model_fields.items():
        assert name in text
        assert field.description
    assert max(map(len, text.split("\n"))) <= 120


def test_the_alignment_template_holds_the_workshops_numbers() -> None:
    first = tomllib.loads(template("alignment"))["rounds"][0]
    assert first["cone"] == {"range_deg": 20, "step_deg": 5}
    assert first["azimuth"] == {"range_deg": 30, "step_deg": 5}
    assert first["refine"] == {"levels": 4, "factor": 2}
    assert first["shifts"]["limits_xyz_px"] == [10, 10, 20]


def test_the_schema_line_reaches_the_folder_of_schemas(tmp_path: Path) -> None:
    write(tmp_path / "schemas")
    path = new("phantom", tmp_path / "projects" / "demo" / "truth")
    line = path.read_text("utf-8").split("\n")[0]
    assert line == "#:schema ../../schemas/phantom.schema.json"
    assert (path.parent / line.split()[1]).is_file()


def test_what_exists_is_not_overwritten(tmp_path: Path) -> None:
    path = new("phantom", tmp_path / "truth.toml")
    before = path.read_bytes()
    with pytest.raises(EngineError, match="is there already"):
        new("average", tmp_path / "truth")
    assert path.read_bytes() == before


@pytest.mark.parametrize("name", ["a b", "a:b", ".", "-x", "ä.toml"])
def test_a_name_that_no_address_can_hold_is_not_written(tmp_path: Path, name: str) -> None:
    with pytest.raises(EngineError, match=r"cannot stand in an address \(rename it: letters, digits"):
        new("alignment", f"{name}" if name == "." else tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_an_unknown_kind_is_told_the_nearest() -> None:
    with pytest.raises(EngineError, match='did you mean "alignment"'):
        template("aligment")
