"""A report is one file that holds what was asked for, asks for nothing, and runs nothing of what it was given."""

from __future__ import annotations

import io
import json
import re
import shutil
import socket
import subprocess
import threading
from base64 import b64decode, b64encode
from collections import Counter
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import small_campaign
from matplotlib.image import imread

from engine.data import Catalogue, Curve, Table, Volume
from engine.data.catalogue import TomogramFacts
from engine.faults import EngineError
from engine.geometry import euler
from engine.plots import draw
from engine.project import load
from engine.report import figures, maps, report
from engine.report.detail import DETAILS, chosen
from engine.report.page import inert
from engine.report.reading import Reader
from engine.report.writing import MOST_BYTES
from engine.store import Store

PAYLOADS = (
    "<script>alert(1)</script>",
    "</script><script>alert(2)</script>",
    "</style><script>alert(3)</script>",
    "</title><script>alert(4)</script>",
    "<img src=x onerror=alert(5)>",
    "'><img src=x onerror=alert(6)>",
    '"><svg onload=alert(7)>',
    '" onmouseover="alert(8)" x="',
    "' onfocus='alert(9)' autofocus='",
    "<svg><script>alert(10)</script></svg>",
    "<iframe srcdoc='<script>alert(11)</script>'></iframe>",
    "<a href='javascript:alert(12)'>x</a>",
    "<!-- --><script>alert(13)</script><!--",
    "--><script>alert(14)</script>",
    "]]><script>alert(15)</script>",
    "<style>*{display:none}</style>",
    "<meta http-equiv=refresh content=0>",
    "<base href='//a.invalid/'>",
    "&lt;script&gt;alert(19)&lt;/script&gt;",
    "<details open ontoggle=alert(20)><math><mtext></form><form action=x>",
)


