"""What Dynamo calls things. The forms tell their short names; here are the long ones, and what the engine has not."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from engine.kinds import KINDS
from engine.wording import DynamoName, dynamo_name, everywhere

LONG: dict[str, tuple[str, ...]] = {
    "ite": ("iterations",),
    "nref": ("references",),
    "cr": ("cone_range",),
    "cs": ("cone_sampling",),
    "cf": ("cone_flip",),
    "ccp": ("cone_check_peak",),
    "ir": ("inplane_range",),
    "is": ("inplane_sampling",),
    "if": ("inplane_flip",),
    "icp": ("inplane_check_peak",),
    "rf": ("refine",),
    "rff": ("refine_factor",),
    "lim": ("area_search",),
    "limm": ("area_search_modus",),
    "stm": ("separation_in_tomogram", "sep"),
    "thr": ("threshold",),
    "thrm": ("threshold_modus", "thrmod"),
    "thr2": ("threshold2",),
    "thr2m": ("threshold2_modus",),
    "mra": ("rm",),
    "ccms": ("ccmatrix",),
    "ccmt": ("ccmatrix_type",),
    "batch": ("ccmatrix_batch",),
    "pcas": ("pca",),
    "data": ("folder_data", "d"),
    "table": ("file_table_initial", "t"),
    "template": ("file_template_initial",),
    "mask": ("file_mask",),
    "cmask": ("file_mask_classification",),
    "fmask": ("file_fmask_initial", "file_fmask"),
    "smask": ("file_mask_smoothing",),
    "dst": ("destination",),
    "cores": ("how_many_processors",),
    "mwa": ("matlab_workers_average",),
    "gpus": ("gpu_identifier_set",),
    "walltime": ("cluster_walltime",),
}
"""Dynamo's short name to its long one, and to others that scripts use."""

DIFFERENCES = {
    "cr": "full aperture, as there; range_deg = 0 leaves the search out (there cr 0 with cs 1)",
    "ir": 'full range, as there; search = "fast" goes no further than 360°/n under Cn, "grid" takes it literally',
    "rf": 'as there with search = "grid"; "fast" counts rounds of its polish',
    "lim": "the ellipsoid follows the particle's axes; frame = \"box\" for the box's",
    "limm": "the default is 1; a fresh Dynamo project has 0",
    "low": "in px of the stored box, as there, whatever the box that is computed in; or in A: lowpass_A",
    "high": "in px of the stored box, as there; or in A: highpass_A",
    "sym": "C6 and D3 as c6 and d3; T, O and I on RELION's axes; a helix, h[dphi,dz] there, is a table of its own: helix; "
    "ico and cbo are I1 to I4 and O where the axes fit",
    "mask": "where the reference is compared, as there; a soft edge counts as a weight",
    "apix": "not cosmetic: lengths in A are taken by it",
    "cores": "threads of one process",
    "nref": "of the whole project, the same in all rounds; references that lose all particles are out, as there",
    "mra": "as there; a round without it keeps the particles where they are",
    "cmask": "as there: particles choose by the cc under it (column cc2); selections go by cc",
}
"""What a person who knows the Dynamo parameter should know besides, by its short name."""


@dataclass(frozen=True)
class Absent:
    """A Dynamo parameter that the engine has not: why, or what to use instead.

    off: the values at which nothing is lost, besides 0 and nothing at all; ("*",) for what changes no result.
    """

    reason: str
    off: tuple[Any, ...] = ()


_MACHINE = Absent("about the machine Dynamo ran on: compute.gpus and compute.workers here", ("*",))
_INTERNAL = Absent("Dynamo's own bookkeeping", ("*",))
_UNDOCUMENTED = Absent("not documented by Dynamo")
_ANALYSIS = Absent("classification by a matrix of correlations is not there")
_PLUGIN = Absent("MATLAB plugins cannot run here: hooks.after_iteration calls a Python function after each iteration")
_ADAPTIVE = Absent("is not carried over: write data.halves, and bandpass.adaptive in the rounds")
_COMPENSATION = Absent("the Fourier compensation has no settings: a floor of 1/1000 of the shell's mean")

