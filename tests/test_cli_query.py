"""engine query, as it is typed."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from small_campaign import ALIGNMENT, engine, run


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A campaign that has been run."""
    return run(tmp_path_factory.mktemp("done"))


def test_query_shows_writes_and_tells_where(done: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(done)
    assert "pr_1:average " in engine("query", "pr_1").stdout
    assert engine("query", "pr_1:a", "--path").stdout == "pr_1/ite_0001.h5\trefs/001/average\n"
    table = engine("query", "pr_1:t", "--columns", "tag,cc", "--where", "tag > 2", "--sort", "-tag").stdout.splitlines()
    assert table[0].split() == ["tag", "cc"]
    assert [line.split()[0] for line in table[1:]] == ["6", "5", "4", "3"]
    assert "24 x 24 x 24" in engine("query", "pr_1:a").stdout
    assert json.loads(engine("query", "pr_1:summary", "--json").stdout)["particles"] == 6
    assert len(engine("query", "pr_1:cc").stdout.splitlines()) == 6
    assert "ProjectDone" in engine("query", "pr_1:log").stdout
    assert re.match("particles +6", engine("query", "truth:particles").stdout)


def test_query_writes_one_file_or_one_for_each_iteration(done: Path, tmp_path: Path) -> None:
    engine("query", f"{done}/pr_1:a", "-o", f"{tmp_path}/a.mrc")
    result = engine("query", f"{done}/pr_1:a:ite=*", "-o", f"{tmp_path}/a.em")
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mrc", "a_0000.em", "a_0001.em"]


def test_a_table_becomes_relions_list_with_the_pixel_size_of_its_step(
    done: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from engine.cli import values
    from engine.query import query

    result = engine("query", f"{done}/pr_1:t", "-o", f"{tmp_path}/p.star", "--star", "relion4")
    assert result.exit_code == 0, result.output
    assert "_rlnTomoName" in (tmp_path / "p.star").read_text()
    wrong = engine("query", f"{done}/pr_1:t", "-o", f"{tmp_path}/q.star", "--star", "relion")
    assert (wrong.exit_code, wrong.stderr.count("\n")) == (1, 1)
    assert "no .star dialect 'relion'; there are dynamo, relion3.1, relion4" in wrong.stderr
    sizes = []
    monkeypatch.setattr(values, "export", lambda value, name, size, star: sizes.append((size, star)))
    values.write(query(f"{done}/pr_1:t"), "p.star", "relion4")
    assert sizes == [(query(f"{done}/pr_1:a").value.pixel_size_A, "relion4")]


def test_the_particles_of_an_alignment_are_those_that_it_reads(done: Path, tmp_path: Path) -> None:
    shown = engine("query", f"{done}/pr_1:data").stdout
    assert shown == engine("query", f"{done}/truth:particles").stdout
    assert engine("query", f"{done}/pr_1:data", "--path").stdout.endswith("\tparticles\n")
    for name in ("boxes/", "plain", "stack.mrcs"):
        assert engine("query", f"{done}/pr_1:data", "-o", f"{tmp_path}/{name}").exit_code == 0
    assert len(list((tmp_path / "boxes").glob("particle_0000?.em"))) == 6
    assert len(list((tmp_path / "plain").glob("particle_0000?.em"))) == 6
    (tmp_path / "pr_2.toml").write_text(ALIGNMENT.replace("truth:particles", "boxes"))
    assert re.match("particles +6", engine("query", f"{tmp_path}/pr_2:data").stdout)
    assert engine("query", f"{tmp_path}/pr_2:data", "--path").stdout.endswith("boxes\n")
    onto_itself = engine("query", f"{tmp_path}/pr_2:data", "-o", f"{tmp_path}/boxes")
    assert "is what would be read" in onto_itself.stderr
    assert "leave out all keys but tag" in engine("query", f"{done}/pr_1:data:ite=1").stderr
    assert "24 x 24 x 24" in engine("query", f"{done}/pr_1:data:tag=2").stdout


def test_a_file_that_is_no_project_is_said_to_be_one(tmp_path: Path) -> None:
    (tmp_path / "TS_01.mrc").write_bytes(b"")
    result = engine("query", str(tmp_path / "TS_01.mrc"))
    assert result.exit_code == 1
    assert "TS_01.mrc: is a file, no project" in result.stderr
