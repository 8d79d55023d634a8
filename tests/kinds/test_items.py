"""What a kind says of its items is what its steps make."""

from __future__ import annotations

from pathlib import Path

import pytest

import engine
from engine.check import check
from engine.kinds import KINDS

CAMPAIGN = {
    "truth": 'kind = "phantom"\n[object]\nblobs = 10\nradius_px = 5\n[boxes]\nbox_px = 20\ncount = 6\nshift_px = 1\n',
    "cut": 'kind = "extraction"\n[data]\ntomogram = "truth:object"\n[points]\ngrid = { spacing_px = 8 }\n[box]\nsize_px = 8\n',
    "tomos": f"""\
kind = "catalogue"
tomograms = [{{ number = 2, path = "truth:object" }}]
binned = {{ bin_factors = {list(range(2, 17))} }}
""",
    "mean": 'kind = "average"\n[data]\nparticles = "truth:particles"\ntable = "truth:table"\n',
    "pr_1": """\
kind = "alignment"
[data]
particles = "truth:particles"
table = "truth:table"
halves = "parity"
[[rounds]]
cone = { range_deg = 0 }
azimuth = { range_deg = 0 }
shifts = { limits_xyz_px = [1, 1, 1] }
bandpass = { lowpass_fpx = 7, adaptive = { criterion = 0.143, pushback_fpx = 1 } }
""",
    "classes": """\
kind = "alignment"
[data]
particles = "truth:particles"
table = "truth:table"
references = 2
[masks]
classification = { shape = "sphere", radius_px = 6 }
[[rounds]]
swap_references = true
cone = { range_deg = 0 }
azimuth = { range_deg = 0 }
shifts = { limits_xyz_px = [1, 1, 1] }
bandpass = { lowpass_fpx = 7 }
""",
    "how_far": """\
kind = "comparison"
[data]
table = "pr_1:table"
truth = "truth:truth"
average = "pr_1:average"
object = "truth:object"
""",
    "how_found": """\
kind = "comparison"
by = "place"
[data]
table = "vlps:truth"
truth = "vlps:truth"
average = "vlps:unit_cell"
object = "vlps:unit_cell"
[search]
cone = { range_deg = 0 }
azimuth = { range_deg = 0 }
limits_xyz_px = [1, 1, 1]
bandpass = { lowpass_fpx = 8 }
""",
    "vlps": """\
kind = "specimen"
[tomograms]
count = 1
size_xyz_px = [90, 90, 90]
[particles]
per_tomogram = 1
radius_A = [230, 240]
[others]
gold = 1
junk = 1
""",
    "chosen": """\
kind = "selection"
halves = "parity"
[data]
table = "pr_1:table"
[[filters]]
by = "mixture"
[[filters]]
by = "latitude"
n_std = 3
""",
    "shape": 'kind = "mask"\n[data]\nbox_px = 20\npixel_size_A = 4\n[mask]\nshape = "sphere"\nradius_px = 6\n',
    "picks": """\
kind = "picking"
[[tomograms]]
size_xyz_px = [20, 20, 20]
pixel_size_A = 4
[[models]]
model = "spheres"
spheres_xyzr_px = [[10, 10, 10, 9]]
spacing_A = 20
[borders]
box_px = 4
[finding]
map = "truth:object"
radius_A = [20, 30]
density = "bright"
""",
    "post": """\
kind = "postprocess"
mask = { shape = "sphere", radius_px = 8 }
[data]
half1 = "pr_1:average:half=odd"
half2 = "pr_1:average:half=even"
[fsc]
randomise_from_A = 20
[sharpening]
b_factor_A2 = -50
[local]
sampling_A = 16
[directional]
directions = 12
""",
    "means": 'kind = "collection"\n[data]\nmaps = ["mean:average", "pr_1:average:half=odd"]\n',
    "laid": """\
kind = "registration"
[data]
map = "mean:average"
onto = "truth:object"
[search]
cone = { range_deg = 0 }
limits_xyz_px = [2, 2, 2]
bandpass = { lowpass_fpx = 7 }
""",
    "moved": """\
kind = "transform"
[data]
table = "truth:table"
map = "mean:average"
[[operations]]
do = "move"
transform = "laid:transform"
""",
}


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("items")
    for name, text in CAMPAIGN.items():
        (folder / f"{name}.toml").write_text(text, "utf-8")
    assert [str(fault) for one in check(folder) for fault in one.faults] == []
    engine.run([folder])
    return folder


def kind_of(name: str) -> str:
    return CAMPAIGN[name].split('"')[1]


@pytest.mark.parametrize("kind", sorted({kind_of(name) for name in CAMPAIGN}))
def test_every_item_is_what_its_kind_says(campaign: Path, kind: str) -> None:
    items = KINDS[kind].ITEMS
    projects = [name for name in CAMPAIGN if kind_of(name) == kind]
    found = {one.item: one.what for name in projects for one in engine.query(name, folder=campaign).listing}
    assert found == {item: made.what for item, made in items.items()}
    assert all(made.meaning for made in items.values())


def test_every_kind_is_looked_at() -> None:
    assert {kind_of(name) for name in CAMPAIGN} == set(KINDS)
