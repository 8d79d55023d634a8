"""What Dynamo's alignment projects can do, name by name, and what becomes of it here: PARITY.md, made from the code.

`python -m engine.dynamo.parity` writes the page anew; a test holds it to what `explain` and `query` answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from engine.address import LETTERS, parse
from engine.dynamo.explain import explain
from engine.faults import EngineError
from engine.kinds import KINDS
from engine.query import COLUMN_ITEMS, LOG, PARTICLES

PAGE = Path(__file__).with_name("PARITY.md")

# fmt: off
PARAMETERS = (
    "ite", "nref", "cr", "cs", "cf", "ccp", "cone_freeze_reference", "ir", "is", "if", "icp",
    "inplane_freeze_reference", "rf", "rff", "high", "low", "sym", "dim", "lim", "limm", "limit_xy_check_peak",
    "limit_z_check_peak", "stm", "thr", "thrm", "thr2", "thr2m", "mra", "use_CC", "localnc", "ccms", "ccmt", "batch",
    "Xmatrix", "Xmatrix_maxMb", "PCA", "PCA_neigs", "kmeans", "kmeans_ncluster", "kmeans_ncoefficients", "nclass",
    "plugin_align", "plugin_post", "plugin_iter", "plugin_align_order", "plugin_post_order", "plugin_iter_order",
    "flags", "convergence", "convergence_type", "rings", "rings_random", "dynamic_mask",
)
# fmt: on
"""The parameters of a round, in the order of Dynamo's help."""

ELEMENTS = ["data", "table", "template", "mask", "cmask", "fmask", "smask"]
"""What a project is made of."""

# fmt: off
DDB_ITEMS = (
    "a", "as", "rt", "t", "st", "r", "sr", "raw", "template", "table", "mask", "cmask", "fmask", "smask", "data",
    "eo_fsc", "fsc", "ccmatrix", "cc", "card", "particle", "starting_table", "refined_table", "starting_ptable",
    "refined_ptable", "starting_reference", "starting_reference_transformed", "fmask_starting_reference_transformed",
    "mask_transformed", "average", "average_symmetrized", "fmask_average", "card_ite", "card_iteref", "assign_ref",
    "assign_master", "assign_proc", "assign_gpu", "starting_gpuProcRefTable", "bandpass_resolution",
)
# fmt: on
"""What ddb asks a project for: letters, then the long names of the database."""

DDB_KEYS = ("ite=3", "ite=last", "ite=*", "ite=0:last", "ite=[0,3]", "ite=0", "ref=1", "ref=*", "ref=[1,2]", "tag=7")

FLAGS = {
    "-v": "`-o average.png`, or `-o average.mrc` for a viewer",
    "-m": "`-o average.mrc` for a viewer",
    "-c": "`engine show pr_1:a --with chimerax`; picked points come back as `.cmm`",
    "-j": "`-o average.png`",
    "-ws": "`engine.query(…).value` in Python",
    "-r": "`engine.query(…).value` in Python",
    "-d": "`pr_1:data:tag=7 -o particle.mrc`",
}
"""ddb's flags, and what is typed instead."""

_MADE_ON_THE_FLY = "made in memory by each worker and kept nowhere"
_WORKERS = "there are no tables for workers: chunks of particles are handed out as they come"
_CARD = "there are no cards: the TOML is what was asked; each step keeps its settings in its file"
DDB_ABSENT = {
    "template": "`starting_reference` of `ite=0`; a project of kind `phantom` has an item of that name",
    "classification_mask": "a mask that serves several references alone",
    "fourier_mask": "`masks.fourier` names the file; its effect is in `starting_reference`",
    "ccmatrix": "classification by a matrix of correlations is not there",
    "card": _CARD,
    "card_ite": _CARD,
    "card_iteref": _CARD,
    "starting_ptable": "`st` or `rt` with `tag=`: all particles stand in one table",
    "refined_ptable": "`rt` with `tag=`: all particles stand in one table",
    "starting_reference_transformed": _MADE_ON_THE_FLY,
    "fmask_starting_reference_transformed": _MADE_ON_THE_FLY,
    "mask_transformed": _MADE_ON_THE_FLY,
    "fmask_average": "`fourier_weight`: how much of each Fourier voxel was measured, of which it is the part above 0",
    "assign_ref": _WORKERS,
    "assign_master": _WORKERS,
    "assign_proc": _WORKERS,
    "assign_gpu": _WORKERS,
    "starting_gpuProcRefTable": _WORKERS,
    "bandpass_resolution": "the notes of `fsc` and the summary tell the resolution",
}
"""Items of ddb that the engine does not have by that name, by our word for them: why, or what to ask for."""

DDB_DIFFERS = {
    "table": "the refined one; what was started from is `st`",
    "t": "the refined one",
    "r": "of the start; that of iteration n is `a:ite=n-1`",
    "sr": "of the start; that of iteration n is `a:ite=n-1`",
    "starting_reference": "of the start; that of iteration n is `a:ite=n-1`",
    "starting_table": "of the start; that of iteration n is `rt:ite=n-1`",
    "st": "of the start; that of iteration n is `rt:ite=n-1`",
    "cc": "column `cc` of the table, not a matrix",
}
"""What a person who knows ddb's item should know besides."""


def parameter_row(name: str) -> tuple[str, str, str]:
    """Dynamo's names, "done" or "not", and the keys with what differs, or the reason."""
    told = [one for one in explain(name) if one.dynamo]
    done = [one for one in told if one.key]
    if not done:
        return told[0].dynamo, "not", told[0].meaning.removeprefix("not in the engine: ")
    of_alignment = [one for one in done if "alignment" in one.kinds] or done
    keys = ", ".join(f"`{one.key}`" for one in of_alignment)
    differs = next((one.differs for one in done if one.differs), "")
    return done[0].dynamo.partition(" (")[0], "done", f"{keys}{f': {differs}' if differs else ''}"


def item_row(name: str) -> tuple[str, str, str]:
    """ddb's item, "done" or "not", and our word for it with what differs, or the reason."""
    word = LETTERS.get(name, name)
    items = KINDS["alignment"].ITEMS
    if word not in (*items, *COLUMN_ITEMS, LOG, PARTICLES):
        return name, "not", DDB_ABSENT[word]
    differs = DDB_DIFFERS.get(name, "")
    return name, "done", f"`{word}`{f': {differs}' if differs else ''}"


def key_row(text: str) -> tuple[str, str, str]:
    """One of ddb's keys with a value."""
    try:
        parse(f"pr_1:a:{text}")
    except EngineError as error:
        return text, "not", str(error).partition(": ")[2]
    return text, "done", f"`pr_1:a:{text}`"


def page() -> str:
    """PARITY.md."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield "# Dynamo, name by name"
    yield ""
    yield "Written by `python -m engine.dynamo.parity` from what `engine explain` and `engine query` answer. Not by hand."
    for title, rows in (
        ("What a project is made of", map(parameter_row, ELEMENTS)),
        ("Parameters of a round", map(parameter_row, PARAMETERS)),
        ("ddb: items", map(item_row, DDB_ITEMS)),
        ("ddb: keys", map(key_row, DDB_KEYS)),
        ("ddb: flags", ((flag, "else", instead) for flag, instead in FLAGS.items())),
    ):
        yield from ("", f"## {title}", "", "| Dynamo | | here |", "|---|---|---|")
        yield from (f"| {' | '.join(part.replace('|', chr(92) + '|') for part in row)} |" for row in rows)


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
