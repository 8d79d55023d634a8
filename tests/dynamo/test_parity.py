"""Every parameter of a Dynamo round, and every item and flag of ddb, is done or listed with a reason."""

from pathlib import Path

import pytest

from engine.dynamo.explain import explain

README = (Path(__file__).resolve().parents[2] / "engine" / "README.md").read_text("utf-8")
PARITY = README[README.index("**Parity with Dynamo**") :].split("\n\n")[0]
WORDS = set(PARITY.replace(",", " ").replace(";", " ").replace("(", " ").replace(")", " ").replace(".", " ").split())

ROUND = [
    "ite",
    "nref",
    "cr",
    "cs",
    "cf",
    "ccp",
    "cone_freeze_reference",
    "ir",
    "is",
    "if",
    "icp",
    "inplane_freeze_reference",
    "rf",
    "rff",
    "high",
    "low",
    "sym",
    "dim",
    "lim",
    "limm",
    "limit_xy_check_peak",
    "limit_z_check_peak",
    "stm",
    "thr",
    "thrm",
    "thr2",
    "thr2m",
    "mra",
    "use_CC",
    "localnc",
    "ccms",
    "ccmt",
    "batch",
    "Xmatrix",
    "Xmatrix_maxMb",
    "pcas",
    "PCA_neigs",
    "kmeans",
    "kmeans_ncluster",
    "kmeans_ncoefficients",
    "nclass",
    "plugin_align",
    "plugin_post",
    "plugin_iter",
    "flags",
    "convergence",
    "convergence_type",
    "rings",
    "rings_random",
    "dynamic_mask",
]
LONG = [
    "iterations",
    "references",
    "cone_range",
    "cone_sampling",
    "cone_flip",
    "cone_check_peak",
    "inplane_range",
    "inplane_sampling",
    "inplane_flip",
    "inplane_check_peak",
    "refine",
    "refine_factor",
    "area_search",
    "area_search_modus",
    "separation_in_tomogram",
    "sep",
    "threshold",
    "threshold_modus",
    "thrmod",
    "threshold2",
    "threshold2_modus",
    "ccmatrix",
    "ccmatrix_type",
    "ccmatrix_batch",
    "PCA",
    "rm",
]
DDB = [
    "a",
    "as",
    "rt",
    "t",
    "st",
    "r",
    "sr",
    "raw",
    "template",
    "table",
    "mask",
    "cmask",
    "fmask",
    "smask",
    "data",
    "eo_fsc",
    "fsc",
    "ccmatrix",
    "cc",
    "card",
    "ite",
    "ref",
    "tag",
]
FLAGS = ["-v", "-m", "-c", "-j", "-ws", "-r", "-d"]


@pytest.mark.parametrize("name", [*ROUND, *DDB, *FLAGS])
def test_the_list_names_it(name):
    assert name in WORDS


@pytest.mark.parametrize("name", [*ROUND, *LONG])
def test_it_is_explained(name):
    for one in explain(name):
        assert one.key or one.meaning.removeprefix("not in the engine: ")
