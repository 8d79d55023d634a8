"""Good and bad particles by their cc: two Gaussians, and the cc of the lowest density between them."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from engine.data import Curve
from engine.kinds.rules import deviation
from engine.kinds.selection.form import ByMixture

FEWEST = 20
"""Fewer particles than this are not taken for a mixture of two."""
TOLERANCE = 1e-6
"""The fit ends when a round raises the mean log-likelihood of a particle by less."""
_ROUNDS = 2000
_FIRST = 1000
_POINTS = 2001
_BINS = 60


@dataclass(frozen=True)
class Fit:
    """Two Gaussians of cc, the lower mean first: means, deviations and weights, (2,) each.

    is_settled: the fit came to its end.
    """

    means: np.ndarray
    deviations: np.ndarray
    weights: np.ndarray
    is_settled: bool

    def densities(self, cc: np.ndarray) -> np.ndarray:
        """(2, n): how dense each Gaussian is at cc, both together 1 over all."""
        away = (cc - self.means[:, None]) / self.deviations[:, None]
        height = self.weights / (self.deviations * np.sqrt(2 * np.pi))
        return np.asarray(height[:, None] * np.exp(-0.5 * away**2))


def mixture(
    form: ByMixture, cc: np.ndarray, groups: Mapping[str, np.ndarray]
) -> tuple[np.ndarray, dict[str, Any], Curve]:
    """(n,) bool of the rows below the threshold of their group, each group's threshold, and curves to look at.

    The curves: particles for each bin of cc, and those that each Gaussian has there; their notes tell the fits.
    """
    rejected = np.zeros(len(cc), dtype=bool)
    edges = np.histogram_bin_edges(cc, _BINS)
    middles, width = (edges[1:] + edges[:-1]) / 2, edges[1] - edges[0]
    told: dict[str, Any] = {}
    columns: dict[str, np.ndarray] = {"cc": middles}
    notes: dict[str, Any] = {"shows": "mixture"}
    for name, mine in groups.items():
        fit = fitted(cc[mine])
        threshold, how = threshold_of(form, cc[mine], fit)
        rejected[mine] = cc[mine] < threshold
        told |= {f"{name}: threshold": threshold, f"{name}: how": how}
        if fit:
            for part, kind in enumerate(("bad", "good")):
                columns[f"{name}: {kind}"] = fit.densities(middles)[part] * len(mine) * width
                notes |= {f"{name}: mean, {kind}": float(fit.means[part])}
                notes |= {f"{name}: deviation, {kind}": float(fit.deviations[part])}
            notes[f"{name}: share, bad"] = float(fit.weights[0])
        columns[f"{name}: particles"] = np.histogram(cc[mine], edges)[0].astype(float)
    return rejected, told, Curve(columns, notes | told)


def threshold_of(form: ByMixture, cc: np.ndarray, fit: Fit | None) -> tuple[float, str]:
    """The cc that a particle must reach, and how it was found, in words. Never such that all are rejected for equal cc."""
    if fit is None:
        threshold = min(float(cc.mean()) - form.fallback_std * deviation(cc), float(cc.max(initial=-np.inf)))
        return threshold, f"fallback: {len(cc)} particles are no mixture, mean - {form.fallback_std:g} deviations"
    unsettled = "" if fit.is_settled else f"; the fit had not come to its end after {_ROUNDS} rounds"
    between = np.linspace(fit.means[0], fit.means[1], _POINTS)
    lowest = int(fit.densities(between).sum(axis=0).argmin())
    if 0 < lowest < _POINTS - 1:
        return float(between[lowest]) + form.offset, f"lowest density + {form.offset:g}{unsettled}"
    threshold = float(fit.means[1] - form.fallback_std * fit.deviations[1])
    how = f"fallback: no lowest density between the means, higher mean - {form.fallback_std:g} deviations"
    return threshold, how + unsettled


def fitted(cc: np.ndarray) -> Fit | None:
    """The mixture of greatest likelihood, from halves at the median; None for a handful of particles, or one cc of all.

    Nothing in it is random: the same cc give the same bits. Of many particles some thousand, evenly spread over the sorted
    cc, are fitted first, and all of them from there.
    """
    spread = float(cc.std()) if len(cc) else 0.0
    if len(cc) < FEWEST or spread <= 1e-9 * float(np.abs(cc).max()):
        return None
    # In deviations from the mean, so that the floor of a variance, 1e-6, means the same for any cc.
    scaled = np.sort((cc - cc.mean()) / spread)
    is_low = scaled < np.median(scaled)
    parts = [scaled[is_low], scaled[~is_low]] if is_low.any() else [scaled[:1], scaled]
    start = np.array([[0.5, part.mean(), max(part.var(), 1e-3)] for part in parts]).T
    with threadpool_limits(1):
        if len(scaled) > 2 * _FIRST:
            start, _ = _climbed(start, scaled[:: len(scaled) // _FIRST])
        (weights, means, variances), is_settled = _climbed(start, scaled)
    order = np.argsort(means, kind="stable")
    deviations = spread * np.sqrt(variances[order])
    return Fit(cc.mean() + spread * means[order], deviations, weights[order], is_settled)


def _climbed(start: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, bool]:
    """(3, 2) weights, means and variances of greatest likelihood, reached from a start, and whether the climb ended."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    weights, means, variances = start
    model = GaussianMixture(
        2,
        tol=TOLERANCE,
        max_iter=_ROUNDS,
        weights_init=weights,
        means_init=means[:, None],
        precisions_init=1 / variances[:, None, None],
        random_state=0,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(values[:, None])
    return np.array([model.weights_, model.means_[:, 0], model.covariances_[:, 0, 0]]), bool(model.converged_)