class Page(HTMLParser):
    """The elements, attributes and texts of a page, as a browser's parser counts them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.inside: dict[str, list[str]] = {"script": [], "style": []}
        self._open = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self._open = tag if tag in self.inside else self._open

    def handle_endtag(self, tag):
        self._open = "" if tag == self._open else self._open

    def handle_data(self, data):
        (self.inside[self._open] if self._open else self.texts).append(data)

    def attributes(self, name):
        return [attributes[name] for _, attributes in self.elements if name in attributes]

    @property
    def text(self):
        return "".join(self.texts)


@pytest.fixture(scope="module")
def done(tmp_path_factory) -> Path:
    return small_campaign.run(tmp_path_factory.mktemp("done"))


@pytest.fixture(scope="module")
def html(done, tmp_path_factory) -> str:
    written = report([done], tmp_path_factory.mktemp("out") / "all.html")
    assert written.n_bytes == written.path.stat().st_size <= MOST_BYTES
    assert written.left_out == ""
    return written.path.read_text("utf-8")


def spoilt(folder: Path, texts) -> Path:
    """A campaign whose free texts are these: titles, names of tomograms, names and values of summaries, notes, hosts."""
    small_campaign.run(folder)
    truth, alignment = folder / "truth.toml", folder / "pr_1.toml"
    for path, title in ((truth, " ".join(texts[:10])), (alignment, " ".join(texts[10:]))):
        path.write_text(path.read_text().replace("\n[", f"\ntitle = {json.dumps(title)}\n[", 1))
    rows = "".join(f'[[tomograms]]\nnumber = {n}\npath = "t{n}.mrc"\n' for n in range(1, 21))
    (folder / "tomos.toml").write_text(f'kind = "catalogue"\n{rows}')
    known = [TomogramFacts(n, f"t{n}.mrc", name=text) for n, text in enumerate(texts, start=1)]
    tomos = load(folder / "tomos.toml")
    (step,) = tomos.steps[:1]
    with Store(tomos.store_folder).lock():
        Store(tomos.store_folder).write(
            step, "catalogue", "0" * 32, {}, {"tomograms": Catalogue(tuple(known))}, "2026-01-01", 1.0, " ".join(texts)
        )
    project = load(alignment)
    store, last = Store(project.store_folder), project.steps[-1]
    outputs = {path: store.read(last.name, path) for path in last.makes}
    outputs["summary"] = {"mean cc": 0.5} | {f"{n} {text}": text for n, text in enumerate(texts)}
    fsc = next(path for path in outputs if path.endswith("fsc"))
    outputs[fsc] = Curve(outputs[fsc].columns, {**outputs[fsc].notes, "between": " ".join(texts)})
    keys = {f"{n} {text}": text for n, text in enumerate(texts)}
    with store.lock():
        store.write(last, "alignment", "0" * 32, keys, outputs, "2026-01-01T00:00:00Z", 1.0, " ".join(texts))
    return folder


def test_it_holds_what_the_project_is_and_what_came_out(html, done):
    page = Page(html)
    for words in (
        "bandpass.lowpass_fpx",
        "cone.range_deg",
        "mean cc",
        "iteration 1",
        "start",
        "Provenance",
        "truth:particles",
    ):
        assert words in page.text, words
    facts = Store(done / "pr_1").facts("ite_0001")
    assert facts.key[:12] in page.text
    assert facts.devices in page.text
    titles = [words for words in page.attributes("aria-label") if words]
    assert any(words.startswith("Fourier shell correlation") for words in titles)
    assert any(words.startswith("Directions of 6 particle axes") for words in titles)
    unnamed = [
        (tag, attributes)
        for tag, attributes in page.elements
        if tag in ("img", "svg", "canvas")
        and not (attributes.get("alt") or attributes.get("aria-label") or "aria-hidden" in attributes)
    ]
    assert page.attributes("alt")
    assert unnamed == []


def test_it_asks_for_nothing(html):
    page = Page(html)
    assert "http" not in html.replace("http-equiv", "")
    assert all(source.startswith("data:image/png;base64,") for source in page.attributes("src"))
    assert all(link.startswith("#") for link in page.attributes("href"))
    assert not {"link", "iframe", "object", "embed", "form", "base"} & {tag for tag, _ in page.elements}
    assert re.findall(r"url\(|@import", "".join(page.inside["style"])) == []
    assert re.findall(r"fetch\(|XMLHttpRequest|import\(|WebSocket|sendBeacon", "".join(page.inside["script"])) == []


def test_the_policy_names_the_script_and_the_style_by_their_hashes(html):
    page = Page(html)
    (policy,) = [words["content"] for _, words in page.elements if words.get("http-equiv") == "Content-Security-Policy"]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["img-src"] == "data:"
    run = page.inside["script"][-1]
    for name, content in (("script-src", run), ("style-src", "".join(page.inside["style"]))):
        assert rules[name] == f"'sha256-{b64encode(sha256(content.encode()).digest()).decode()}'"
    assert [tag for tag, words in page.elements if "style" in words] == []
    assert html.index("Content-Security-Policy") < html.index("<style>")


def test_texts_of_others_become_no_elements(tmp_path):
    harmless = [f"harmless {n}" for n in range(20)]
    for name in ("plain", "spoilt"):
        (tmp_path / name).mkdir()
    plain = Page(report([spoilt(tmp_path / "plain", harmless)], tmp_path / "a.html").path.read_text("utf-8"))
    written = report([spoilt(tmp_path / "spoilt", PAYLOADS)], tmp_path / "b.html").path.read_text("utf-8")
    bad = Page(written)
    assert Counter(tag for tag, _ in bad.elements) == Counter(tag for tag, _ in plain.elements)
    assert Counter(name for _, names in bad.elements for name in names) == Counter(
        name for _, names in plain.elements for name in names
    )
    assert len(bad.inside["script"]) == len(plain.inside["script"]) == 2
    for payload in PAYLOADS:
        assert bad.text.count(payload) >= 5, payload
    json.loads(bad.inside["script"][0])


def test_embedded_json_cannot_end_its_element():
    text = inert([{"a": "</script><!--&\u2028"}])
    assert not set("<>&\u2028") & set(text)
    assert json.loads(text) == [{"a": "</script><!--&\u2028"}]


def test_a_campaign_leads_from_each_project_to_what_it_reads(html):
    page = Page(html)
    sections = [words["id"] for tag, words in page.elements if tag == "section" and "id" in words]
    assert sections == ["p-truth", "p-pr_1"]
    links = Counter(page.attributes("href"))
    assert (
        links["#p-truth"] >= 1 + 1 + 3
    )  # the chain: itself, read by pr_1; the settings of pr_1: particles, table, template
    assert links["#p-pr_1"] == 1
    assert set(links) == {"#p-truth", "#p-pr_1"}


def test_a_project_that_has_not_been_run_is_told_and_nothing_at_all_is_a_fault(done, tmp_path, monkeypatch):
    shutil.copytree(done, tmp_path / "half")
    shutil.rmtree(tmp_path / "half" / "pr_1")
    assert "Not run yet." in report([tmp_path / "half"], tmp_path / "half.html").path.read_text("utf-8")
    shutil.rmtree(tmp_path / "half" / "truth")
    with pytest.raises(EngineError, match="half has not been run: engine run"):
        report([tmp_path / "half"], tmp_path / "none.html")
    assert not (tmp_path / "none.html").exists()
    monkeypatch.chdir(tmp_path)
    result = small_campaign.engine("report", str(done / "pr_1.toml"))
    assert result.exit_code == 0
    assert re.fullmatch(r"pr_1\.html written, \d+ kB\n", result.stdout)
    with pytest.raises(EngineError, match=r"a report is \.html or \.htm"):
        report([done], tmp_path / "a.pdf")
    (tmp_path / "pr_1.html").unlink()
    (tmp_path / "pr_1.html").symlink_to(tmp_path / "elsewhere.html")
    with pytest.raises(EngineError, match="is a link"):
        report([done / "pr_1.toml"])


def test_a_report_that_grows_too_large_shows_less_and_says_so(done, tmp_path):
    whole = report([done], tmp_path / "whole.html").n_bytes
    less = report([done], tmp_path / "less.html", most_bytes=whole - 1)
    assert less.n_bytes < whole
    assert less.left_out in [detail.words for detail in DETAILS[1:]]
    assert less.left_out in Page(less.path.read_text("utf-8")).text
    with pytest.raises(EngineError, match="name fewer projects"):
        report([done], tmp_path / "less.html", most_bytes=1000)


def test_what_is_shown_of_many_has_both_ends():
    assert chosen(3, 5) == [0, 1, 2]
    assert chosen(9, 3) == [0, 4, 8]
    assert chosen(9, 1) == [8]
    assert chosen(9, 0) == []


def test_a_slice_is_the_middle_plane_upright():
    data = np.zeros((8, 8, 8), np.float32)
    data[4, 6, 1] = 1  # z in the middle, y high, x low: in the xy plane at the top left
    slices = maps.slices_of(maps.planes_of(data), 2.0, 96)
    pictures = dict(slices.planes)
    grey = imread(io.BytesIO(maps.png(pictures["xy"])))
    np.testing.assert_array_equal(np.round(grey * 255), pictures["xy"])
    assert np.unravel_index(pictures["xy"].argmax(), (8, 8)) == (1, 1)
    assert slices.says == "8 px of 2 Å: 16 Å wide"


def test_large_slices_are_means_of_blocks():
    plane = np.arange(64.0).reshape(8, 8)
    small = maps._smaller(plane, 4)
    np.testing.assert_allclose(
        small, [[plane[2 * i : 2 * i + 2, 2 * j : 2 * j + 2].mean() for j in range(4)] for i in range(4)]
    )


def test_a_surface_starts_between_solvent_and_density_whatever_lies_in_the_corners():
    generator = np.random.default_rng(0)
    n, wall, noise = 32, 5.0, 0.6
    z, y, x = np.indices((n, n, n)) - n // 2
    tube = np.abs(np.hypot(x, y) - 9) < 1.5  # fills a third of the ball
    box = wall * tube + noise * generator.normal(size=(n, n, n))
    box[x**2 + y**2 + z**2 > 15**2] -= 40 * generator.random()
    density = maps.density_of(Volume(box.astype(np.float32), 10.0), 64)
    assert not density.is_dark
    inside = density.sigmas > density.level
    ball = x**2 + y**2 + z**2 < 13**2
    assert (inside == tube)[ball].mean() > 0.99


@pytest.mark.parametrize("sign", [1, -1])
def test_a_surface_holds_what_is_dense_be_it_bright_or_dark(sign):
    z, y, x = np.indices((96, 96, 96)) - 48
    blob = np.exp(-((x - 12) ** 2 + (y + 6) ** 2 + z**2) / 60)
    density = maps.density_of(Volume((5 + sign * blob).astype(np.float32), 1.5), 64)
    assert density.is_dark == (sign < 0)
    box = maps.packed(density)
    voxels = np.frombuffer(b64decode(box["data"]), np.uint8).reshape((box["side"],) * 3)
    assert (box["side"], box["apix"]) == (64, 2.25)
    densest = np.argwhere(voxels == voxels.max()).mean(axis=0)
    np.testing.assert_allclose(densest, (32, 28, 40), atol=0.5)  # two thirds of the moves from the middle
    assert maps.density_of(Volume(np.ones((16, 16, 16), np.float32)), 64) is None


def test_an_fsc_tells_where_it_meets_both_thresholds():
    shells = np.arange(17.0)
    resolution = np.divide(64.0, shells, out=np.zeros(17), where=shells > 0)
    notes = {"resolution_at_0.143_A": 6.4, "resolution_at_0.5_A": 8.0}
    drawn = Page(
        figures.fsc(Curve({"shell_fpx": shells, "resolution_A": resolution, "fsc": np.linspace(1, 0, 17)}, notes))
    )
    assert {"0.143", "0.5", "6.4 Å", "8.0 Å"} <= set(drawn.texts)
    dots = [float(words["cx"]) for tag, words in drawn.elements if tag == "circle"]
    left, right = 50, 440 - 12  # of the frame
    np.testing.assert_allclose(dots, [left + (right - left) * 64 / d / 16 for d in (6.4, 8.0)], atol=0.1)


def test_an_fsc_that_stays_high_meets_no_threshold():
    notes = {"resolution_at_0.143_A": 21.6, "resolution_at_0.5_A": 21.6}
    columns = {"shell_fpx": np.arange(3.0), "resolution_A": np.array([0, 43.2, 21.6]), "fsc": np.array([1, 0.9, 0.8])}
    drawn = Page(figures.fsc(Curve(columns, notes)))
    assert not [tag for tag, _ in drawn.elements if tag == "circle"]
    assert "The curve stays above 0.143 and 0.5 to its end, at 21.6 Å." in drawn.text


def test_directions_count_every_axis_once():
    axes = np.random.default_rng(0).normal(size=(500, 3))
    table = Table.blank(500).with_poses(euler.from_axes(axes), np.zeros((500, 3)))
    towards = int((axes[:, 2] >= 0).sum())
    assert f"{towards} towards +z, {500 - towards} towards -z" in figures.directions(table)
    places, counts = figures._gathered(np.random.default_rng(1).uniform(-1, 1, (1000, 2)))
    assert counts.sum() == 1000
    apart = np.linalg.norm(places[:, None] - places[None], axis=2)[~np.eye(len(places), dtype=bool)]
    assert apart.min() == pytest.approx(figures._APART, rel=1e-3)


def test_settings_in_force_are_all_there(done):
    from engine.report.settings import settings_of

    found = {one.key: one for one in settings_of(load(done / "pr_1.toml"))}
    assert (found["bandpass.lowpass_fpx"].value, found["bandpass.lowpass_fpx"].listed) == (5.0, ("rounds", 1))
    assert found["data.particles"].is_typed
    assert not found["compute.seed"].is_typed
    assert found["compute.seed"].value == 0


def test_the_newest_of_each_thing_is_found(done):
    reader = Reader(load(done / "pr_1.toml"))
    ((_, place),) = reader.last("average")
    assert (place.ite, place.step.name) == (1, "ite_0001")
    assert [one.ite for one in next(iter(reader.places("average").values()))] == [0, 1]


CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
needs_browser = pytest.mark.skipif(
    CHROMIUM is None, reason="no chromium: what a browser makes of a report is NOT tested here"
)


class Listener:
    """A proxy that answers nothing and remembers who was asked for."""

    def __enter__(self):
        self.asked: list[str] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        threading.Thread(target=self._listen, daemon=True).start()
        return self

    def _listen(self):
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection:
                self.asked.append(connection.recv(500).decode("latin-1").split("\r\n")[0])

    def __exit__(self, *_):
        self._socket.close()


def browse(
    page: Path, tmp_path: Path, *, level: str = "", picture: Path | None = None
) -> tuple[str, list[str], list[str]]:
    """The page as a browser has it in the end, what its console told, and what was asked of the network."""
    with Listener() as proxy:
        command = [CHROMIUM, "--headless", "--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
        command += [f"--user-data-dir={tmp_path / 'profile'}", f"--proxy-server=127.0.0.1:{proxy.port}"]
        command += ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"]
        command += [
            "--window-size=1280,4000",
            "--hide-scrollbars",
            "--virtual-time-budget=20000",
            "--enable-logging=stderr",
        ]
        command += ["--dump-dom", f"--screenshot={picture or tmp_path / 'seen.png'}"]  # a picture makes it draw
        address = f"{page.as_uri()}{f'#level={level}' if level else ''}"
        done = subprocess.run([*command, address], capture_output=True, text=True, timeout=240, check=True)
        console = [line for line in done.stderr.splitlines() if ":CONSOLE" in line]
        return done.stdout, console, [line for line in proxy.asked if ".invalid" in line or "file:" in line]


@needs_browser
@pytest.mark.slow
def test_a_browser_runs_nothing_of_others_asks_for_nothing_and_complains_of_nothing(tmp_path):
    (tmp_path / "c").mkdir()
    page = report([spoilt(tmp_path / "c", PAYLOADS)], tmp_path / "spoilt.html").path
    dom, console, asked = browse(page, tmp_path)
    assert console == []
    assert asked == []
    seen = Page(dom)
    assert Counter(tag for tag, _ in seen.elements)["script"] == 2
    assert not [name for _, names in seen.elements for name in names if name.startswith("on")]
    assert int(seen.attributes("data-triangles")[0]) > 100
    # The same eyes see a page that does complain and ask.
    bad = tmp_path / "bad.html"
    bad.write_text(f"<script>console.error('seen')</script><img src='{'http:'}//a.invalid/x.png'>")
    _, console, asked = browse(bad, tmp_path)
    assert any("seen" in line for line in console)
    assert any("a.invalid" in line for line in asked)


@needs_browser
@pytest.mark.slow
def test_a_surface_on_paper_has_the_colour_of_that_on_the_screen(done, tmp_path):
    page = report([done / "pr_1.toml"], tmp_path / "pr_1.html").path
    text = page.read_text("utf-8").replace("@media print", "@media all")
    text = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", text)
    page.write_text(text, "utf-8")
    picture = tmp_path / "paper.png"
    browse(page, tmp_path, picture=picture)
    red, _, blue = np.moveaxis(imread(picture)[:720, :640, :3], -1, 0)
    assert (blue - red > 0.08).sum() > 1000  # of the surface, which is blue
    assert (red - blue > 0.08).sum() < 50


@needs_browser
@pytest.mark.slow
def test_the_level_moves_the_surface(done, tmp_path):
    page = report([done / "pr_1.toml"], tmp_path / "pr_1.html").path
    counts = []
    for level in ("3.5", "8.0"):
        picture = tmp_path / f"{level}.png"
        browse(page, tmp_path, level=level, picture=picture)
        red, _, blue = np.moveaxis(imread(picture)[..., :3], -1, 0)
        counts.append(
            int(((blue - red > 0.08) & (blue - red < 0.35))[:720, :640].sum())
        )  # the blues of the lit surface
    assert counts[0] > 1.2 * counts[1] > 1000, counts


def test_values_that_differ_by_rounding_alone_are_no_histogram(tmp_path):
    cc = 0.9 + np.arange(5) * 1e-16
    assert figures.histogram([("all", cc)], "cc", "cc") == ""
    assert figures.histogram([("all", 0.9 + np.arange(5) * 1e-6)], "cc", "cc") != ""
    draw(Table.blank(5, cc=cc, x=np.arange(5.0)), tmp_path / "table.png")
    lines = figures.columns(Curve({"shell_fpx": np.arange(5.0), "cc": cc}, {}), "cc")
    assert "nan" not in "".join(lines)


def test_what_is_to_be_typed_has_quotes_where_a_folder_has_spaces(tmp_path):
    (tmp_path / "my data").mkdir()
    small_campaign.written(tmp_path / "my data")
    with pytest.raises(EngineError, match=r"engine run '.*/my data'$"):
        report([tmp_path / "my data"], tmp_path / "none.html")


def test_an_fsc_without_numbers_or_of_one_shell_is_left_out():
    shells = np.arange(6.0)
    assert figures.fsc(Curve({"shell_fpx": shells, "fsc": np.full(6, np.nan)}, {})) == ""
    assert figures.fsc(Curve({"shell_fpx": shells[3:4], "fsc": np.ones(1)}, {})) == ""
    assert "nan" not in figures.fsc(Curve({"shell_fpx": shells, "fsc": np.append(np.nan, np.ones(5))}, {}))
