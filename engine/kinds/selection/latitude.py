"""The cc freed of the angle to the beam: particles seen from their poles have a lower one, for the missing wedge's sake."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from engine.data import Curve, Table
from engine.faults import EngineError
from engine.geometry import euler
from engine.kinds.rules import deviation
from engine.kinds.selection.form import ByLatitude

_PER_COEFFICIENT = 4
"""Particles that each coefficient of the series needs; fewer shorten it."""
_STEP_DEG = 5.0
"""Width of a bin of the curves."""


def latitude(
    form: ByLatitude, table: Table, groups: Mapping[str, np.ndarray]
) -> tuple[np.ndarray, dict[str, Any], Curve]:
    """(n,) bool of the rows whose freed cc lies too far below its mean, each group's threshold, and curves.

    The curves over the angle: mean cc of the particles there (not a number where there are none), the fit, the threshold.
    """
    cc, angle_deg = table["cc"], beam_angle_deg(table.angles)
    rejected = np.zeros(len(table), dtype=bool)
    middles = np.arange(_STEP_DEG / 2, 180, _STEP_DEG)
    bins = np.clip(angle_deg // _STEP_DEG, 0, len(middles) - 1).astype(int)
    told: dict[str, Any] = {}
    notes: dict[str, Any] = {"shows": "latitude"}
    columns: dict[str, np.ndarray] = {"angle_to_beam_deg": middles}
    for name, mine in groups.items():
        terms = max(0, min(form.terms, (len(mine) // _PER_COEFFICIENT - 1) // 2))
        series = fitted(angle_deg[mine], cc[mine], terms)
        there, course = valued(series, angle_deg[mine]), valued(series, middles)
        if form.normalise == "divide" and there.min(initial=np.inf) <= 0:
            raise EngineError(
                f'{name}: the fitted cc is not above 0 at every angle, so nothing can be divided by it (normalise = "subtract")'
            )
        freed = cc[mine] / there if form.normalise == "divide" else cc[mine] - there
        threshold = freed.mean() - form.n_std * deviation(freed)
        # Equal values are none below their mean, whatever their sum was rounded to.
        rejected[mine] = freed < threshold - 1e-12 * np.abs(freed).max(initial=0)
        told[f"{name}: threshold of the freed cc"] = float(threshold)
        notes |= {f"{name}: mean": float(freed.mean()), f"{name}: deviation": deviation(freed), f"{name}: terms": terms}
        columns[f"{name}: mean cc"] = _means(cc[mine], bins[mine], len(middles))
        columns[f"{name}: fit"] = course
        columns[f"{name}: threshold"] = course * threshold if form.normalise == "divide" else course + threshold
    return rejected, told, Curve(columns, notes | told)


def beam_angle_deg(angles: np.ndarray) -> np.ndarray:
    """(n,) angle between each particle's axis and z, 0 to 180 deg."""
    return np.asarray(np.degrees(np.arccos(np.clip(euler.axes(angles)[:, 2], -1, 1))))


def fitted(angle_deg: np.ndarray, values: np.ndarray, terms: int) -> np.ndarray:
    """(1 + 2 terms,) coefficients of least squares: a0 + a1 cos 2t + b1 sin 2t + a2 cos 4t + b2 sin 4t …, t the angle."""
    if not len(values):
        return np.zeros(1 + 2 * terms)
    return np.asarray(np.linalg.lstsq(_basis(angle_deg, terms), values, rcond=1e-9)[0])


def valued(series: np.ndarray, angle_deg: np.ndarray) -> np.ndarray:
    """(n,) the series at these angles."""
    return np.asarray(_basis(angle_deg, len(series) // 2) @ series)


def _basis(angle_deg: np.ndarray, terms: int) -> np.ndarray:
    turns = np.radians(angle_deg)[:, None] * 2 * np.arange(1, terms + 1)
    waves = np.stack([np.cos(turns), np.sin(turns)], axis=-1).reshape(len(angle_deg), 2 * terms)
    return np.column_stack([np.ones(len(angle_deg)), waves])


def _means(values: np.ndarray, bins: np.ndarray, n_bins: int) -> np.ndarray:
    counts, sums = np.bincount(bins, minlength=n_bins), np.bincount(bins, values, minlength=n_bins)
    return np.divide(sums, counts, out=np.full(n_bins, np.nan), where=counts > 0)
