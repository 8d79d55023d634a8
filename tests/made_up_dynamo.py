"""A made-up Dynamo project on disk: particles, a table, a template, masks, and a card with all of Dynamo's eight rounds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from scipy.io import savemat

from engine.data import Table, Volume
from engine.files import write_table, write_volume

BOX = 24
ROUND = {
    "ite": 0.0,
    "nref": 1.0,
    "cone_range": 360.0,
    "cone_sampling": 45.0,
    "cone_flip": 0.0,
    "cone_check_peak": 0.0,
    "inplane_range": 360.0,
    "inplane_sampling": 45.0,
    "inplane_flip": 0.0,
    "inplane_check_peak": 0.0,
    "refine": 5.0,
    "refine_factor": 2.0,
    "high": 2.0,
    "low": 10.0,
    "sym": "c1",
    "dim": float(BOX),
    "area_search": np.array([4.0, 4.0, 4.0]),
    "area_search_modus": 1.0,
    "separation_in_tomogram": 0.0,
    "threshold": 0.2,
    "threshold_modus": 0.0,
    "threshold2": 0.2,
    "threshold2_modus": 0.0,
    "mra": 0.0,
    "plugin_post": 0.0,
    "plugin_post_order": "",
    "nclass": 1.0,
}
"""As a fresh project has them, in a small box."""


def project(folder: Path, name: str = "pr_0", **changes: Any) -> Path:
    """The folder of a project whose data lie beside it; the card names them by paths of a machine that is no more.

    changes: fields of the card, None takes one out.
    """
    settings = folder / name / "settings"
    settings.mkdir(parents=True)
    data = folder / "data"
    data.mkdir(exist_ok=True)
    noise = np.random.default_rng(3).normal(size=(4, BOX, BOX, BOX)).astype(np.float32)
    for tag, box in enumerate(noise, start=1):
        write_volume(Volume(box), data / f"particle_{tag:05d}.em")
    table = Table.blank(4, tag=np.arange(1, 5), averaged=1, aligned=1, ftype=1, ymintilt=-60, ymaxtilt=60, apix=2.7)
    write_table(table, settings / "table_initial_ref_001.tbl")
    write_volume(Volume(noise.mean(axis=0)), settings / "template_initial_ref_001.em")
    ones = Volume(np.ones((BOX,) * 3, np.float32))
    for mask in ("mask.em", "smoothing.em", "fmask_initial_ref_001.em"):
        write_volume(ones, settings / mask)
    here = f"/gone/{folder.name}/{name}/settings"
    card: dict[str, Any] = {
        "name_project": name,
        "path": here,
        "folder_data": "/gone/for/ever/data",
        "file_table_initial": f"{here}/table_initial_ref_001.tbl",
        "file_template_initial": f"{here}/template_initial_ref_001.em",
        "file_mask": f"{name}/settings/mask.em",
        "file_mask_smoothing": f"C:\\old\\{name}\\settings\\smoothing.em",
        "file_mask_classification": f"{name}/settings/mask.em",
        "file_fmask_initial": f"{name}/settings/fmask_initial_ref_001.em",
        "apix": 1.0,
        "destination": "standalone_gpu",
        "how_many_processors": 2.0,
        "gpu_identifier_set": np.array([0.0, 1.0]),
        "gpu_motor": "spp",
    }
    card |= {f"{field}_r{number}": value for number in range(1, 9) for field, value in ROUND.items()}
    card |= {"ite_r1": 3.0, **changes}
    savemat(
        settings / "virtual_project.mat", {"card": {key: value for key, value in card.items() if value is not None}}
    )
    return folder / name
