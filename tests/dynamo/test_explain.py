"""Every word of Dynamo's, and every key, is explained from the forms."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from engine.cli.commands import app
from engine.dynamo.explain import explain
from engine.dynamo.names import ABSENT, DIFFERENCES, LONG, keys, short
from engine.dynamo.rounds import ROUND_KEYS
from engine.faults import EngineError
from engine.kinds import KINDS
from engine.wording import literals


@pytest.mark.parametrize(
    ("word", "key"),
    [
        ("cr", "rounds.cone.range_deg"),
        ("CR_r2", "rounds.cone.range_deg"),
        ("cone_range", "rounds.cone.range_deg"),
        ("cone.range_deg", "rounds.cone.range_deg"),
        ("is", "rounds.azimuth.step_deg"),
        ("if", "rounds.azimuth.flip"),
        ("lim", "rounds.shifts.limits_xyz_px"),
        ("thrmod", "rounds.select.rule"),
        ("low", "rounds.bandpass.lowpass_fpx"),
        ("file_mask", "masks.alignment"),
        ("mra_r2", "rounds.swap_references"),
        ("references", "data.references"),
        ("cmask", "masks.classification"),
        ("[[rounds]]", "rounds"),
        ("fmin", "average.minimum_particles"),
    ],
)
def test_a_name_leads_to_its_key(word: str, key: str) -> None:
    assert key in [one.key for one in explain(word)]


def test_kinds_choices_and_tables_are_told() -> None:
    assert explain("picking")[0].kinds == ("kind of project",)
    assert ("models.model", '"filaments"') in [(one.key, one.allowed) for one in explain("filaments")]
    assert "the keys range_deg, step_deg, flip" in [one.allowed for one in explain("cone")]


def test_a_key_tells_unit_default_bounds_and_choices() -> None:
    cone = explain("cone.range_deg")[0]
    assert (cone.unit, cone.default, cone.allowed) == ("deg", "20", "at least 0, at most 360")
    assert cone.dynamo == "cr, cone_range"
    assert cone.meaning == "Full aperture in deg; 360 = the sphere; 0 = do not search."
    (origin,) = explain("limm")
    assert origin.allowed.startswith('"unlimited" (0), "box-centre" (1), "last-iteration" (2)')
    assert explain("data.particles")[0].default == "none, it must be given"


@pytest.mark.parametrize(
    ("word", "reason"),
    [("ccms", "matrix of correlations"), ("dim_r1", "smallest box"), ("plugin_align_r3", "MATLAB plugins")],
)
def test_what_the_engine_has_not_says_why(word: str, reason: str) -> None:
    (one,) = explain(word)
    assert one.key == ""
    assert reason in one.meaning


@pytest.mark.parametrize(("word", "near"), [("conerange", '"cr"'), ("range_degg", '"range_deg"'), ("limmm", '"limm"')])
def test_an_unknown_word_is_told_the_nearest(word: str, near: str) -> None:
    with pytest.raises(EngineError, match="did you mean") as problem:
        explain(word)
    assert near in str(problem.value)
    with pytest.raises(EngineError, match="neither a name"):
        explain("qqqqqqqq")


@pytest.mark.parametrize("kind", KINDS)
def test_all_that_a_description_says_of_dynamo_is_read(kind: str) -> None:
    for told in keys(kind):
        assert ("Dynamo: " in (told.field.description or "")) == (told.dynamo is not None), told.key
        if told.dynamo and told.dynamo.codes:
            assert told.dynamo.codes == tuple(range(len(literals(told.field)))), told.key


def test_the_tables_of_names_speak_of_names_that_are_there() -> None:
    told = {one.dynamo.name for kind in KINDS for one in keys(kind) if one.dynamo}
    assert set(DIFFERENCES) <= told
    assert set(LONG) <= told | set(ABSENT)
    assert not told & set(ABSENT) - {"dst", "nref", "mra", "cmask"}  # known here, and not carried over
    assert set(ROUND_KEYS) <= told
    others = [name for names in LONG.values() for name in names]
    assert len(others) == len(set(others))
    assert all(short(name) == name for name in LONG)


def test_the_command_prints_a_line_for_each_and_json_when_asked() -> None:
    done = CliRunner().invoke(app, ["explain", "cr"], catch_exceptions=False)
    assert done.stdout.splitlines()[0] == "rounds.cone.range_deg (alignment)"
    assert "  Dynamo   cr, cone_range" in done.stdout.splitlines()
    told = json.loads(CliRunner().invoke(app, ["explain", "sym", "--json"]).stdout)
    assert [one["key"] for one in told][:2] == ["rounds.symmetry", "average.symmetry"]
    assert CliRunner().invoke(app, ["explain", "qqqqqqqq"]).exit_code == 1
