"""Project files become models; what a project reads from its neighbours orders a campaign."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from engine.address import parse
from engine.faults import EngineError, Fault, InvalidProject
from engine.outline import dependencies
from engine.project import campaign, load, read
from engine.project_files import project_files

ALIGNMENT = """\
kind = "alignment"

[data]
particles = "truth:particles"
table = "{table}"

[[rounds]]
iterations = 2
cone = {{ range_deg = 20, step_deg = 5 }}
bandpass = {{ lowpass_fpx = 8 }}
"""


def put(folder: Path, name: str, text: str) -> Path:
    path = folder / f"{name}.toml"
    path.write_text(text, "utf-8")
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    put(tmp_path, "truth", 'kind = "phantom"\n')
    put(tmp_path, "pr_1", ALIGNMENT.format(table="truth:table"))
    put(tmp_path, "a_second", ALIGNMENT.format(table="pr_1:table:ite=last"))
    put(tmp_path, "pyproject", "[tool]\nname = 'kind'\n")
    return tmp_path


def test_a_project_knows_its_name_store_items_and_steps(folder: Path) -> None:
    project = load(folder / "pr_1.toml")
    assert (project.name, project.kind, project.store_folder) == ("pr_1", "alignment", folder / "pr_1")
    assert "average" in project.items
    assert project.steps is project.steps
    assert [step.name for step in project.steps][-1] == "ite_0002"


def test_faults_are_placed_at_value_key_or_table(folder: Path) -> None:
    project = load(folder / "pr_1.toml")

    def place(*key: str | int) -> tuple[int, int]:
        placed = project.place(Fault(key, "wrong"))
        assert placed.path == project.path
        return placed.line, placed.column

    assert place("rounds", 0, "cone", "step_deg") == (9, 37)
    assert place("rounds", 0, "iterations") == (8, 14)
    assert place("rounds", 0, "symmetry") == (7, 1)
    assert place("rounds", 0, "cone", "flip") == (9, 8)
    assert place("compute", "gpus") == (1, 1)
    assert place() == (1, 1)


def test_an_invalid_project_carries_its_faults_one_to_a_line(folder: Path) -> None:
    path = put(folder, "bad", 'kind = "phantom"\ntitel = ""\n[boxes]\ncount = 0\n')
    with pytest.raises(InvalidProject) as caught:
        load(path)
    assert [fault.line for fault in caught.value.faults] == [2, 4]
    assert str(caught.value).splitlines()[0].startswith(f"{path}:2:1: E101 titel: ")


def test_neighbours_are_found_in_the_same_folder_only(folder: Path) -> None:
    project = load(folder / "a_second.toml")
    assert [str(address) for address in dependencies(project)] == ["truth:particles", "pr_1:table:ite=last"]
    assert project.neighbour(parse("pr_1:table")).name == "pr_1"
    with pytest.raises(EngineError, match=r"pr_2\.toml.*did you mean pr_1"):
        project.neighbour(parse("pr_2:table"))
    with pytest.raises(EngineError, match="never leaves"):
        project.neighbour(parse("elsewhere/pr_1:table"))


def test_a_campaign_is_in_the_order_of_its_dependencies(folder: Path) -> None:
    assert [project.name for project in campaign([folder])] == ["truth", "pr_1", "a_second"]
    one_by_one = [folder / "a_second.toml", folder / "truth.toml", folder]
    assert [project.name for project in campaign(one_by_one)] == ["truth", "pr_1", "a_second"]


def test_a_single_file_brings_no_neighbours(folder: Path) -> None:
    assert [project.name for project in campaign([folder / "a_second.toml"])] == ["a_second"]


def test_a_circle_is_named(folder: Path) -> None:
    put(folder, "pr_1", ALIGNMENT.format(table="a_second:table"))
    with pytest.raises(EngineError, match=r"a_second → pr_1 → a_second|pr_1 → a_second → pr_1"):
        campaign([folder])


def test_a_store_or_a_bare_name_means_the_project_beside_it(folder: Path) -> None:
    assert project_files([folder / "pr_1"]) == [folder / "pr_1.toml"]
    (folder / "pr_1").mkdir()
    assert project_files([folder / "pr_1"]) == [folder / "pr_1.toml"]


def test_a_name_that_no_address_can_hold_is_a_fault(folder: Path) -> None:
    for name in ("my project", "pr:1", "Ünder"):
        _, faults = read(put(folder, name, 'kind = "phantom"\n'))
        assert "cannot stand in an address" in faults[0].what


SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["shape", "radius_A", "data", "table", "cone", "file", "list", "range_deg"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=6,
)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.sampled_from(["title", "data", "masks", "rounds", "compute", "average"]), VALUES))
def test_any_values_of_any_form_give_faults_and_no_crash(values: dict) -> None:
    """Faults point at what is there, or at what is missing from what is there."""
    from pydantic import ValidationError

    from engine.kinds import KINDS
    from engine.wording import faults_of

    for kind in KINDS.values():
        try:
            kind.Project.model_validate(values)
        except ValidationError as error:
            faults = faults_of(kind.Project, values, error)
            assert faults
            for fault in faults:
                inside = values
                for part in fault.key[:-1]:
                    inside = inside[part]
                assert "Input should" not in fault.what


def test_a_plain_form_is_what_an_empty_table_gives() -> None:
    """Defaults that are forms are not validated where they are written; they must be what validation would make of them."""
    from engine.kinds import KINDS
    from engine.wording import everywhere

    plain = [
        field.default
        for kind in KINDS.values()
        for _, field in everywhere(kind.Project)
        if isinstance(field.default, BaseModel)
    ]
    assert len(plain) > 20
    for form in plain:
        assert form == type(form).model_validate(form.model_dump(exclude_unset=True))
