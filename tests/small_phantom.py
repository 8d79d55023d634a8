"""The campaign projects/hiv1-phantom as it ships, on two small tomograms with a particle each."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

CAMPAIGN = Path(__file__).resolve().parents[1] / "projects" / "hiv1-phantom"

VLPS = """kind = "specimen"

[tomograms]
count = 2
size_xyz_px = [128, 128, 120]
pixel_size_A = 10.8
tilt_jitter_deg = 0

[particles]
per_tomogram = 1
radius_A = [430, 440]

[hexamer]
box_px = 28

[others]
gold = 1
junk = 1
"""

TOMOS = 'kind = "catalogue"\n' + "".join(
    f'\n[[tomograms]]\nnumber = {number}\npath = "vlps:tomogram:tomo={number}"\ntilt_range_deg = [-60, 60]\n'
    for number in (1, 2)
)


def write(folder: Path) -> Path:
    """Writes the campaign into the folder, with a crop point for each 70 x 70 A, since there are few particles."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in [*CAMPAIGN.glob("*.toml"), *CAMPAIGN.glob("*.cmm")]:
        shutil.copy(path, folder)
    (folder / "vlps.toml").write_text(VLPS)
    (folder / "tomos.toml").write_text(TOMOS)
    picks = (folder / "picks.toml").read_text()
    (folder / "picks.toml").write_text(re.sub(r"spacing_A = \d+", "spacing_A = 70", picks))
    return folder
