"""What a notebook shows of values: well-formed HTML, all text escaped, the right voxels in the pictures."""

from __future__ import annotations

import base64
import subprocess
import sys
import zlib
from html.parser import HTMLParser

import numpy as np
import pytest
import small_campaign

from engine.data import Catalogue, Curve, Table, Volume
from engine.data.catalogue import TomogramFacts
from engine.project import load
from engine.query import Answer, Found, Listed, parse

EVIL = "<script>alert(1)</script>\"'&\x1b[31m"
VOID = {"img", "br", "hr"}


class Page(HTMLParser):
    """The tags of a page, which must close as they open, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.sources: list[str] = []
        self.points: list[str] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs) -> None:
        self.tags.add(tag)
        named = dict(attrs)
        self.sources += [named["src"]] if "src" in named else []
        self.points += [named["points"]] if "points" in named else []
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data) -> None:
        self.text += data


def pixels(source: str) -> np.ndarray:
    """The grey values of a PNG that lies in the page, by the format's description."""
    raw = base64.b64decode(source.removeprefix("data:image/png;base64,"))
    width, height = (int.from_bytes(raw[at : at + 4], "big") for at in (16, 20))
    at = raw.index(b"IDAT")
    body = zlib.decompress(raw[at + 4 : at + 4 + int.from_bytes(raw[at - 4 : at], "big")])
    return np.frombuffer(body, np.uint8).reshape(height, width + 1)[:, 1:]


def test_a_volume_shows_its_central_slices_with_y_up() -> None:
    data = np.zeros((8, 10, 12), dtype=np.float32)
    data[4, 7, 3] = data[2, 5, 9] = 1
    page = Page(Volume(data, 2.5)._repr_html_())
    assert "12 x 10 x 8 px (xyz), 2.5 Å/px" in page.text
    across_z, across_y, across_x = map(pixels, page.sources)
    assert across_z.shape == (10, 12)
    assert np.argwhere(across_z).tolist() == [[10 - 1 - 7, 3]]
    assert np.argwhere(across_y).tolist() == [[8 - 1 - 2, 9]]
    assert not across_x.any()


@pytest.mark.parametrize("value", [np.nan, np.inf, 3.0])
def test_a_volume_without_contrast_is_no_error(value: float) -> None:
    assert len(Page(Volume(np.full((4, 4, 4), value, dtype=np.float32))._repr_html_()).sources) == 3


def test_a_large_volume_stays_small() -> None:
    assert len(Volume(np.random.default_rng(1).normal(size=(200, 200, 300)).astype(np.float32))._repr_html_()) < 150_000


def test_a_table_shows_its_first_rows_and_says_how_many_there_are() -> None:
    page = Page(Table.blank(40, cc=np.linspace(0, 0.39, 40))._repr_html_())
    assert "Table: 40 rows" in page.text
    assert "0.11" in page.text
    assert "0.12" not in page.text
    assert "28 more rows" in page.text


def test_a_curve_is_drawn_from_left_to_right_and_upwards() -> None:
    curve = Curve({"shell": np.arange(3.0), "fsc": np.array([0.0, np.nan, 1.0])}, {EVIL: EVIL})
    page = Page(curve._repr_html_())
    (points,) = page.points
    (x0, y0), (x1, y1) = (tuple(map(float, point.split(","))) for point in points.split())
    assert x0 < x1
    assert y0 > y1  # down the page is a larger y
    assert "script" not in page.tags
    assert "<script>" in page.text
    assert "\x1b" not in page.text


def test_names_and_texts_are_no_tags() -> None:
    facts = TomogramFacts(1, EVIL, name=EVIL)
    listing = Answer(EVIL, listing=(Listed(EVIL, EVIL, EVIL, (3, 3), (EVIL,)),))
    log = Answer("pr", parse("pr:log"), events=({EVIL: EVIL},))
    values = [Curve({EVIL: np.arange(3.0), f"{EVIL}2": np.arange(3.0)}), Catalogue((facts,)), listing, log]
    for value in values:
        page = Page(value._repr_html_())
        assert not page.tags & {"script", "a"}
        assert "\x1b" not in page.text


def test_an_answer_shows_its_values_each_with_its_iteration(tmp_path) -> None:
    def found(ite: int) -> Found:
        return Found(ite, None, None, None, "", tmp_path, "", lambda: {"mean cc": 0.25 * ite})

    page = Page(Answer("pr", parse("pr:summary:ite=*"), tuple(map(found, range(6))))._repr_html_())
    assert "0.75" in page.text
    assert "2 more" in page.text
    assert "1.25" not in page.text


def test_a_project_shows_its_text_and_what_it_makes(tmp_path) -> None:
    small_campaign.written(tmp_path)
    path = tmp_path / "pr_1.toml"
    path.write_text(path.read_text().replace("[data]", "# <b>bold</b>\n[data]", 1))
    page = Page(load(path)._repr_html_())
    assert "pr_1: alignment" in page.text
    assert "# <b>bold</b>" in page.text
    assert "pr_1:average" in page.text
    assert "pre" in page.tags


def test_importing_prints_nothing() -> None:
    code = "import engine, engine.viewers, engine.plots; engine.load, engine.check, engine.run, engine.query"
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, timeout=120, check=True)
    assert (done.stdout, done.stderr) == (b"", b"")
