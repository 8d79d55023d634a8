"""Every parameter and every item that Dynamo's users know is there, or is said not to be, with a reason."""

from __future__ import annotations

from pathlib import Path

import pytest

import engine
from engine.dynamo import parity
from engine.dynamo.explain import explain
from engine.faults import EngineError
from engine.kinds import KINDS
from engine.wording import everywhere

TRUTH = 'kind = "phantom"\n[object]\nblobs = 10\nradius_px = 5\n[boxes]\nbox_px = 20\ncount = 4\nshift_px = 1\n'
PROJECT = """\
kind = "alignment"
[data]
particles = "truth:particles"
table = "truth:table"
template = "truth:template"
[[rounds]]
cone = { range_deg = 0 }
azimuth = { range_deg = 0 }
shifts = { limits_xyz_px = [1, 1, 1] }
bandpass = { lowpass_fpx = 7 }
"""
CLASSES = """
[masks]
classification = { shape = "sphere", radius_px = 5 }
"""


def test_the_page_is_what_the_code_says() -> None:
    assert parity.PAGE.read_text("utf-8") == parity.page(), "python -m engine.dynamo.parity"


@pytest.mark.parametrize("name", [*parity.PARAMETERS, *parity.ELEMENTS])
@pytest.mark.parametrize("suffix", ["", "_r2"])
def test_explain_answers_for_every_parameter(name: str, suffix: str) -> None:
    assert any(one.dynamo for one in explain(name + suffix))
    names, state, words = parity.parameter_row(name)
    assert name.lower() in names.lower().split(", ")
    assert state in ("done", "not")
    assert words


def test_what_is_done_is_a_key_of_the_form() -> None:
    keys = {".".join(path) for path, _ in everywhere(KINDS["alignment"].Project)}
    done = [parity.parameter_row(name) for name in (*parity.PARAMETERS, *parity.ELEMENTS)]
    for names, state, words in done:
        if state == "done":
            named = words.partition(": ")[0].split(", ")
            assert {one.strip("`") for one in named} <= keys, names
    carried = {names.split(", ")[0] for names, state, _ in done if state == "done"}
    assert {
        "cr",
        "cs",
        "ir",
        "is",
        "rf",
        "rff",
        "lim",
        "limm",
        "high",
        "low",
        "sym",
        "thr",
        "thrm",
        "thr2",
        "thr2m",
    } <= carried


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("parity")
    (folder / "truth.toml").write_text(TRUTH, "utf-8")
    (folder / "pr_1.toml").write_text(PROJECT, "utf-8")
    swapping = PROJECT.replace('template = "truth:template"', "references = 2").replace(
        "[[rounds]]", "[[rounds]]\nswap_references = true"
    )
    (folder / "classes.toml").write_text(swapping + CLASSES, "utf-8")
    engine.run([folder])
    return folder


@pytest.mark.parametrize("item", parity.DDB_ITEMS)
def test_query_answers_for_every_item_of_ddb_that_is_done(campaign: Path, item: str) -> None:
    _, state, words = parity.item_row(item)
    assert words
    if state == "done":
        project = "classes" if item == "cmask" else "pr_1"
        assert engine.query(f"{project}:{item}", folder=campaign).value is not None
    else:
        with pytest.raises(EngineError, match=r"it has|it makes"):
            engine.query(f"pr_1:{item}", folder=campaign)


@pytest.mark.parametrize("text", ["ite=1", "ite=last", "ite=*", "ite=0:last", "ite=[0,1]", "ite=0", "ref=1"])
def test_query_answers_for_the_keys_of_ddb(campaign: Path, text: str) -> None:
    assert engine.query(f"pr_1:a:{text}", folder=campaign).values
    assert engine.query("pr_1:data:tag=3", folder=campaign).value.shape_zyx == (20, 20, 20)