ABSENT: dict[str, Absent] = {
    "dim": Absent("every round computes in the smallest box that its low-pass needs", ("*",)),
    "nref": Absent("one reference is carried over: list the others in data.template and data.table", (1,)),
    "mra": Absent("one reference is carried over: list the others, and write swap_references = true in the round"),
    "initial_references": Absent("one reference is carried over: list the others in data.template", (1,)),
    "cmask": Absent("is not carried over: write masks.classification", ("*",)),
    "dst": _MACHINE,
    "mwa": _MACHINE,
    "gpu_motor": _MACHINE,
    "walltime": _MACHINE,
    "cluster_header": _MACHINE,
    "submit_order": _MACHINE,
    "*mcr_cache_root": _MACHINE,
    "system*": _INTERNAL,
    "path": _INTERNAL,
    "intertwin": _INTERNAL,
    "options": _INTERNAL,
    "project_type": _INTERNAL,
    "flags": _INTERNAL,
    "runfrom": Absent("engine run goes on by itself where it stopped", ("*",)),
    "name_project": Absent("the name of the file is the name of the project", ("*",)),
    "localnc": Absent("the stored cc is always locally normalised", (1,)),
    "use_cc": Absent("the wedge is always on the reference's side", ("*",)),
    "ccp": _UNDOCUMENTED,
    "icp": _UNDOCUMENTED,
    "limit_*_check_peak": _UNDOCUMENTED,
    "*_freeze_reference": _UNDOCUMENTED,
    "convergence*": _UNDOCUMENTED,
    "rings*": _UNDOCUMENTED,
    "dynamic_mask": _UNDOCUMENTED,
    "ccmt": Absent(_ANALYSIS.reason, ("*",)),
    "batch": Absent(_ANALYSIS.reason, ("*",)),
    "ccms": _ANALYSIS,
    "xmatrix_maxmb": Absent(_ANALYSIS.reason, ("*",)),
    "xmatrix": _ANALYSIS,
    "pcas": _ANALYSIS,
    "pca_neigs": Absent(_ANALYSIS.reason, ("*",)),
    "kmeans_ncluster": Absent(_ANALYSIS.reason, ("*",)),
    "kmeans_ncoefficients": Absent(_ANALYSIS.reason, ("*",)),
    "kmeans": _ANALYSIS,
    "nclass": Absent(_ANALYSIS.reason, (1,)),
    "plugin_*_order": Absent(_PLUGIN.reason, ("*",)),
    "plugin_*": _PLUGIN,
    "adaptive_bandpass": _ADAPTIVE,
    "adaptive_bandpass_*": Absent(_ADAPTIVE.reason, ("*",)),
    "abp_*": Absent("the even half is always averaged anew once it is laid onto the odd one", ("*",)),
    "fourierminimumfractionforaverage": _COMPENSATION,
    "fcompensation*": _COMPENSATION,
    "usesmoothingmaskforfouriercompensation": _COMPENSATION,
    "averagingimplicitrotationmask": Absent("corners that leave the box count as nothing measured", (1,)),
    "symmetrize_with_fmask": _COMPENSATION,
    "update_*": _COMPENSATION,
}
"""By short name in lower case, or by a pattern of names."""


def short(name: str) -> str:
    """The short name of any of Dynamo's names, in lower case; the name itself where it has no other."""
    lower = name.lower()
    return _SHORT.get(lower, lower)


_SHORT = {long: name for name, others in LONG.items() for long in others}


def absent(name: str) -> Absent | None:
    """What is said of a short name that the engine has not; None where nothing is known of it."""
    exact = ABSENT.get(name)
    return exact or next((one for pattern, one in ABSENT.items() if fnmatch.fnmatchcase(name, pattern)), None)


@dataclass(frozen=True)
class Told:
    """A key of a project file, and what it tells of Dynamo."""

    kind: str
    path: tuple[str, ...]
    field: Any
    dynamo: DynamoName | None

    @property
    def key(self) -> str:
        return ".".join(self.path)


def keys(kind: str) -> Iterator[Told]:
    """Every key of a kind's project files, tables and what is in them."""
    for path, field in everywhere(KINDS[kind].Project):
        yield Told(kind, path, field, dynamo_name(field))
