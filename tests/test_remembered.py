"""Outlines kept between commands: the same as worked out anew, and not used where anything is not as it was."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import small_campaign

from engine import cache, remembered
from engine.faults import InvalidProject
from engine.outline import AnyOutline
from engine.plan import plan
from engine.project import Project, load
from engine.remembered import KeptOutline, keep, outline
from engine.status import status

PROJECTS = Path(__file__).resolve().parents[1] / "projects"
SHIPPED = sorted(path for path in PROJECTS.rglob("*.toml"))


@pytest.fixture(autouse=True)
def cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ENGINE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "outlines"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "campaign").mkdir()
    return small_campaign.written(tmp_path / "campaign")


def told(project: AnyOutline) -> object:
    names = ["name", "function_name", "version", "settings_json", "makes", "inputs", "labels", "rotations", "scratch"]
    steps = [tuple(getattr(step, name) for name in names) for step in project.steps]
    steps += [tuple(str(one.source) for one in step.inputs.values()) for step in project.steps]
    return project.path, dict(project.items), list(project.references), project.is_for_each, steps


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_what_is_kept_of_a_project_is_what_is_worked_out_anew(path: Path) -> None:
    project = outline(path)
    assert isinstance(project, Project)
    kept = outline(path)
    assert isinstance(kept, KeptOutline)
    assert told(kept) == told(project)


def test_the_plan_and_the_state_are_the_same(folder: Path) -> None:
    path = folder / "pr_1.toml"
    for project in (outline(path), outline(path)):
        assert [(one.step.name, one.key, one.state) for one in plan(project)] == [
            (one.step.name, one.key, one.state) for one in plan(load(path))
        ]
    assert isinstance(outline(path), KeptOutline)
    assert status(outline(path)) == status(load(path))


def test_another_content_name_or_engine_is_worked_out_anew(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = folder / "pr_1.toml"
    outline(path)
    assert isinstance(outline(path), KeptOutline)
    text = path.read_text()
    path.write_text(text.replace("iterations = 1", "iterations = 2"))
    assert len(outline(path).steps) == 4  # two iterations, and the spectra that are kept between them
    path.write_text(text)
    assert isinstance(outline(path), KeptOutline)
    other = path.with_name("pr_7.toml")
    shutil.copy(path, other)
    assert isinstance(outline(other), Project)
    monkeypatch.setattr(remembered, "_engine", lambda: "another engine")
    assert isinstance(outline(path), Project)


def test_the_engine_is_known_by_its_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "engine"
    (package / "kinds").mkdir(parents=True)
    source = package / "kinds" / "average.py"
    source.write_text("one")
    monkeypatch.setattr(remembered, "__file__", str(package / "remembered.py"))

    def known() -> str:
        remembered._engine.cache_clear()
        return remembered._engine()

    before = known()
    assert known() == before
    source.write_text("other")
    assert known() != before
    remembered._engine.cache_clear()


def test_the_engine_is_known_by_the_files_that_a_process_began_with() -> None:
    code = "from engine import remembered; print(remembered._engine.cache_info().currsize)"
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout == b"1\n"


def test_a_project_with_faults_is_not_kept(folder: Path, cache_folder: Path) -> None:
    path = folder / "pr_1.toml"
    path.write_text(path.read_text().replace("iterations = 1", 'iterations = "one"'))
    for _ in range(2):
        with pytest.raises(InvalidProject, match="iterations"):
            outline(path)
    assert not list(cache_folder.glob("*"))


def test_what_a_list_beside_the_file_decides_is_not_kept(tmp_path: Path, cache_folder: Path) -> None:
    path = tmp_path / "tomos.toml"
    path.write_text('kind = "catalogue"\n[data]\nlist = "tomograms.csv"\n')
    (tmp_path / "tomograms.csv").write_text("number,path\n1,one.mrc\n")
    for _ in range(2):
        assert isinstance(outline(path), Project)
    assert not list(cache_folder.glob("*"))


def spoilt(content: bytes) -> list[bytes]:
    flips = [content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :] for at in range(0, len(content), 97)]
    return [b"", b"\n", b"\xff\xfe\n{}", content[:-1], content[: len(content) // 2], content + b" ", *flips]


def test_what_was_kept_and_is_not_as_it_was_written_is_not_used(folder: Path, cache_folder: Path) -> None:
    path = folder / "pr_1.toml"
    expected = told(outline(path))
    (file,) = cache_folder.glob("*.json")
    content = file.read_bytes()
    for other in spoilt(content):
        file.write_bytes(other)
        assert isinstance(outline(path), Project), other[:80]
        assert isinstance(outline(path), KeptOutline)  # and is kept anew
    file.write_bytes(content)
    assert told(outline(path)) == expected


@pytest.mark.parametrize(
    "change",
    [
        lambda plain: plain.clear(),
        lambda plain: plain.update(steps=[]),
        lambda plain: plain.update(steps=7),
        lambda plain: plain.update(items=[]),
        lambda plain: plain["items"].update(average=["volume"]),
        lambda plain: plain["steps"][0].update(name="../../elsewhere"),
        lambda plain: plain["steps"][0].update(more=1),
        lambda plain: plain["steps"][0]["inputs"].update(x=["volume", "address", "no address", None]),
        lambda plain: plain["steps"][0]["inputs"].update(x=["volume"]),
    ],
)
def test_what_cannot_be_an_outline_is_not_used(folder: Path, cache_folder: Path, change) -> None:
    path = folder / "pr_1.toml"
    outline(path)
    (file,) = cache_folder.glob("*.json")
    plain = json.loads(file.read_bytes().partition(b"\n")[2])
    change(plain)
    text = json.dumps(plain).encode()
    file.write_bytes(cache.hashed(text).encode() + b"\n" + text)
    assert isinstance(outline(path), Project)


def test_a_cache_that_cannot_be_written_costs_time_and_nothing_else(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file", tmp_path / "file" / "below"):
        monkeypatch.setenv("ENGINE_CACHE", str(place))
        assert isinstance(outline(folder / "pr_1.toml"), Project)


def test_the_oldest_are_forgotten(folder: Path, cache_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remembered, "MOST_KEPT", 4)
    path = folder / "pr_1.toml"
    keep(load(path), path.read_bytes())
    left = next(cache_folder.rglob("*.json")).with_name("left by a kill.7.tmp")
    left.write_text("half")
    os.utime(left, (0, 0))
    for number in range(9):
        path.write_text(f"{path.read_text()}# {number}\n")
        keep(load(path), path.read_bytes())
        assert len(list(cache_folder.glob("*.json"))) <= 4
    assert isinstance(outline(path), KeptOutline)
    assert not left.exists()


def test_check_keeps_what_looking_needs(folder: Path) -> None:
    assert small_campaign.engine("check", str(folder)).exit_code == 0
    for path in folder.glob("*.toml"):
        assert isinstance(outline(path), KeptOutline)
