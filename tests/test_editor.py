"""What an editor with the schemas says of wrong files, by tombi's checker."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

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
