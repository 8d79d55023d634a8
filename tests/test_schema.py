"""Editors learn the forms from the schemas, and say what the engine says."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import pytest
from pydantic import BaseModel, TypeAdapter

from engine.kinds import KINDS
from engine.new import template
from engine.schema import schemas, write
from engine.wording import forms_in

ROOT = Path(__file__).parent.parent
UNITS = {"A": r"\bA\b", "px": r"\bpx\b|pixel|voxel", "fpx": "Fourier", "deg": r"\bdeg\b"}
"""The last word of a key is its unit, and its description says it in words."""
TOMBI = Path(sys.executable).with_name("tombi")


def test_the_committed_schemas_are_current() -> None:
    for name, text in schemas().items():
        assert (ROOT / "schemas" / name).read_text("utf-8") == text, f"engine schema refreshes {name}"


def test_writing_twice_changes_nothing(tmp_path: Path) -> None:
    first = {path: path.stat().st_mtime_ns for path in write(tmp_path)}
    assert {path: path.stat().st_mtime_ns for path in write(tmp_path)} == first


@pytest.mark.parametrize("kind", KINDS)
def test_every_key_is_described_and_nothing_is_null(kind: str) -> None:
    schema = json.loads(schemas()[f"{kind}.schema.json"])
    assert schema["properties"]["kind"]["const"] == kind
    assert schema["required"][0] == "kind"
    assert '"null"' not in json.dumps(schema)
    for form in [schema, *schema["$defs"].values()]:
        assert form["additionalProperties"] is False
        for name, field in form["properties"].items():
            assert field.get("description"), name
            unit = UNITS.get(name.rpartition("_")[2]) if "_" in name else None
            assert unit is None or re.search(unit, field["description"]), f"{name}: {field['description']}"


def models(form: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """The form, and the forms of all tables inside it."""
    yield form
    for field in form.model_fields.values():
        for inner in forms_in(field.annotation):
            yield from models(inner)


@pytest.mark.parametrize("kind", KINDS)
def test_every_key_has_a_default_a_choice_or_an_example_that_the_form_takes(kind: str) -> None:
    schema = json.loads(schemas()[f"{kind}.schema.json"])
    tables = {"Project": schema, **schema["$defs"]}
    n_tried = 0
    for model in dict.fromkeys(models(KINDS[kind].Project)):
        name = next((name for name in tables if name == model.__name__ or name.endswith(f"__{model.__name__}")), "")
        for key, field in model.model_fields.items():
            told = tables[name]["properties"].get(key) if name else None
            if told is None:
                continue
            is_table_or_choice = any(f'"{word}"' in json.dumps(told) for word in ("$ref", "const", "enum", "boolean"))
            assert is_table_or_choice or {"default", "examples"} & set(told), f"{name}.{key}"
            for example in told.get("examples", ()):
                TypeAdapter(Annotated[(field.annotation, None, *field.metadata)]).validate_python(example)
                n_tried += 1
    assert n_tried > 0 or kind == "phantom"


def lint(path: Path) -> tuple[int, set[int]]:
    """Tombi's exit status, and the lines that it complains about."""
    if not TOMBI.exists():
        pytest.skip("tombi is not installed (pip install tombi): the schemas are not tried in an editor's checker")
    done = subprocess.run(
        [TOMBI, "lint", "--offline", path.name],
        cwd=path.parent,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    plain = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout + done.stderr)
    return done.returncode, {int(line) for line in re.findall(rf"{re.escape(path.name)}:(\d+):", plain)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("editor")
    write(folder / "schemas")
    return folder


@pytest.mark.parametrize("kind", KINDS)
def test_tombi_accepts_every_new_project(folder: Path, kind: str) -> None:
    path = folder / f"{kind}.toml"
    path.write_text(template(kind, depth=0), "utf-8")
    assert lint(path) == (0, set())


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("table = ", "tabel = "),
        ("step_deg = 5 }", "step = 5 }"),
        ("[10, 10, 20]", "[10, 10]"),
        ('halves = "none"', 'halves = "nine"'),
        ("workers = 1", 'workers = "1"'),
        ("range_deg = 20", "range_deg = 400"),
    ],
)
def test_tombi_flags_what_is_wrong_at_its_line(folder: Path, right: str, wrong: str) -> None:
    text = template("alignment", depth=0)
    assert right in text
    path = folder / "wrong.toml"
    path.write_text(text.replace(right, wrong, 1), "utf-8")
    code, lines = lint(path)
    assert code != 0
    assert text[: text.index(right)].count("\n") + 1 in lines


PROJECTS = sorted((ROOT / "projects").rglob("*.toml"))


@pytest.mark.parametrize("path", PROJECTS, ids=lambda path: path.stem)
def test_every_project_that_is_shipped_has_the_right_form(path: Path) -> None:
    from engine.project import read

    _, faults = read(path)
    assert not faults
    assert path.read_text("utf-8").startswith("#:schema ")
    assert lint(path) == (0, set())
