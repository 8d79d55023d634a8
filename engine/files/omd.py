"""Dynamo's models (.omd): MATLAB files. Those of plain structures are read; MATLAB's own objects are not open to others."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from engine.data import Marks
from engine.faults import EngineError
from engine.files import matlab
from engine.files.limits import LARGEST_MODEL_BYTES
from engine.files.numbers import wholes
from engine.files.raw import bytes_of, reading

EXPORT = (
    "in MATLAB: m = dread('x.omd'); writetable(array2table([m.group_labels(:), m.points - 1], 'VariableNames', "
    "{'region', 'x', 'y', 'z'}), 'x.csv'); for dipoles 'region', 'x', 'y', 'z', 'north_x', 'north_y', 'north_z'"
)


def read_omd(path: Path) -> Marks:
    """The points of a model, or centre and north of each dipole as a group of two; px from 1 in the file, from 0 here.

    A MATLAB object is an EngineError that says how to write its points from MATLAB.
    """
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    with reading(path, "a Dynamo model"):
        raw = bytes_of(path, LARGEST_MODEL_BYTES)
        content = {}
        if not matlab.is_version_7_3(raw):
            matlab.refuse_other(raw, path, "a Dynamo model", LARGEST_MODEL_BYTES)
            try:
                with warnings.catch_warnings(action="ignore"):  # of a name that is there twice the last counts
                    content = loadmat(io.BytesIO(raw), squeeze_me=True, struct_as_record=False)
            except (MatReadError, NameError) as error:  # SciPy's reader forgets to set a variable of its own
                raise ValueError(str(error)) from error
        models = [value for name, value in content.items() if not name.startswith("__")]
        for model in models:
            if (found := _dipoles(model)) is not None or (found := _points(model)) is not None:
                return found
    raise EngineError(f"{path}: holds a MATLAB object, which only MATLAB and Dynamo open; export its points ({EXPORT})")


def _points(model: Any) -> Marks | None:
    points = getattr(model, "points", None)
    if not isinstance(points, np.ndarray) or not points.size or points.size % 3:
        return None
    points = points.reshape(-1, 3).astype(np.float64) - 1
    labels = np.ravel(np.asarray(getattr(model, "group_labels", ()), dtype=np.float64))
    groups = wholes(labels, "group_labels") if labels.size == len(points) else np.ones(len(points), dtype=np.int64)
    return Marks(points, groups, np.zeros(len(points)))


def _dipoles(model: Any) -> Marks | None:
    dipoles = [one for one in np.atleast_1d(getattr(model, "dipoles", ())) if hasattr(one, "center")]
    told = [one for one in dipoles if np.size(one.center) == 3 and np.size(getattr(one, "north", ())) == 3]
    if not told:
        return None
    points = np.array([end for one in told for end in (one.center, one.north)], dtype=np.float64) - 1
    labels = [float(np.ravel(getattr(one, "label", 0))[0]) for one in told if np.size(getattr(one, "label", 0))]
    is_told = len(set(labels)) == len(told)
    groups = wholes(np.array(labels if is_told else range(1, len(told) + 1), dtype=np.float64), "label")
    return Marks(points, np.repeat(groups, 2), np.zeros(len(points)))
