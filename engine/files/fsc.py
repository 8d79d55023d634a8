"""FSC curves for other programs: RELION's postprocess STAR, and the XML that the EMDB takes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from engine.data import Curve
from engine.faults import EngineError
from engine.files.blocks import Column, Facts, write_blocks
from engine.files.raw import write_text

_FSC_COLUMNS = {
    "fsc_corrected": "rlnFourierShellCorrelationCorrected",
    "fsc_part": "rlnFourierShellCorrelationParticleMaskFraction",
    "fsc_unmasked": "rlnFourierShellCorrelationUnmaskedMaps",
    "fsc_masked": "rlnFourierShellCorrelationMaskedMaps",
    "fsc_random": "rlnCorrectedFourierShellCorrelationPhaseRandomizedMaskedMaps",
}
_GUINIER_COLUMNS = {
    "resolution_squared_per_A2": "rlnResolutionSquared",
    "log_amplitude": "rlnLogAmplitudesOriginal",
    "log_amplitude_weighted": "rlnLogAmplitudesWeighted",
    "log_amplitude_sharpened": "rlnLogAmplitudesSharpened",
}
_GENERAL = {
    "final resolution (A)": "rlnFinalResolution",
    "B-factor (A2)": "rlnBfactorUsedForSharpening",
    "half1": "rlnUnfilteredMapHalf1",
    "half2": "rlnUnfilteredMapHalf2",
    "particle_part_factor": "rlnParticleBoxFractionSolventMask",
    "mask_file": "rlnMaskName",
    "phases random from (A)": "rlnRandomiseFrom",
    "slope": "rlnFittedSlopeGuinierPlot",
    "intercept": "rlnFittedInterceptGuinierPlot",
    "correlation": "rlnCorrelationFitGuinierPlot",
}
_TEXTS = ("rlnUnfilteredMapHalf1", "rlnUnfilteredMapHalf2", "rlnMaskName")
_NO_RESOLUTION_A = 999.0
"""What RELION writes for shell 0."""


def is_fsc(curve: Curve) -> bool:
    """True for a curve over shells with an FSC in it."""
    return "resolution_A" in curve.columns and bool({"fsc", "fsc_corrected"} & set(curve.columns))


def write_fsc_star(curve: Curve, path: str | Path) -> None:
    """Writes data_general, data_fsc and data_guinier, as far as the curve has what belongs there.

    A plain FSC, with the column fsc, becomes data_fsc alone. A note that is a text where RELION has a number is left out.
    """
    path = Path(path)
    blocks: dict[str, Mapping[str, Column] | Facts] = {}
    general = ((name, curve.notes[note]) for note, name in _GENERAL.items() if note in curve.notes)
    facts = Facts((name, value) for name, value in general if name in _TEXTS or not isinstance(value, str))
    if facts:
        blocks["general"] = facts
    resolution = _resolution(curve, path)
    known = curve["resolution_A"] > 0
    columns: dict[str, Column] = {
        "rlnSpectralIndex": curve["shell_fpx"],
        "rlnResolution": np.where(known, 1 / resolution, 1 / _NO_RESOLUTION_A),
        "rlnAngstromResolution": resolution,
    }
    names = {"fsc": "rlnFourierShellCorrelationCorrected", **_FSC_COLUMNS}
    blocks["fsc"] = columns | {name: curve[column] for column, name in names.items() if column in curve.columns}
    guinier: dict[str, Column] = {
        name: curve[column] for column, name in _GUINIER_COLUMNS.items() if column in curve.columns
    }
    if guinier:
        intercept = curve.notes.get("intercept")
        if isinstance(intercept, float):
            guinier["rlnLogAmplitudesIntercept"] = np.full(len(curve), intercept)
        blocks["guinier"] = guinier
    write_blocks(blocks, path)


def write_fsc_xml(curve: Curve, path: str | Path) -> None:
    """Writes 1 / resolution and FSC (the corrected one, if there are several) as the EMDB's XML."""
    path = Path(path)
    name = "fsc_corrected" if "fsc_corrected" in curve.columns else "fsc"
    title = "Masked-corrected FSC" if name == "fsc_corrected" else "FSC"
    root = ElementTree.Element("fsc", title=title, xaxis="Resolution (A-1)", yaxis="Correlation Coefficient")
    for resolution, value in zip(_resolution(curve, path).tolist(), curve[name].tolist(), strict=True):
        point = ElementTree.SubElement(root, "coordinate")
        ElementTree.SubElement(point, "x").text = f"{1 / resolution:.6g}"
        ElementTree.SubElement(point, "y").text = f"{value:.6g}"
    ElementTree.indent(root)
    write_text(ElementTree.tostring(root, encoding="unicode") + "\n", path)


def _resolution(curve: Curve, path: Path) -> np.ndarray:
    """The resolution in A of each shell, 999 for shell 0. Without a pixel size it is an EngineError."""
    if not is_fsc(curve):
        raise EngineError(f"{path}: {', '.join(curve.columns)} are no FSC over shells; write it as .csv")
    if not (curve["resolution_A"] > 0).any():
        raise EngineError(f"{path}: the FSC has no resolution in A (its maps told no pixel size); write it as .csv")
    return np.where(curve["resolution_A"] > 0, curve["resolution_A"], _NO_RESOLUTION_A)
