"""What an editor with the schemas says of wrong files, by tombi's checker."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from language_server import serving

from engine.kinds import KINDS
from engine.schema import write

WRONG = Path(__file__).parent / "wrong"
EXPECT = re.compile(r"# expect (\d+):(\d+) (E\d{3}) ")
TOMBI = Path(sys.executable).with_name("tombi")
SEEN = [f"E0{number:02d}" for number in range(1, 25)] + [f"E1{number:02d}" for number in range(1, 15)]
"""The codes of text and form. The others need what a JSON Schema cannot say: two keys together, files, neighbours."""

pytestmark = pytest.mark.skipif(
    not TOMBI.exists(), reason="tombi is not installed (pip install tombi): the schemas are not tried in an editor"
)


def wrong_files(folder: Path) -> dict[str, int]:
    """Writes the wrong files that a schema can see, each with its schema as the first line; name to line of the fault."""
    lines = {}
    for path in sorted(WRONG.glob("*.toml")):
        text = path.read_text("utf-8-sig")
        told = EXPECT.match(text)
        if told is None or told[3] not in SEEN:
            continue
        kind = re.search(r'^kind = "(\w+)"', text, re.MULTILINE)
        name = kind[1] if kind and kind[1] in KINDS else "alignment"
        rest = text.split("\n", 1)[1]
        (folder / path.name).write_text(f"#:schema schemas/{name}.schema.json\n{rest}", "utf-8")
        lines[path.name] = int(told[1])
    return lines


def test_tombi_flags_each_wrong_file_at_its_line(tmp_path: Path) -> None:
    write(tmp_path / "schemas")
    lines = wrong_files(tmp_path)
    found = tmp_path / "found.jsonl"
    form = ["--diagnostics-format", "json-lines", "--diagnostics-file", str(found)]
    subprocess.run([TOMBI, "lint", "--offline", "--quiet", *form, *lines], cwd=tmp_path, timeout=60, check=False)
    flagged: dict[str, set[int]] = {name: set() for name in lines}
    for one in map(json.loads, found.read_text("utf-8").splitlines()):
        flagged[one["path"]].add(one["range"]["start"]["line"])
    assert len(lines) > 60
    assert {name: (line, flagged[name]) for name, line in lines.items() if line not in flagged[name]} == {}


ALIGNMENT = """\
#:schema schemas/alignment.schema.json
kind = "alignment"

[data]
particles = "a:particles"

[masks]
alignment = { shape = "" }

[[rounds]]

"""


def test_an_editor_proposes_keys_and_choices_and_shows_what_they_mean(tmp_path: Path) -> None:
    write(tmp_path / "schemas")
    path = tmp_path / "pr_1.toml"
    path.write_text(ALIGNMENT, "utf-8")
    lines = ALIGNMENT.split("\n")
    with serving(TOMBI, tmp_path) as server:
        server.open(path)
        form = KINDS["alignment"].Project
        in_data = server.proposed(path, 6, 1)
        assert {"table", "template", "pixel_size_A"} <= set(in_data)
        assert "particles" not in in_data  # it is there
        assert {"iterations", "cone", "azimuth", "shifts", "bandpass"} <= set(server.proposed(path, 11, 1))
        column = lines[7].index('""') + 2
        assert {'"sphere"', '"cylinder"'} <= set(server.proposed(path, 8, column))
        assert form.model_fields["data"].annotation.model_fields["particles"].description in server.shown(path, 5, 3)


@pytest.mark.parametrize("kind", KINDS)
def test_of_every_kind_all_keys_are_proposed(tmp_path: Path, kind: str) -> None:
    write(tmp_path / "schemas")
    keys = set(json.loads((tmp_path / "schemas" / f"{kind}.schema.json").read_text("utf-8"))["properties"])
    path = tmp_path / "a.toml"
    path.write_text(f'#:schema schemas/{kind}.schema.json\nkind = "{kind}"\n\n', "utf-8")
    with serving(TOMBI, tmp_path) as server:
        server.open(path)
        assert keys - {"kind"} == {label.partition(" =")[0] for label in server.proposed(path, 3, 1)}
